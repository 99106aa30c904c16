# SPDX-License-Identifier: Apache-2.0
"""Sermant's demo of routing, without Sermant, where a route context of the agent's configuration says what requests
will have. docs/sermant-demos.md has the steps by the same names."""

import pytest

import demos
import routing


def of_service(context):
    """The configuration that makes this context the one of the service, for all who ask by its name."""
    return {**routing.CONTEXTS, "services": {demos.HOST: {"context": context}}}


@routing.both_forms
@pytest.mark.parametrize("caller", routing.CALLERS)
def test_b_context_of_the_service(routing_world, routing_client, caller, virtual_service):
    """What the client's own settings name stays as it is; the agent knows that this pod's requests are of version v1."""
    routing.start_agent(routing_world, virtual_service, config=of_service("v1"))
    assert routing.calls(routing_client, caller, routing.plain_host(caller), times=10) == {"v1": 10}


@routing.both_forms
@pytest.mark.parametrize("caller", routing.PLAIN_CALLERS)
def test_b_context_name(routing_world, routing_client, caller, virtual_service):
    agent = routing.start_agent(routing_world, virtual_service, config=routing.CONTEXTS)
    (address,) = agent.addresses(f"v1._ctx.{demos.HOST}")
    assert routing.calls(routing_client, caller, f"{address}:{routing.PORT}", times=5) == {"v1": 5}


@pytest.mark.parametrize("caller", routing.CALLERS)
def test_b_weight_of_nothing_and_all_in_a_context(routing_world, routing_client, caller):
    """base-route: always v2, in Sermant's three rounds and more."""
    routing.start_agent(routing_world, routing.THREE, config=of_service("base"))
    assert routing.calls(routing_client, caller, routing.plain_host(caller), "base", times=10) == {"v2": 10}


def test_b_host_without_subset_in_a_context(routing_world, routing_client):
    """v2-routes lead to the service, without a subset."""
    routing.start_agent(routing_world, routing.THREE, config=of_service("v2"))
    found = routing.calls(routing_client, "okHttp3", routing.plain_host("okHttp3"), "v2", times=20)
    assert abs(found["v1"] - found["v2"]) <= 4 and found["v1"] + found["v2"] == 20, found


def test_b_context_name_in_the_url_is_refused_by_tomcat(routing_world, routing_client, server_logs):
    routing.start_agent(routing_world, routing.SINGLE, config=routing.CONTEXTS)
    host = f"v1._ctx.{demos.HOST}:{routing.PORT}"
    found = server_logs.reached_by(host, lambda: routing.call(routing_client, "httpClient", host))
    assert found == {routing.V1: ["400"], routing.V2: []}
