# SPDX-License-Identifier: Apache-2.0
"""Spring Cloud Alibaba 2.2, 2021.0, 2023.0 and 2025.0, unmodified: Ribbon, Spring Cloud LoadBalancer and Nacos's own balancer,
RestTemplate and Feign, find the mesh through Nacos's client of each generation, over HTTP and over gRPC."""

import demos
import nacos_spring
import pytest
from nacos_spring import NACOS_BALANCER, NO_CONFIG

CLIENTS = ("template", "feign")  # what an application calls others with

# Generation, what its environment says. Of the client: 1.4.2 (HTTP), 2.1.0, 2.2.0, 2.4.2, 3.0.3.
ORDINARY = {
    "ribbon-http": ("alibaba-2.2.6", {}),
    "turns-2021": ("alibaba-2021", {}),
    "turns-2023": ("alibaba-2023", {}),
    "random-2023": ("alibaba-2023", NACOS_BALANCER),
}
OTHERS = {
    "ribbon-grpc": ("alibaba-2.2.9", {}),
    "random-2021": ("alibaba-2021", NACOS_BALANCER),
    "turns-2025": ("alibaba-2025", {}),
    "random-2025": ("alibaba-2025", NACOS_BALANCER),
}
TOLD_NOTHING = ("ribbon-http", "turns-2025")  # of a registry: it is found where it is by default


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = nacos_spring.World(tmp_path_factory.mktemp("mesh"))
    yield world
    world.stop()


@pytest.fixture(scope="module", params=[
    pytest.param(ORDINARY, id="ordinary"), pytest.param(OTHERS, id="others", marks=pytest.mark.long)])
def callers(request, world):
    """All of them, started at the same time."""
    found = []
    try:
        for i, (name, (jar, environment)) in enumerate(request.param.items(), 1):
            found.append(world.start(jar, name, f"127.0.86.{i}", *NO_CONFIG, env=environment, told=name not in TOLD_NOTHING))
        for caller in found:
            caller.wait_started()
        yield found
    finally:
        demos.stop_all(found)


@pytest.fixture
def stage(world):
    return world.stage


def test_applications_start_cleanly(callers):
    for caller in callers:
        nacos_spring.check_start(caller)


def test_applications_register_and_find_themselves(stage, callers):
    for caller in callers:
        nacos_spring.check_registration(stage, caller)


@pytest.mark.parametrize("by", CLIENTS)
def test_calls_have_the_shares(stage, callers, by):
    for caller in callers:
        nacos_spring.check_calls(stage, caller, by)


def test_nacos_balancer_picks_by_the_shares(stage, callers):
    chosen = [caller for caller in callers if caller.random]
    assert chosen
    for caller in chosen:
        nacos_spring.check_picks(stage, caller)


def test_turns_are_interleaved(callers):
    for caller in callers:
        nacos_spring.check_order(caller)


def test_every_form_of_the_name(stage, callers):
    for caller in callers:
        nacos_spring.check_every_form(stage, caller)


@pytest.mark.parametrize("by", CLIENTS)
def test_service_that_speaks_tls_is_called_by_its_host(world, callers, by):
    for caller in callers:
        nacos_spring.check_tls(world, caller, by)


def test_changes_arrive(stage, callers):
    nacos_spring.check_changes(stage, callers)


def test_service_is_scaled_to_zero_and_back(stage, callers):
    nacos_spring.check_scaled_to_zero(stage, callers)


def test_restarted_agent_is_registered_with_again(stage, callers):
    nacos_spring.check_restart(stage, callers)


def test_applications_leave(stage, callers):
    """The last test: it ends them."""
    nacos_spring.check_leave(stage, callers)
