# SPDX-License-Identifier: Apache-2.0
"""A mesh on the real istiod that changes at random, and what it ought to be at each time."""

import random

import harness
import objects

SERVICES = [("s0", "default"), ("s1", "default"), ("s2", "default"), ("s3", "shop"), ("s4", "shop")]
PARTNERS = 3
SLOTS = 0.02  # by which an endpoint's part may differ from its share (docs/selection.md)


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
    """istiod, the agent on it with these options, and what the mesh ought to be."""

    def __init__(self, seed, *options):
        self.random, self.options = random.Random(seed), options
        self.services = [Service(i) for i in range(len(SERVICES))]
        self.partners = {i: 1 for i in range(PARTNERS)}  # how many endpoints each has
        self.changes = 0
        self.istiod = harness.Istiod()
        things = [thing for service in self.services for thing in (*service.things(), service.rule())]
        self.istiod.apply(objects.dump(*things, *(self.partner(i) for i in self.partners)))
        self.agent = None
        self.start_agent()
        self.start_pods()

    def source(self):
        """How the agent reaches istiod."""
        return self.istiod.plaintext_options()

    def start_agent(self):
        self.agent = harness.Agent(*self.source(), "--pod-name", "app", "--pod-namespace", "default", "--pod-ip", "10.1.0.9",
                                   *self.options)  # fmt: skip
        self.istiod.quiesce(clients=1)

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

    def stop(self):
        assert self.agent.stop() == 0, self.agent.log()
        self.istiod.stop()
