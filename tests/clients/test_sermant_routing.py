# SPDX-License-Identifier: Apache-2.0
"""Sermant's demo of routing, without Sermant: docs/sermant-demos.md has the steps by the same names. Here: what needs no
setting but the names and the questions that every agent answers."""

import pytest

import demos
import routing


@routing.both_forms
def test_b_question_with_header_and_path(routing_world, virtual_service):
    """REST is told what the request will have, and answers as the rules do."""
    agent = routing.start_agent(routing_world, virtual_service)
    asked = {"header.version": "v1", "path": "/router"}
    assert agent.shares(f"spring-server:{routing.PORT}", **asked) == {f"{routing.V1}:{routing.PORT}": 1.0}
    assert agent.endpoints("spring-server", **asked)["route"]["name"] == "v1-routes"
    elsewhere = agent.endpoints("spring-server", **{"header.version": "v1", "path": "/Router"})
    assert elsewhere["basis"] == "unmatched" and len(elsewhere["endpoints"]) == 2


@routing.both_forms
@pytest.mark.parametrize("caller", routing.PLAIN_CALLERS)
def test_b_subset_name(routing_world, routing_client, caller, virtual_service):
    agent = routing.start_agent(routing_world, virtual_service)
    for version in ("v1", "v2"):
        (address,) = agent.addresses(f"{version}._subset.{demos.HOST}")
        assert routing.calls(routing_client, caller, f"{address}:{routing.PORT}", times=5) == {version: 5}


@pytest.mark.parametrize("caller", routing.PLAIN_CALLERS)
def test_b_subset_name_in_the_url_is_refused_by_tomcat(routing_world, routing_client, server_logs, caller):
    """The call goes to the right pod; but the client repeats the name as Host, where no label may begin with `_`."""
    routing.start_agent(routing_world, routing.SINGLE)
    host = f"v1._subset.{demos.HOST}:{routing.PORT}"
    found = server_logs.reached_by(host, lambda: routing.call(routing_client, caller, host))
    assert found == {routing.V1: ["400"], routing.V2: []}


@pytest.mark.parametrize("caller", routing.CALLERS)
def test_b_plain_name_without_a_matching_route_is_the_service(routing_world, routing_client, caller):
    """`unmatched: service`, as Sermant has it: the header is not seen by DNS, so no rule matches, and all may answer."""
    agent = routing.start_agent(routing_world, routing.SINGLE)
    assert agent.endpoints("spring-server")["basis"] == "unmatched"
    found = routing.calls(routing_client, caller, routing.plain_host(caller), times=20)
    assert set(found) == {"v1", "v2"} and abs(found["v1"] - found["v2"]) <= 4, found


def test_b_no_port_in_the_url_is_port_80(routing_world, routing_client):
    """What the demo's own command does. An address has no port; of the clients only RestTemplate has it from elsewhere."""
    routing.start_agent(routing_world, routing.SINGLE)
    for caller in routing.PLAIN_CALLERS:
        assert routing.call(routing_client, caller, "spring-server") == "", caller
    assert routing.call(routing_client, "restTemplate", "spring-server") in ("v1", "v2")


def test_b_strict_is_as_envoy(routing_world, routing_client):
    """`unmatched: strict`: where Envoy answers 404, nobody is there to be called."""
    agent = routing.start_agent(routing_world, routing.SINGLE, "--unmatched", "strict")
    assert agent.endpoints("spring-server", **{"header.version": "v2", "path": "/router"})["endpoints"] == []
    assert len(agent.shares("spring-server", **{"header.version": "v1", "path": "/router"})) == 1
    assert routing.call(routing_client, "httpClient", routing.plain_host("httpClient"), "v2") == ""


def test_b_weight_of_nothing_and_all(routing_world):
    """base-route: istiod drops the destination of weight 0."""
    agent = routing.start_agent(routing_world, routing.THREE)
    assert agent.shares("spring-server", **{"header.version": "base"}) == {f"{routing.V2}:{routing.PORT}": 1.0}
    assert len(agent.shares("spring-server", **{"header.version": "v2"})) == 2


@pytest.mark.parametrize("policy, unequal", [("ROUND_ROBIN", 4), ("RANDOM", 30)])
def test_b_balance_over_the_name(routing_world, routing_client, policy, unequal):
    """100 calls. Sermant's bound for RANDOM is 30; two calls in a row under ROUND_ROBIN it wants to differ, where ours
    are dealt: no more than four in a row are the same."""
    routing.start_agent(routing_world, routing.SINGLE, policy=policy)
    found = [routing.call(routing_client, "okHttp3", routing.plain_host("okHttp3"), "v2") for _ in range(100)]
    assert abs(found.count("v1") - found.count("v2")) <= unequal and found.count("") == 0, found
    assert all(len(set(found[at : at + 5])) == 2 for at in range(96)), found


@pytest.mark.parametrize("v1", [90, 75])
@pytest.mark.parametrize("caller", ["httpClient", "restTemplate"])
def test_b_weights_over_the_name(routing_world, routing_client, caller, v1):
    routing.start_agent(routing_world, routing.split(v1, 100 - v1))
    found = routing.calls(routing_client, caller, routing.plain_host(caller), times=200)
    assert abs(found["v1"] - 2 * v1) <= 4 and found["v1"] + found["v2"] == 200, found
