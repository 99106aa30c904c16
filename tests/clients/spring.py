# SPDX-License-Identifier: Apache-2.0
"""Spring applications before the Eureka door, and what must be true of each, whatever its generation."""

import collections
import contextlib
import json
import re
import threading

import demos
import eureka_support
import harness
from eureka_support import ALIASES, CALLS, DEFAULT_PORT, ECHOES, LEVERS, OTHER_PORT, SHARES, by_address, near

JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
PORT = 8080  # of the applications, each on an address of its own
FEW = 200  # calls: ten rounds of a list of twenty
SHIFTS = (*(dict(zip(ECHOES, shares)) for shares in ((10, 20, 70), (100, 0, 0), (0, 0, 100))), SHARES)

# Warnings that have nothing to do with what the door answers. A task of Eureka's client is interrupted when its period has
# passed, which is a second here; that happens on a machine that is busy.
HARMLESS = (r"TimedSupervisorTask|InterruptedException|Was unable to send heartbeat|Retry limit reached|"
            r"Cannot find template location|LoadBalancerCaffeineWarnLogger|MacAddressUtil|MessagingBinders")


class Application(demos.Java):
    """One of them, registered under its name; what it asks the door passes a wire of its own. One that is told of no registry
    finds it where it is by default."""

    def __init__(self, stage, program, name, address, *settings, jvm=(), env=None, without=None, told=True):
        jar, main = program
        self.name, self.address = name, address
        self.wire = eureka_support.Wire(stage.mesh.port, 0 if told else DEFAULT_PORT)
        own = [f"--spring.application.name={name}", f"--eureka.instance.ip-address={address}",
               "--eureka.instance.prefer-ip-address=true"]
        place = self.wire.url if told else None
        super().__init__(jar, address, PORT, *own, *settings, main=f"isthmus.spring.{main}", jvm=(*JVM, *jvm),
                         without=without, env=eureka_support.spring_environment(place, **LEVERS, **(env or {})))

    def json(self, path, **query):
        return json.loads(self.get(path, **query))

    def calls(self, by, name, times=CALLS, **more):
        return self.json("/calls", by=by, name=name, times=times, **more)

    def asked(self, method, path):
        """How often it has asked the door so."""
        return len(self.wire.matching(method, f"/eureka/apps/{path}"))

    def complaints(self):
        return [line for line in self.stdout if re.search(r"Z +(WARN|ERROR) ", line) and not re.search(HARMLESS, line)]


def check_registration(caller):
    """It registers, finds itself, and its heartbeats are known (its first may be earlier than its registration)."""
    own = caller.name.upper()
    harness.wait_for(lambda: caller.name in caller.json("/services"), "its own name among the services")
    assert {"reviews", "ratings.shop"} <= set(caller.json("/services"))
    assert caller.json("/instances", name=caller.name) == [f"http://{caller.address}:{PORT}"]
    before, registered = caller.asked("PUT", f"{own}/.*"), caller.asked("POST", own)
    assert registered
    harness.wait_for(lambda: caller.asked("PUT", f"{own}/.*") >= before + 3, "heartbeats")
    assert caller.asked("POST", own) == registered, "a heartbeat was not known"


def check_deltas_suffice(caller):
    before = caller.asked("GET", "delta")
    harness.wait_for(lambda: caller.asked("GET", "delta") >= before + 3, "deltas, each second")
    assert caller.asked("GET", "") == 1


def check_every_form(stage, caller, by):
    """The list is exact; few calls say that this balancer finds the name, and chooses from its list."""
    for forms, echo in ((ALIASES, stage.echo), (OTHER_PORT, stage.more_echo)):
        for form, shares in forms.items():
            places = collections.Counter(place.removeprefix("http://") for place in caller.json("/instances", name=form))
            assert near(by_address(places, echo.port), shares, within=0), (form, places)
            counts = caller.calls(by, form, FEW)
            assert near(by_address(counts, echo.port), shares, within=4), (form, counts)


def check_changes(stage, callers):
    """In a moment, by what their environment says (it would be half a minute and more), and by deltas alone. `callers`: each
    with what it calls by."""
    before = stage.mesh.fulls()
    for shares in SHIFTS:
        stage.shift(shares)
        for caller, by in callers:
            harness.wait_for(
                lambda c=caller, b=by, s=shares: near(by_address(c.calls(b, "reviews", FEW), stage.echo.port), s, within=4),
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


def check_restart(stage, callers):
    """They register again with an agent that is started anew, and lose nothing meanwhile."""
    with contextlib.ExitStack() as stack:
        sizes = [stack.enter_context(list_sizes(caller)) for caller, _ in callers]
        stage.mesh.restart()
        for caller, _ in callers:
            harness.wait_for(lambda c=caller: stage.mesh.ask(f"apps/{c.name}").status == 200, f"{caller.name} registered")
            before = caller.asked("GET", "delta")
            harness.wait_for(lambda c=caller, n=before: c.asked("GET", "delta") >= n + 2, "a delta of the new agent")
    assert sizes == [{20}] * len(callers)
    for caller, by in callers:
        counts = by_address(caller.calls(by, "reviews"), stage.echo.port)
        assert near(counts, SHARES), (caller.name, counts)


def check_leave(stage, applications):
    """The last check: it ends them."""
    harness.wait_for(lambda: stage.mesh.registrations() == len(applications), "all registrations")
    demos.stop_all(applications)
    for one in applications:
        assert one.asked("DELETE", f"{one.name.upper()}/.*") == 1, one.name
    assert stage.mesh.registrations() == 0
