# SPDX-License-Identifier: Apache-2.0
"""The named differences of docs/selection.md: what Envoy does, and what the agent does instead under each policy."""

import collections
import json
import math

import pytest

import envoy_proxy
import generate_shares
import harness
import objects

pytestmark = pytest.mark.envoy

HOST = "shop.default.svc.cluster.local"
V1, V2 = ["127.70.0.1", "127.70.0.2"], ["127.70.0.3"]
CALLS = 2000


@pytest.fixture
def court(start_istiod, start_agent, tmp_path):
    made = envoy_proxy.Court(start_istiod, start_agent, tmp_path, (80,))
    yield made
    made.stop()


@pytest.fixture
def answer_of(court, start_agent):
    """A function: the answer of an agent with these flags for the shop."""

    def ask(*flags, **request):
        agent = start_agent(*envoy_proxy.agent_flags(court.istiod, *flags))
        return harness.wait_for(lambda: agent.endpoints(f"{HOST}:80", **request), "the shop in the agent")

    return ask


def shop(court, *http):
    """Versions v1 and v2, a subset v3 without pods, and these routes."""
    ports = ((80, court.echo.port, "http"),)
    return [
        *objects.app("shop", {"v1": V1, "v2": V2}, ports=ports),
        objects.subsets("shop", "v1", "v2", "v3"),
        objects.istio("VirtualService", "shop", {"hosts": ["shop"], "http": list(http)}),
    ]


def split(**weights):
    return {"route": [{"destination": {"host": "shop", "subset": s}, "weight": w} for s, w in weights.items()]}


def shares_of(answer):
    return {endpoint["address"]: pytest.approx(endpoint["share"]) for endpoint in answer["endpoints"]}


def calls(court):
    """(details, cluster) -> how many of CALLS"""
    return collections.Counter((r.details, r.cluster) for r in (court.envoy.call(80, authority=HOST) for _ in range(CALLS)))


def within_sampling_error(count, share):
    return abs(count / CALLS - share) <= 5 * math.sqrt(share * (1 - share) / CALLS)


def test_unmatched_request_is_404_in_envoy_and_the_service_or_nothing_here(court, answer_of):
    court.apply(shop(court, {"match": [{"uri": {"prefix": "/api"}}], **split(v1=100)}))
    reply = court.envoy.call(80, authority=HOST)
    assert (reply.status, reply.details) == (404, "route_not_found")
    service = answer_of("--unmatched", "service")
    assert service["basis"] == "unmatched" and shares_of(service) == dict.fromkeys(V1 + V2, 1 / 3)
    strict = answer_of("--unmatched", "strict")
    assert strict["basis"] == "unmatched" and strict["endpoints"] == []
    assert court.envoy.call(80, authority=HOST, path="/api").status == 200
    assert shares_of(answer_of("--unmatched", "strict", path="/api")) == dict.fromkeys(V1, 0.5)


@pytest.mark.parametrize("empty", ["v3", "ghost"])
def test_share_of_an_empty_subset_is_503_in_envoy_and_by_policy_here(court, answer_of, empty):
    court.apply(shop(court, split(v1=80, **{empty: 20})))
    counts = calls(court)
    failed = sum(n for (details, _), n in counts.items() if details in ("no_healthy_upstream", "cluster_not_found"))
    assert within_sampling_error(failed, 0.2), counts
    assert counts[("via_upstream", f"outbound|80|v1|{HOST}")] == CALLS - failed
    redistribute = answer_of("--empty-subset", "redistribute")
    assert shares_of(redistribute) == dict.fromkeys(V1, 0.5) and redistribute["lost_share"] == 0
    strict = answer_of("--empty-subset", "strict")
    assert shares_of(strict) == dict.fromkeys(V1, 0.4) and strict["lost_share"] == pytest.approx(0.2)
    service = answer_of("--empty-subset", "service")
    assert service["lost_share"] == 0 and service["empty_destinations"] == 1
    sums = collections.Counter()
    for endpoint in service["endpoints"]:
        sums[endpoint["address"]] += endpoint["share"]
    assert sums == pytest.approx({V1[0]: 0.4 + 0.2 / 3, V1[1]: 0.4 + 0.2 / 3, V2[0]: 0.2 / 3})


def test_east_west_gateway_is_an_endpoint_in_envoy_and_left_out_here(court, answer_of):
    remote, gateway = "127.70.9.1", "127.70.9.9"
    port = court.echo.port
    net2 = {"endpoints": [{"fromCidr": "127.70.9.0/24"}], "gateways": [{"address": gateway, "port": port}]}
    networks = {"networks": {"net2": net2}}
    data = {"mesh": json.dumps(envoy_proxy.MESH_CONFIG), "meshNetworks": json.dumps(networks)}
    local = {"topology.istio.io/network": "net1"}
    away = {"topology.istio.io/network": "net2", "security.istio.io/tlsMode": "istio"}
    court.apply(
        [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio", "namespace": "istio-system"}, "data": data},
            *generate_shares.nodes(),
            objects.service("shop", ports=((80, port, "http"),)),
            objects.endpoint_slice("shop", [*V1, remote], ports=((port, "http"),)),
            *(objects.pod("shop", address, labels=local) for address in V1),
            objects.pod("shop", remote, labels=away),
        ]
    )
    called = {court.envoy.call(80, authority=HOST).headers["x-echo"] for _ in range(100)}
    assert called == {*V1, gateway}
    answer = answer_of()
    assert shares_of(answer) == dict.fromkeys(V1, 0.5) and answer["dropped_gateways"] == 1


def test_split_of_a_headless_service_chooses_no_pod_in_envoy_and_the_pods_here(court, answer_of):
    port = court.echo.port
    court.apply(
        [
            objects.service("shop", ports=((80, port, "http"),), headless=True),
            objects.endpoint_slice("shop", V1 + V2, ports=((port, "http"),)),
            *(objects.pod("shop", address, version="v1") for address in V1),
            *(objects.pod("shop", address, version="v2") for address in V2),
            objects.subsets("shop", "v1", "v2"),
            objects.istio("VirtualService", "shop", {"hosts": ["shop"], "http": [split(v1=80, v2=20)]}),
        ]
    )
    counts = calls(court)
    assert within_sampling_error(sum(n for (_, cluster), n in counts.items() if f"|v2|{HOST}" in (cluster or "")), 0.2), counts
    assert all(not court.envoy.hosts()[f"outbound|80|{version}|{HOST}"] & {*V1, *V2} for version in ("v1", "v2"))
    assert shares_of(answer_of()) == {V1[0]: 0.4, V1[1]: 0.4, V2[0]: 0.2}


@pytest.mark.parametrize("endpoint, weight", [("DEGRADED", 1), ("HEALTHY", None)])
def test_load_for_an_empty_hash_table_is_503_in_envoy_and_taken_by_the_others_here(court, endpoint, weight):
    first = (0, 1, [("127.70.3.1", "HEALTHY", 1), ("127.70.3.2", "UNHEALTHY", 1)])
    second = (1, weight, [("127.70.3.3", endpoint, 1)])
    one = generate_shares.WrittenSet(1, "MAGLEV", [first, second], panic=0, locality_weighted=True)
    court.apply(one.build(court.echo.port))
    counts = collections.Counter(court.envoy.call(80, authority=one.host).details for _ in range(CALLS))
    assert within_sampling_error(counts["no_healthy_upstream"], 0.3), counts
    assert shares_of(court.ask(one.host, 80)) == {"127.70.3.1": 1}
