# SPDX-License-Identifier: Apache-2.0
"""ServiceEntries of every resolution, in DNS and REST, through istiod and from files."""

import dns.rcode
import pytest

import harness
import objects
from world import SOURCES, World

pytestmark = pytest.mark.istiod

HTTP = [{"number": 80, "name": "http", "protocol": "HTTP"}]
US = ("--locality", "r1/z1", "--network", "net1")


def entry(name, resolution, hosts=None, ports=HTTP, namespace="default", location="MESH_EXTERNAL", **more):
    spec = {"hosts": hosts or [f"{name}.example.com"], "resolution": resolution, "ports": ports, "location": location, **more}
    return objects.istio("ServiceEntry", name, spec, namespace)


def workload(name, address, namespace="default", **more):
    return objects.istio("WorkloadEntry", name, {"address": address, **more}, namespace)


def ends(*addresses, **more):
    return [{"address": address, **more} for address in addresses]


def mesh():
    two = [*HTTP, {"number": 9000, "name": "grpc", "protocol": "GRPC", "targetPort": 9001}]
    yield entry("static", "STATIC", endpoints=ends("10.5.0.1", "10.5.0.2"))
    yield entry("inside", "STATIC", location="MESH_INTERNAL", endpoints=ends("10.5.0.3"))
    yield entry("vip", "STATIC", addresses=["10.50.0.1"], endpoints=ends("10.5.1.1"))
    yield entry("ports", "STATIC", ports=two, endpoints=[
        {"address": "10.5.2.1", "weight": 3, "locality": "r1/z1"},
        {"address": "10.5.2.2", "weight": 1, "locality": "r2/z1", "ports": {"http": 8888, "grpc": 9999}},
    ])
    yield entry("named", "DNS", endpoints=ends("one.example.net", "two.example.net"))
    yield entry("itself", "DNS")
    yield entry("rotating", "DNS_ROUND_ROBIN", endpoints=ends("one.example.net"))
    yield entry("literal", "DNS", endpoints=ends("10.5.3.1", "one.example.net"))
    yield entry("nowhere", "DNS", endpoints=ends("nx.example.net"))
    yield entry("none", "NONE")
    yield entry("wild", "NONE", hosts=["*.wild.example.com"])
    yield entry("several", "STATIC", hosts=["first.example.com", "second.example.com"], endpoints=ends("10.5.4.1"))
    yield entry("vms", "STATIC", location="MESH_INTERNAL", workloadSelector={"labels": {"app": "vms"}},
                ports=[{"number": 80, "name": "http", "protocol": "HTTP", "targetPort": 8080}])
    yield workload("vm-1", "10.5.5.1", labels={"app": "vms", "version": "v1"}, weight=2)
    yield workload("vm-2", "10.5.5.2", labels={"app": "vms", "version": "v2"}, ports={"http": 8081})
    yield workload("vm-else", "10.5.5.3", labels={"app": "else"})
    yield objects.subsets("vms.example.com", "v1", "v2")
    yield entry("same", "STATIC", hosts=["same.example.com"], endpoints=ends("10.5.6.1"))
    yield entry("same", "STATIC", hosts=["same.example.com"], endpoints=ends("10.5.6.2"), namespace="other")
    yield entry("theirs", "STATIC", namespace="other", exportTo=["."], endpoints=ends("10.5.7.1"))
    yield entry("across", "STATIC", location="MESH_INTERNAL", endpoints=[
        {"address": "10.5.8.1", "network": "net1"},
        {"address": "10.5.8.2", "network": "net9"},
    ])
    yield entry("tls", "STATIC", ports=[{"number": 443, "name": "tls", "protocol": "TLS"}], endpoints=ends("10.5.9.1"))


@pytest.fixture(scope="module")
def names():
    server = harness.Upstream()
    server.records = {
        "one.example.net.": ["198.18.0.1", "198.18.0.2"],
        "two.example.net.": ["198.18.0.3"],
        "itself.example.com.": ["198.18.0.4"],
        "none.example.com.": ["198.18.0.5"],
        "a.wild.example.com.": ["198.18.0.6"],
    }
    yield server
    server.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("entries"), *mesh())
    yield world
    world.stop()


@pytest.fixture(params=SOURCES)
def agent(request, world, names):
    return world.agent(request.param, *US, upstream=names.address)


def kind(agent, host):
    return agent.get(f"/v1/services/{host}")["kind"]


def test_static_endpoints_are_the_answer_where_there_is_no_vip(agent):
    assert agent.addresses("static.example.com") == ["10.5.0.1", "10.5.0.2"]
    assert agent.shares("static.example.com") == {"10.5.0.1:80": 0.5, "10.5.0.2:80": 0.5}
    assert kind(agent, "static.example.com") == "external"


def test_location_shows_in_tls(agent):
    def tls(name):
        return agent.get(f"/v1/services/{name}.example.com")["port_details"][0]["clusters"][0]["tls"]

    assert tls("static") == "DISABLE" and tls("inside") == "AUTO"


def test_vip_is_the_answer_where_there_is_one(agent):
    assert agent.addresses("vip.example.com") == ["10.50.0.1"]
    assert agent.shares("vip.example.com") == {"10.5.1.1:80": 1.0}
    assert kind(agent, "vip.example.com") == "vip"


def test_ports_weights_and_localities_of_endpoints(agent):
    assert agent.shares("ports.example.com:80") == {"10.5.2.1:80": 0.75, "10.5.2.2:8888": 0.25}
    assert agent.shares("ports.example.com:9000") == {"10.5.2.1:9001": 0.75, "10.5.2.2:9999": 0.25}
    places = {end["address"]: end["locality"] for end in agent.endpoints("ports.example.com")["endpoints"]}
    assert places == {"10.5.2.1": "r1/z1", "10.5.2.2": "r2/z1"}
    protocols = {port["number"]: port["protocol"] for port in agent.get("/v1/services/ports.example.com")["ports"]}
    assert protocols == {80: "http", 9000: "http2"}


def test_names_are_resolved_all_or_as_one(agent):
    """DNS: each address is an endpoint, names share evenly. DNS_ROUND_ROBIN: one logical endpoint."""
    harness.wait_for(lambda: len(agent.shares("named.example.com")) == 3, "both names")
    harness.wait_for(lambda: agent.shares("itself.example.com") == {"198.18.0.4:80": 1.0}, "its own name")
    mixed = {"10.5.3.1:80", "198.18.0.1:80", "198.18.0.2:80"}
    harness.wait_for(lambda: set(agent.shares("literal.example.com")) == mixed, "an address among names")
    harness.wait_for(lambda: agent.shares("rotating.example.com"), "the logical name")
    assert set(agent.shares("rotating.example.com")) <= {"198.18.0.1:80", "198.18.0.2:80"}
    assert set(agent.addresses("named.example.com")) == {"198.18.0.1", "198.18.0.2", "198.18.0.3"}
    assert {kind(agent, f"{name}.example.com") for name in ("named", "itself", "rotating")} == {"dns"}
    assert agent.endpoints("nowhere.example.com")["endpoints"] == []


def test_resolution_none_is_left_to_the_upstream(agent):
    assert agent.addresses("none.example.com") == ["198.18.0.5"]
    assert agent.addresses("a.wild.example.com") == ["198.18.0.6"]
    assert agent.query("b.wild.example.com").rcode() == dns.rcode.NXDOMAIN  # the upstream says so
    assert agent.endpoints("none.example.com")["endpoints"] == []
    assert agent.get("/v1/services/a.wild.example.com")["host"] == "*.wild.example.com"


def test_each_host_of_an_entry_is_a_service(agent):
    assert agent.shares("first.example.com") == agent.shares("second.example.com") == {"10.5.4.1:80": 1.0}
    assert agent.addresses("second.example.com") == ["10.5.4.1"]


def test_host_in_two_namespaces_is_ours_first(world, agent):
    assert agent.shares("same.example.com") == {"10.5.6.1:80": 1.0}
    assert agent.http("/v1/services/theirs.example.com").status == 404


@pytest.mark.parametrize("source", SOURCES)
def test_client_of_another_namespace_sees_its_own(world, names, source):
    other = world.agent(source, "--pod-namespace", "other", upstream=names.address)
    assert other.shares("same.example.com") == {"10.5.6.2:80": 1.0}
    assert other.shares("theirs.example.com") == {"10.5.7.1:80": 1.0}


def test_network_without_a_gateway_is_reached_directly(agent):
    assert agent.shares("across.example.com") == {"10.5.8.1:80": 0.5, "10.5.8.2:80": 0.5}


def test_server_names_need_no_route(agent):
    assert agent.shares("tls.example.com") == {"10.5.9.1:443": 1.0}


def test_workloads_by_selector_come_and_go(world, names):
    agents = [world.agent(source, *US, upstream=names.address) for source in SOURCES]
    first = {"10.5.5.1:8080": pytest.approx(2 / 3), "10.5.5.2:8081": pytest.approx(1 / 3)}
    for agent in agents:
        assert agent.shares("vms.example.com") == first
        assert agent.shares("vms.example.com", subset="v2") == {"10.5.5.2:8081": 1.0}
    world.apply(workload("vm-3", "10.5.5.4", labels={"app": "vms", "version": "v1"}))
    for agent in agents:
        harness.wait_for(lambda: len(agent.shares("vms.example.com")) == 3, "the third")
    world.delete("WorkloadEntry", "vm-1")
    for agent in agents:
        harness.wait_for(lambda: agent.shares("vms.example.com", subset="v1") == {"10.5.5.4:8080": 1.0}, "the first to go")
    world.delete("WorkloadEntry", "vm-3")
    for agent in agents:
        harness.wait_for(lambda: agent.shares("vms.example.com") == {"10.5.5.2:8081": 1.0}, "the second alone")
