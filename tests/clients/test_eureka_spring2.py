# SPDX-License-Identifier: Apache-2.0
"""Spring Boot 2.3 with Hoxton and 2.7 with 2021.0, unmodified: Ribbon and both Spring Cloud LoadBalancers, RestTemplate and
Feign, find the mesh through Eureka's client, over Jersey 1 and over RestTemplate."""

import demos
import pytest
import spring
from eureka_support import SHARES, by_address, near

JVM = ("-Xmx128m", "--add-opens=java.base/java.lang=ALL-UNNAMED", "--add-opens=java.base/java.util=ALL-UNNAMED")
NO_RIBBON = {"SPRING_CLOUD_LOADBALANCER_RIBBON_ENABLED": "false"}

# Generation, what is left out of the class path, environment: each with its transport and balancer.
CALLERS = {
    "ribbon-jersey": ("spring-2.3", None, {}),
    "balancer-2.3-template": ("spring-2.3", "jersey-", NO_RIBBON),
    "balancer-2.7-template": ("spring-2.7", "jersey-", {}),
    "balancer-2.7-jersey": ("spring-2.7", None, {}),
}
TOLD_NOTHING = "ribbon-jersey"  # of a registry: it is found where it is by default


@pytest.fixture(scope="module")
def callers(world):
    def start(name, address):
        jar, without, environment = CALLERS[name]
        return world.start((jar, "SpringCaller"), name, address, jvm=JVM, env=environment, without=without,
                           told=name != TOLD_NOTHING)

    found = {name: start(name, f"127.0.82.{i}") for i, name in enumerate(CALLERS, 1)}
    yield found
    demos.stop_all(found.values())


@pytest.fixture(params=CALLERS)
def caller(request, callers):
    return callers[request.param].wait_started()


@pytest.fixture
def running(callers):
    """Each, with what it calls by."""
    return [(caller.wait_started(), "template") for caller in callers.values()]


@pytest.mark.parametrize("by", ["template", "feign"])
def test_calls_have_the_shares(stage, caller, by):
    counts = by_address(caller.calls(by, "reviews"), stage.echo.port)
    assert near(counts, SHARES), counts


@pytest.mark.parametrize("by", ["template", "feign"])
def test_every_form_of_the_name(stage, caller, by):
    spring.check_every_form(stage, caller, by)


def test_application_registers_and_finds_itself(caller):
    spring.check_registration(caller)


def test_requests_get_repeated_names(stage, caller):
    """What the door tells by, as this client sends it; the same question then gets a list that tells weights."""
    first = caller.wire.matching("GET", "/eureka/apps/")[0]
    assert "json" in first["accept"]
    if caller.name.endswith("jersey"):
        assert first["user-agent"].startswith("Java-EurekaClient/v1.10.1")
    answer = stage.mesh.ask("apps/", **{"Accept": first["accept"], "User-Agent": first["user-agent"]}).json()
    listed = [app for app in answer["applications"]["application"] if app["name"] == "REVIEWS"]
    repeats = [one["vipAddress"].split(",").count("reviews") for one in listed[0]["instance"]]
    assert sorted(repeats) == [1, 3, 16]
    spring.check_deltas_suffice(caller)


@pytest.mark.parametrize("name", ["balancer-2.3-template", "balancer-2.7-template"])
def test_every_body_is_decoded(bodies, callers, name, tmp_path):
    spring.check_decoding(bodies, callers[name].wait_started(), tmp_path)


@pytest.mark.parametrize("by", ["template", "feign"])
def test_service_that_speaks_tls_is_called_by_its_host(world, caller, by):
    spring.check_tls(world, caller, by)


def test_changes_arrive_by_deltas_alone(stage, running):
    spring.check_changes(stage, running)


def test_restarted_agent_is_registered_with_again(stage, running):
    spring.check_restart(stage, running)


def test_applications_leave(stage, running):
    """The last test: it ends them."""
    spring.check_leave(stage, [caller for caller, _ in running])
