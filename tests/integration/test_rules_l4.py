# SPDX-License-Identifier: Apache-2.0
"""TCP and TLS routes of VirtualServices, which come with listeners: in REST and in DNS, through istiod and from files."""

import collections

import pytest

import harness
import objects
from world import SOURCES, World

pytestmark = pytest.mark.istiod


def to(host, **weights):
    return [{"destination": {"host": host, "subset": subset}, "weight": weight} for subset, weight in weights.items()]


def tcp(host, *routes, **more):
    return objects.istio("VirtualService", host, {"hosts": [host], "tcp": list(routes), **more})


def database(name, number, ports=((5432, 5432, "tcp-pg"),)):
    """Pods 10.2.N.1 of v1 and 10.2.N.2 of v2 behind 10.96.2.N, with their subsets."""
    versions = {"v1": [f"10.2.{number}.1"], "v2": [f"10.2.{number}.2"]}
    return [*objects.app(name, versions, ip=f"10.96.2.{number}", ports=ports), objects.subsets(name, "v1", "v2")]


def mesh():
    two = ((5432, 5432, "tcp-pg"), (5433, 5433, "tcp-more"))
    yield from database("split", 1)
    yield tcp("split", {"route": to("split", v1=90, v2=10)})
    yield from database("ports", 2, two)
    yield tcp(
        "ports",
        {"match": [{"port": 5433}], "route": to("ports", v2=100)},
        {"match": [{"port": 5432}], "route": to("ports", v1=100)},
    )
    yield from database("subnets", 3)
    yield tcp(
        "subnets",
        {"match": [{"destinationSubnets": ["10.97.0.0/16"]}], "route": to("subnets", v1=100)},
        {"match": [{"destinationSubnets": ["10.96.0.0/16"]}], "route": to("subnets", v1=50, v2=50)},
        {"match": [{"destinationSubnets": ["10.96.2.3/32"]}], "route": to("subnets", v2=100)},
    )
    yield from database("whose", 4)
    yield tcp(
        "whose",
        {"match": [{"sourceLabels": {"tier": "front"}}], "route": to("whose", v1=100)},
        {"match": [{"gateways": ["some/gateway"]}], "route": to("whose", v1=100)},
        {"route": to("whose", v2=100)},
    )
    yield from database("gateway", 5)
    yield tcp("gateway", {"route": to("gateway", v1=100)}, gateways=["some/gateway"])
    yield from database("gone", 6)
    yield tcp("gone", {"route": [*to("gone", v1=75), {"destination": {"host": "gone", "subset": "v9"}, "weight": 25}]})
    yield from database("secure", 7, ((443, 443, "tls"),))
    yield objects.istio("VirtualService", "secure", {
        "hosts": ["secure.default.svc.cluster.local", "a.example.com", "*.wild.example.com"],
        "tls": [
            {"match": [{"sniHosts": ["a.example.com"]}], "route": to("secure", v2=100)},
            {"match": [{"sniHosts": ["*.wild.example.com"]}], "route": to("secure", v1=80, v2=20)},
            {"match": [{"sniHosts": ["x.wild.example.com"]}], "route": to("secure", v2=100)},
            {"match": [{"sniHosts": ["secure.default.svc.cluster.local"]}], "route": to("secure", v1=100)},
        ],
    })
    yield objects.istio("ServiceEntry", "block", {
        "hosts": ["block.example.com"], "addresses": ["10.60.0.0/24"], "resolution": "STATIC", "location": "MESH_INTERNAL",
        "ports": [{"number": 6379, "name": "tcp", "protocol": "TCP"}],
        "endpoints": [{"address": "10.5.0.1", "labels": {"version": "v1"}}, {"address": "10.5.0.2", "labels": {"version": "v2"}}],
    })
    yield objects.subsets("block.example.com", "v1", "v2")
    yield objects.istio("VirtualService", "block", {
        "hosts": ["block.example.com"], "tcp": [{"route": to("block.example.com", v1=60, v2=40)}],
    })


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("l4"), *mesh())
    yield world
    world.stop()


def shares(agent, host, **request):
    """subset -> share, with the basis"""
    answer = agent.endpoints(host, **request)
    return answer["basis"], {end["subset"]: round(end["share"], 9) for end in answer["endpoints"]}


@pytest.mark.parametrize("source", SOURCES)
def test_weights_are_shares_and_dns_deals_them(world, source):
    agent = world.agent(source)
    assert shares(agent, "split") == ("l4_route", {"v1": 0.9, "v2": 0.1})
    assert [end["slots"] for end in agent.endpoints("split")["endpoints"]] == [9, 1]
    first = collections.Counter(agent.query("split.default.svc.cluster.local").answer[0][0].address for _ in range(300))
    assert first == {"10.2.1.1": 270, "10.2.1.2": 30}


@pytest.mark.parametrize("source", SOURCES)
def test_conditions_on_port_and_subnet(world, source):
    agent = world.agent(source)
    assert shares(agent, "ports:5432") == ("l4_route", {"v1": 1.0})
    assert shares(agent, "ports:5433") == ("l4_route", {"v2": 1.0})
    # the longest prefix that covers the VIP, wherever it stands
    assert shares(agent, "subnets") == ("l4_route", {"v2": 1.0})


@pytest.mark.parametrize("source", SOURCES)
def test_conditions_on_who_asks(world, source):
    assert shares(world.agent(source), "whose") == ("l4_route", {"v2": 1.0})
    assert shares(world.agent(source, "--labels", "tier=front"), "whose") == ("l4_route", {"v1": 1.0})
    assert shares(world.agent(source), "gateway") == ("service", {None: 0.5})  # not for us; both pods, under one key


@pytest.mark.parametrize("source", SOURCES)
def test_server_name_is_the_authority(world, source):
    agent = world.agent(source)
    names = ("a.example.com", "a.example.com:443", "y.wild.example.com", "x.wild.example.com", "other.example.org")
    assert shares(agent, "secure") == ("l4_route", {"v1": 1.0})  # the host itself
    assert {name: shares(agent, "secure", authority=name) for name in names} == {
        "a.example.com": ("l4_route", {"v2": 1.0}),
        "a.example.com:443": ("l4_route", {"v2": 1.0}),
        "y.wild.example.com": ("l4_route", {"v1": 0.8, "v2": 0.2}),
        "x.wild.example.com": ("l4_route", {"v2": 1.0}),  # the most specific, not the first
        "other.example.org": ("service", {None: 0.5}),  # no route names it; both pods, under one key
    }


@pytest.mark.parametrize("source", SOURCES)
def test_destination_that_does_not_exist(world, source):
    agent = world.agent(source)
    assert shares(agent, "gone") == ("l4_route", {"v1": 1.0})
    strict = world.agent(source, "--empty-subset", "strict")
    assert shares(strict, "gone") == ("l4_route", {"v1": 0.75})
    assert strict.endpoints("gone")["lost_share"] == pytest.approx(0.25)
    whole = world.agent(source, "--empty-subset", "service")
    got = {(e["address"], e["subset"]): e["share"] for e in whole.endpoints("gone")["endpoints"]}
    total = collections.Counter()
    for (address, _), share in got.items():
        total[address] += share
    assert total == pytest.approx({"10.2.6.1": 0.875, "10.2.6.2": 0.125})


@pytest.mark.parametrize("source", SOURCES)
def test_entry_with_a_block_of_addresses(world, source):
    assert shares(world.agent(source), "block.example.com") == ("l4_route", {"v1": 0.6, "v2": 0.4})


@pytest.mark.parametrize("source", SOURCES)
def test_weights_shift_and_the_route_goes(world, source):
    agent = world.agent(source)
    world.apply(tcp("ports", {"match": [{"port": 5432}], "route": to("ports", v1=1, v2=99)}))
    harness.wait_for(lambda: shares(agent, "ports:5432")[1] == {"v1": 0.01, "v2": 0.99}, "the new weights")
    world.delete("VirtualService", "ports")
    harness.wait_for(lambda: shares(agent, "ports:5432")[1] == {None: 0.5}, "the service itself")
    world.apply(
        tcp(
            "ports",
            {"match": [{"port": 5433}], "route": to("ports", v2=100)},
            {"match": [{"port": 5432}], "route": to("ports", v1=100)},
        )
    )
    harness.wait_for(lambda: shares(agent, "ports:5432")[1] == {"v1": 1.0}, "the route again")
    world.control_plane.quiesce()
