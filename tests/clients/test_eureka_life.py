# SPDX-License-Identifier: Apache-2.0
"""What happens to a mesh in its life, and running applications that must go on through it: Netflix's client with Ribbon, in
one process from the first test to the last, and Python's. What the agent knows, the client knows after its next poll."""

import json
import threading

import eureka_follow
import eureka_support
import harness
import objects
import plain
import pytest
from eureka_support import near

HOST = "reviews.default.svc.cluster.local"
V1, V2 = ["10.1.0.1", "10.1.0.2"], ["10.1.0.3"]
OTHER = "10.1.1.1"  # of the service of that name in another namespace
RATINGS = ["10.1.2.1", "10.1.2.2"]


def mesh():
    return [
        *objects.app("reviews", {"v1": V1, "v2": V2}), objects.subsets(HOST, "v1", "v2"), objects.split(HOST, v1=50, v2=50),
        *objects.app("reviews", {"v1": [OTHER]}, namespace="shop", ip="10.96.0.2"),
        *objects.app("ratings", {"v1": RATINGS}, ip="10.96.0.3"),
    ]  # fmt: skip


def even(*addresses):
    return {address: 100 / len(addresses) for address in addresses}


class Stage:
    """istiod, the agent, and the two applications, which start before the agent has anything to say."""

    def __init__(self):
        self.istiod = harness.Istiod()
        self.istiod.apply(objects.dump(*mesh()))
        self.istiod.call("/pause")
        self.agent = self.start_agent("127.0.0.1:0", "listening")
        self.port = self.agent.ports["eureka"]
        self.wire = eureka_support.Wire(self.port)
        self.early = []  # statuses and applications of what was asked before the first view
        self.asking = threading.Thread(target=self._ask_early)
        self.asking.start()
        self.java = plain.Client("eureka-client", self.wire.url).wait_started()
        self.before = self.java.list()
        self.istiod.call("/resume")
        self.agent.wait_ready()
        self.asking.join()
        self.python = eureka_follow.PythonFollower(f"http://127.0.0.1:{self.port}/eureka/").wait_started()

    def start_agent(self, listen, wait="ready"):
        return harness.Agent(*self.istiod.plaintext_options(), "--pod-name", "app", "--pod-namespace", "default",
                             "--pod-ip", "10.1.0.9", "--eureka-listen", listen, wait=wait)  # fmt: skip

    def _ask_early(self):
        """Until there is a list."""
        while not self.early or self.early[-1][0] != 200:
            answer = self.agent.http("/eureka/apps/", port="eureka", headers=eureka_follow.JAVA)
            body = json.loads(answer.body) if answer.body else {"applications": {"application": []}}
            self.early.append((answer.status, len(body["applications"]["application"])))

    def apply(self, *things):
        """Returns when the agent has it."""
        self.istiod.apply(objects.dump(*things))
        self.istiod.quiesce(clients=1)

    def next_poll(self):
        """Returns when Netflix's client has taken in an answer that was asked for from now on: it has asked once more."""
        def asked():
            return len(self.wire.matching("GET", "/eureka/apps/(delta)?"))

        already = asked()
        harness.wait_for(lambda: asked() >= already + 2, "two more polls")

    def agents_list(self):
        answer = self.agent.http("/eureka/apps/", port="eureka", headers=eureka_follow.JAVA)
        return eureka_follow.lines_of(answer.json()["applications"])

    def wholes(self):
        return len(self.wire.matching("GET", "/eureka/apps/"))

    def addresses(self, client, app="REVIEWS"):
        """Of what a client has under an application, `REVIEWS` with what belongs to it."""
        return {line.split("/")[1].split(":")[0] for line in client.list() if line.split("/")[0].split("--")[0] == app}

    def stop(self):
        self.java.stop()
        self.python.stop()
        self.wire.stop()
        assert self.agent.stop() == 0, self.agent.log()
        self.istiod.stop()


@pytest.fixture(scope="module")
def stage():
    stage = Stage()
    yield stage
    stage.stop()


@pytest.fixture(autouse=True)
def deltas_alone(request, stage):
    """After each step both have the agent's list, and nobody has read a whole one, but after the agent's restart."""
    before = stage.wholes()
    yield
    stage.next_poll()
    assert stage.java.list() == stage.agents_list()
    expected = 1 if "restarted" in request.node.name or "before" in request.node.name else 0
    assert stage.wholes() - before <= expected


def chooses(stage, name, shares):
    """Ribbon does, once it has looked at the client's list again."""
    harness.wait_for(lambda: near(stage.java.counts("choose", name), shares), f"Ribbon's {shares} for {name}")


def test_before_the_first_view_nothing_is_said(stage):
    """Held for five seconds, then refused, until there is a list; the client starts without one and finds it later."""
    assert stage.early[-1][1] > 0
    assert {status for status, _ in stage.early[:-1]} <= {503}
    assert not [line for line in stage.before if not line.startswith("ORDERS/")]
    harness.wait_for(lambda: stage.addresses(stage.java) == {*V1, *V2}, "the first list")
    chooses(stage, "reviews", {V1[0]: 25, V1[1]: 25, V2[0]: 50})


def test_two_services_of_one_name(stage):
    assert stage.addresses(stage.java, "REVIEWS.SHOP") == {OTHER}
    chooses(stage, "reviews.shop", even(OTHER))
    chooses(stage, "reviews", {V1[0]: 25, V1[1]: 25, V2[0]: 50})


def test_weights_shift_in_steps(stage):
    for weight in (100, 75, 50, 25, 0):
        stage.apply(objects.split(HOST, v1=weight, v2=100 - weight))
        chooses(stage, "reviews", {V1[0]: weight / 2, V1[1]: weight / 2, V2[0]: 100 - weight})
        chooses(stage, "reviews.default", {V1[0]: weight / 2, V1[1]: weight / 2, V2[0]: 100 - weight})


def test_removed_endpoint_is_gone_after_the_next_poll(stage):
    stage.apply(objects.split(HOST, v1=50, v2=50), objects.endpoint_slice("reviews", [V1[0], *V2]))
    stage.next_poll()
    assert stage.addresses(stage.java) == {V1[0], *V2}
    harness.wait_for(lambda: stage.addresses(stage.python) == {V1[0], *V2}, "Python's list")
    chooses(stage, "reviews", {V1[0]: 50, V2[0]: 50})
    stage.apply(objects.endpoint_slice("reviews", [*V1, *V2]))
    stage.next_poll()
    assert stage.addresses(stage.java) == {*V1, *V2}


def test_emptied_subset_leaves_its_part_to_the_others(stage):
    stage.apply(objects.endpoint_slice("reviews", V1))
    chooses(stage, "reviews", even(*V1))
    assert stage.java.counts("choose", "reviews--v2").keys() == {"none"}
    stage.apply(objects.endpoint_slice("reviews", [*V1, *V2]))
    chooses(stage, "reviews", {V1[0]: 25, V1[1]: 25, V2[0]: 50})
    chooses(stage, "reviews--v2", even(*V2))


def test_service_is_scaled_to_zero_and_back(stage):
    chooses(stage, "ratings", even(*RATINGS))
    stage.apply(objects.endpoint_slice("ratings", []))
    stage.next_poll()
    assert stage.addresses(stage.java, "RATINGS") == set()
    harness.wait_for(lambda: stage.addresses(stage.python, "RATINGS") == set(), "Python's list")
    stage.apply(objects.endpoint_slice("ratings", RATINGS[:1]))
    stage.next_poll()
    assert stage.addresses(stage.java, "RATINGS") == {RATINGS[0]}
    harness.wait_for(lambda: stage.addresses(stage.python, "RATINGS") == {RATINGS[0]}, "Python's list")
    chooses(stage, "ratings", even(RATINGS[0]))


def test_dead_istiod_takes_nothing_away(stage):
    known = stage.java.list()
    stage.istiod.call("/stop-xds")
    harness.wait_for(lambda: stage.agent.status()["stale"], "the end of the stream")
    stage.next_poll()
    assert stage.java.list() == known
    assert near(stage.java.counts("choose", "reviews"), {V1[0]: 25, V1[1]: 25, V2[0]: 50})
    stage.istiod.call("/start-xds")
    stage.apply(objects.split(HOST, v1=20, v2=80))
    chooses(stage, "reviews", {V1[0]: 10, V1[1]: 10, V2[0]: 80})


def test_restarted_agent_finds_its_applications_again(stage):
    """Without an empty list in between, and with the registration that it has lost."""
    def registered():
        return any(line.startswith("ORDERS/") for line in stage.agents_list())

    harness.wait_for(registered, "the registration")
    assert stage.agent.stop() == 0
    assert near(stage.java.counts("choose", "reviews"), {V1[0]: 10, V1[1]: 10, V2[0]: 80})
    stage.agent = stage.start_agent(f"127.0.0.1:{stage.port}", "listening")
    sizes = set()
    stopped = threading.Event()

    def watch():
        while not stopped.is_set():
            sizes.add(len(stage.addresses(stage.java)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    stage.agent.wait_ready()
    harness.wait_for(registered, "the registration with the new agent")
    stage.next_poll()
    stopped.set()
    watcher.join()
    assert sizes == {len([*V1, *V2])}
    assert near(stage.java.counts("choose", "reviews"), {V1[0]: 10, V1[1]: 10, V2[0]: 80})
    harness.wait_for(lambda: stage.addresses(stage.python) == {*V1, *V2}, "Python's list")
