# SPDX-License-Identifier: Apache-2.0
"""The real istiod changes the mesh at random, for a minute or for ten, and unmodified clients that poll every second follow it
by deltas alone: no count ever differs, nobody reads a whole list a second time, and everybody ends with istiod's truth."""

import random
import time

import eureka_follow
import eureka_support
import harness
import objects
import plain
import pytest

SEED = 20240817
SERVICES = [("s0", "default"), ("s1", "default"), ("s2", "default"), ("s3", "shop"), ("s4", "shop")]
PARTNERS = 3
FORMS = [pytest.param(60, id="minute"), pytest.param(600, id="long", marks=pytest.mark.long)]
SLOTS = 0.02  # by which an endpoint's part may differ from its share (docs/selection.md)
CLIENTS_S = 60.0
# Gets in JSON the list that Python gets in XML.
XML_LIKE = {"Accept": "application/json", "X-Discovery-AllowRedirect": "false"}


class Service:
    """Two versions with endpoints each, and the weights between them."""

    def __init__(self, index):
        self.index, (self.name, self.namespace) = index, SERVICES[index]
        self.host = f"{self.name}.{self.namespace}.svc.cluster.local"
        self.weight = 50  # of v1, in per cent
        self.addresses = {version: [self.address(version, i) for i in range(2)] for version in ("v1", "v2")}

    def address(self, version, i):
        return f"10.{1 if version == 'v1' else 2}.{self.index + 10}.{i + 1}"

    def things(self):
        ip = f"10.96.0.{self.index + 10}"
        return [*objects.app(self.name, self.addresses, self.namespace, ip), self.split()]

    def rule(self):
        return objects.subsets(self.host, "v1", "v2", namespace=self.namespace)

    def split(self):
        return objects.split(self.host, self.namespace, v1=self.weight, v2=100 - self.weight)

    def shares(self):
        """Address -> share, as the rules give it: what has no endpoints loses its part to the other version."""
        weights = {"v1": self.weight, "v2": 100 - self.weight}
        total = sum(weight for version, weight in weights.items() if self.addresses[version])
        return {
            address: weights[version] / total / len(group)
            for version, group in self.addresses.items() for address in group if total and weights[version]
        }  # fmt: skip


class World:
    """istiod, the agent on it, and what the mesh ought to be."""

    def __init__(self):
        self.random = random.Random(SEED)
        self.services = [Service(i) for i in range(len(SERVICES))]
        self.partners = {i: 1 for i in range(PARTNERS)}  # how many endpoints each has
        self.changes = self.own_reads = 0
        self.istiod = harness.Istiod()
        things = [thing for service in self.services for thing in (*service.things(), service.rule())]
        self.istiod.apply(objects.dump(*things, *(self.partner(i) for i in self.partners)))
        self.agent = harness.Agent(*self.istiod.plaintext_options(), "--pod-name", "app", "--pod-namespace", "default",
                                   "--pod-ip", "10.1.0.9", "--eureka-listen", "127.0.0.1:0")  # fmt: skip
        self.istiod.quiesce(clients=1)
        self.port = self.agent.ports["eureka"]

    def partner(self, i):
        endpoints = [{"address": f"10.3.{i}.{n + 1}"} for n in range(self.partners[i])]
        return objects.istio("ServiceEntry", f"partner{i}", {
            "hosts": [f"partner{i}.example.com"], "location": "MESH_EXTERNAL", "resolution": "STATIC",
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}], "endpoints": endpoints,
        })  # fmt: skip

    def change(self):
        """One thing, or several at once."""
        things = [self._change_one() for _ in range(self.random.choice((1, 1, 1, 3)))]
        latest = {(thing["kind"], thing["metadata"]["name"], thing["metadata"]["namespace"]): thing for thing in things}
        self.istiod.apply(objects.dump(*latest.values()))
        self.changes += 1

    def _change_one(self):
        kind, service = self.random.random(), self.random.choice(self.services)
        if kind < 0.15:
            i = self.random.randrange(PARTNERS)
            self.partners[i] = self.random.randint(1, 4)
            return self.partner(i)
        if kind < 0.35:
            service.weight = self.random.choice((0, 5, 20, 50, 80, 95, 100))
            return service.split()
        version = self.random.choice(("v1", "v2"))
        group = service.addresses[version]
        fresh = [service.address(version, i) for i in range(6) if service.address(version, i) not in group]
        if kind < 0.65 and group:  # one for another: no count shows it
            group[self.random.randrange(len(group))] = self.random.choice(fresh)
        else:
            pool = [service.address(version, i) for i in range(6)]
            service.addresses[version] = self.random.sample(pool, self.random.choice((0, 1, 2, 4)))
        return self._slice(service)

    @staticmethod
    def _slice(service):
        addresses = [address for group in service.addresses.values() for address in group]
        return objects.endpoint_slice(service.name, addresses, service.namespace)

    def start_pods(self):
        """Of all addresses that a service may ever have: istiod reads the version there."""
        pods = [objects.pod(service.name, service.address(version, i), service.namespace, version)
                for service in self.services for version in ("v1", "v2") for i in range(6)]  # fmt: skip
        self.istiod.apply(objects.dump(*pods))
        self.istiod.quiesce(clients=1)

    def truth(self):
        """VIP -> address -> share."""
        found = {f"{s.name}.{s.namespace}": s.shares() for s in self.services}
        for i, count in self.partners.items():
            found[f"partner{i}.example.com"] = {f"10.3.{i}.{n + 1}": 1 / count for n in range(count)}
        return {vip: shares for vip, shares in found.items() if shares}

    def listed(self, headers):
        """The agent's list, as a client with these headers reads it."""
        self.own_reads += 1
        answer = self.agent.http("/eureka/apps/", port="eureka", headers=headers)
        assert answer.status == 200
        return answer.json()["applications"]

    def wholes(self):
        return eureka_support.metric(self.agent, 'isthmus_eureka_lists_total{extent="full"}')

    def stop(self):
        assert self.agent.stop() == 0, self.agent.log()
        self.istiod.stop()


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
    world.start_pods()
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
        assert got == {address: pytest.approx(share, abs=SLOTS) for address, share in shares.items()}, vip


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
