# SPDX-License-Identifier: Apache-2.0
"""Unmodified Eureka clients as real processes: they register, follow the mesh by deltas, and choose by its rules."""

import eureka_support
import harness
import plain
import pytest
from eureka_support import mesh, near
from plain import PICKS

SHARES = {"10.1.0.1": 80, "10.1.0.2": 15, "10.1.0.3": 5}  # what the rules say, in per cent
OTHERS = {"10.1.0.1": 10, "10.1.0.2": 20, "10.1.0.3": 70}


@pytest.fixture
def world(tmp_path):
    world = eureka_support.Mesh(tmp_path, mesh(SHARES))
    yield world
    world.stop()


@pytest.fixture
def application(world):
    application = plain.Client("eureka-client", world.url)
    yield application.wait_started()
    application.stop()


def test_ribbon_and_the_client_itself_choose_by_the_rules(world, application):
    for command in ("choose", "next"):
        for name in ("reviews", "reviews.default", "reviews.default.svc.cluster.local"):
            counts = harness.wait_for(lambda c=command, n=name: application.counts(c, n), "picks")
            assert near(counts, SHARES), (command, name, counts)
        assert application.counts(command, "reviews--v3") == {"10.1.0.3": PICKS}


def test_application_finds_itself_and_leaves(world, application):
    own = harness.wait_for(lambda: [line for line in application.list() if line.startswith("ORDERS/")], "its own entry")
    assert len(own) == 1 and "/UP/orders" in own[0]
    assert harness.wait_for(lambda: application.ask("remote") == "UP", "its remote status")
    application.ask("status", "OUT_OF_SERVICE")
    harness.wait_for(lambda: application.ask("remote") == "OUT_OF_SERVICE", "its remote status")
    assert application.leave() == 0
    assert world.registrations() == 0


def test_changes_arrive_by_deltas_alone(world, application):
    assert near(application.counts("choose", "reviews"), SHARES)
    before = world.fulls()
    for shares in (OTHERS, SHARES, {"10.1.0.1": 100, "10.1.0.2": 0, "10.1.0.3": 0}):
        world.put("mesh", *mesh(shares))
        harness.wait_for(lambda s=shares: near(application.counts("choose", "reviews"), s), f"{shares}")
    assert world.fulls() == before


def test_restarted_agent_is_registered_with_again(world, application):
    harness.wait_for(lambda: any(line.startswith("ORDERS/") for line in application.list()), "its own entry")
    world.restart()
    harness.wait_for(
        lambda: world.agent.http("/eureka/apps/ORDERS", port="eureka", headers={"Accept": "application/json"}).status == 200,
        "its registration with the new agent",
    )
    assert near(application.counts("choose", "reviews"), SHARES)
    assert "none" not in application.counts("choose", "reviews")
