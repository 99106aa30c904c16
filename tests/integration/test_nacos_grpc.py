# SPDX-License-Identifier: Apache-2.0
"""The gRPC side of the Nacos door: connections, streams, limits, and what it costs."""

import os
import pathlib
import signal
import socket
import time

import grpc
import pytest

import harness
import nacos_rpc
import objects
import scripted_nacos

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


# --- The configuration service ----------------------------------------------------------------------------------------

QUERY = {"dataId": "orders.yaml", "group": "DEFAULT_GROUP", "tenant": ""}
LISTEN = {"listen": True, "configListenContexts": [{**QUERY, "md5": ""}]}


@pytest.mark.parametrize("mode,code,words", [("deny", 403, "--nacos-config empty"), ("empty", 300, "config data not exist")])
def test_configuration_is_refused_as_the_option_says(start_agent, mesh, mode, code, words):
    agent = start_agent("--source", f"dir:{mesh}", *ON, "--nacos-config", mode)
    with nacos_rpc.Client(agent.ports["nacos_grpc"]).connect(module="config") as client:
        kind, body = client.ask("ConfigQueryRequest", QUERY)
        assert (kind, body["resultCode"], body["errorCode"], body["success"]) == ("ConfigQueryResponse", 500, code, False)
        assert words in body["message"]
        for write, answer in (("Publish", "ConfigPublishResponse"), ("Remove", "ConfigRemoveResponse")):
            kind, body = client.ask(f"Config{write}Request", {**QUERY, "content": "a: 1"})
            assert (kind, body["errorCode"], body["success"]) == (answer, 403, False)
        kind, body = client.ask("ConfigBatchListenRequest", LISTEN)  # else clients would ask 20 times a second
        assert (kind, body["success"], body["changedConfigs"]) == ("ConfigChangeBatchListenResponse", True, [])


@pytest.mark.parametrize("mode,status,code", [("deny", 403, 10001), ("empty", 404, 20004)])
def test_configuration_is_refused_over_http_as_well(start_agent, mesh, mode, status, code):
    agent = start_agent("--source", f"dir:{mesh}", "--nacos-listen", "127.0.0.1:0", "--nacos-config", mode)
    found = agent.http("/nacos/v1/cs/configs?dataId=orders.yaml&group=DEFAULT_GROUP", port="nacos")
    assert (found.status, found.headers.get_content_type()) == (status, "text/plain")
    assert ("--nacos-config empty" in found.body) == (mode == "deny")
    for path in ("/nacos/v2/cs/config", "/nacos/v3/client/cs/config"):
        found = agent.http(f"{path}?dataId=orders.yaml&group=DEFAULT_GROUP", port="nacos")
        assert (found.status, found.json()["code"]) == (status, code)
    published = agent.http("/nacos/v1/cs/configs", "POST", port="nacos", body=b"dataId=a&group=b&content=c")
    assert published.status == 403 and "Nacos" in published.body


def test_listeners_over_http_are_held_for_as_long_as_they_say(start_agent, mesh):
    agent = start_agent("--source", f"dir:{mesh}", "--nacos-listen", "127.0.0.1:0")
    path, body = "/nacos/v1/cs/configs/listener", b"Listening-Configs=orders.yaml%02DEFAULT_GROUP%02%01"
    for headers, least_s in (
        ({"Long-Pulling-Timeout": "2500"}, 1.9),
        ({"Long-Pulling-Timeout": "30000", "Long-Pulling-Timeout-No-Hangup": "true"}, 0),
        ({"Long-Pulling-Timeout": "nonsense"}, 0),
        ({}, 0),
    ):
        begin = time.monotonic()
        answer = agent.http(path, "POST", headers, "nacos", body)
        assert (answer.status, answer.body) == (200, "")
        assert time.monotonic() - begin >= least_s  # never earlier; how much later depends on the machine


@pytest.fixture
def server():
    server = scripted_nacos.Server()
    yield server
    server.stop()


def passing_on(start_agent, mesh, port):
    return start_agent("--source", f"dir:{mesh}", *ON, "--nacos-config", f"proxy:127.0.0.1:{port - 1000}")


def test_configuration_comes_from_the_server_behind_the_proxy(start_agent, mesh, server):
    server.unregistered = 2  # it is slow to know the connection
    agent = passing_on(start_agent, mesh, server.port)
    port = agent.ports["nacos_grpc"]
    with nacos_rpc.Client(port).connect(module="config") as client, nacos_rpc.Client(port).connect(module="config") as other:
        assert client.ask("ConfigQueryRequest", QUERY)[1]["errorCode"] == 300
        assert client.ask("ConfigBatchListenRequest", LISTEN)[1]["changedConfigs"] == []
        kind, body = other.ask("ConfigPublishRequest", {**QUERY, "content": "a: 1"})
        assert (kind, body["success"]) == ("ConfigPublishResponse", True)
        _, body = client.push_where(lambda kind, body: kind == "ConfigChangeNotifyRequest", "the change")
        assert body["dataId"] == "orders.yaml"
        assert client.ask("ConfigQueryRequest", QUERY)[1]["content"] == "a: 1"
        harness.wait_for(
            lambda: ("ConfigChangeNotifyResponse", {"requestId": "7", "resultCode": 200}) in server.said, "the client's answer"
        )
        setups = [body for kind, body in server.said if kind == "ConnectionSetupRequest"]
        assert [body["labels"]["module"] for body in setups] == ["config", "config"]  # as the clients have said it
        assert len({peer for peer, _, _ in server.asked}) == 2  # a connection each
        server.push("ClientDetectionRequest", {"requestId": "8"})
        harness.wait_for(lambda: sum(kind == "ClientDetectionResponse" for kind, _ in server.said) == 2, "a sign of life of each")
        assert nacos_rpc.addresses(client.subscribe("orders")) == {"10.1.0.1"}  # naming stays here
    harness.wait_for(lambda: not server.streams, "the end of the connections")


def test_the_end_of_the_server_reaches_the_client(start_agent, mesh, server):
    agent = passing_on(start_agent, mesh, server.port)
    port = agent.ports["nacos_grpc"]
    with nacos_rpc.Client(port).connect(module="config") as client, nacos_rpc.Client(port).connect() as naming:
        assert client.ask("ConfigQueryRequest", QUERY)[1]["errorCode"] == 300
        server.stop()
        assert client.ended.wait(60)  # so that it comes again, and listens again
        assert naming.ask("HealthCheckRequest")[1]["success"]  # who did not use it does not notice
    with nacos_rpc.Client(port).connect(module="config") as client:
        for _ in range(2):
            kind, body = client.ask("ConfigQueryRequest", QUERY)
            assert (kind, body["success"], body["errorCode"]) == ("ConfigQueryResponse", False, 500)
            assert "the Nacos server of --nacos-config does not answer" in body["message"]
        assert client.ask("HealthCheckRequest")[1]["success"]
    again = scripted_nacos.Server(port=server.port)
    try:
        with nacos_rpc.Client(port).connect(module="config") as client:
            assert client.ask("ConfigQueryRequest", QUERY)[1]["errorCode"] == 300
    finally:
        again.stop()


def test_the_proxy_is_a_setting_that_is_checked(start_agent, mesh):
    for text, words in (
        ("proxy:", "no host"),
        ("proxy:127.0.0.1", "port"),
        ("proxy:127.0.0.1:65000", "must be from 1 to 64535"),
        ("maybe", "must be deny, empty or proxy:HOST:PORT"),
    ):
        done = harness.run("agent", "--source", f"dir:{mesh}", "--nacos-config", text)
        assert done.returncode != 0 and "--nacos-config" in done.stderr and words in done.stderr, done.stderr
    agent = start_agent("--source", f"dir:{mesh}", "--nacos-listen", "127.0.0.1:0", "--nacos-config", "proxy:127.0.0.1:8848")
    found = agent.http("/nacos/v1/cs/configs?dataId=orders.yaml&group=DEFAULT_GROUP", port="nacos")
    assert found.status == 501 and "over gRPC only" in found.body
