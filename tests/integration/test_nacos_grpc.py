# SPDX-License-Identifier: Apache-2.0
"""The gRPC side of the Nacos door: connections, streams, limits, and what it costs."""

import os
import pathlib
import signal
import socket

import grpc
import pytest

import harness
import nacos_rpc
import objects

ON = ("--nacos-grpc-listen", "127.0.0.1:0")
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"  # with empty SETTINGS: an idle connection


@pytest.fixture
def mesh(tmp_path):
    write(tmp_path, v1=["10.1.0.1"])
    return tmp_path


def write(folder, **addresses):
    (folder / "mesh.yaml.new").write_text(objects.dump(*objects.app("orders", addresses)))
    (folder / "mesh.yaml.new").rename(folder / "mesh.yaml")


def threads(agent):
    tasks = pathlib.Path(f"/proc/{agent.pid}/task").iterdir()
    return [(task / "comm").read_text().strip() for task in tasks]


def connections(agent):
    text = agent.http("/metrics").body
    (line,) = [line for line in text.splitlines() if line.startswith('isthmus_registry_connections{api="nacos"}')]
    return int(float(line.split()[-1]))


def test_a_check_is_answered_in_the_bytes_of_the_protocol(start_agent, mesh):
    agent = start_agent("--source", f"dir:{mesh}", *ON)
    with nacos_rpc.Client(agent.ports["nacos_grpc"]) as client:
        # metadata (2) with the type (3), body (3) with the value (2)
        request = bytes.fromhex("12141a12" + b"ServerCheckRequest".hex() + "1a0412027b7d")
        answer = client.unary(request, timeout=60)
    assert answer.startswith(bytes.fromhex("12151a13" + b"ServerCheckResponse".hex() + "1a"))
    kind, body = nacos_rpc.read(answer)
    assert kind == "ServerCheckResponse"
    assert (body["resultCode"], body["errorCode"], body["success"]) == (200, 0, True)
    assert body["connectionId"] and body["supportAbilityNegotiation"] is True


@pytest.mark.parametrize("http", ["off", "127.0.0.1:0"])
def test_a_change_is_pushed_on_the_stream(start_agent, mesh, http):
    agent = start_agent("--source", f"dir:{mesh}", *ON, "--nacos-listen", http)
    with nacos_rpc.Client(agent.ports["nacos_grpc"]).connect() as client:
        assert nacos_rpc.addresses(client.subscribe("orders")) == {"10.1.0.1"}
        write(mesh, v1=["10.1.0.1", "10.1.0.2"])
        client.push_where(
            lambda kind, body: kind == "NotifySubscriberRequest"
            and nacos_rpc.addresses(body["serviceInfo"]) == {"10.1.0.1", "10.1.0.2"},
            "the new endpoint",
        )


def test_calls_belong_to_the_stream_of_their_connection(start_agent, mesh):
    agent = start_agent("--source", f"dir:{mesh}", *ON)
    port = agent.ports["nacos_grpc"]
    with nacos_rpc.Client(port).connect() as client, nacos_rpc.Client(port) as other:
        kind, body = other.ask("ServiceListRequest", {"pageNo": 1, "pageSize": 10})
        assert (kind, body["errorCode"]) == ("ErrorResponse", 301)
        kind, body = client.ask("ServiceListRequest", {"pageNo": 1, "pageSize": 10})
        assert (kind, body["serviceNames"]) == ("ServiceListResponse", ["orders"])


def test_what_a_lost_client_registered_is_gone(start_agent, mesh):
    agent = start_agent("--source", f"dir:{mesh}", *ON)
    port = agent.ports["nacos_grpc"]
    with nacos_rpc.Client(port).connect() as watcher:
        watcher.subscribe("me")
        client = nacos_rpc.Client(port).connect()
        client.register("me", "10.9.9.9", 7070)
        watcher.push_where(
            lambda kind, body: kind == "NotifySubscriberRequest" and "10.9.9.9" in nacos_rpc.addresses(body["serviceInfo"]),
            "the registration",
        )
        client.close()
        watcher.push_where(
            lambda kind, body: kind == "NotifySubscriberRequest" and not nacos_rpc.addresses(body["serviceInfo"]),
            "its end",
        )


def test_what_is_no_message_ends_the_stream_and_nothing_else(start_agent, mesh):
    agent = start_agent("--source", f"dir:{mesh}", *ON)
    port = agent.ports["nacos_grpc"]
    with nacos_rpc.Client(port).connect() as client:
        for garbage in (b"\xff\xff\xff", nacos_rpc.payload("ConnectionSetupRequest", b"{\"a\":"), b""):
            with nacos_rpc.Client(port).open() as bad:
                bad.up.put(garbage)
                assert bad.ended.wait(60), garbage
                kind, body = nacos_rpc.read(bad.unary(garbage, timeout=60))
                assert kind == "ErrorResponse" and not body["success"], body
        with pytest.raises(grpc.RpcError) as raised:
            client.channel.unary_unary("/Request/other")(b"", timeout=60)
        assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED
        assert client.ask("HealthCheckRequest")[1]["success"]


def test_nothing_is_paid_while_nobody_is_connected(start_agent, mesh):
    agent = start_agent("--source", f"dir:{mesh}", *ON)
    assert "ist-grpc" not in threads(agent)
    with nacos_rpc.Client(agent.ports["nacos_grpc"]).connect():
        assert "ist-grpc" in threads(agent)
    harness.wait_for(lambda: connections(agent) == 0, "the end of the connection")


@pytest.mark.long
def test_grpc_rests_when_the_last_client_has_gone(start_agent, mesh):
    agent = start_agent("--source", f"dir:{mesh}", *ON)
    before = set(threads(agent))
    for _ in range(2):
        with nacos_rpc.Client(agent.ports["nacos_grpc"]).connect() as client:
            assert client.ask("HealthCheckRequest")[1]["success"]
        harness.wait_for(lambda: set(threads(agent)) == before, "gRPC's threads to end", 120)


def test_a_busy_port_closes_this_door_only(start_agent, mesh):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        agent = start_agent("--source", f"dir:{mesh}", "--nacos-grpc-listen", f"127.0.0.1:{port}")
        assert "nacos_grpc" not in agent.ports
        assert f"--nacos-grpc-listen: cannot listen on 127.0.0.1 port {port}" in agent.log()
        assert agent.shares("orders") == {"10.1.0.1:8080": 1}


def test_idle_connections_are_cheap_and_bounded(start_agent, mesh):
    count, limit = 300, 280
    agent = start_agent("--source", f"dir:{mesh}", *ON, "--nacos-connections", str(limit))
    idle = []

    def connect():
        idle.append(socket.create_connection(("127.0.0.1", agent.ports["nacos_grpc"])))
        idle[-1].sendall(PREFACE)

    for _ in range(20):
        connect()
    harness.wait_for(lambda: connections(agent) == 20, "20 connections")
    rss_kb, thread_count = agent.rss_kb(), len(threads(agent))
    while len(idle) < count:
        connect()
    harness.wait_for(lambda: connections(agent) == limit, "the limit")
    for one in idle[limit:]:
        one.settimeout(60)
        try:
            assert one.recv(1) == b""
        except ConnectionResetError:
            pass  # with what we had sent unread
    assert len(threads(agent)) <= thread_count + 2
    if "asan" not in harness.binary():
        assert (agent.rss_kb() - rss_kb) / (limit - 20) < 64
    for one in idle:
        one.close()
    harness.wait_for(lambda: connections(agent) == 0, "nobody")
    with nacos_rpc.Client(agent.ports["nacos_grpc"]).connect() as client:
        assert client.ask("HealthCheckRequest")[1]["success"]


def test_a_client_finds_the_port_again_after_a_crash(start_supervised, mesh):
    agent = start_supervised("--source", f"dir:{mesh}", *ON)
    port = agent.ports["nacos_grpc"]
    with nacos_rpc.Client(port).connect() as client:
        os.kill(agent.agents()[-1], signal.SIGKILL)
        assert client.ended.wait(60)
    with nacos_rpc.Client(port).connect() as client:  # the supervisor holds the socket: nobody is refused
        assert nacos_rpc.addresses(client.subscribe("orders")) == {"10.1.0.1"}
