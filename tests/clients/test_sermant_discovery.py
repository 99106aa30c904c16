# SPDX-License-Identifier: Apache-2.0
"""Sermant's demo of service discovery, without Sermant: docs/sermant-demos.md has the steps by the same names. The server
speaks on port 8080; how many copies of it run is the step's own affair."""

import re

import dns.rdatatype
import pytest

import demos
import objects

PORT = 8080
NAMES = ("spring-server", "spring-server.default", "spring-server.default.svc", demos.HOST, "SPRING-SERVER")
GREETING = re.compile(r"hello, the current time is \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


class Deployment:
    """`spring-server`: as many real servers, and their Pods and endpoints, as it is scaled to."""

    def __init__(self, folder):
        self.logs, self.servers = demos.AccessLogs(folder), {}

    def scale(self, world, replicas):
        wanted = demos.SERVER_IPS[:replicas]
        gone = [ip for ip in self.servers if ip not in wanted]
        fresh = [ip for ip in wanted if ip not in self.servers]
        demos.stop_all([self.servers.pop(ip) for ip in gone])
        self.servers.update({ip: self._start(ip) for ip in fresh})
        for ip in fresh:
            self.servers[ip].wait_started()
        pods = [objects.pod("spring-server", ip) for ip in demos.SERVER_IPS]
        world.apply(objects.endpoint_slice("spring-server", wanted, ports=((PORT, "http"),)), *pods[:replicas],
                    gone=pods[replicas:])

    def _start(self, ip):
        return demos.Java("discovery-server", ip, PORT, *self.logs.options(ip))

    def stop(self):
        demos.stop_all(self.servers.values())


@pytest.fixture(scope="module")
def deployment(tmp_path_factory):
    deployment = Deployment(tmp_path_factory.mktemp("logs"))
    yield deployment
    deployment.stop()


@pytest.fixture(scope="module")
def client():
    client = demos.Java("discovery-client", demos.DISCOVERY_CLIENT_IP, demos.CLIENT_PORT)
    yield client.wait_started()
    client.stop()


@pytest.fixture(scope="module", params=["plaintext", "tls"])
def world(request, tmp_path_factory):
    service = objects.service("spring-server", ip=demos.CLUSTER_IP, ports=((PORT, PORT, "http"),))
    folder = tmp_path_factory.mktemp(request.param)
    world = demos.World(folder, request.param == "tls", demos.DISCOVERY_CLIENT_IP, [service])
    world.start_agent("--dns-answer", "endpoint")
    yield world
    world.stop()


def greet(client, address):
    """What the server at the address has said through the client."""
    start = f"Greetings from {address} : "
    answer = client.get("/hello", address=address)
    assert answer.startswith(start), answer
    return answer[len(start):]


def instances(world):
    return world.agent.endpoints(f"spring-server.default:{PORT}")["endpoints"]


def test_a1_rest_lists_the_pod(world, deployment, client):
    deployment.scale(world, 1)
    (instance,) = instances(world)
    assert (instance["address"], instance["port"]) == (demos.SERVER_IPS[0], PORT)
    assert GREETING.match(greet(client, f"http://{instance['address']}:{instance['port']}"))


@pytest.mark.parametrize("name", NAMES)
def test_a2_unmodified_client_finds_the_pod_by_name(world, deployment, client, name):
    deployment.scale(world, 1)
    greetings = []
    found = deployment.logs.reached_by(f"{name}:{PORT}", lambda: greetings.append(greet(client, f"http://{name}:{PORT}")))
    assert GREETING.match(greetings[0])
    assert found == {demos.SERVER_IPS[0]: ["200"], demos.SERVER_IPS[1]: []}


def test_a2_virtual_ip_where_no_rule_says_otherwise(world, deployment):
    """`--dns-answer auto` leaves a service that no rule shapes to its ClusterIP."""
    deployment.scale(world, 1)
    world.start_agent("--dns-answer", "auto")
    try:
        assert world.agent.addresses(demos.HOST) == [demos.CLUSTER_IP]
    finally:
        world.start_agent("--dns-answer", "endpoint")


def test_a3_srv_has_the_port(world, deployment, client):
    deployment.scale(world, 1)
    reply = world.agent.query(f"_http._tcp.{demos.HOST}", "SRV")
    (record,) = [item for rrset in reply.answer for item in rrset if item.rdtype == dns.rdatatype.SRV]
    target = record.target.to_text().rstrip(".")
    assert record.port == PORT and world.agent.addresses(target) == [demos.SERVER_IPS[0]]
    assert GREETING.match(greet(client, f"http://{target}:{record.port}"))


def test_ci_one_replica_none_and_two(world, deployment, client):
    """Sermant's scenario waits 10 to 15 s after each change. Here the next question comes when istiod has its ACK."""
    address = f"http://spring-server:{PORT}"

    def ask():
        return f"{greet(client, address)}-{len(instances(world))}"

    deployment.scale(world, 1)
    assert re.fullmatch(GREETING.pattern + r"[.\d]*-1", ask())
    deployment.scale(world, 0)
    assert ask() == "-0" and world.agent.addresses(demos.HOST) == []
    deployment.scale(world, 2)
    assert re.fullmatch(GREETING.pattern + r"[.\d]*-2", ask())
    listed = {instance["address"] for instance in instances(world)}
    assert listed == set(demos.SERVER_IPS)
    for ip in listed:
        assert GREETING.match(greet(client, f"http://{ip}:{PORT}"))
    # Four answers deal each address twice. (The demo's client would not show it: it keeps its connection.)
    assert {world.agent.query(demos.HOST).answer[0][0].address for _ in range(4)} == listed
