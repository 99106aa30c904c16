# SPDX-License-Identifier: Apache-2.0
"""Random endpoints with localities, priorities, weights and health that are lost step by step, the same for each seed.

A set is one host: a Service, whose pods lie in the localities of their nodes and can be unready, or a ServiceEntry, whose
endpoints have weights; and a DestinationRule with a load balancer and what it says about localities. As many again are
clusters that are written out.
"""

import random

import objects

PLACES = ("r1/z1/a", "r1/z1/b", "r1/z2/a", "r2/z1/a", "r3/z9/x")
STEPS = 4
RINGS = (1024, 65536)
HEALTH = ("UNKNOWN", "DEGRADED", "DEGRADED", "UNHEALTHY", "UNHEALTHY", "DRAINING", "TIMEOUT")
HASHING = ("RING_HASH", "MAGLEV")
BALANCERS = ("ROUND_ROBIN", "LEAST_REQUEST", "RANDOM", "RING_HASH", "MAGLEV")
HASHED = {"httpHeaderName": "x-user"}
OUTLIER = {"consecutive5xxErrors": 1000, "interval": "3600s"}  # istiod gives priorities only where there is one


def node_name(place):
    return "n-" + place.replace("/", "-")


def nodes():
    out = []
    for place in PLACES:
        region, zone, subzone = place.split("/")
        made = objects.node(node_name(place), region, zone)
        made["metadata"]["labels"]["topology.istio.io/subzone"] = subzone
        out.append(made)
    return out


def simple(name, **more):
    return {"simple": name, **more}


def ring(size=65536, **more):
    return {"consistentHash": {**HASHED, "ringHash": {"minimumRingSize": size}}, **more}


def maglev(**more):
    return {"consistentHash": {**HASHED, "maglev": {"tableSize": 65537}}, **more}


def distribute(**shares):
    """Of all the calls of the client, `r1_z1_a=30` to that place; "_" stands for "/"."""
    return {"localityLbSetting": {"distribute": [{"from": "r1/*", "to": {k.replace("_", "/"): v for k, v in shares.items()}}]}}


class Endpoint:
    def __init__(self, address, place, weight=1):
        self.address, self.place, self.weight = address, place, weight
        self.ready = True


class ShareSet:
    """`kind` is service or entry, `endpoints` a list of Endpoint, `balancer` goes into the DestinationRule.

    `panic` is a threshold. istiod keeps unready endpoints from clusters that have one (minHealthPercent), so that an
    EnvoyFilter is the way to both.
    """

    def __init__(self, number, kind, endpoints, balancer, panic=None):
        self.number, self.kind, self.endpoints, self.balancer, self.panic = number, kind, endpoints, balancer, panic
        self.host = f"p{number}.default.svc.cluster.local" if kind == "service" else f"p{number}.example.com"

    @property
    def hashed(self):
        return "consistentHash" in self.balancer

    @property
    def ring_size(self):
        return self.balancer.get("consistentHash", {}).get("ringHash", {}).get("minimumRingSize")

    def rule(self):
        policy = {"loadBalancer": self.balancer, "outlierDetection": OUTLIER}
        return objects.istio("DestinationRule", f"p{self.number}", {"host": self.host, "trafficPolicy": policy})

    def filter(self):
        value = {"common_lb_config": {"healthy_panic_threshold": {"value": self.panic}}}
        patch = {
            "applyTo": "CLUSTER",
            "match": {"context": "SIDECAR_OUTBOUND", "cluster": {"service": self.host}},
            "patch": {"operation": "MERGE", "value": value},
        }
        made = objects.istio("EnvoyFilter", f"p{self.number}", {"configPatches": [patch]})
        return made | {"apiVersion": "networking.istio.io/v1alpha3"}

    def build(self, echo_port):
        build = self.build_service if self.kind == "service" else self.build_entry
        return [*build(echo_port), self.rule(), *([self.filter()] if self.panic else [])]

    def build_service(self, echo_port):
        name = f"p{self.number}"
        addresses = [e.address for e in self.endpoints]
        return [
            objects.service(name, ip=f"10.98.0.{self.number}", ports=((80, echo_port, "http"),)),
            objects.endpoint_slice(
                name,
                addresses,
                ports=((echo_port, "http"),),
                ready={e.address: e.ready for e in self.endpoints},
                nodes=[node_name(e.place) for e in self.endpoints],
            ),
            *(objects.pod(name, e.address, node=node_name(e.place)) for e in self.endpoints),
        ]

    def build_entry(self, echo_port):
        endpoints = [
            {"address": e.address, "locality": e.place, "weight": e.weight, "ports": {"http": echo_port}}
            for e in self.endpoints
        ]
        spec = {
            "hosts": [self.host],
            "location": "MESH_EXTERNAL",
            "resolution": "STATIC",
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
            "endpoints": endpoints,
        }
        return [objects.istio("ServiceEntry", f"p{self.number}", spec)]

    def lose_some(self, rng):
        """About a third of the endpoints vanish or, where they can, become unready; now and then one comes back."""
        for endpoint in list(self.endpoints):
            if not endpoint.ready and rng.random() < 0.1:
                endpoint.ready = True
            elif rng.random() < 0.3:
                if self.kind == "service" and rng.random() < 0.75:
                    endpoint.ready = False
                elif len(self.endpoints) > 1:
                    self.endpoints.remove(endpoint)

    def __str__(self):
        points = [f"{e.address} {e.place} weight {e.weight}{'' if e.ready else ' unready'}" for e in self.endpoints]
        return f"{self.host} {self.balancer} panic {self.panic}: " + "; ".join(points)


class WrittenSet:
    """A cluster written out in an EnvoyFilter, which istiod passes on as it is, and a route to it: every health state,
    weights of endpoints and localities, and priorities that no rule of Istio would give.

    `groups` is a list of (priority, locality weight or None, [(address, health, weight)]).
    """

    def __init__(self, number, lb, groups, panic=None, locality_weighted=False):
        self.number, self.lb, self.groups = number, lb, groups
        self.panic, self.locality_weighted = panic, locality_weighted
        self.host = f"w{number}.example.org"
        self.hashed = lb in HASHING
        self.ring_size = RINGS[1] if lb == "RING_HASH" else None

    def cluster(self, echo_port):
        name = f"outbound|80||{self.host}"
        common = {} if self.panic is None else {"healthy_panic_threshold": {"value": self.panic}}
        if self.locality_weighted:
            common["locality_weighted_lb_config"] = {}
        return {
            "name": name,
            "type": "STATIC",
            "connect_timeout": "10s",
            "lb_policy": self.lb,
            "common_lb_config": common,
            **({"ring_hash_lb_config": {"minimum_ring_size": self.ring_size}} if self.ring_size else {}),
            "load_assignment": {
                "cluster_name": name,
                "endpoints": [self.locality(i, group, echo_port) for i, group in enumerate(self.groups)],
            },
        }

    @staticmethod
    def locality(i, group, echo_port):
        priority, weight, endpoints = group
        return {
            "locality": {"region": f"r{i}"},
            "priority": priority,
            **({} if weight is None else {"load_balancing_weight": weight}),
            "lb_endpoints": [
                {
                    "endpoint": {"address": {"socket_address": {"address": address, "port_value": echo_port}}},
                    "health_status": health,
                    "load_balancing_weight": endpoint_weight,
                }
                for address, health, endpoint_weight in endpoints
            ],
        }

    def build(self, echo_port):
        patch = {
            "applyTo": "CLUSTER",
            "match": {"context": "SIDECAR_OUTBOUND"},
            "patch": {"operation": "ADD", "value": self.cluster(echo_port)},
        }
        made = objects.istio("EnvoyFilter", f"w{self.number}", {"configPatches": [patch]})
        route = {"route": [{"destination": {"host": self.host, "port": {"number": 80}}}]}
        return [
            made | {"apiVersion": "networking.istio.io/v1alpha3"},
            objects.istio("VirtualService", f"w{self.number}", {"hosts": [self.host], "http": [route]}),
        ]

    def lose_some(self, rng):
        """About a third of the endpoints change their health or vanish."""
        for _, _, endpoints in self.groups:
            for i in reversed(range(len(endpoints))):
                address, _, weight = endpoints[i]
                if rng.random() < 0.25:
                    endpoints[i] = (address, rng.choice(states(self.lb)), weight)
                elif rng.random() < 0.1:
                    del endpoints[i]

    def __str__(self):
        return f"{self.host} {self.lb} panic {self.panic} locality_weighted {self.locality_weighted}: {self.groups}"


def states(lb):
    """Without what can leave the table of a priority empty, the named difference of hashing (test_envoy_differences.py)."""
    return [health for health in HEALTH if health != "DEGRADED" or lb not in HASHING]


def written_set(rng, number):
    groups, count, uneven, lb = [], 0, rng.random() < 0.5, rng.choice(BALANCERS)
    for _ in range(rng.randint(1, 4)):
        endpoints = []
        for _ in range(rng.randint(0, 4)):
            count += 1
            health = rng.choice(("HEALTHY", "HEALTHY", "HEALTHY", *states(lb)))
            endpoints.append((f"127.62.{number}.{count}", health, rng.randint(1, 9) if uneven else 1))
        weight = rng.choice((1, 2, 5) if lb in HASHING else (None, 1, 2, 5))
        groups.append((rng.randint(0, 2), weight, endpoints))
    return WrittenSet(number, lb, groups, rng.choice((None, 0, 0, 30, 60)), rng.random() < 0.5)


def random_balancer(rng):
    locality = rng.choice(
        (
            {},
            {"localityLbSetting": {"enabled": False}},
            {"localityLbSetting": {"failover": [{"from": "r1", "to": "r2"}]}},
            {"localityLbSetting": {"failoverPriority": ["topology.kubernetes.io/region", "topology.kubernetes.io/zone"]}},
            distribute(**{"r1_z1_a": 50, "r1_z2_a": 30, "r2_*": 20}),
            distribute(**{"r1_*": 70, "r2_z1_a": 20, "r3_*": 10}),
        )
    )
    lb = rng.choice((simple("ROUND_ROBIN"), simple("LEAST_REQUEST"), simple("RANDOM"), ring(rng.choice(RINGS)), maglev()))
    return lb | locality


def random_set(rng, number):
    kind = rng.choice(("service", "service", "entry"))
    places = rng.sample(PLACES, rng.randint(1, 4))
    endpoints = [
        Endpoint(f"127.60.{number}.{i}", rng.choice(places), rng.randint(1, 9) if kind == "entry" else 1)
        for i in range(1, rng.randint(2, 9))
    ]
    panic = rng.choice((None, None, 20, 50, 80))
    return ShareSet(number, kind, endpoints, random_balancer(rng), panic)


def round_of(seed, count):
    rng = random.Random(seed)
    sets = [random_set(rng, number) for number in range(1, count + 1)]
    return rng, sets + [written_set(rng, number) for number in range(1, count + 1)]
