# SPDX-License-Identifier: Apache-2.0
"""What DestinationRules make of clusters: subsets and overrides, load balancing, localities, and the policies that are only
published, through istiod and from files."""

import pytest

import harness
import objects
from world import SOURCES, World

pytestmark = pytest.mark.istiod

UNSET = dict.fromkeys(
    (
        "consecutive_5xx",
        "consecutive_gateway_failure",
        "outlier_interval_ms",
        "base_ejection_ms",
        "max_ejection_percent",
        "max_connections",
        "max_pending_requests",
        "max_requests",
        "max_retries",
        "warmup_ms",
    )
) | {"connect_timeout_ms": 10000}
PORTS = ((80, 8080, "http"), (81, 8081, "http-more"))
OUTLIER = {
    "consecutive5xxErrors": 7,
    "consecutiveGatewayErrors": 3,
    "interval": "5s",
    "baseEjectionTime": "1m",
    "maxEjectionPercent": 40,
    "minHealthPercent": 30,
}
OUTLIER_SHOWN = {
    "consecutive_5xx": 7,
    "consecutive_gateway_failure": 3,
    "outlier_interval_ms": 5000,
    "base_ejection_ms": 60000,
    "max_ejection_percent": 40,
}


def lb(simple, **more):
    return {"loadBalancer": {"simple": simple, **more}}


def tls(mode, **more):
    return {"tls": {"mode": mode, **more}}


def certificates(**more):
    return {"clientCertificate": "/etc/c.pem", "privateKey": "/etc/k.pem", **more}


# name: the policy, the policies of the subsets, and what clusters show: (port, subset): fields
CASES = {
    "nothing": ({}, {}, {(80, None): {"lb_policy": "LEAST_REQUEST", "tls": "AUTO", "published": UNSET, "panic_percent": 0}}),
    "random": (lb("RANDOM"), {}, {(80, None): {"lb_policy": "RANDOM"}}),
    "round-robin": (lb("ROUND_ROBIN"), {}, {(80, None): {"lb_policy": "ROUND_ROBIN"}}),
    "least-request": (lb("LEAST_REQUEST"), {}, {(80, None): {"lb_policy": "LEAST_REQUEST"}}),
    "passthrough": (
        lb("PASSTHROUGH"),
        {},
        {(80, None): {"lb_policy": "CLUSTER_PROVIDED", "discovery": "ORIGINAL_DST", "tls": "DISABLE"}},
    ),
    "ring": ({"loadBalancer": {"consistentHash": {"useSourceIp": True}}}, {}, {(80, None): {"lb_policy": "RING_HASH"}}),
    "maglev": (
        {"loadBalancer": {"consistentHash": {"httpHeaderName": "x", "maglev": {"tableSize": 1009}}}},
        {},
        {(80, None): {"lb_policy": "MAGLEV"}},
    ),
    "subsets": (
        lb("ROUND_ROBIN") | {"outlierDetection": OUTLIER},
        {"v1": lb("RANDOM"), "v2": {"connectionPool": {"tcp": {"maxConnections": 9}}}, "v3": {"outlierDetection": {}}},
        {
            (80, None): {"lb_policy": "ROUND_ROBIN", "panic_percent": 30, "published": UNSET | OUTLIER_SHOWN, "endpoints": 3},
            (80, "v1"): {"lb_policy": "RANDOM", "panic_percent": 30, "published": UNSET | OUTLIER_SHOWN, "endpoints": 1},
            (81, "v2"): {"lb_policy": "ROUND_ROBIN", "published": UNSET | OUTLIER_SHOWN | {"max_connections": 9}},
            (81, "v3"): {"lb_policy": "ROUND_ROBIN", "panic_percent": 0, "published": UNSET},
        },
    ),
    "ports": (  # settings of a port inherit nothing
        lb("RANDOM")
        | {"outlierDetection": OUTLIER}
        | tls("SIMPLE")
        | {
            "portLevelSettings": [
                {"port": {"number": 81}, **lb("ROUND_ROBIN"), "connectionPool": {"http": {"http1MaxPendingRequests": 4}}}
            ]
        },
        {"v1": {"portLevelSettings": [{"port": {"number": 80}, **tls("DISABLE")}]}, "v2": lb("LEAST_REQUEST")},
        {
            (80, None): {"lb_policy": "RANDOM", "tls": "SIMPLE", "panic_percent": 30, "published": UNSET | OUTLIER_SHOWN},
            (81, None): {
                "lb_policy": "ROUND_ROBIN",
                "tls": "AUTO",
                "panic_percent": 0,
                "published": UNSET | {"max_pending_requests": 4},
            },
            (80, "v1"): {"lb_policy": "LEAST_REQUEST", "tls": "DISABLE", "published": UNSET},
            (81, "v1"): {"lb_policy": "ROUND_ROBIN", "tls": "AUTO"},
            (80, "v2"): {"lb_policy": "LEAST_REQUEST", "tls": "SIMPLE", "published": UNSET | OUTLIER_SHOWN},
            (81, "v2"): {"lb_policy": "LEAST_REQUEST", "published": UNSET | {"max_pending_requests": 4}},
        },
    ),
    "pool": (
        {
            "connectionPool": {
                "tcp": {"maxConnections": 100, "connectTimeout": "1.5s"},
                "http": {
                    "http1MaxPendingRequests": 1,
                    "http2MaxRequests": 2,
                    "maxRetries": 3,
                    "maxRequestsPerConnection": 5,
                    "h2UpgradePolicy": "UPGRADE",
                },
            }
        },
        {},
        {
            (80, None): {
                "http2": True,
                "published": UNSET
                | {
                    "connect_timeout_ms": 1500,
                    "max_connections": 100,
                    "max_pending_requests": 1,
                    "max_requests": 2,
                    "max_retries": 3,
                },
            }
        },
    ),
    "zeros": (  # istiod takes zero for "not set", but for numbers of errors
        {
            "connectionPool": {"tcp": {"maxConnections": 0}, "http": {"maxRetries": 0, "http2MaxRequests": 0}},
            "outlierDetection": {"consecutive5xxErrors": 0, "consecutiveGatewayErrors": 0, "maxEjectionPercent": 0},
        },
        {},
        {(80, None): {"published": UNSET | {"consecutive_5xx": 0, "consecutive_gateway_failure": 0}}},
    ),
    "warmup": (lb("ROUND_ROBIN", warmup={"duration": "30s"}), {}, {(80, None): {"published": UNSET | {"warmup_ms": 30000}}}),
    "warmup-deprecated": (
        lb("LEAST_REQUEST", warmupDurationSecs="45s"),
        {},
        {(80, None): {"published": UNSET | {"warmup_ms": 45000}}},
    ),
    "warmup-of-random": (lb("RANDOM", warmup={"duration": "30s"}), {}, {(80, None): {"published": UNSET}}),
    "tls-disable": (
        tls("DISABLE"),
        {"v1": tls("ISTIO_MUTUAL")},
        {(80, None): {"tls": "DISABLE"}, (80, "v1"): {"tls": "ISTIO_MUTUAL"}},
    ),
    "tls-simple": (tls("SIMPLE", sni="x.example.com"), {}, {(80, None): {"tls": "SIMPLE"}}),
    "tls-mutual": (tls("MUTUAL", **certificates()), {}, {(80, None): {"tls": "MUTUAL"}}),
    "tls-secret": (tls("SIMPLE", credentialName="secret"), {}, {(80, None): {"tls": "DISABLE"}}),
    "tls-istio": (tls("ISTIO_MUTUAL"), {}, {(80, None): {"tls": "ISTIO_MUTUAL"}}),
    "tls-passthrough": (lb("PASSTHROUGH") | tls("SIMPLE"), {}, {(80, None): {"tls": "SIMPLE", "discovery": "ORIGINAL_DST"}}),
}


def app(name, number):
    return objects.app(
        name, {v: [f"10.2.{number}.{i}"] for i, v in enumerate(("v1", "v2", "v3"), 1)}, ip=f"10.96.1.{number}", ports=PORTS
    )


def rule(host, policy, subsets=(), name=None, namespace="default", **more):
    spec = {"host": host, **more}
    if policy:
        spec["trafficPolicy"] = policy
    spec["subsets"] = [
        {"name": v, "labels": {"version": v}, **({"trafficPolicy": dict(subsets)[v]} if v in dict(subsets) else {})}
        for v in ("v1", "v2", "v3")
    ]
    return objects.istio("DestinationRule", name or host.split(".")[0], spec, namespace)


def headless(name, address, mtls):
    labels = {"security.istio.io/tlsMode": "istio"} if mtls else {}
    return [
        objects.service(name, headless=True, ports=PORTS),
        objects.endpoint_slice(name, [address], ports=[(t, n) for _, t, n in PORTS]),
        objects.pod(name, address, labels=labels),
    ]


def of_three_owners():
    """One service in `other`; the rule of the client's namespace, of the service's own, of the root namespace."""
    far = "far.other.svc.cluster.local"
    hidden = "hidden.other.svc.cluster.local"
    return [
        *objects.app("far", {"v1": ["10.4.0.1"]}, namespace="other", ip="10.97.0.1", ports=PORTS),
        *objects.app("hidden", {"v1": ["10.4.0.2"]}, namespace="other", ip="10.97.0.2", ports=PORTS),
        rule(far, lb("RANDOM"), name="mine"),
        rule(far, lb("ROUND_ROBIN"), name="of-service", namespace="other"),
        rule(far, {"loadBalancer": {"consistentHash": {"useSourceIp": True}}}, name="of-root", namespace="istio-system"),
        rule(hidden, lb("ROUND_ROBIN"), name="hidden-of-service", namespace="other", exportTo=["."]),
        rule("*.other.svc.cluster.local", lb("RANDOM"), name="wild-of-root", namespace="istio-system"),
    ]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    things = [*of_three_owners(), *headless("peers", "10.6.0.1", True), *headless("plain", "10.6.0.2", False)]
    for number, (name, (policy, subsets, _)) in enumerate(CASES.items(), 1):
        things += [*app(name, number), rule(name, policy, subsets)]
    things += [
        objects.istio("ServiceEntry", "outside", {
            "hosts": ["outside.example.com"], "location": "MESH_EXTERNAL", "resolution": "STATIC",
            "ports": [{"number": 443, "name": "tls", "protocol": "TLS"}], "endpoints": [{"address": "10.5.0.1"}],
        }),
    ]
    world = World(tmp_path_factory.mktemp("destinations"), *things)
    yield world
    world.stop()


def clusters(agent, host):
    """(port, subset) -> what GET /v1/services/HOST shows"""
    ports = agent.get(f"/v1/services/{host}")["port_details"]
    return {(port["number"], cluster["subset"]): cluster for port in ports for cluster in port["clusters"]}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("case", CASES)
def test_clusters_show_their_policy(world, source, case):
    shown = clusters(world.agent(source), case)
    for key, want in CASES[case][2].items():
        assert {field: shown[key][field] for field in want} == want, key
    assert shown[(80, None)]["config"].endswith(f"/destination-rule/{case}")


@pytest.mark.parametrize("source", SOURCES)
def test_tls_by_address_follows_the_pods(world, source):
    """Where the client chooses the address there is one answer for all: mTLS only if every pod can."""
    agent = world.agent(source)
    seen = {host: clusters(agent, host)[(80, None)]["tls"] for host in ("peers", "plain")}
    seen["outside"] = clusters(agent, "outside.example.com")[(443, None)]["tls"]
    assert seen == {"peers": "ISTIO_MUTUAL", "plain": "DISABLE", "outside": "DISABLE"}


@pytest.mark.parametrize("source", SOURCES)
def test_rule_of_client_then_service_then_root(world, source):
    def policy(namespace, host):
        return clusters(world.agent(source, "--pod-namespace", namespace), host)[(80, None)]["lb_policy"]

    assert policy("default", "far.other") == "RANDOM"  # ours
    assert policy("third", "far.other") == "ROUND_ROBIN"  # the service's
    assert policy("other", "far.other") == "ROUND_ROBIN"
    assert policy("other", "hidden.other") == "ROUND_ROBIN"
    assert policy("third", "hidden.other") == "RANDOM"  # not exported to us: the root namespace's, by wildcard


@pytest.mark.parametrize("source", SOURCES)
def test_root_rule_counts_once_the_others_are_gone(tmp_path, source):
    world = World(tmp_path, *of_three_owners())
    try:
        agent = world.agent(source)

        def policy():
            return clusters(agent, "far.other")[(80, None)]["lb_policy"]

        assert policy() == "RANDOM"
        world.delete("DestinationRule", "mine")
        harness.wait_for(lambda: policy() == "ROUND_ROBIN", "the rule of the service's namespace")
        world.delete("DestinationRule", "of-service", "other")
        harness.wait_for(lambda: policy() == "RING_HASH", "the rule of the root namespace")
        world.delete("DestinationRule", "of-root", "istio-system")
        harness.wait_for(lambda: policy() == "RANDOM", "the wildcard of the root namespace")
    finally:
        world.stop()


def test_both_sources_show_the_same(world):
    istiod, files = world.both()
    for host in (*CASES, "peers", "plain", "far.other", "hidden.other", "outside.example.com"):
        assert clusters(files, host) == clusters(istiod, host), host
