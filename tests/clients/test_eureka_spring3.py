# SPDX-License-Identifier: Apache-2.0
"""Spring Boot 3.5 with Spring Cloud 2025.0, and 4.0 with 2025.1, unmodified: Spring Cloud LoadBalancer, Feign, the gateway and
the admin server find the mesh through Eureka's client, over each of the HTTP clients that it can be given."""

import collections
import http.client

import demos
import harness
import pytest
import spring
from eureka_support import CALLS, ECHOES, SHARES, by_address, near
from spring import PORT

JVM = ("-Xmx160m",)
CLIENTS = ("resttemplate", "restclient", "webclient", "feign")  # what an application calls others with

# What Eureka's client does HTTP with: what it says of itself, whether it asks for gzip, and what is measured beside it.
TRANSPORTS = {
    "resttemplate": ("Apache-HttpClient/5", True, "resttemplate"),
    "restclient": ("Apache-HttpClient/5", True, "restclient"),
    "webclient": ("ReactorNetty/1", False, "webclient"),
    "jersey": ("Jersey/3", False, "feign"),
    "boot4": ("Apache-HttpClient/5", True, "restclient"),
}
JERSEY_IS_THERE = "--eureka.client.jersey.enabled=false"  # else it would be taken, for the classes alone
SETTINGS = {
    "resttemplate": [JERSEY_IS_THERE],
    "restclient": [JERSEY_IS_THERE, "--eureka.client.restclient.enabled=true"],
    "webclient": [JERSEY_IS_THERE, "--eureka.client.webclient.enabled=true"],
    # What it cannot read it reports as a 400 of its own making, and says why at debug level only.
    "jersey": ["--eureka.client.jersey.enabled=true", "--logging.level.com.netflix.discovery.provider=debug"],
    "boot4": [JERSEY_IS_THERE],
}
JARS = {"boot4": "spring-4.0"}  # the others are 3.5
LOCATOR = "--spring.cloud.gateway.server.webflux.discovery.locator"
GATEWAY = ["--spring.main.web-application-type=reactive", "--spring.cloud.gateway.server.webflux.enabled=true",
           f"{LOCATOR}.enabled=true", f"{LOCATOR}.lower-case-service-id=true"]


@pytest.fixture(scope="module")
def programs(world):
    """All of them, started at the same time."""

    def start(main, name, address, *settings, **more):
        return world.start((JARS.get(name, "spring-3.5"), main), name, address, *settings, jvm=JVM, **more)

    found = {name: start("Caller", name, f"127.0.83.{i}", *SETTINGS[name]) for i, name in enumerate(TRANSPORTS, 1)}
    netty = {"without": "tomcat-embed-core"}
    found["gateway"] = start("Gateway", "gateway", "127.0.83.11", *GATEWAY, *SETTINGS["webclient"], **netty)
    found["admin"] = start("Admin", "admin", "127.0.83.12", *SETTINGS["restclient"])
    try:
        for program in found.values():
            program.wait_started()
        yield found
    finally:
        demos.stop_all(found.values())


@pytest.fixture
def callers(programs):
    """Each, with what it calls by."""
    return [(programs[name], TRANSPORTS[name][2]) for name in TRANSPORTS]


@pytest.fixture(params=TRANSPORTS)
def caller(request, programs):
    return programs[request.param]


def test_calls_have_the_shares(stage, caller):
    counts = by_address(caller.calls(TRANSPORTS[caller.name][2], "reviews"), stage.echo.port)
    assert near(counts, SHARES), counts


def test_application_registers_and_finds_itself(caller):
    spring.check_registration(caller)
    harness.wait_for(lambda: caller.get("/remote") == "UP", "its status at the door")
    assert "payments" in caller.json("/services")
    assert caller.complaints() == []


def test_transport_asks_as_it_is_known_to(caller):
    """The door tells weights by `Accept` and `User-Agent`; a transport that sends something new is to be looked at."""
    agent, gzip, _ = TRANSPORTS[caller.name]
    (whole,) = caller.wire.matching("GET", "/eureka/apps/")
    assert whole["user-agent"].startswith(agent)
    assert whole["accept"].startswith("application/json")
    assert ("gzip" in whole.get("accept-encoding", "")) is gzip
    spring.check_deltas_suffice(caller)


def test_every_form_of_the_name(stage, callers):
    for caller, by in callers:
        spring.check_every_form(stage, caller, by)


@pytest.mark.parametrize("by", CLIENTS)
def test_service_that_speaks_tls_is_called_by_its_host(world, callers, by):
    spring.check_tls(world, callers[0][0], by)


def test_gateway_routes_by_the_shares(stage, programs):
    connection = http.client.HTTPConnection(programs["gateway"].address, PORT, timeout=30)

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


def test_admin_server_watches_everything(world, programs):
    """It takes no instance without its URLs, and asks each for its health."""
    stage, admin = world.stage, programs["admin"]
    wanted = {f"http://{address}:{echo.port}": {name} for address in ECHOES
              for name, echo in (("reviews", stage.echo), ("reviews--p9090", stage.more_echo))}
    wanted[f"http://{ECHOES[0]}:{stage.echo.port}"].add("ratings.shop")  # one instance for it: it goes by their URL
    wanted[f"https://{spring.PAYMENTS}:{world.secure_echo.port}"] = {"payments"}
    wanted |= {f"http://{one.address}:{PORT}": {one.name} for one in programs.values()}
    states = {url: "DOWN" if "boot4" in names else "UP" for url, names in wanted.items()}  # which says nothing of its health

    def watched():
        found = {}
        for one in admin.json("/instances"):
            about = one["registration"]
            url = about["serviceUrl"].rstrip("/")
            assert about["healthUrl"] == f"{url}/actuator/health" and about["name"].lower() in wanted[url], about
            found[url] = one["statusInfo"]["status"]
        assert found == states
        return True

    harness.wait_for(watched, "all instances")
    assert admin.complaints() == []


def test_changes_arrive_by_deltas_alone(stage, callers):
    spring.check_changes(stage, callers)


def test_restarted_agent_is_registered_with_again(stage, callers):
    spring.check_restart(stage, callers)


def test_applications_leave(stage, programs):
    """The last test: it ends them."""
    spring.check_leave(stage, list(programs.values()))
