# SPDX-License-Identifier: Apache-2.0
"""Spring Boot 2.3 with Hoxton and 2.7 with 2021.0, unmodified: Ribbon and both Spring Cloud LoadBalancers, RestTemplate and
Feign, find the mesh through Eureka's client, over Jersey 1 and over RestTemplate."""

import collections
import contextlib
import json
import threading

import demos
import eureka_support
import harness
import pytest
from eureka_support import ALIASES, CALLS, DEFAULT_PORT, ECHOES, LEVERS, OTHER_PORT, SHARES, by_address, near

JVM = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "--add-opens=java.base/java.lang=ALL-UNNAMED",
       "--add-opens=java.base/java.util=ALL-UNNAMED")
PORT = 8080  # of the applications, each on an address of its own
FEW = 200  # calls: ten rounds of a list of twenty
NO_RIBBON = {"SPRING_CLOUD_LOADBALANCER_RIBBON_ENABLED": "false"}
OTHERS = dict(zip(ECHOES, (10, 20, 70)))

# Generation, what is left out of the class path, environment: each with its transport and balancer.
CALLERS = {
    "ribbon-jersey": ("spring-2.3", None, {}),
    "balancer-2.3-template": ("spring-2.3", "jersey-", NO_RIBBON),
    "balancer-2.7-template": ("spring-2.7", "jersey-", {}),
    "balancer-2.7-jersey": ("spring-2.7", None, {}),
}
TOLD_NOTHING = "ribbon-jersey"  # of a registry: it is found where it is by default


class Application(demos.Java):
    """One of them, registered under its name; what it asks the door passes a wire of its own."""

    def __init__(self, stage, name, address):
        self.name, self.address, self.transport = name, address, name.rpartition("-")[2]
        told = name != TOLD_NOTHING
        self.wire = eureka_support.Wire(stage.mesh.port, 0 if told else DEFAULT_PORT)
        jar, without, environment = CALLERS[name]
        own = [f"--spring.application.name={name}", f"--eureka.instance.ip-address={address}",
               "--eureka.instance.prefer-ip-address=true"]
        super().__init__(jar, address, PORT, *own, main="isthmus.spring.SpringCaller", jvm=JVM, without=without,
                         env=eureka_support.spring_environment(self.wire.url if told else None, **LEVERS, **environment))

    def json(self, path, **query):
        return json.loads(self.get(path, **query))

    def calls(self, by, name, times=CALLS):
        return self.json("/calls", by=by, name=name, times=times)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    stage = eureka_support.Stage(tmp_path_factory.mktemp("mesh"))
    yield stage
    stage.stop()


@pytest.fixture(scope="module")
def callers(stage):
    found = {name: Application(stage, name, f"127.0.82.{i}") for i, name in enumerate(CALLERS, 1)}
    yield found
    demos.stop_all(found.values())


@pytest.fixture(params=CALLERS)
def caller(request, callers):
    return callers[request.param].wait_started()


@pytest.mark.parametrize("by", ["template", "feign"])
def test_calls_have_the_shares(stage, caller, by):
    counts = by_address(caller.calls(by, "reviews"), stage.echo.port)
    assert near(counts, SHARES), counts


@pytest.mark.parametrize("by", ["template", "feign"])
def test_every_form_of_the_name(stage, caller, by):
    """The list is exact; few calls say that this balancer finds the name, and chooses from its list."""
    for forms, echo in ((ALIASES, stage.echo), (OTHER_PORT, stage.more_echo)):
        for form, shares in forms.items():
            places = collections.Counter(place.removeprefix("http://") for place in caller.json("/instances", name=form))
            assert near(by_address(places, echo.port), shares, within=0), (form, places)
            counts = caller.calls(by, form, FEW)
            assert near(by_address(counts, echo.port), shares, within=4), (form, counts)


def test_application_registers_and_finds_itself(stage, caller):
    own = f"/eureka/apps/{caller.name.upper()}"
    harness.wait_for(lambda: caller.name in caller.json("/services"), "its own name among the services")
    assert {"reviews", "ratings.shop"} <= set(caller.json("/services"))
    assert caller.json("/instances", name=caller.name) == [f"http://{caller.address}:{PORT}"]
    assert len(caller.wire.matching("POST", own)) == 1
    harness.wait_for(lambda: len(caller.wire.matching("PUT", f"{own}/.*")) >= 2, "heartbeats")
    assert len(caller.wire.matching("POST", own)) == 1, "a heartbeat was not known"


def test_requests_get_repeated_names(stage, caller):
    """What the door tells by, as this client sends it; the same question then gets a list that tells weights."""
    first = caller.wire.matching("GET", "/eureka/apps/")[0]
    assert "json" in first["accept"]
    if caller.transport == "jersey":
        assert first["user-agent"].startswith("Java-EurekaClient/v1.10.1")
    answer = stage.mesh.ask("apps/", **{"Accept": first["accept"], "User-Agent": first["user-agent"]}).json()
    listed = [app for app in answer["applications"]["application"] if app["name"] == "REVIEWS"]
    repeats = [one["vipAddress"].split(",").count("reviews") for one in listed[0]["instance"]]
    assert sorted(repeats) == [1, 3, 16]
    harness.wait_for(lambda: len(caller.wire.matching("GET", "/eureka/apps/delta")) >= 3, "deltas, each second")
    assert len(caller.wire.matching("GET", "/eureka/apps/")) == 1


@pytest.mark.parametrize("name", ["balancer-2.3-template", "balancer-2.7-template"])
def test_every_body_is_decoded(bodies, callers, name, tmp_path):
    """By the mapper of RestTemplate, to which an unknown field is an error."""
    results = tmp_path / "results"
    assert callers[name].wait_started().get("/decode", list=bodies.lists[True], results=results) == "ok"
    assert bodies.differences(True, results) == []


def test_changes_arrive_by_deltas_alone(stage, callers):
    """In a moment, by what their environment says; it would be half a minute and more."""
    running = [caller.wait_started() for caller in callers.values()]
    before = stage.mesh.fulls()
    for shares in (OTHERS, dict(zip(ECHOES, (100, 0, 0))), dict(zip(ECHOES, (0, 0, 100))), SHARES):
        stage.shift(shares)
        for caller in running:
            harness.wait_for(
                lambda c=caller, s=shares: near(by_address(c.calls("template", "reviews"), stage.echo.port), s),
                f"{shares} at {caller.name}", 15)
    assert stage.mesh.fulls() == before


@contextlib.contextmanager
def list_sizes(caller):
    """How long its list of `reviews` is, looked at all the time."""
    sizes, ended = set(), threading.Event()

    def look():
        while not ended.wait(0.02):
            sizes.add(len(caller.json("/instances", name="reviews")))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield sizes
    finally:
        ended.set()
        thread.join(60)


def test_restarted_agent_is_registered_with_again(stage, callers):
    running = [caller.wait_started() for caller in callers.values()]
    with contextlib.ExitStack() as stack:
        sizes = [stack.enter_context(list_sizes(caller)) for caller in running]
        stage.mesh.restart()
        for caller in running:
            harness.wait_for(lambda c=caller: stage.mesh.ask(f"apps/{c.name}").status == 200, f"{caller.name} registered")
            before = len(caller.wire.matching("GET", "/eureka/apps/delta"))
            harness.wait_for(
                lambda c=caller, n=before: len(c.wire.matching("GET", "/eureka/apps/delta")) >= n + 2, "a delta of the new agent")
    assert sizes == [{20}] * len(running)
    for caller in running:
        counts = by_address(caller.calls("template", "reviews"), stage.echo.port)
        assert near(counts, SHARES), (caller.name, counts)


def test_applications_leave(stage, callers):
    """The last test: it ends them."""
    running = [caller.wait_started() for caller in callers.values()]
    harness.wait_for(lambda: stage.mesh.registrations() == len(running), "all registrations")
    demos.stop_all(running)
    for caller in running:
        assert len(caller.wire.matching("DELETE", f"/eureka/apps/{caller.name.upper()}/.*")) == 1, caller.name
    assert stage.mesh.registrations() == 0
