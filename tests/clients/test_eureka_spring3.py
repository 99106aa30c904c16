# SPDX-License-Identifier: Apache-2.0
"""Spring Boot 3.5 with Spring Cloud 2025.0, unmodified: Spring Cloud LoadBalancer, Feign, the gateway and the admin server
find the mesh through Eureka's client, over each of the HTTP clients that it can be given."""

import collections
import http.client
import json
import re
import subprocess

import demos
import envoy_proxy
import eureka_support
import harness
import objects
import pytest
from eureka_support import ALIASES, CALLS, ECHOES, LEVERS, OTHER_PORT, SHARES, by_address, near

JVM = ("-Xmx160m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Djava.security.properties={demos.FRESH_LOOK_UPS}")
PORT = 8080  # of the applications, each on an address of its own
FEW = 200  # calls: ten rounds of a list of twenty
CLIENTS = ("resttemplate", "restclient", "webclient", "feign")  # what an application calls others with
PAYMENTS = "payments.default.svc.cluster.local"  # speaks TLS
PAYMENTS_AT = ("127.0.84.1", "127.0.84.2")

# What Eureka's client does HTTP with: what it says of itself, whether it asks for gzip, and what is measured beside it.
TRANSPORTS = {
    "resttemplate": ("Apache-HttpClient/5", True, "resttemplate"),
    "restclient": ("Apache-HttpClient/5", True, "restclient"),
    "webclient": ("ReactorNetty/1", False, "webclient"),
    "jersey": ("Jersey/3", False, "feign"),
}
JERSEY_IS_THERE = "--eureka.client.jersey.enabled=false"  # else it would be taken, for the classes alone
SETTINGS = {
    "resttemplate": [JERSEY_IS_THERE],
    "restclient": [JERSEY_IS_THERE, "--eureka.client.restclient.enabled=true"],
    "webclient": [JERSEY_IS_THERE, "--eureka.client.webclient.enabled=true"],
    "jersey": ["--eureka.client.jersey.enabled=true"],
}
LOCATOR = "--spring.cloud.gateway.server.webflux.discovery.locator"
GATEWAY = ["--spring.main.web-application-type=reactive", "--spring.cloud.gateway.server.webflux.enabled=true",
           f"{LOCATOR}.enabled=true", f"{LOCATOR}.lower-case-service-id=true"]


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


class Application(demos.Java):
    """A program of the module, registered under its name; what it asks the door passes a wire of its own."""

    def __init__(self, world, main, name, address, *settings):
        self.name, self.address = name, address
        self.wire = eureka_support.Wire(world.stage.mesh.port)
        own = [f"--spring.application.name={name}", f"--eureka.instance.ip-address={address}",
               "--eureka.instance.prefer-ip-address=true"]
        super().__init__("spring-3.5", address, PORT, *own, *settings, main=f"isthmus.spring.{main}",
                         jvm=(*JVM, *world.authority.java),
                         env=eureka_support.spring_environment(self.wire.url, **LEVERS))

    def json(self, path, **query):
        return json.loads(self.get(path, **query))

    def calls(self, by, url, times=CALLS):
        return self.json("/calls", by=by, url=url, times=times)

    def complaints(self):
        """What Eureka's client, or what stands on it, has found amiss."""
        return [line for line in self.stdout if re.search(r" (WARN|ERROR) .*(netflix|eureka|admin\.server)|Exception", line)]


class World:
    """The mesh of all Eureka clients and a service that speaks TLS, on the agent that is also the applications' resolver."""

    def __init__(self, folder):
        self.authority = Authority(folder)
        self.stage = eureka_support.Stage(
            folder, ("--dns-listen", "127.0.0.1:53"), services={"payments": {"dns-answer": "endpoint"}})
        self.secure_echo = envoy_proxy.Echo(*self.authority.sign(PAYMENTS))
        port = self.secure_echo.port
        self.stage.mesh.put("payments", *objects.app(
            "payments", {"v1": PAYMENTS_AT}, ip="10.96.0.3", ports=((port, port, "https"),)))

    def stop(self):
        self.stage.stop()
        self.secure_echo.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("mesh"))
    yield world
    world.stop()


@pytest.fixture(scope="module")
def stage(world):
    return world.stage


@pytest.fixture(scope="module")
def programs(world):
    """All of them, started at the same time."""
    found = {
        name: Application(world, "Caller", name, f"127.0.83.{i}", *SETTINGS[name]) for i, name in enumerate(TRANSPORTS, 1)
    }
    found["gateway"] = Application(world, "Gateway", "gateway", "127.0.83.11", *GATEWAY, *SETTINGS["webclient"])
    found["admin"] = Application(world, "Admin", "admin", "127.0.83.12", *SETTINGS["restclient"])
    yield found
    demos.stop_all(found.values())


@pytest.fixture
def running(programs):
    return [program.wait_started() for program in programs.values()]


@pytest.fixture
def callers(programs):
    return [programs[name].wait_started() for name in TRANSPORTS]


@pytest.fixture(params=TRANSPORTS)
def caller(request, programs):
    return programs[request.param].wait_started()


def test_calls_have_the_shares(stage, caller):
    counts = by_address(caller.calls(TRANSPORTS[caller.name][2], "http://reviews/"), stage.echo.port)
    assert near(counts, SHARES), counts


def test_application_registers_and_finds_itself(caller):
    own = f"/eureka/apps/{caller.name.upper()}"
    harness.wait_for(lambda: caller.get("/remote") == "UP", "its status at the door")
    assert {caller.name, "reviews", "ratings.shop", "payments"} <= set(caller.json("/services"))
    assert caller.json("/instances", name=caller.name) == [f"http://{caller.address}:{PORT}"]
    before = len(caller.wire.matching("PUT", f"{own}/.*"))
    harness.wait_for(lambda: len(caller.wire.matching("PUT", f"{own}/.*")) >= before + 2, "heartbeats")
    assert len(caller.wire.matching("POST", own)) == 1, "a heartbeat was not known"
    assert caller.complaints() == []


def test_transport_asks_as_it_is_known_to(caller):
    """The door tells weights by `Accept` and `User-Agent`; a transport that sends something new is to be looked at."""
    agent, gzip, _ = TRANSPORTS[caller.name]
    (whole,) = caller.wire.matching("GET", "/eureka/apps/")
    assert whole["user-agent"].startswith(agent)
    assert whole["accept"].startswith("application/json")
    assert ("gzip" in whole.get("accept-encoding", "")) is gzip
    before = len(caller.wire.matching("GET", "/eureka/apps/delta"))
    harness.wait_for(lambda: len(caller.wire.matching("GET", "/eureka/apps/delta")) >= before + 2, "deltas")
    assert len(caller.wire.matching("GET", "/eureka/apps/")) == 1, "a delta was not enough"


def test_each_form_of_the_name(stage, callers):
    """The list is exact; few calls say that the balancer finds the name, and chooses from its list."""
    for caller in callers:
        by = TRANSPORTS[caller.name][2]
        for forms, echo in ((ALIASES, stage.echo), (OTHER_PORT, stage.more_echo)):
            for form, shares in forms.items():
                listed = caller.json("/instances", name=form)
                places = collections.Counter(place.removeprefix("http://") for place in listed)
                assert near(by_address(places, echo.port), shares, within=0), (form, places)
                counts = caller.calls(by, f"http://{form}/", FEW)
                assert near(by_address(counts, echo.port), shares, within=4), (caller.name, form, counts)


@pytest.mark.parametrize("by", CLIENTS)
def test_service_that_speaks_tls_is_called_by_its_host(world, callers, by):
    """The name in its certificate, which the agent's own DNS leads to its endpoints."""
    port = world.secure_echo.port
    assert callers[0].json("/instances", name="payments") == [f"https://{PAYMENTS}:{port}"]
    assert by_address(callers[0].calls(by, "https://payments/", 20), port).keys() <= set(PAYMENTS_AT)


def test_gateway_routes_by_the_shares(stage, programs):
    connection = http.client.HTTPConnection(programs["gateway"].wait_started().address, PORT, timeout=30)

    def call(path):
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode()
        assert answer.status == 200, (path, answer.status, body)
        return body

    harness.wait_for(lambda: call("/reviews/"), "its route")
    counts = by_address(collections.Counter(call("/reviews/some/path") for _ in range(CALLS)), stage.echo.port)
    assert near(counts, SHARES), counts
    assert by_address(collections.Counter([call("/ratings.shop/")]), stage.echo.port) == {ECHOES[0]: 1}
    connection.close()
    assert programs["gateway"].complaints() == []


def test_admin_server_watches_everything(world, running, programs):
    """It takes no instance without its URLs, and asks each for its health."""
    echo, admin = world.stage.echo.port, programs["admin"]
    wanted = {("reviews", f"http://{address}:{echo}/actuator/health") for address in ECHOES}
    wanted |= {("ratings.shop", f"http://{ECHOES[0]}:{echo}/actuator/health"),
               ("payments", f"https://{PAYMENTS}:{world.secure_echo.port}/actuator/health")}
    wanted |= {(one.name, f"http://{one.address}:{PORT}/actuator/health") for one in running}

    def watched():
        instances = admin.json("/instances")
        found = {(one["registration"]["name"].lower(), one["registration"]["healthUrl"]) for one in instances}
        assert {one["statusInfo"]["status"] for one in instances} == {"UP"}, instances
        return found == wanted or pytest.fail(f"{found ^ wanted}")

    harness.wait_for(watched, "all instances, UP")
    assert admin.complaints() == []
