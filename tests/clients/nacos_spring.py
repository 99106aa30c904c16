# SPDX-License-Identifier: Apache-2.0
"""Applications of Spring Cloud Alibaba before the Nacos door, and what must be true of each, whatever its generation."""

import collections
import contextlib
import re
import urllib.error

import demos
import harness
import nacos_support
import pytest
import spring
from eureka_support import ALIASES, ECHOES, OTHER_PORT, SHARES, by_address, near
from spring import PORT

JVM = ("-Xmx160m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Djava.security.properties={demos.FRESH_LOOK_UPS}")
# What an application's environment says to see a change as soon as Nacos's own client has it.
LEVERS = {"RIBBON_SERVERLISTREFRESHINTERVAL": "500", "SPRING_CLOUD_LOADBALANCER_CACHE_TTL": "1s"}
# Weighted and random, in place of turns; of an application that is in no cluster it would warn with each call.
NACOS_BALANCER = {"SPRING_CLOUD_LOADBALANCER_NACOS_ENABLED": "true", "SPRING_CLOUD_NACOS_DISCOVERY_CLUSTERNAME": "DEFAULT"}
NO_CONFIG = ("--spring.cloud.nacos.config.enabled=false", "--spring.cloud.nacos.config.import-check.enabled=false")
PICKS = 40000  # so many random ones are within a point but for one run in two million
ROUNDS = 400  # calls, in whole rounds of every list
SHIFTS = (*(dict(zip(ECHOES, shares)) for shares in ((10, 20, 70), (100, 0, 0), (0, 0, 100))), SHARES)


class Application(spring.Caller):
    """One of them, registered under its name, with its client's files in a folder of its own. One that is told of no registry
    finds it where it is by default."""

    def __init__(self, folder, jar, name, address, *settings, jvm=(), env=None, told=True):
        self.name, self.address, self.logs, self.random = name, address, folder / "logs", env == NACOS_BALANCER
        files = {"user.home": folder, "JM.LOG.PATH": self.logs, "JM.SNAPSHOT.PATH": folder / "snapshots"}
        place = [f"--spring.cloud.nacos.discovery.server-addr={nacos_support.SERVER}"] if told else []
        super().__init__(
            jar, address, PORT, f"--spring.application.name={name}", f"--spring.cloud.nacos.discovery.ip={address}", *place,
            "--management.endpoint.health.show-details=always", *settings, main="isthmus.spring.SpringCaller",
            jvm=(*JVM, *jvm, *(f"-D{key}={value}" for key, value in files.items())), env={**LEVERS, **(env or {})})

    def places(self, name):
        """Where it leads, in order, each as often as the client's list has it."""
        return [place.removeprefix("http://") for place in self.json("/instances", name=name)]

    def picks(self, name, times=PICKS):
        return self.json("/picks", name=name, times=times)

    def log_lines(self):
        """Of its own log, and of those of its client."""
        return [*self.stdout, *(line for file in self.logs.rglob("*.log") for line in file.read_text().splitlines())]

    def complaints(self):
        """Errors. That a connection takes longer than the client likes says how busy this machine is; it tries again."""
        return [line for line in self.log_lines() if re.search(r"\bERROR\b", line) and "Server check fail" not in line]


class World(spring.World):
    """As that of the Eureka applications, before the Nacos door."""

    STAGE = nacos_support.Stage

    def __init__(self, folder):
        super().__init__(folder)
        self.folder = folder

    def start(self, jar, name, address, *settings, jvm=(), **more):
        folder = self.folder / name
        folder.mkdir()
        return Application(folder, jar, name, address, *settings, jvm=(*jvm, *self.authority.java), **more)


def check_start(caller):
    """Without a word of dislike, neither of its own nor of its client; its health is that of its registry, too."""
    complaints = caller.complaints()
    assert not complaints, complaints
    health = caller.json("/actuator/health")
    assert health["status"] == "UP", health
    services = health["components"]["discoveryComposite"]["components"]["discoveryClient"]["details"]["services"]
    assert {caller.name, "reviews", "ratings.shop"} <= set(services)
    assert sorted(services) == sorted(set(services)) == sorted(caller.json("/services"))


def check_registration(stage, caller):
    """It finds itself, and the door lists it as it has registered."""
    assert caller.places(caller.name) == [f"{caller.address}:{PORT}"]
    (host,) = stage.mesh.hosts(caller.name)
    assert (host["ip"], host["port"]) == (caller.address, PORT)
    assert host["metadata"]["preserved.register.source"] == "SPRING_CLOUD"


def check_calls(stage, caller, by):
    """Turns give each its share exactly, over whole rounds of the list; chance gives each some."""
    counts = by_address(caller.calls(by, "reviews", ROUNDS), stage.echo.port)
    assert counts.keys() == SHARES.keys(), (caller.name, by, counts)
    assert caller.random or near(counts, SHARES, within=0), (caller.name, by, counts)


def check_picks(stage, caller):
    counts = by_address(caller.picks("reviews"), stage.echo.port)
    assert near(counts, SHARES), (caller.name, counts)


def check_order(caller):
    """Who takes turns sends nobody a burst: each half of a round has its share of the one that has most."""
    places = [place.rpartition(":")[0] for place in caller.places("reviews")]
    assert [places.count(each) for each in ECHOES] == [16, 3, 1], places
    assert [places[:10].count(ECHOES[0]), places[10:].count(ECHOES[0])] in ([8, 8], [7, 9], [9, 7]), places


def check_every_form(stage, caller):
    """The list is exact, and leads to calls."""
    for forms, echo in ((ALIASES, stage.echo), (OTHER_PORT, stage.more_echo)):
        for form, shares in forms.items():
            found = by_address(collections.Counter(caller.places(form)), echo.port)
            assert near(found, shares, within=0), (caller.name, form, found)
            counts = by_address(caller.calls("template", form, 20), echo.port)
            assert counts.keys() <= shares.keys(), (caller.name, form, counts)
            assert caller.random or near(counts, shares, within=0), (caller.name, form, counts)


def has_shares(stage, caller, shares):
    """Few picks say which of several distributions it is."""
    if caller.random:
        return near(by_address(caller.picks("reviews", 4000), stage.echo.port), shares, within=4)
    return near(by_address(caller.calls("template", "reviews", 100), stage.echo.port), shares, within=0)


def wait_shares(stage, callers, shares):
    for caller in callers:
        harness.wait_for(lambda c=caller: has_shares(stage, c, shares), f"{shares} at {caller.name}", 60)


def check_tls(world, caller, by):
    """It is called by its host, which Nacos's own balancer takes for no address."""
    if caller.random:
        assert caller.picks("payments", 1) == {"nothing": 1}
    else:
        spring.check_tls(world, caller, by)


def check_changes(stage, callers):
    for shares in SHIFTS:
        stage.shift(shares)
        wait_shares(stage, callers, shares)


def check_scaled_to_zero(stage, callers):
    """It has nobody to call, says so, and calls again when there is somebody."""
    things = stage.things(SHARES)
    for one in things:
        if one["kind"] == "EndpointSlice":
            one["endpoints"] = []
    stage.mesh.put("mesh", *things)
    for caller in callers:
        harness.wait_for(lambda c=caller: c.picks("reviews", 1) == {"nothing": 1}, f"nobody at {caller.name}", 60)
        assert caller.places("reviews") == []
        with pytest.raises(urllib.error.HTTPError) as refused:
            caller.calls("template", "reviews", 1)
        assert "No instances available for reviews" in refused.value.read().decode()
    stage.shift(SHARES)
    wait_shares(stage, callers, SHARES)


def check_restart(stage, callers):
    """They lose nothing while the agent is started anew, register again with it, and see what changes."""
    with contextlib.ExitStack() as stack:
        sizes = [stack.enter_context(spring.list_sizes(caller)) for caller in callers]
        stage.mesh.restart()
        for caller in callers:
            harness.wait_for(lambda c=caller: stage.mesh.hosts(c.name), f"{caller.name} registered", 60)
    assert sizes == [{20}] * len(callers)
    stage.shift(SHIFTS[0])
    wait_shares(stage, callers, SHIFTS[0])
    stage.shift(SHARES)
    wait_shares(stage, callers, SHARES)


def check_leave(stage, callers):
    """The last check: it ends them."""
    demos.stop_all(callers)
    assert [stage.mesh.hosts(caller.name) for caller in callers] == [[]] * len(callers)
