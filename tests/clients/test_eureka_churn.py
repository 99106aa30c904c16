# SPDX-License-Identifier: Apache-2.0
"""The real istiod changes the mesh at random, for a minute or for ten, and unmodified clients that poll every second follow it
by deltas alone: no count ever differs, nobody reads a whole list a second time, and everybody ends with istiod's truth."""

import time

import churn
import eureka_follow
import eureka_support
import harness
import plain
import pytest

SEED = 20240817
FORMS = [pytest.param(60, id="minute"), pytest.param(600, id="long", marks=pytest.mark.long)]
CLIENTS_S = 60.0
# Gets in JSON the list that Python gets in XML.
XML_LIKE = {"Accept": "application/json", "X-Discovery-AllowRedirect": "false"}


class World(churn.World):
    """With the Eureka door."""

    def __init__(self):
        super().__init__(SEED, "--eureka-listen", "127.0.0.1:0")
        self.own_reads, self.port = 0, self.agent.ports["eureka"]

    def listed(self, headers):
        """The agent's list, as a client with these headers reads it."""
        self.own_reads += 1
        answer = self.agent.http("/eureka/apps/", port="eureka", headers=headers)
        assert answer.status == 200
        return answer.json()["applications"]

    def wholes(self):
        return eureka_support.metric(self.agent, 'isthmus_eureka_lists_total{extent="full"}')


def parts(applications, vip):
    """Address -> part of the repetitions of this name."""
    counts = {}
    for app in applications["application"]:
        for each in app["instance"]:
            counts[each["ipAddr"]] = counts.get(each["ipAddr"], 0) + each["vipAddress"].split(",").count(vip)
    total = sum(counts.values())
    return {address: count / total for address, count in counts.items() if count}


@pytest.fixture
def world():
    world = World()
    yield world
    world.stop()


class Audience:
    """Netflix's client and Python's, each behind a wire that shows what it asks, and the model, which looks at every delta."""

    def __init__(self, port):
        self.java_wire, self.python_wire = eureka_support.Wire(port), eureka_support.Wire(port)
        self.java = plain.Client("eureka-client", self.java_wire.url, jvm=eureka_follow.DELTA_LOG).wait_started()
        self.python = eureka_follow.PythonFollower(self.python_wire.url).wait_started()
        self.model = eureka_follow.Model(port)

    def wholes(self):
        """Whole lists that each has read."""
        return [len(wire.matching("GET", "/eureka/apps/")) for wire in (self.java_wire, self.python_wire)]

    def stop(self):
        self.java.stop()
        self.python.stop()
        self.java_wire.stop()
        self.python_wire.stop()


@pytest.fixture
def audience(world):
    audience = Audience(world.port)
    yield audience
    audience.stop()


def assert_is_truth(world, listed):
    for vip, shares in world.truth().items():
        got = parts(listed, vip)
        assert got.keys() == shares.keys(), (vip, got, shares)
        assert got == {address: pytest.approx(share, abs=churn.SLOTS) for address, share in shares.items()}, vip


@pytest.mark.parametrize("seconds", FORMS)
def test_random_churn_is_followed_by_deltas_alone(world, audience, seconds):
    java, python, model = audience.java, audience.python, audience.model
    harness.wait_for(lambda: any(line.startswith("ORDERS/") for line in java.list()), "its own entry")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        world.change()
        time.sleep(world.random.choice((0, 0, 0.05, 0.3, 1.2)))
        model.poll()
    world.istiod.quiesce(clients=1)
    model.poll()
    in_java, in_python = (eureka_follow.lines_of(world.listed(headers)) for headers in (eureka_follow.JAVA, XML_LIKE))
    harness.wait_for(lambda: java.list() == in_java, "Netflix's client to end with the agent's list", CLIENTS_S)
    harness.wait_for(lambda: python.list() == in_python, "Python's client to end with the agent's list", CLIENTS_S)
    assert model.list() == in_java
    assert_is_truth(world, world.listed(eureka_follow.JAVA))
    wholes_java, wholes_python = audience.wholes()
    assert model.mismatches == 0 and model.deltas > world.changes
    marks = ["isthmus-eureka-list=" in headers.get("cookie", "") for headers in audience.java_wire.matching("GET", ".*/delta")]
    assert all(marks), "it says what it knows, which keeps the delta small"
    assert wholes_java == 1 and eureka_follow.MISMATCH not in java.log()
    assert java.log().count("Got delta update") >= seconds / 3, "the log would show a mismatch"
    assert wholes_python <= 1 + int(python.ask("unknown")), "Python's client cannot merge an application that is new to it"
    assert world.wholes() == wholes_java + wholes_python + 1 + world.own_reads, "nobody else has read the whole list"
