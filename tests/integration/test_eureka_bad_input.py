# SPDX-License-Identifier: Apache-2.0
"""The Eureka door against input that no client should send: a clear answer, bounded memory and time, and lists that go on being
lists in both formats."""

import gzip
import http.client
import itertools
import json
import socket
import time
import urllib.parse
import xml.etree.ElementTree as ET

import pytest

import harness

JSON = {"Content-Type": "application/json"}
XML = {"Content-Type": "application/xml"}
REGISTRATIONS_MAX = 64
TEXT_MAX = 65536
CALM_S = 5.0  # what an answer may take, on the slowest machine with the sanitizers


def instance(**fields):
    return {
        "instanceId": "me:orders:7070", "hostName": "me", "app": "ORDERS", "ipAddr": "10.9.9.9", "vipAddress": "orders",
        "status": "UP", "port": {"$": 7070, "@enabled": "true"}, "securePort": {"$": 7443, "@enabled": "false"},
        "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"},
        "leaseInfo": {"renewalIntervalInSecs": 30, "durationInSecs": 90}, "metadata": {"a": "b"}, "countryId": 1,
        "lastDirtyTimestamp": "1000", **fields,
    }  # fmt: skip


class Door:
    """Requests as they are, over one connection that is kept where the agent keeps it."""

    def __init__(self, agent):
        self.agent, self.port = agent, agent.ports["eureka"]
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, method, path, headers=None, body=None):
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def register(self, fields, app="ORDERS", headers=JSON):
        return self.ask("POST", f"/eureka/apps/{app}", headers, json.dumps({"instance": fields}))

    def raw(self, request):
        """The whole answer to these bytes, on a connection of its own."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as client:
            try:
                client.sendall(request)
                client.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it has answered before it has read all
            answer = b""
            try:
                while piece := client.recv(65536):
                    answer += piece
            except ConnectionResetError:
                pass  # as above
        return answer

    def lists(self):
        """Ids by application: both formats, list and delta, must be readable and agree on the format's own list."""
        found = []
        for path, accept in itertools.product(("apps", "apps/delta"), ("application/json", "application/xml")):
            status, _, content = self.ask("GET", f"/eureka/{path}", {"Accept": accept, "User-Agent": "Java-EurekaClient/v1"})
            assert status == 200
            if accept.endswith("json"):
                apps = json.loads(content)["applications"]["application"]
                found.append({(app["name"], one["instanceId"]) for app in apps for one in app["instance"]})
            else:
                instances = ET.fromstring(content).iter("instance")
                found.append({(one.findtext("app"), one.findtext("instanceId")) for one in instances})
        return found[0]

    def registrations(self):
        body = self.agent.http("/metrics").body
        return int(next(line.split()[1] for line in body.splitlines() if line.startswith("isthmus_eureka_registrations ")))


@pytest.fixture
def door(start_agent, bookinfo):
    door = Door(start_agent("--source", f"dir:{bookinfo}", "--eureka-listen", "127.0.0.1:0", env=harness.LEAN))
    listed = door.lists()
    yield door
    assert door.lists() >= listed, "the mesh's instances are listed as before"
    door.connection.close()


def explained(answer, status, words):
    """It is this status, and the body says in words what is wrong."""
    got, headers, content = answer
    assert got == status, content
    assert headers["Content-Type"] == "text/plain" and words in content.decode()


# --- Floods ---------------------------------------------------------------------------------------------------------


def test_flood_of_registrations_is_bounded_and_told(door):
    statuses = [door.register(instance(instanceId=f"id-{i}"))[0] for i in range(2000)]
    assert statuses == [204] * REGISTRATIONS_MAX + [503] * (2000 - REGISTRATIONS_MAX)
    explained(door.register(instance(instanceId="one more")), 503, "64 registrations")
    assert door.registrations() == REGISTRATIONS_MAX
    assert door.register(instance(instanceId="id-0", status="DOWN"))[0] == 204  # who is known goes on
    assert door.ask("DELETE", "/eureka/apps/ORDERS/id-1")[0] == 200
    assert door.register(instance(instanceId="one more"))[0] == 204  # and there is a place again
    assert {("ORDERS", "id-0"), ("ORDERS", "one more")} <= door.lists()


def test_registrations_that_come_and_go_leave_memory_flat(door):
    """Each leaves a deletion for the delta, with everything that the application said of itself."""
    heavy = {"metadata": {"a": "x" * 60000}}
    delta = ("GET", "/eureka/apps/delta", {"Accept": "application/json"})

    def deletions(count):
        for at in range(0, count, 50):
            names = [f"{deletions.done + at + i}" for i in range(50)]
            assert {door.register(instance(instanceId=name, **heavy))[0] for name in names} == {204}
            assert door.ask(*delta)[0] == 200
            assert {door.ask("DELETE", f"/eureka/apps/ORDERS/{name}")[0] for name in names} == {200}
            assert door.ask(*delta)[0] == 200
        deletions.done += count

    deletions.done = 0
    deletions(300)  # 18 MB: beyond what is kept, so that memory is where it will stay
    before = door.agent.rss_kb()
    deletions(900)
    assert door.agent.rss_kb() - before < 32 * 1024
    assert door.registrations() == 0


def test_one_registration_over_and_over_leaves_memory_flat(door):
    def round_of(number):
        for i in range(300):
            fields = instance(lastDirtyTimestamp=str(1000 * number + i), metadata={f"k{i}": "v" * 1000})
            assert door.register(fields)[0] == 204
            assert door.ask("GET", "/eureka/apps", {"Accept": "application/json"})[0] == 200

    round_of(1)
    before = door.agent.rss_kb()
    for number in range(2, 6):
        round_of(number)
    assert door.agent.rss_kb() - before < 8 * 1024
    assert door.registrations() == 1


def test_metadata_cannot_be_heaped_up(door):
    assert door.register(instance())[0] == 204
    path = "/eureka/apps/ORDERS/me:orders:7070/metadata?"
    statuses = [door.ask("PUT", path + urllib.parse.urlencode({f"{i}-{k}": "v" for k in range(50)}))[0] for i in range(10)]
    assert statuses == [200] * 5 + [400] * 5  # 256 pairs
    big = urllib.parse.urlencode({"0-0": "v" * 15000})
    assert door.ask("PUT", path + big)[0] == 200  # a value that is there may change
    statuses = [door.ask("PUT", path + urllib.parse.urlencode({f"0-{i}": "v" * 15000}))[0] for i in range(1, 10)]
    assert statuses == [200] * 3 + [400] * 6  # 64 KiB
    assert door.ask("PUT", path + "&".join(f"{i}=v" for i in range(65)))[0] == 400


def test_metadata_of_a_registration_is_limited(door):
    explained(door.register(instance(metadata={str(i): "v" for i in range(257)})), 400, "256 entries of metadata")
    explained(door.register(instance(metadata={"k": "v" * TEXT_MAX})), 400, f"{TEXT_MAX} bytes of text")
    assert door.register(instance(metadata={str(i): "v" * 200 for i in range(256)}))[0] == 204


# --- Names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["instanceId", "hostName", "ipAddr", "vipAddress", "secureVipAddress", "homePageUrl", "app"])
def test_giant_texts_are_refused(door, field):
    answer = door.register(instance(**{field: "x" * (TEXT_MAX + 1)}))
    assert answer[0] == 400 and answer[2]
    assert door.registrations() == 0


def test_long_id_is_found_by_what_it_is(door):
    name = "i" * 10000
    assert door.register(instance(instanceId=name))[0] == 204
    assert door.ask("PUT", f"/eureka/apps/ORDERS/{name}")[::2] == (200, b"")
    assert door.ask("GET", f"/eureka/instances/{name}", {"Accept": "application/json"})[0] == 200
    assert door.ask("PUT", f"/eureka/apps/ORDERS/{name}x")[::2] == (404, b"")
    assert ("ORDERS", name) in door.lists()
    assert door.ask("DELETE", f"/eureka/apps/ORDERS/{name}")[0] == 200


def test_path_beyond_all_limits_is_refused(door):
    status = door.raw(b"GET /eureka/apps/" + b"x" * 100000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n").split(b" ", 2)[1]
    assert status in (b"414", b"431")


def test_many_names_are_refused_and_cost_nothing(door):
    """Each name of a registration is looked up, and compared with the others."""
    names = ",".join(f"n{i}" for i in range(10000))
    begun = time.monotonic()
    for i in range(REGISTRATIONS_MAX):
        explained(door.register(instance(instanceId=str(i), vipAddress=names)), 400, "names in vipAddress")
    explained(door.register(instance(vipAddress="," * 60000)), 400, "names in vipAddress")
    door.lists()
    assert time.monotonic() - begun < CALM_S


@pytest.mark.parametrize("name", ["a\nb", "a\tb", "a\x00b", "a\x7fb"])
def test_application_with_control_characters_is_refused(door, name):
    answer = door.register(instance(app=name), app=urllib.parse.quote(name))
    assert answer[0] == 400
    assert door.registrations() == 0


@pytest.mark.parametrize(
    "name", ["<a>&\"'", "a,b", "a b", "größe", "日本", "😀", "..", "delta", "a%2fb", "${env}", "\u2028", "\ufffe", "x" * 1024]
)
def test_odd_application_names_are_listed_in_both_formats(door, name):
    assert door.register(instance(app=name, vipAddress=name), app=urllib.parse.quote(name, safe=""))[0] == 204
    shown = "".join(c.upper() if c.isascii() else c for c in name)
    assert (shown, "me:orders:7070") in door.lists()
    path = f"/eureka/apps/{urllib.parse.quote(name, safe='')}/me:orders:7070"
    assert door.ask("PUT", path)[::2] == (200, b"")
    assert door.ask("DELETE", path)[::2] == (200, b"")


# --- HTTP -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8761", "localhost.evil.example", "127.0.0.1.nip.io", "127.0.0.1@evil.example",
     "evil#localhost",
     "10.1.1.1", "[::2]", "[::1", "2130706433", "0x7f.1", "127.0.0.1:80:80", "local\x7fhost", "x" * 8000],
)  # fmt: skip
def test_hostile_hosts_are_refused(door, host):
    answer = door.raw(f"GET /eureka/apps HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert answer.split(b" ", 2)[1] in (b"400", b"403"), answer[:200]
    assert b"REVIEWS" not in answer


@pytest.mark.parametrize("lines", ["", "Host: localhost\r\nHost: evil.example\r\n"])
def test_a_request_has_one_host(door, lines):
    assert b" 400 " in door.raw(f"GET /eureka/apps HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode()).split(b"\r\n")[0]


def test_page_of_another_site_cannot_register(door):
    answer = door.register(instance(), headers={"Content-Type": "text/plain", "Origin": "http://evil.example"})
    assert answer[0] == 403
    assert door.registrations() == 0


@pytest.mark.parametrize(
    "path",
    ["/eureka/apps/%zz", "/eureka/apps/%", "/eureka/apps/%4", "/eureka/apps/a%00b", "/eureka/apps/A/%00", "/eureka/vips/%g1",
     "/eureka/apps/A/i/status?value=%zz", "/eureka/apps/A/i/metadata?%zz=1", "/eureka/instances/%u0041"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_invalid_escapes_are_refused(door, method, path):
    assert door.ask(method, path)[0] == 400


@pytest.mark.parametrize("ident", ["a%2Fb", "a/b", "a/b/c", "status/status/status"])
def test_heartbeat_of_an_id_that_is_no_segment_has_no_body(door, ident):
    """Some clients take any body for an instance, and never register again."""
    for method in ("PUT", "DELETE", "PATCH"):
        status, headers, content = door.ask(method, f"/eureka/apps/ORDERS/{ident}", JSON, "{}")
        assert status in (404, 405) and content == b"" and headers["Content-Type"] is None


@pytest.mark.parametrize("path", ["/", "/eurek", "/eurekas/apps"])
def test_what_is_not_below_the_base_is_explained(door, path):
    status, headers, content = door.ask("PUT", path)
    assert status in (404, 405) and headers["Content-Type"] == "application/problem+json" and content


@pytest.mark.parametrize("path", ["%ff", "%c0%af", "%ed%a0%80", "%2e%2e", "%0d%0aSet-Cookie:x"])
def test_bytes_that_are_no_name_lead_nowhere(door, path):
    assert door.ask("GET", f"/eureka/apps/{path}")[::2] == (404, b"")
    assert door.ask("PUT", f"/eureka/apps/{path}/{path}")[::2] == (404, b"")
    status, _, content = door.ask("GET", f"/eureka/vips/{path}", {"Accept": "application/json"})
    assert status == 200 and json.loads(content)["applications"]["application"] == []


def test_body_that_is_too_large_is_refused(door):
    head = b"POST /eureka/apps/ORDERS HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    answers = (
        door.raw(head + b"Content-Length: 2000000\r\n\r\n"),  # before it is sent
        door.raw(head + b"Transfer-Encoding: chunked\r\n\r\n200000\r\n" + b" " * 0x200000 + b"\r\n0\r\n\r\n"),
    )
    assert all(b" 413 " in answer and b"1048576 bytes" in answer for answer in answers), answers


def test_chunked_body_without_end_is_cut_off(door):
    """Eight times as much as a body may have is read so that the client sees the answer; then the connection ends."""
    before = door.agent.rss_kb()
    piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
    head = b"POST /eureka/apps/ORDERS HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", door.port), timeout=60) as client:
        client.sendall(head)
        with pytest.raises(OSError):
            while sent < 64 << 20:
                client.sendall(piece)
                sent += len(piece)
    assert sent < 64 << 20
    assert door.agent.rss_kb() - before < 16 * 1024


@pytest.mark.parametrize("size", [b"zz", b"-1", b"ffffffffffffffffff", b""])
def test_broken_chunks_are_no_registration(door, size):
    door.raw(b"POST /eureka/apps/ORDERS HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\nx\r\n")
    assert door.registrations() == 0


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, gzip"])
def test_packed_body_is_refused_unread(door, coding):
    """However small, it could be a gigabyte."""
    bomb = gzip.compress(json.dumps({"instance": instance(metadata={"k": " " * 10000000})}).encode())
    begun = time.monotonic()
    answer = door.ask("POST", "/eureka/apps/ORDERS", {**JSON, "Content-Encoding": coding}, bomb)
    explained(answer, 415, "not packed")
    explained(door.ask("POST", "/eureka/peerreplication/batch", {**JSON, "Content-Encoding": coding}, bomb), 415, "not packed")
    assert time.monotonic() - begun < CALM_S
    plain = json.dumps({"instance": instance()})
    assert door.ask("POST", "/eureka/apps/ORDERS", {**JSON, "Content-Encoding": "identity"}, plain)[0] == 204


# --- Documents ------------------------------------------------------------------------------------------------------

VALUES = [None, True, -1, 0, 10**15, 1.5e300, "", " ", "\u0001", "true", [], [[]], {}, {"$": {}}, {"$": [1]}, ["x"]]
FIELDS = [*instance(), "overriddenstatus", "secureVipAddress", "homePageUrl", "statusPageUrl", "isCoordinatingDiscoveryServer"]


@pytest.mark.parametrize("field", FIELDS)
def test_wrong_types_and_nulls_are_taken_or_refused(door, field):
    """A registration that is taken is listed, in both formats, and can be cancelled."""
    required = {"instanceId", "hostName", "app", "ipAddr", "dataCenterInfo"}
    for value in VALUES:
        status, _, content = door.register(instance(**{field: value}))
        assert status in (204, 400), (field, value, status)
        if status == 400:
            assert field in required and content, (field, value, content)
            continue
        listed = [ident for app, ident in door.lists() if app == "ORDERS"]
        assert len(listed) == 1, (field, value, listed)
        gone = door.ask("DELETE", f"/eureka/apps/ORDERS/{urllib.parse.quote(listed[0], safe='')}")
        assert gone[0] == 200 or listed[0] == "\ufffd", (field, value, listed)
        door.ask("DELETE", "/eureka/apps/ORDERS/%01")


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"1", b"1" * 400, b'"instance"', b'{"instance":null}', b'{"instance":[]}', b'{"instance":{}}',
     b'{"instance":',
     b'{"instance":{"instanceId":"a\\u0000b"}}', b"\xff\xfe{\x00}\x00", b"\x00", b"{\x00}", b'{"instance":{"app":"\xff"}}',
     b'{"instance":{"app":"\\ud800"}}', b"[" * 100000, b'{"instance":' * 50000, b'{"a":' * 15 + b"1" + b"}" * 15,
     b"<", b"<instance>", b"<instance/>", b"<a>" * 50000, b"<instance>&x;</instance>", b"<instance><app>\x00</app></instance>",
     b'<!DOCTYPE a [<!ENTITY x "y">]><instance>&x;</instance>', b'<?xml version="1.0" encoding="utf-99"?><instance/>',
     b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><instance/>'],
    ids=lambda body: repr(body[:40]),
)  # fmt: skip
def test_bodies_that_are_no_registration_are_refused_with_the_reason(door, body):
    begun = time.monotonic()
    for headers in (JSON, XML, {}, {"Content-Type": "application/json;charset=utf-16"}, {"Content-Type": "\x7f"}):
        status, kind, content = door.ask("POST", "/eureka/apps/ORDERS", headers, body)
        assert status == 400 and content and kind["Content-Type"] == "text/plain", (headers, status, content)
    assert time.monotonic() - begun < CALM_S
    assert door.registrations() == 0


def test_more_members_than_any_registration_has_are_refused(door):
    body = {"instance": {**instance(), "list": list(range(30000))}}
    explained(door.ask("POST", "/eureka/apps/ORDERS", JSON, json.dumps(body)), 400, "20000 members")
    elements = "<instance>" + "<x/>" * 30000 + "</instance>"
    explained(door.ask("POST", "/eureka/apps/ORDERS", XML, elements), 400, "20000 members")


def test_repeated_fields_are_one(door):
    more = b',"app":"OTHER","app":"ORDERS","metadata":{"k":"1","k":"2"}}}'
    body = b'{"instance":' + json.dumps(instance()).encode()[:-1] + more
    assert door.ask("POST", "/eureka/apps/ORDERS", JSON, body)[0] == 204
    assert ("ORDERS", "me:orders:7070") in door.lists()


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b'{"replicationList":1}', b'{"replicationList":[1,null,{},[]]}'])
def test_batches_of_any_form_are_answered(door, body):
    status, _, content = door.ask("POST", "/eureka/peerreplication/batch/", JSON, body)
    if body == b"":
        assert status == 400 and content
    else:
        assert status == 200 and all(each == {"statusCode": 200} for each in json.loads(content)["responseList"])


@pytest.mark.parametrize("query", ["", "?value=", "?value=up", "?value=NONSENSE", "?value=UP&value=DOWN", "?value=%00", "?=UP"])
def test_status_of_any_form_is_answered_without_a_body(door, query):
    assert door.register(instance())[0] == 204
    status, _, content = door.ask("PUT", f"/eureka/apps/ORDERS/me:orders:7070/status{query}")
    if query == "?value=%00":
        assert status == 400  # the request's own form, which is refused before it is Eureka's
    else:
        assert status in (200, 500) and content == b""
    door.lists()


@pytest.mark.parametrize("stamp", ["-1", "1e9", "99999999999999999999", "x", "", "0x10", "+1", " 1"])
def test_time_of_any_form_renews(door, stamp):
    """Only a later time than the known one asks for a registration."""
    assert door.register(instance())[0] == 204
    path = f"/eureka/apps/ORDERS/me:orders:7070?status=UP&lastDirtyTimestamp={urllib.parse.quote(stamp)}"
    assert door.ask("PUT", path, JSON, "{}")[::2] == (200, b"")


def test_door_serves_on_beside_all_that(door):
    """Other doors share its thread."""
    half = b"POST /eureka/apps/ORDERS HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" + b"[" * 500000
    waiting = [socket.create_connection(("127.0.0.1", door.port), timeout=60) for _ in range(100)]
    for client in waiting:
        client.sendall(half)
        begun = time.monotonic()
        assert door.agent.http("/v1/services").status == 200
        assert time.monotonic() - begun < CALM_S
    for client in waiting:
        client.close()
