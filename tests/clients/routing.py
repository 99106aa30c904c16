# SPDX-License-Identifier: Apache-2.0
"""What the tests of Sermant's demo of routing share: its servers and client, its rules, and who has answered."""

import collections
import re

import pytest

import demos
import objects

PORT = 8081
V1, V2 = demos.SERVER_IPS
CALLERS = ("httpClient", "jdkHttp", "okHttp3", "httpAsyncClient", "restTemplate", "okHttp2")
# Those that take an address and a port. The load-balanced RestTemplate takes the name of a service in its registry.
PLAIN_CALLERS = tuple(c for c in CALLERS if c != "restTemplate")
ANSWER = re.compile(r"spring-server version: (v[12]); spring-server ip: (\S+)")


def start_servers(logs):
    """One server for each version, each with a log of what has reached it."""
    return [
        demos.Java("routing-server", ip, PORT, *logs.options(ip), env={"SERVER_VERSION": version}).wait_started()
        for ip, version in ((V1, "v1"), (V2, "v2"))
    ]


def start_client():
    """The client. What stands for its registry (ZooKeeper, switched off as in the demo) is Spring Cloud's list in the
    application's settings: one service, whose one instance has a host name of the mesh, and the port."""
    return demos.Java(
        "routing-client", demos.ROUTING_CLIENT_IP, demos.CLIENT_PORT, "--client.timeout-ms=5000",
        f"--spring.cloud.discovery.client.simple.instances.spring-server[0].uri=http://spring-server:{PORT}",
    )


def mesh():
    """Two Deployments behind one Service."""
    return objects.app("spring-server", {"v1": [V1], "v2": [V2]}, ip=demos.CLUSTER_IP, ports=((PORT, PORT, "http"),))


def destination_rule(policy):
    rule = objects.subsets(demos.HOST, "v1", "v2", trafficPolicy={"loadBalancer": {"simple": policy}})
    rule["metadata"]["name"] = "spring-server-destinationrule-robin"
    return rule


def virtual_service(*routes):
    return objects.istio("VirtualService", "spring-server-virtualservice", {"hosts": ["spring-server"], "http": list(routes)})


def destination(subset=None, **more):
    return {"destination": {"host": "spring-server", **({"subset": subset} if subset else {}), "port": {"number": PORT}}, **more}


V1_ROUTE = {
    "name": "v1-routes",
    "match": [{"headers": {"version": {"exact": "v1"}}, "uri": {"exact": "/router"}, "ignoreUriCase": False}],
    "route": [destination("v1")],
}
V2_ROUTE = {
    "name": "v2-routes",
    "match": [{"headers": {"version": {"exact": "v2"}}, "uri": {"prefix": "/"}}],
    "route": [destination()],
}
BASE_ROUTE = {
    "name": "base-route",
    "match": [{"headers": {"version": {"exact": "base"}}, "uri": {"prefix": "/"}}],
    "route": [destination("v1", weight=0), destination("v2", weight=100)],
}
SINGLE = virtual_service(V1_ROUTE)
THREE = virtual_service(V1_ROUTE, V2_ROUTE, BASE_ROUTE)
# What requests of each version have, for the agent's configuration.
CONTEXTS = {
    "contexts": {version: {"headers": {"version": version}, "path": "/router"} for version in ("v1", "v2", "base")}
}
both_forms = pytest.mark.parametrize("virtual_service", [SINGLE, THREE], ids=["single", "three"])


def split(v1, v2):
    """The base route without a condition, as the general template has it."""
    return virtual_service({"name": "base-route", "route": [destination("v1", weight=v1), destination("v2", weight=v2)]})


def start_agent(world, virtual_service, *args, policy="ROUND_ROBIN", config=None):
    """An agent with these settings, in a mesh with these rules."""
    agent = world.start_agent(*args, config=config)
    world.apply(destination_rule(policy), virtual_service)
    return agent


def plain_host(caller):
    """What an application puts into its URL: RestTemplate has the port from its registry, the others need it there."""
    return "spring-server" if caller == "restTemplate" else f"spring-server:{PORT}"


def call(client, caller, host, version="v1"):
    """Which version answers; empty where the client got no answer. Address and version must belong together."""
    body = client.get(f"/router/{caller}", host=host, version=version)
    if not body:
        return ""
    found = ANSWER.fullmatch(body)
    assert found and found[2] == {"v1": V1, "v2": V2}[found[1]], body
    return found[1]


def calls(client, caller, host, version="v1", times=100):
    return collections.Counter(call(client, caller, host, version) for _ in range(times))
