# SPDX-License-Identifier: Apache-2.0
"""Shapes of traffic as they change: localities that lose endpoints, subsets that come and go, canaries, lopsided splits,
other networks, many endpoints. Each step is held against the arithmetic of the rules, through istiod and from files."""

import collections
import threading

import pytest

import harness
import objects
from world import SOURCES, World

pytestmark = pytest.mark.istiod

PLACES = {"near": ("r1", "z1"), "zone": ("r1", "z2"), "far": ("r2", "z1")}
US = ("--locality", "r1/z1", "--network", "net1")
OUTLIER = {"outlierDetection": {"consecutive5xxErrors": 5}}
EACH = 4  # endpoints of a place


def subset_shares(answer):
    out = collections.Counter()
    for end in answer["endpoints"]:
        out[end["subset"]] += end["share"]
    return dict(out)


def place_shares(answer):
    names = {"/".join(place): name for name, place in PLACES.items()}
    out = collections.Counter()
    for end in answer["endpoints"]:
        out[names[end["locality"]]] += end["share"]
    return {name: round(share, 9) for name, share in out.items()}


def loads(*healthy):
    """The share of each priority in whole per cents: availability 1.4 x healthy of EACH, what is left goes on."""
    available = [min(100, 140 * count // EACH) for count in healthy]
    total, left, out = min(100, sum(available)), 100, []
    for one in available:
        out.append(min(left, one * 100 // total) if total else 0)
        left -= out[-1]
    if total:
        out[next(i for i, count in enumerate(healthy) if count)] += left
    return out


def spread(name, number, gone=()):
    """EACH pods in each place; those in `gone` are not ready."""
    addresses = [f"10.2.{number}.{i}" for i in range(1, len(PLACES) * EACH + 1)]
    nodes = [place for place in PLACES for _ in range(EACH)]
    return (
        objects.endpoint_slice(name, addresses, ready={addresses[i]: False for i in gone}, nodes=nodes),
        [objects.pod(name, address, node=node) for address, node in zip(addresses, nodes)],
    )


def located(name, number, policy):
    slice_, pods = spread(name, number)
    rule = objects.istio("DestinationRule", name, {"host": name, "trafficPolicy": policy})
    return [objects.service(name, ip=f"10.96.4.{number}"), slice_, *pods, rule]


def locality_lb(**setting):
    return {"loadBalancer": {"localityLbSetting": setting}, **OUTLIER}


def split(name, number, counts, ports=((80, 80, "http"),), **weights):
    """A service with so many pods of each version, and a split over them."""
    serial = iter(range(1, 1 << 16))
    versions = {
        version: [f"10.{100 + number}.{i >> 8}.{i & 255}" for i in (next(serial) for _ in range(count))]
        for version, count in counts.items()
    }
    return [
        *objects.app(name, versions, ip=f"10.96.5.{number}", ports=ports),
        objects.subsets(name, *counts),
        objects.split(name, **weights),
    ]


def thousand():
    host = "thousand.example.com"
    ends = [{"address": f"10.107.{i >> 8}.{i & 255}", "labels": {"version": "v1" if i < 900 else "v2"}} for i in range(1000)]
    yield objects.istio("ServiceEntry", "thousand", {
        "hosts": [host], "resolution": "STATIC", "location": "MESH_EXTERNAL", "endpoints": ends,
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
    })
    yield objects.subsets(host, "v1", "v2")
    yield objects.split(host, v1=50, v2=50)


def away(name, address, network):
    labels = {"topology.istio.io/network": network, "security.istio.io/tlsMode": "istio"}
    return objects.pod(name, address, labels=labels)


def networks():
    return [
        objects.service("across", ip="10.96.6.1"),
        objects.endpoint_slice("across", ["10.9.1.1", "10.9.1.2", "10.8.1.1", "10.8.1.2"]),
        *(away("across", address, "net1") for address in ("10.9.1.1", "10.9.1.2")),
        *(away("across", address, "net2") for address in ("10.8.1.1", "10.8.1.2")),
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "istio", "namespace": "istio-system"},
            "data": {
                "mesh": "{}\n",
                "meshNetworks": "networks:\n"
                "  net1: {endpoints: [{fromCidr: 10.9.0.0/16}], gateways: []}\n"
                "  net2: {endpoints: [{fromCidr: 10.8.0.0/16}], gateways: [{address: 172.16.0.2, port: 15443}]}\n",
            },
        },
    ]


def mesh():
    for name, place in PLACES.items():
        yield objects.node(name, *place)
    yield from located("steps", 1, OUTLIER)
    given = {"r1/z1/*": 60, "r1/z2/*": 10, "r2/*": 30}
    yield from located("distributed", 2, locality_lb(distribute=[{"from": "r1/z1/*", "to": given}]))
    yield from located("elsewhere", 3, locality_lb(failover=[{"from": "r1", "to": "r2"}]))
    yield from located("by-region", 4, locality_lb(failoverPriority=["topology.kubernetes.io/region"]))
    yield from located("disabled", 5, locality_lb(enabled=False))
    yield from located("no-outlier", 6, {"loadBalancer": {"simple": "ROUND_ROBIN"}})
    yield from split("canary", 1, {"v1": 3, "v2": 2}, v1=100, v2=0)
    yield from split("comes-back", 2, {"v1": 2, "v2": 1}, v1=75, v2=25)
    yield from split("lopsided", 3, {"v1": 20, "v2": 20}, v1=99, v2=1)
    yield from split("five", 4, {"v1": 95, "v2": 5}, v1=95, v2=5)
    yield from split("pair", 5, {"v1": 1, "v2": 1}, v1=70, v2=30)
    yield from split("single", 6, {"v1": 1}, v1=100)
    yield from thousand()
    yield from split("zero", 8, {"v1": 1, "v2": 1}, v1=0, v2=100)
    yield from networks()
    service, *rest = objects.app("pods", {"v1": ["10.7.0.1"], "v2": ["10.7.0.2"]})
    service["spec"]["clusterIP"] = "None"
    yield from (service, *rest, objects.subsets("pods", "v1", "v2"), objects.split("pods", v1=80, v2=20))
    yield objects.istio("ServiceEntry", "weighted", {
        "hosts": ["weighted.example.com"], "resolution": "STATIC", "location": "MESH_EXTERNAL",
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "endpoints": [{"address": "10.5.0.1", "weight": 9}, {"address": "10.5.0.2", "weight": 1}],
    })
    yield objects.istio("ServiceEntry", "random", {
        "hosts": ["random.example.com"], "resolution": "STATIC", "location": "MESH_EXTERNAL",
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "endpoints": [{"address": "10.5.0.3", "weight": 9}, {"address": "10.5.0.4", "weight": 1}],
    })
    random = {"loadBalancer": {"simple": "RANDOM"}}
    yield objects.istio("DestinationRule", "random", {"host": "random.example.com", "trafficPolicy": random})


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("traffic"), *mesh())
    yield world
    world.stop()


# --- Localities ------------------------------------------------------------------------------------------------------


def test_localities_lose_their_endpoints_one_by_one(world):
    """near, then zone, then far: each priority hands on what it cannot take."""
    agents = world.both(*US)
    for gone in range(len(PLACES) * EACH + 1):
        slice_, _ = spread("steps", 1, range(gone))
        world.apply(slice_)
        healthy = [EACH - max(0, min(EACH, gone - EACH * i)) for i in range(len(PLACES))]
        want = {name: load / 100 for name, load in zip(PLACES, loads(*healthy)) if load}
        for agent in agents:
            harness.wait_for(lambda: place_shares(agent.endpoints("steps")) == want, f"{gone} gone: {want}", 10)
    for agent in agents:  # and all at once again
        assert agent.endpoints("steps")["endpoints"] == [] and agent.endpoints("steps")["dropped_unhealthy"] == 12
    world.apply(spread("steps", 1)[0])
    for agent in agents:
        harness.wait_for(lambda: place_shares(agent.endpoints("steps")) == {"near": 1.0}, "all of them back")


@pytest.mark.parametrize("source", SOURCES)
def test_locality_settings(world, source):
    agent = world.agent(source, *US)
    third = {name: pytest.approx(1 / 3) for name in PLACES}
    names = ("distributed", "elsewhere", "by-region", "disabled", "no-outlier")
    assert {name: place_shares(agent.endpoints(name)) for name in names} == {
        "distributed": {"near": 0.6, "zone": 0.1, "far": 0.3},
        "elsewhere": {"near": 1.0},
        "by-region": {"near": 0.5, "zone": 0.5},
        "disabled": third,
        "no-outlier": third,
    }


def test_weights_of_localities_shrink_with_what_is_available(world):
    """Half of `near` is away: its 60 count 0.7 times; then all of it."""
    for gone, left in ((2, 60 * 0.7), (4, 0)):
        slice_, _ = spread("distributed", 2, range(gone))
        world.apply(slice_)
        total = left + 10 + 30
        want = {"near": left / total, "zone": 10 / total, "far": 30 / total}
        want = {name: pytest.approx(share) for name, share in want.items() if share}
        for agent in world.both(*US):
            harness.wait_for(lambda: place_shares(agent.endpoints("distributed")) == want, f"{gone} gone")


def test_failover_goes_to_the_region_that_is_named(world):
    """r1 to r2: what `near` loses goes to the other zone first, then to the region."""
    for gone, healthy in ((2, (2, 4, 4)), (4, (0, 4, 4)), (8, (0, 0, 4))):
        world.apply(spread("elsewhere", 3, range(gone))[0])
        want = {name: load / 100 for name, load in zip(PLACES, loads(*healthy)) if load}
        for agent in world.both(*US):
            harness.wait_for(lambda: place_shares(agent.endpoints("elsewhere")) == want, f"{gone} gone: {want}")


# --- Splits ----------------------------------------------------------------------------------------------------------


class Poller(threading.Thread):
    """Asks without pause, in REST and DNS, and keeps what was empty. Who holds `cards` draws alone from the decks."""

    def __init__(self, agent, service):
        super().__init__(daemon=True)
        self.agent, self.service, self.asked, self.empty, self.running = agent, service, 0, [], True
        self.cards = threading.Lock()
        self.start()

    def run(self):
        while self.running:
            answer = self.agent.endpoints(self.service)
            with self.cards:
                addresses = self.agent.addresses(f"{self.service}.default.svc.cluster.local")
            self.asked += 1
            if not answer["endpoints"] or not addresses:
                self.empty.append((answer, addresses))

    def stop(self):
        self.running = False
        self.join(10)


def test_canary_goes_from_nothing_to_all(world):
    agents = world.both()
    pollers = [Poller(agent, "canary") for agent in agents]
    for percent in range(0, 101, 10):
        world.apply(objects.split("canary", v1=100 - percent, v2=percent))
        want = {name: pytest.approx(share / 100) for name, share in (("v1", 100 - percent), ("v2", percent)) if share}
        for agent, poller in zip(agents, pollers):
            harness.wait_for(lambda: subset_shares(agent.endpoints("canary")) == want, f"{percent} per cent")
            first = collections.Counter()
            with poller.cards:
                for _ in range(100):
                    address = agent.query("canary.default.svc.cluster.local").answer[0][0].address
                    first["v1" if address in ("10.101.0.1", "10.101.0.2", "10.101.0.3") else "v2"] += 1
            assert abs(first["v2"] - percent) <= 8, (percent, first)
    for poller in pollers:
        poller.stop()
        assert poller.asked > 20 and poller.empty == []


@pytest.mark.parametrize("source", SOURCES)
def test_subset_becomes_empty_and_comes_back(world, source):
    """The three policies for the share of a destination that has no endpoints."""
    one, two, three = (f"10.102.0.{i}" for i in (1, 2, 3))
    agents = {policy: world.agent(source, "--empty-subset", policy) for policy in ("redistribute", "strict", "service")}
    whole = {one: 0.375, two: 0.375, three: 0.25}

    def seen():
        out = {}
        for policy, agent in agents.items():
            answer, shares = agent.endpoints("comes-back"), collections.Counter()
            for end in answer["endpoints"]:
                shares[end["address"]] += round(end["share"], 9)
            out[policy] = (dict(shares), round(answer["lost_share"], 9))
        return out

    full = {policy: (whole, 0) for policy in agents}
    harness.wait_for(lambda: seen() == full, "all three")
    world.apply(objects.endpoint_slice("comes-back", [one, two], ports=((80, "http"),)))
    without = {
        "redistribute": ({one: 0.5, two: 0.5}, 0),
        "strict": ({one: 0.375, two: 0.375}, 0.25),
        "service": ({one: 0.5, two: 0.5}, 0),
    }
    harness.wait_for(lambda: seen() == without, "without v2")
    world.apply(objects.endpoint_slice("comes-back", [three], ports=((80, "http"),)))
    others = {"redistribute": ({three: 1.0}, 0), "strict": ({three: 0.25}, 0.75), "service": ({three: 1.0}, 0)}
    harness.wait_for(lambda: seen() == others, "without v1")
    world.apply(objects.endpoint_slice("comes-back", [], ports=((80, "http"),)))
    nothing = {"redistribute": ({}, 0), "strict": ({}, 1), "service": ({}, 0)}
    harness.wait_for(lambda: {p: s[0] for p, s in seen().items()} == {p: s[0] for p, s in nothing.items()}, "nobody")
    world.apply(objects.endpoint_slice("comes-back", [one, two, three], ports=((80, "http"),)))
    harness.wait_for(lambda: seen() == full, "all three again")


def slots_of(answer):
    out = collections.Counter()
    for end in answer["endpoints"]:
        assert end["slots"] >= 1
        out[end["subset"]] += end["slots"]
    return out


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    "service, shares, listed",
    [
        ("lopsided", {"v1": 0.99, "v2": 0.01}, None),
        ("five", {"v1": 0.95, "v2": 0.05}, None),
        ("pair", {"v1": 0.7, "v2": 0.3}, 2),
        ("single", {"v1": 1.0}, 1),
        ("thousand.example.com", {"v1": 0.5, "v2": 0.5}, None),
        ("zero", {"v2": 1.0}, 1),
    ],
)
def test_slots_keep_within_their_bounds(world, source, service, shares, listed):
    answer = world.agent(source).endpoints(service)
    assert subset_shares(answer) == pytest.approx(shares)
    slots, total = slots_of(answer), answer["total_slots"]
    assert total == sum(slots.values()) <= 1000
    for subset, share in shares.items():
        assert abs(slots[subset] / total - share) < 0.01, (subset, slots)
    worst = max(abs(end["slots"] / total - end["share"]) for end in answer["endpoints"])
    assert worst < 0.02 and answer["share_error"] < 0.02
    assert listed is None or (len(answer["endpoints"]) == listed and answer["unlisted"] == 0)
    if service == "lopsided":  # 20 slots for 1 per cent would inflate it: some of v2 are left out
        counts = collections.Counter(end["subset"] for end in answer["endpoints"])
        assert counts["v1"] == 20 and 1 <= counts["v2"] < 20 and answer["unlisted"] == 20 - counts["v2"]


@pytest.mark.long
def test_first_addresses_follow_a_lopsided_split(world):
    agent = world.agent("istiod")
    answer = agent.endpoints("lopsided")
    small = {end["address"] for end in answer["endpoints"] if end["subset"] == "v2"}
    rounds = 2 * answer["total_slots"]
    name = "lopsided.default.svc.cluster.local"
    first = collections.Counter(agent.query(name).answer[0][0].address in small for _ in range(rounds))
    assert first[True] == 2 * slots_of(answer)["v2"]


@pytest.mark.parametrize("source", SOURCES)
def test_thousand_endpoints_are_all_there(world, source):
    agent = world.agent(source)
    answer = agent.endpoints("thousand.example.com")
    assert len(answer["endpoints"]) + answer["unlisted"] == 1000
    assert agent.endpoints("thousand.example.com", subset="v1")["total_slots"] == 900
    assert len(agent.addresses("thousand.example.com", tcp=True)) >= 1


# --- Named differences, and what weights mean -------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES)
def test_gateways_of_other_networks_are_left_out(world, source):
    answer = world.agent(source, *US).endpoints("across")
    assert {end["address"]: end["share"] for end in answer["endpoints"]} == {"10.9.1.1": 0.5, "10.9.1.2": 0.5}
    assert answer["dropped_gateways"] == 1
    other = world.agent(source, "--network", "net3").endpoints("across")  # net1 has no gateway: taken as reachable
    assert {end["address"] for end in other["endpoints"]} == {"10.9.1.1", "10.9.1.2"}
    unknown = world.agent(source, "--network", "net2").endpoints("across")
    assert {"10.8.1.1", "10.8.1.2"} <= {end["address"] for end in unknown["endpoints"]}


@pytest.mark.parametrize("source", SOURCES)
def test_split_of_a_headless_service_lists_its_pods(world, source):
    agent = world.agent(source)
    assert subset_shares(agent.endpoints("pods")) == pytest.approx({"v1": 0.8, "v2": 0.2})


@pytest.mark.parametrize("source", SOURCES)
def test_weights_of_endpoints(world, source):
    agent = world.agent(source)
    assert agent.shares("weighted.example.com") == pytest.approx({"10.5.0.1:80": 0.9, "10.5.0.2:80": 0.1})
    assert agent.shares("random.example.com") == pytest.approx({"10.5.0.3:80": 0.5, "10.5.0.4:80": 0.5})  # as Envoy
