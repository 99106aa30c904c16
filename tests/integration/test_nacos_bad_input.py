# SPDX-License-Identifier: Apache-2.0
"""The Nacos door against input that no client should send: a clear answer, bounded memory and time, and lists that go on being
lists, over gRPC and over HTTP."""

import os
import random
import socket
import time

import grpc
import harness
import nacos_rpc
import nacos_wire
import pytest

NAME = "reviews"
REGISTRATIONS_MAX = 1024
METADATA_MAX = 256
TEXT_MAX = 65536
CALM_S = 20.0  # what a flood may take, on the slowest machine with the sanitizers


class Door:
    """The agent, and a client of it that behaves."""

    def __init__(self, agent):
        self.agent = agent
        self.http_port, self.grpc_port = nacos_wire.ports(agent)
        self.good = self.connect()
        self.good.subscribe(NAME)
        self.listed = nacos_wire.places(self.good.query(NAME))

    def connect(self, **how):
        return nacos_wire.Connection(self.grpc_port, **how)

    def forget(self):
        """The next test finds no registrations."""
        http = nacos_wire.Http(self.http_port)
        for place in nacos_wire.places(self.good.query("orders")):
            ip, _, port = place.rpartition(":")
            assert http.ask("DELETE", "/v1/ns/instance", serviceName="orders", ip=ip, port=port) == (200, "ok")
        http.close()
        assert self.registrations() == 0
        with self.good.lock:
            self.good.pushes.clear()

    def registrations(self):
        return self.metric("isthmus_nacos_registrations")

    def metric(self, name):
        body = self.agent.http("/metrics").body
        return sum(int(float(line.split()[-1])) for line in body.splitlines() if line.startswith(name))

    def is_well(self):
        """Lists are as before, for those who were there and for those who come."""
        assert nacos_wire.places(self.good.query(NAME)) == self.listed
        fresh = self.connect()
        assert nacos_wire.places(fresh.subscribe(NAME)) == self.listed
        fresh.wait_list(NAME, lambda info: nacos_wire.places(info) == self.listed)
        fresh.stop()


@pytest.fixture(scope="module")
def one_door():
    """One agent for all: what one test has done to it must not show in the next."""
    mesh = harness.ROOT / "docs/examples/bookinfo"
    door = Door(harness.Agent("--source", f"dir:{mesh}", *nacos_wire.options(), env=harness.LEAN))
    assert door.listed
    yield door
    door.good.stop()
    assert door.agent.stop() == 0, door.agent.log()


@pytest.fixture
def door(one_door):
    yield one_door
    one_door.is_well()
    one_door.forget()


def refused(answer, code, *words):
    """It is this error, in all three of the fields that clients look at, and says in words what is wrong."""
    kind, body = answer if isinstance(answer, tuple) else (None, answer)
    assert (body["success"], body["resultCode"], body["errorCode"]) == (False, 500, code), (kind, body)
    assert all(word in body["message"] for word in words), body


# --- Messages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["FuzzyWatchRequest", "", "x" * 200, "ServerCheckResponse", "serverCheckRequest", "größe"])
def test_unknown_request_is_answered_as_the_official_server_does(door, kind):
    answer = door.good.ask(kind)
    assert answer[0] == "ErrorResponse"
    refused(answer, 302, "RequestHandler Not Found")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nonsense", b'{"serviceName":"reviews"', b"{}{}", b"\xff\xfe{}", b"[" * 100000, b'{"a":' * 10000, b"\x00" * 100],
    ids=["empty", "open", "word", "cut", "twice", "bytes", "deep list", "deep object", "zeros"],
)  # fmt: skip
def test_body_that_is_no_json_is_refused(door, body):
    kind, answer = nacos_rpc.read(door.good.call(nacos_rpc.payload("ServiceQueryRequest", body)))
    assert kind == "ErrorResponse"
    assert answer["success"] is False and answer["resultCode"] == 500 and answer["errorCode"] != 0 and answer["message"]


@pytest.mark.parametrize("body", ["[]", "1", "null", "\"reviews\"", "true"])
def test_json_that_is_no_object_has_no_name(door, body):
    _, answer = nacos_rpc.read(door.good.call(nacos_rpc.payload("ServiceQueryRequest", body.encode())))
    assert answer["success"] is False and answer["errorCode"] == 400 and answer["message"]


def test_bytes_that_are_no_payload_are_refused(door):
    chooser = random.Random(11)
    whole = nacos_rpc.payload("ServiceQueryRequest", {"serviceName": NAME})
    for i in range(300):
        message = bytearray(whole[: chooser.randrange(len(whole))] if i % 3 else os.urandom(chooser.randrange(200)))
        for _ in range(i % 5):
            if message:
                message[chooser.randrange(len(message))] = chooser.randrange(256)
        kind, answer = nacos_rpc.read(door.good.call(bytes(message)))
        assert answer["resultCode"] in (200, 500) and kind.endswith("Response"), (bytes(message), kind, answer)


def test_message_beyond_all_limits_is_refused(door):
    with pytest.raises(grpc.RpcError) as refusal:
        door.good.call(nacos_rpc.payload("InstanceRequest", b" " * (40 << 20)))
    assert refusal.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_method_that_is_not_there_is_unimplemented(door):
    for path in ("/Request/nope", "/request/Request", "/BiRequestStream/request"):
        with pytest.raises(grpc.RpcError) as refusal:
            door.good.channel.unary_unary(path)(b"", timeout=30)
        assert refusal.value.code() == grpc.StatusCode.UNIMPLEMENTED


# --- Fields ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", None, "@@", "a@@", "@@a", "x" * 10000, 7, [], {}])
def test_names_that_are_none_are_refused(door, name):
    answers = [door.good.naming(kind, name) for kind in ("ServiceQueryRequest", "SubscribeServiceRequest")]
    answers.append(door.good.register(name, nacos_wire.instance("10.9.9.9")))
    if name == 7:  # JSON's numbers are taken for their text
        assert all(answer["success"] for answer in answers)
        assert door.good.deregister(name, nacos_wire.instance("10.9.9.9"))["success"]
        return
    for answer in answers:
        refused(answer, 400, "serviceName")
    assert door.registrations() == 0


@pytest.mark.parametrize("namespace, group", [("x" * 10000, "g"), ("public", "x" * 10000)])
def test_long_namespaces_and_groups_are_refused(door, namespace, group):
    refused(door.good.naming("ServiceQueryRequest", NAME, group=group, namespace=namespace), 400, "longer")


@pytest.mark.parametrize(
    "field, value",
    [("ip", None), ("ip", ""), ("ip", []), ("ip", {}), ("ip", "x" * 10000), ("ip", "a b"), ("ip", "a\nb"), ("ip", "10.0.0.1#9"),
     ("port", -1), ("port", 65536), ("port", "x"), ("port", 1e300), ("port", 80.5), ("port", [1]),
     ("weight", -1), ("weight", 1e9), ("weight", "x"), ("weight", "NaN"), ("weight", "inf"), ("weight", "1" * 100)],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_illegal_fields_of_an_instance_are_named(door, field, value):
    refused(door.good.register("orders", nacos_wire.instance("10.9.9.9", **{field: value}) if field != "ip" else
                               {**nacos_wire.instance("10.9.9.9"), "ip": value}), 400, f"instance.{field}")  # fmt: skip
    assert door.registrations() == 0


@pytest.mark.parametrize("whole", [None, "x", [], 1])
def test_instance_that_is_no_object_is_refused(door, whole):
    refused(door.good.register("orders", whole), 400, "instance")


def test_nulls_are_as_good_as_nothing(door):
    """Go sends them when it deregisters."""
    nulls = {"clusterName": None, "metadata": None, "instanceId": None, "serviceName": None, "weight": None, "healthy": None,
             "enabled": None, "ephemeral": None}  # fmt: skip
    entry = {**nacos_wire.instance("10.9.9.9"), **nulls}
    assert door.good.naming("InstanceRequest", "orders", None, None, type="registerInstance", instance=entry)["success"]
    host = door.good.query("orders")["hosts"][0]
    assert (host["ip"], host["clusterName"], host["metadata"], host["weight"]) == ("10.9.9.9", "DEFAULT", {}, 1)
    assert host["healthy"] and host["enabled"] and host["ephemeral"]
    assert door.good.deregister("orders", {**entry, "enabled": False, "weight": 0})["success"]
    assert door.registrations() == 0


@pytest.mark.parametrize("metadata", [["a", "b"], "text", 5, True])
def test_metadata_that_is_no_object_is_refused(door, metadata):
    refused(door.good.register("orders", nacos_wire.instance("10.9.9.9", metadata=metadata)), 400, "metadata")
    assert door.registrations() == 0


def test_values_of_metadata_are_told_as_texts(door):
    """Go drops a whole list where one is none."""
    entry = nacos_wire.instance("10.9.9.9", metadata={"n": 1, "b": True, "z": None, "o": {"a": 1}, "l": [1]})
    assert door.good.register("orders", entry)["success"]
    told = door.good.query("orders")["hosts"][0]["metadata"]
    assert isinstance(told, dict) and all(isinstance(value, str) for value in told.values()), told
    assert door.good.deregister("orders", nacos_wire.instance("10.9.9.9"))["success"]


def test_hostile_texts_come_back_as_they_were(door):
    hostile = {"quote\"": "back\\slash", "line\n": "\t\r\x01", "größe": "😀\u2028", "": "", "</script>": "<&>"}
    assert door.good.register("orders", nacos_wire.instance("10.9.9.9", metadata=hostile))["success"]
    assert door.good.query("orders")["hosts"][0]["metadata"] == hostile
    assert door.good.deregister("orders", nacos_wire.instance("10.9.9.9"))["success"]


def test_huge_metadata_is_refused(door):
    many = [str(i) for i in range(METADATA_MAX)]
    for metadata in (dict.fromkeys([*many, "more"], "v"), {"k": "v" * (TEXT_MAX + 1)}, {"k" * (TEXT_MAX + 1): ""},
                     dict.fromkeys(many, "v" * 300)):  # fmt: skip
        refused(door.good.register("orders", nacos_wire.instance("10.9.9.9", metadata=metadata)), 503, "too long")
    assert door.registrations() == 0
    most = nacos_wire.instance("10.9.9.9", metadata=dict.fromkeys(many, "v" * 200))
    assert door.good.register("orders", most)["success"]
    assert door.good.deregister("orders", nacos_wire.instance("10.9.9.9"))["success"]


@pytest.mark.parametrize("kind", ["", "x", None, "registerinstance", 1])
def test_unknown_kinds_of_registration_are_refused(door, kind):
    refused(door.good.register("orders", nacos_wire.instance("10.9.9.9"), kind), 400, "type")
    refused(door.good.naming("BatchInstanceRequest", "orders", type=kind, instances=[]), 400, "type")


def test_batch_is_taken_whole_or_not_at_all(door):
    good, bad = nacos_wire.instance("10.9.9.1"), nacos_wire.instance("10.9.9.2", port=70000)
    refused(door.good.naming("BatchInstanceRequest", "orders", type="batchRegisterInstance", instances=[good, bad]), 400, "port")
    assert door.registrations() == 0
    for instances in (None, {}, "x", 5):
        assert door.good.naming("BatchInstanceRequest", "orders", type="batchRegisterInstance", instances=instances)["success"]
    assert door.registrations() == 0


@pytest.mark.parametrize(
    "page, size",
    [(0, 0), (1, 0), (-1, -1), (2**31 - 1, 2**31 - 1), (2**63 - 1, 2**63 - 1), (2**32, 1), ("x", ""), (None, None), (1.5, 1e300)],
)  # fmt: skip
def test_pages_of_any_number(door, page, size):
    whole = door.good.services()
    answer = door.good.services(page, size)
    assert answer["success"] and answer["count"] == whole["count"] > 0
    assert set(answer["serviceNames"]) <= set(whole["serviceNames"])


def test_numbers_beyond_64_bits_are_refused(door):
    entry = nacos_wire.instance("10.9.9.9", 10**30)
    refused(door.good.ask("ServiceListRequest", pageNo=2**64, pageSize=1), 400, "integer")
    refused(door.good.ask("InstanceRequest", serviceName="orders", instance=entry), 400, "integer")


# --- Streams and connections ----------------------------------------------------------------------------------------


def test_calls_without_a_stream_are_told_to_connect_again(door):
    alone = door.connect(setup=False)
    for kind in ("HealthCheckRequest", "ServiceQueryRequest", "SubscribeServiceRequest", "InstanceRequest"):
        code = 500 if kind == "HealthCheckRequest" else 301  # Go and Python take 3xx for health
        refused(alone.ask(kind, serviceName=NAME), code, "unregistered")
    alone.open_stream()  # and says nothing
    refused(alone.ask("ServiceQueryRequest", serviceName=NAME), 301, "unregistered")
    alone.stop()


@pytest.mark.parametrize("message", [b"", b"\xff" * 100, nacos_rpc.payload("ConnectionSetupRequest", b"{")],
                         ids=["empty", "bytes", "cut"])  # fmt: skip
def test_stream_that_talks_nonsense_is_ended_alone(door, message):
    bad = door.connect()
    bad.send_bytes(message)
    bad.wait_ended()
    bad.stop()
    assert not door.good.ended


def test_answers_to_what_was_never_asked_are_ignored(door):
    for number in ("", "0", "-1", "x", "18446744073709551616", None, 7, {}):
        door.good.send("NotifySubscriberResponse", {"requestId": number, "success": False, "errorCode": 500, "resultCode": 500})
        door.good.send("ClientDetectionResponse", {"requestId": number})
    door.good.send("NoSuchThing", {})
    assert door.good.ask("HealthCheckRequest")[1]["success"] and not door.good.ended


def test_set_up_twice_and_in_odd_forms(door):
    odd = door.connect()
    for body in ({}, {"clientVersion": None}, {"clientVersion": 7, "abilityTable": []}, {"abilityTable": "x"}, {"labels": "x"},
                 {"clientVersion": "x" * 100000, "tenant": {}, "abilityTable": {"a": "b"}}):  # fmt: skip
        odd.send("ConnectionSetupRequest", body)
    assert set(nacos_wire.places(odd.query(NAME))) == set(door.listed) and not odd.ended
    odd.stop()


def test_second_stream_of_a_connection(door):
    """Which clients do not open: the calls belong to the one that was set up last."""
    odd = door.connect()
    second = odd.channel.stream_stream(nacos_rpc.STREAM)(iter([nacos_rpc.payload("ConnectionSetupRequest", {})]), timeout=60)
    assert set(nacos_wire.places(odd.query(NAME))) == set(door.listed)
    second.cancel()
    harness.wait_for(lambda: odd.ask("HealthCheckRequest")[1]["success"], "the first one to be served")
    odd.stop()


def test_registration_ends_with_its_connection_alone(door):
    own, other = door.connect(), door.connect()
    assert own.register("orders", nacos_wire.instance("10.9.9.1"))["success"]
    assert other.register("orders", nacos_wire.instance("10.9.9.2"))["success"]
    own.stop()
    harness.wait_for(lambda: nacos_wire.places(door.good.query("orders")) == ["10.9.9.2:8080"], "the first to be gone")
    other.stop()
    harness.wait_for(lambda: door.registrations() == 0, "the second to be gone")


def test_half_open_tcp_connections_hold_nobody_up(door):
    """Those that say nothing, those that begin HTTP/2 and stop, and those that speak another protocol."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    said = (b"", preface, preface + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\xff",
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00" + os.urandom(512), os.urandom(1000))  # fmt: skip
    begun = time.monotonic()
    sockets = []
    for i in range(120):
        client = socket.create_connection(("127.0.0.1", door.grpc_port), timeout=30)
        client.sendall(said[i % len(said)])
        sockets.append(client)
        if i % 20 == 0:
            assert nacos_wire.places(door.good.query(NAME)) == door.listed
    door.is_well()
    assert time.monotonic() - begun < 3 * CALM_S
    for client in sockets:
        client.close()


# --- Floods ---------------------------------------------------------------------------------------------------------


def test_flood_of_registrations_is_bounded_and_told(door):
    flood = door.connect()
    answers = [flood.register("orders", nacos_wire.instance("10.9.9.9", i + 1)) for i in range(REGISTRATIONS_MAX + 100)]
    assert [answer["success"] for answer in answers] == [True] * REGISTRATIONS_MAX + [False] * 100
    refused(answers[-1], 503, "too many registrations")
    assert door.registrations() == REGISTRATIONS_MAX
    assert flood.register("orders", nacos_wire.instance("10.9.9.9", 1, weight=2.0))["success"]  # who is known goes on
    assert flood.deregister("orders", nacos_wire.instance("10.9.9.9", 2))["success"]
    assert flood.register("orders", nacos_wire.instance("10.9.9.9", 9999))["success"]  # and there is a place again
    flood.stop()
    harness.wait_for(lambda: door.registrations() == 0, "all to be gone with their connection")


def test_registrations_that_come_and_go_leave_memory_flat(door):
    entry = nacos_wire.instance("10.9.9.9", metadata={"a": "x" * 60000})

    def rounds(count):
        for _ in range(count):
            assert door.good.register("orders", entry)["success"]
            assert door.good.deregister("orders", entry)["success"]

    rounds(200)
    before = door.agent.rss_kb()
    rounds(600)
    assert door.agent.rss_kb() - before < 16 * 1024
    assert door.registrations() == 0


@pytest.mark.long
def test_flood_of_names_does_not_shut_out_those_that_are_real(door):
    """Each name that is asked for makes a list, which is kept for a while; there are at most 16,384."""
    for i in range(17000):
        assert door.good.naming("ServiceQueryRequest", f"nobody-{i}")["success"], i
    door.is_well()


def test_flood_of_connections_is_bounded(start_agent, bookinfo):
    limit = 32
    door = Door(start_agent("--source", f"dir:{bookinfo}", *nacos_wire.options(), "--nacos-connections", str(limit)))
    taken = [door.good]
    crowd = [nacos_wire.Connection(door.grpc_port, setup=False, check=False) for _ in range(2 * limit)]
    refused_count = 0
    for one in crowd:
        try:
            one.channel.unary_unary(nacos_rpc.UNARY)(nacos_rpc.payload("ServerCheckRequest", {}), timeout=3)
            taken.append(one)
        except grpc.RpcError:
            refused_count += 1
    assert limit // 2 <= len(taken) <= limit and refused_count >= limit, (len(taken), refused_count)
    assert nacos_wire.places(door.good.query(NAME)) == door.listed
    for one in crowd:
        one.stop()
    harness.wait_for(lambda: door.connect(), "a place again").stop()
    door.good.stop()


def test_client_that_does_not_read_costs_little(door):
    """It subscribes to everything and takes nothing off its socket; what it is sent is bounded, and it is let go."""
    names = [door.good.services()["serviceNames"][0]]
    mute = [door.connect(mute=True) for _ in range(10)]
    for one in mute:
        for name in names:
            one.subscribe(name)
    before = door.agent.rss_kb()
    for i in range(300):
        entry = nacos_wire.instance("10.9.9.9", metadata={"a": str(i) * 1000})
        assert door.good.register("orders", entry)["success"]
        mute[i % 10].subscribe("orders")
    assert door.agent.rss_kb() - before < 32 * 1024
    assert door.good.deregister("orders", nacos_wire.instance("10.9.9.9"))["success"]
    for one in mute:
        one.stop()


def test_subscriptions_over_and_over_leave_memory_flat(door):
    def rounds(count):
        for _ in range(count):
            door.good.subscribe(NAME)
            door.good.subscribe("details", clusters="a,b")
            door.good.subscribe("details", wanted=False, clusters="a,b")

    rounds(300)
    before, subscriptions = door.agent.rss_kb(), door.metric("isthmus_nacos_subscriptions")
    rounds(1000)
    assert door.agent.rss_kb() - before < 8 * 1024
    assert door.metric("isthmus_nacos_subscriptions") == subscriptions


# --- HTTP -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def web(door):
    http = nacos_wire.Http(door.http_port)
    yield http
    http.close()


@pytest.mark.parametrize("name", ["", "@@", "a@@", "@@a", "x" * 5000])
def test_names_that_are_none_are_refused_over_http(web, name):
    status, text = web.ask("GET", "/v1/ns/instance/list", serviceName=name)
    assert status == 400 and "serviceName" in text
    assert web.ask("GET", "/v1/ns/instance/list")[0] == 400


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("missing", ["serviceName", "ip", "port"])
def test_missing_parameters_are_named(door, web, method, missing):
    words = {"serviceName": "orders", "ip": "10.9.9.9", "port": "80"}
    del words[missing]
    for answer in (web.ask(method, "/v1/ns/instance", **words), web.ask(method, "/v1/ns/instance", form=words)):
        assert answer[0] == 400 and missing in answer[1], answer
    assert door.registrations() == 0


@pytest.mark.parametrize(
    "field, value",
    [("port", "-1"), ("port", "65536"), ("port", "x"), ("port", ""), ("weight", "-1"), ("weight", "10001"), ("weight", "NaN"),
     ("weight", "x"), ("ip", "a b"), ("ip", "x" * 5000), ("metadata", "{"), ("metadata", "{\"a\":"), ("metadata", "[" * 10000)],
    ids=lambda value: str(value)[:12],
)  # fmt: skip
def test_illegal_parameters_are_named(door, web, field, value):
    words = {"serviceName": "orders", "ip": "10.9.9.9", "port": "80", field: value}
    for answer in (web.ask("POST", "/v1/ns/instance", **words), web.ask("POST", "/v1/ns/instance", form=words)):
        assert answer[0] in (400, 414) and (field in answer[1] or answer[0] == 414), answer
    assert door.registrations() == 0


@pytest.mark.parametrize("beat", ["{", "[]", "null", "x" * 1000, '{"ip":7}', '{"port":-1,"ip":"10.9.9.9"}', '{"a":' * 5000])
def test_broken_beats_are_refused(door, web, beat):
    words = {"serviceName": "orders", "beat": beat}
    answer = web.ask("PUT", "/v1/ns/instance/beat", form=words)
    assert answer[0] == 400 and isinstance(answer[1], str) and answer[1], answer
    assert door.registrations() == 0


@pytest.mark.parametrize("escape", ["%", "%4", "%zz", "%u0041", "%00"])
def test_invalid_escapes_are_refused(web, escape):
    web.connection.request("GET", f"/nacos/v1/ns/instance/list?serviceName=a{escape}")
    answer = web.connection.getresponse()
    assert answer.status == 400 and answer.read()
    web.connection.request("POST", "/nacos/v1/ns/instance", f"serviceName=a{escape}&ip=10.9.9.9&port=80",
                           {"Content-Type": "application/x-www-form-urlencoded"})  # fmt: skip
    answer = web.connection.getresponse()
    assert answer.status == 400 and answer.read()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8848", "127.0.0.1.nip.io", "10.1.1.1", "[::2]"])
def test_hostile_hosts_are_refused(web, host):
    assert web.ask("GET", "/v1/ns/instance/list", headers={"Host": host}, serviceName=NAME)[0] in (400, 403)


def test_body_that_is_too_large_is_refused(door):
    with socket.create_connection(("127.0.0.1", door.http_port), timeout=60) as client:
        client.sendall(b"POST /nacos/v1/ns/instance HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                       b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 200000000\r\n\r\n")  # fmt: skip
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    assert b" 413 " in answer.split(b"\r\n")[0]


@pytest.mark.parametrize("path", ["/v1/nope", "/v1/ns", "/v4/ns/instance/list", "/v1/ns/instance/list/more", ""])
def test_unknown_paths_are_told(web, path):
    assert web.ask("GET", path)[0] in (404, 501)


def test_flood_of_registrations_over_http_is_bounded(door, web):
    words = {"serviceName": "orders", "ip": "10.9.9.9"}
    answers = [web.ask("POST", "/v1/ns/instance", port=i + 1, **words) for i in range(REGISTRATIONS_MAX + 20)]
    assert answers[:REGISTRATIONS_MAX] == [(200, "ok")] * REGISTRATIONS_MAX
    assert all(status >= 500 and "too many" in text for status, text in answers[REGISTRATIONS_MAX:])
    assert door.registrations() == REGISTRATIONS_MAX
    assert web.ask("DELETE", "/v1/ns/instance", port=1, **words) == (200, "ok")
    assert web.ask("POST", "/v1/ns/instance", port=9999, **words) == (200, "ok")
