# SPDX-License-Identifier: Apache-2.0
"""Sermant's demo of routing, without Sermant, by asking /v1/resolve where each request should go. docs/sermant-demos.md has
the steps by the same names."""

import collections
import urllib.parse

import pytest

import demos
import routing

V1_REQUEST = {"header.version": "v1", "path": "/router"}


def resolve(agent, query):
    """What /v1/resolve picks, as the host of a URL."""
    words = urllib.parse.urlencode({"host": "spring-server", "port": routing.PORT, **query})
    pick = agent.get(f"/v1/resolve?{words}")["pick"]
    return pick and f"{pick['address']}:{pick['port']}"


@routing.both_forms
@pytest.mark.parametrize("caller", routing.PLAIN_CALLERS)
def test_b_resolve_with_header_and_path(routing_world, routing_client, caller, virtual_service):
    agent = routing.start_agent(routing_world, virtual_service)
    for _ in range(5):
        assert routing.call(routing_client, caller, resolve(agent, V1_REQUEST)) == "v1"


@pytest.mark.parametrize("query, version", [
    ({"context": "v1"}, "v1"), ({"context": "base"}, "v2"), ({"subset": "v1"}, "v1"), ({"subset": "v2"}, "v2"),
], ids=["context-v1", "context-base", "subset-v1", "subset-v2"])
def test_b_resolve_with_context_or_subset(routing_world, routing_client, query, version):
    agent = routing.start_agent(routing_world, routing.THREE, config=routing.CONTEXTS)
    assert routing.call(routing_client, "httpClient", resolve(agent, query)) == version


@pytest.mark.parametrize("virtual_service, query, share", [
    (routing.THREE, {"header.version": "v2", "path": "/router"}, 50),
    (routing.split(90, 10), {}, 90),
    (routing.split(75, 25), {}, 75),
], ids=["round-robin", "90-10", "75-25"])
def test_b_resolve_deals_the_shares(routing_world, virtual_service, query, share):
    agent = routing.start_agent(routing_world, virtual_service)
    found = collections.Counter(resolve(agent, query) for _ in range(400))
    assert abs(found[f"{routing.V1}:{routing.PORT}"] - 4 * share) <= 4, found
    assert sum(found.values()) == 400 and len(found) == 2, found


def test_b_resolve_where_nothing_matches(routing_world):
    """The service, or with `unmatched: strict` nobody, as Envoy."""
    unmatched = {"header.version": "v3", "path": "/elsewhere"}
    agent = routing.start_agent(routing_world, routing.THREE)
    assert {resolve(agent, unmatched) for _ in range(4)} == {f"{ip}:{routing.PORT}" for ip in demos.SERVER_IPS}
    agent = routing.start_agent(routing_world, routing.THREE, config={"unmatched": "strict"})
    assert resolve(agent, unmatched) is None
