# SPDX-License-Identifier: Apache-2.0
"""Spring applications before the Eureka door, and what must be true of each, whatever its generation."""

import collections
import contextlib
import json
import re
import subprocess
import threading

import demos
import envoy_proxy
import eureka_support
import harness
import objects
from eureka_support import ALIASES, CALLS, DEFAULT_PORT, ECHOES, LEVERS, OTHER_PORT, SHARES, by_address, near

JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Djava.security.properties={demos.FRESH_LOOK_UPS}")
PORT = 8080  # of the applications, each on an address of its own
PAYMENTS = "payments.default.svc.cluster.local"  # speaks TLS
PAYMENTS_AT = ("127.0.84.1", "127.0.84.2")
FEW = 200  # calls: ten rounds of a list of twenty
SHIFTS = (*(dict(zip(ECHOES, shares)) for shares in ((10, 20, 70), (100, 0, 0), (0, 0, 100))), SHARES)

# What the log of an application has where it does not like an answer. That a task of its client was interrupted says nothing:
# it must end within its period, which is a second here.
DISLIKED = (r"(Mapping|Decod|Codec|Encod|Parse|Conver|NotReadable|Unrecognized|NullPointer|IllegalArgument)\w*Exception|"
            r"Unexpected error|HTTP [45]\d\d|[45]\d\d (Bad|Not Acceptable|Unsupported|Internal|Service)")


class Caller(demos.Java):
    """What answers by HTTP: tests/clients/java/spring-caller, and what is like it."""

    def json(self, path, **query):
        return json.loads(self.get(path, **query))

    def calls(self, by, name, times=CALLS, **more):
        return self.json("/calls", by=by, name=name, times=times, **more)


class Application(Caller):
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

    def asked(self, method, path):
        """How often it has asked the door so."""
        return len(self.wire.matching(method, f"/eureka/apps/{path}"))

    def complaints(self):
        return [line for line in self.stdout if re.search(DISLIKED, line)]


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, folder):
        self.folder = folder
        self._run("openssl", "req", "-x509", *self.key("ca"), "-out", "ca.pem", "-days", "2", "-subj", "/CN=tests")
        self._run("keytool", "-importcert", "-noprompt", "-file", "ca.pem", "-keystore", "trust.p12", "-storepass", "changeit")
        self.java = (f"-Djavax.net.ssl.trustStore={folder / 'trust.p12'}", "-Djavax.net.ssl.trustStorePassword=changeit")

    @staticmethod
    def key(name):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key")

    def _run(self, *words):
        subprocess.run(words, cwd=self.folder, check=True, capture_output=True, timeout=60)

    def sign(self, host):
        """Certificate and key for a host name."""
        self._run("openssl", "req", "-x509", *self.key(host), "-CA", "ca.pem", "-CAkey", "ca.key", "-out", f"{host}.pem",
                  "-days", "2", "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}")
        return self.folder / f"{host}.pem", self.folder / f"{host}.key"


class World:
    """The mesh of all Eureka clients and a service that speaks TLS, on the agent that is also the applications' resolver."""

    STAGE = eureka_support.Stage

    def __init__(self, folder):
        self.authority = Authority(folder)
        self.stage = self.STAGE(
            folder, ("--dns-listen", "127.0.0.1:53"), services={"payments": {"dns-answer": "endpoint"}})
        self.secure_echo = envoy_proxy.Echo(*self.authority.sign(PAYMENTS))
        port = self.secure_echo.port
        self.stage.mesh.put("payments", *objects.app(
            "payments", {"v1": PAYMENTS_AT}, ip="10.96.0.3", ports=((port, port, "https"),)))

    def start(self, program, name, address, *settings, jvm=(), **more):
        return Application(self.stage, program, name, address, *settings, jvm=(*jvm, *self.authority.java), **more)

    def stop(self):
        self.stage.stop()
        self.secure_echo.stop()


def check_tls(world, caller, by, schemes=("https", "http")):
    """It is called by the name in its certificate, which the agent's own DNS leads to its endpoints; also where the
    application writes http, of which most balancers make https."""
    port = world.secure_echo.port
    assert caller.json("/instances", name="payments") == [f"https://{PAYMENTS}:{port}"]
    for scheme in schemes:
        assert by_address(caller.calls(by, "payments", 20, scheme=scheme), port).keys() <= set(PAYMENTS_AT)


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


def check_decoding(bodies, caller, folder):
    """By the mapper of RestTemplate, to which an unknown field is an error."""
    results = folder / "results"
    assert caller.get("/decode", list=bodies.lists[True], results=results) == "ok"
    assert bodies.differences(True, results) == []


def check_leave(stage, applications):
    """The last check: it ends them."""
    harness.wait_for(lambda: stage.mesh.registrations() == len(applications), "all registrations")
    demos.stop_all(applications)
    for one in applications:
        assert one.asked("DELETE", f"{one.name.upper()}/.*") == 1, one.name
    assert stage.mesh.registrations() == 0
