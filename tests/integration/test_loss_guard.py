# SPDX-License-Identifier: Apache-2.0
"""The mass-loss guard on the real istiod: a service that loses nearly all at once is held, and never longer than it must."""

import pytest

import harness
import objects

pytestmark = pytest.mark.istiod

POD = ("--pod-name", "client-1", "--pod-namespace", "default", "--pod-ip", "10.9.0.1")
MANY = [f"10.2.0.{i}" for i in range(1, 13)]


@pytest.fixture
def istiod(start_istiod, tmp_path):
    directory = tmp_path / "istiod"
    directory.mkdir()
    things = [*objects.app("big", {"v1": MANY}, ip="10.96.0.13"), *objects.app("small", {"v1": MANY[:3]}, ip="10.96.0.14")]
    (directory / "mesh.yaml").write_text(objects.dump(*things))
    return start_istiod("--dir", str(directory))


def guard_of(agent):
    return agent.status()["source"]["loss_guard"]


def scale(istiod, addresses):
    istiod.apply(objects.dump(objects.endpoint_slice("big", addresses)))


def test_loss_is_held_told_and_mended(start_agent, istiod):
    agent = start_agent(*istiod.plaintext_options(), *POD, "--loss-guard", "on")
    assert len(agent.shares("big")) == len(MANY)
    scale(istiod, MANY[:1])
    held = harness.wait_for(lambda: guard_of(agent)["held"] and guard_of(agent), "the hold")
    assert "1 of 12 endpoints would be left" in held["last"]
    assert len(agent.shares("big")) == len(MANY)
    harness.wait_for(lambda: "mass loss: outbound|" in agent.log(), "the warning")
    assert "isthmus_xds_loss_guard_holds_total 1" in agent.http("/metrics").body
    assert agent.status()["source"]["types"]["eds"]["nacks"] == 0
    scale(istiod, MANY)
    harness.wait_for(lambda: guard_of(agent)["held"] == 0, "the end of the hold")
    assert len(agent.shares("big")) == len(MANY)
    assert guard_of(agent)["holds"] == 1


def test_what_is_less_than_a_mass_loss_is_shown_at_once(start_agent, istiod):
    agent = start_agent(*istiod.plaintext_options(), *POD, "--loss-guard", "on")
    scale(istiod, MANY[:2])  # more than a tenth is left
    harness.wait_for(lambda: len(agent.shares("big")) == 2, "the smaller service")
    istiod.apply(objects.dump(objects.endpoint_slice("small", [])))
    harness.wait_for(lambda: not agent.shares("small"), "the empty service")
    assert guard_of(agent) == {"held": 0, "holds": 0, "last": None}


def test_it_is_off_by_default(start_agent, istiod):
    agent = start_agent(*istiod.plaintext_options(), *POD)
    assert guard_of(agent) is None
    scale(istiod, [])
    harness.wait_for(lambda: not agent.shares("big"), "the empty service")


@pytest.mark.long
def test_loss_that_lasts_is_shown_after_30_s(start_agent, istiod):
    agent = start_agent(*istiod.plaintext_options(), *POD, "--loss-guard", "on")
    scale(istiod, [])
    harness.wait_for(lambda: guard_of(agent)["held"], "the hold")
    assert len(agent.shares("big")) == len(MANY)
    harness.wait_for(lambda: not agent.shares("big"), "the empty service", 90)
