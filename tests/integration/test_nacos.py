# SPDX-License-Identifier: Apache-2.0
"""The Nacos door of the real agent over HTTP and UDP, byte by byte on the wire: texts, codes, types of JSON, pushes."""

import gzip
import http.client
import json
import os
import pathlib
import signal
import socket
import urllib.parse

import pytest

import harness
import objects

JAVA = {"Client-Version": "Nacos-Java-Client:v1.4.8", "User-Agent": "Nacos-Java-Client:v1.4.8"}
GO = {"Client-Version": "Nacos-Go-Client:v1.1.6", "User-Agent": "Nacos-Go-Client:v1.1.6"}
OWN = {"serviceName": "DEFAULT_GROUP@@own", "ip": "10.9.9.9", "port": 7070}


class Nacos:
    """Requests as clients send them."""

    def __init__(self, agent):
        self.port = agent.ports["nacos"]

    def ask(self, method, path, params=None, form=None, headers=JAVA):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        query = "?" + urllib.parse.urlencode(params) if params else ""
        headers = dict(headers, **({"Content-Type": "application/x-www-form-urlencoded"} if form is not None else {}))
        connection.request(method, f"/nacos{path}{query}", form, headers)
        answer = connection.getresponse()
        content = answer.read().decode()
        connection.close()
        return answer.status, content

    def text(self, method, path, params=None, form=None):
        status, content = self.ask(method, path, params, form)
        assert status == 200, content
        return content

    def json(self, path, headers=JAVA, method="GET", **params):
        status, content = self.ask(method, path, params, headers=headers)
        assert status == 200, content
        return json.loads(content)

    def hosts(self, name, headers=JAVA, **params):
        return self.json("/v1/ns/instance/list", headers, serviceName=name, **params)["hosts"]


def write(folder, **addresses):
    (folder / "mesh.yaml.new").write_text(objects.dump(*objects.app("orders", addresses)))
    (folder / "mesh.yaml.new").rename(folder / "mesh.yaml")


@pytest.fixture
def mesh(tmp_path):
    write(tmp_path, v1=["10.1.0.1"])
    return tmp_path


@pytest.fixture
def door(start_agent, mesh):
    agent = start_agent("--source", f"dir:{mesh}", "--nacos-listen", "127.0.0.1:0")
    return Nacos(agent), agent, mesh


# --- The rules that servers get wrong first ---------------------------------------------------------------------------


def test_names_are_grouped_and_what_was_asked_is_echoed(door):
    nacos, _, _ = door
    info = nacos.json("/v1/ns/instance/list", serviceName="orders", groupName="G", clusters="DEFAULT,x", namespaceId="n")
    assert (info["name"], info["groupName"], info["clusters"]) == ("G@@orders", "G", "DEFAULT,x")
    (host,) = info["hosts"]
    assert host["serviceName"] == "G@@orders" and host["instanceId"] == "10.1.0.1#8080#DEFAULT#G@@orders"


def test_nothing_is_null_and_metadata_are_texts(door):
    nacos, _, _ = door
    assert nacos.text("POST", "/v1/ns/instance", {**OWN, "metadata": json.dumps({"a": 1, "b": True, "c": None})}) == "ok"
    status, content = nacos.ask("GET", "/v1/ns/instance/list", {"serviceName": "own"})
    assert status == 200 and "null" not in content
    assert json.loads(content)["hosts"][0]["metadata"] == {"a": "1", "b": "true", "c": ""}


def test_weights_are_whole_numbers(door):
    nacos, _, mesh = door
    write(mesh, v1=["10.1.0.1", "10.1.0.2"], v2=["10.1.0.3"])
    harness.wait_for(lambda: len(nacos.hosts("orders", GO)) == 3, "three hosts")
    for weight in [host["weight"] for host in nacos.hosts("orders", GO)]:
        assert weight == int(weight) >= 1
    assert nacos.text("POST", "/v1/ns/instance", {**OWN, "weight": "0.5"}) == "ok"
    assert [host["weight"] for host in nacos.hosts("own", GO)] == [1]


def test_reference_times_grow_with_every_answer(door):
    nacos, _, _ = door
    times = [nacos.json("/v1/ns/instance/list", serviceName="orders")["lastRefTime"] for _ in range(20)]
    assert times == sorted(set(times))


def test_unknown_service_is_an_empty_list(door):
    nacos, _, _ = door
    assert nacos.json("/v1/ns/instance/list", serviceName="Dubbo-Nacos-Test")["hosts"] == []


def test_registration_succeeds_from_the_query_and_from_a_form(door):
    nacos, _, _ = door
    assert nacos.text("POST", "/v1/ns/instance", OWN) == "ok"
    assert nacos.text("DELETE", "/v1/ns/instance", OWN) == "ok"
    assert nacos.hosts("own") == []
    assert nacos.text("POST", "/v1/ns/instance", form='metadata={"a":"x&y"}&serviceName=own&ip=10.9.9.9&port=7070') == "ok"
    assert nacos.hosts("own")[0]["metadata"] == {"a": "x&y"}
    assert nacos.text("DELETE", "/v1/ns/instance", form="serviceName=own&ip=10.9.9.9&port=7070") == "ok"


def test_beat_of_a_stranger_is_told_to_register_and_a_whole_one_does(door):
    nacos, _, _ = door
    light = nacos.json("/v1/ns/instance/beat", method="PUT", **OWN)
    assert light == {"clientBeatInterval": 5000, "code": 20404, "lightBeatEnabled": True}
    beat = json.dumps({"ip": "10.9.9.9", "port": 7070, "weight": 1.0, "cluster": "DEFAULT", "metadata": {}})
    assert json.loads(nacos.text("PUT", "/v1/ns/instance/beat", {"serviceName": "own"}, f"beat={beat}"))["code"] == 10200
    assert nacos.json("/v1/ns/instance/beat", method="PUT", **OWN)["code"] == 10200
    assert [host["ip"] for host in nacos.hosts("own")] == ["10.9.9.9"]


@pytest.mark.parametrize("number,size", [(1, 2147483647), (0, 10), (2, 1), (4294967296, 4294967296)])
def test_service_list_pages_in_64_bit(door, number, size):
    nacos, _, _ = door
    answer = nacos.json("/v1/ns/service/list", pageNo=number, pageSize=size)
    assert answer["count"] == 1
    assert answer["doms"] == (["orders"] if number <= 1 else [])


def test_groups_and_namespaces_mean_what_the_configuration_says_and_a_reload_changes_it(start_agent, mesh, tmp_path):
    config = tmp_path / "isthmus.yaml"
    config.write_text("nacos-groups: [PAY=.nowhere]\n")
    agent = start_agent("--source", f"dir:{mesh}", "--nacos-listen", "127.0.0.1:0", "--config", str(config))
    door = Nacos(agent)
    name = door.json("/v1/ns/service/list", pageNo=1, pageSize=1)["doms"][0]
    found = [host["ip"] for host in door.hosts(name)]
    assert found
    assert [host["ip"] for host in door.hosts(name, groupName="OTHER", namespaceId="dev")] == found
    assert door.hosts(name, groupName="PAY") == []
    config.write_text("nacos-namespaces: [dev=nowhere]\n")
    agent.child.send_signal(signal.SIGHUP)
    harness.wait_for(lambda: [host["ip"] for host in door.hosts(name, groupName="PAY")] == found, "the new configuration")
    assert door.hosts(name, namespaceId="dev") == []
    assert [host["ip"] for host in door.hosts(f"{name}.default", namespaceId="dev")] == found  # says its namespace itself


def test_versions_2_and_3_wrap_what_version_1_says(door):
    nacos, _, _ = door
    plain = nacos.json("/v1/ns/instance/list", serviceName="orders")
    wrapped = nacos.json("/v2/ns/instance/list", serviceName="orders")
    assert (wrapped["code"], wrapped["message"]) == (0, "success")
    assert {**wrapped["data"], "lastRefTime": 0} == {**plain, "lastRefTime": 0}
    assert nacos.json("/v3/client/ns/instance/list", serviceName="orders")["data"] == plain["hosts"]


def test_dashboards_and_health_checks_get_their_answers(door):
    nacos, _, _ = door
    assert nacos.json("/v1/ns/operator/metrics") == {"status": "UP"}
    assert nacos.text("GET", "/v1/console/health/readiness") == "OK"
    assert nacos.text("GET", "/serverlist") == f"127.0.0.1:{nacos.port}\n"
    status, content = nacos.ask("POST", "/v1/auth/users/login", {"username": "me"}, "password=secret")
    assert status == 200 and json.loads(content)["accessToken"]


@pytest.mark.parametrize(
    "method,path,params,text",
    [
        ("GET", "/v1/ns/instance/list", {}, "Param 'serviceName' is required."),
        ("POST", "/v1/ns/instance", {"serviceName": "own", "port": 1}, "Param 'ip' is required."),
        ("POST", "/v1/ns/instance", {**OWN, "port": 65536}, "Param 'port' is illegal"),
        ("POST", "/v1/ns/instance", {**OWN, "weight": "10001"}, "Param 'weight' is illegal"),
        ("PUT", "/v1/ns/instance/beat", {**OWN, "beat": "{"}, "Param 'beat' is illegal"),
    ],
)
def test_what_is_wrong_is_named(door, method, path, params, text):
    nacos, _, _ = door
    status, content = nacos.ask(method, path, params)
    assert status == 400 and content.startswith(text)


# --- Before the first view --------------------------------------------------------------------------------------------


def test_before_the_first_view_lists_wait_and_then_say_why(start_agent):
    agent = start_agent("--source", "istiod", "--xds-address", "127.0.0.1:9", "--xds-tls", "off",
                        "--nacos-listen", "127.0.0.1:0", wait="listening")  # fmt: skip
    nacos = Nacos(agent)
    status, content = nacos.ask("GET", "/v1/ns/instance/list", {"serviceName": "orders"})
    assert status == 503 and "no view" in content
    assert nacos.text("POST", "/v1/ns/instance", OWN) == "ok"
    assert nacos.json("/v1/ns/operator/metrics") == {"status": "STARTING"}


# --- Pushes -----------------------------------------------------------------------------------------------------------


class Receiver:
    """The UDP side of a 1.x client."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(60)
        self.port = self.socket.getsockname()[1]

    def read(self, acknowledge=True):
        content, sender = self.socket.recvfrom(65536)
        message = json.loads(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
        assert message["type"] == "dom"
        if acknowledge:
            ack = {"type": "push-ack", "lastRefTime": str(message["lastRefTime"]), "data": ""}
            self.socket.sendto(json.dumps(ack).encode(), sender)
        return json.loads(message["data"])

    def read_until(self, addresses, acknowledge=True):
        times = []
        while True:
            info = self.read(acknowledge)
            times.append(info["lastRefTime"])
            assert times == sorted(set(times))
            if {host["ip"] for host in info["hosts"]} == addresses:
                return info


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.socket.close()


def test_change_comes_as_a_datagram_to_who_has_asked(door, receiver):
    nacos, _, mesh = door
    info = nacos.json("/v1/ns/instance/list", serviceName="orders", udpPort=receiver.port, clientIP="10.1.2.3")
    assert info["cacheMillis"] == 10000
    for count in (2, 8, 1):
        addresses = [f"10.1.0.{i + 1}" for i in range(count)]
        write(mesh, v1=addresses)
        pushed = receiver.read_until(set(addresses))
        assert pushed["name"] == "DEFAULT_GROUP@@orders" and pushed["lastRefTime"] > info["lastRefTime"]


def test_lost_datagrams_come_again_with_the_last_state(door, receiver):
    nacos, _, mesh = door
    nacos.json("/v1/ns/instance/list", serviceName="orders", udpPort=receiver.port)
    write(mesh, v1=["10.1.0.1", "10.1.0.2"])
    receiver.read_until({"10.1.0.1", "10.1.0.2"}, acknowledge=False)
    write(mesh, v1=["10.1.0.3"])
    receiver.read_until({"10.1.0.3"})


def test_subscribers_are_shown(door, receiver):
    nacos, _, _ = door
    nacos.json("/v1/ns/instance/list", serviceName="orders", udpPort=receiver.port)
    shown = nacos.json("/v1/ns/service/subscribers", serviceName="orders")
    (one,) = shown["subscribers"]
    assert shown["count"] == 1 and (one["ip"], one["port"], one["agent"]) == ("127.0.0.1", receiver.port, JAVA["User-Agent"])


def udp_sockets(pid):
    links = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd")]
    rows = [line.split() for line in pathlib.Path(f"/proc/{pid}/net/udp").read_text().splitlines()[1:]]
    return {row[1] for row in rows if f"socket:[{row[9]}]" in links}


def test_nobody_listens_for_datagrams_unless_a_client_wants_them(door, receiver):
    nacos, agent, mesh = door
    before = udp_sockets(agent.pid)
    nacos.json("/v1/ns/instance/list", serviceName="orders", udpPort=receiver.port)
    assert udp_sockets(agent.pid) == before
    write(mesh, v1=["10.1.0.2"])
    receiver.read_until({"10.1.0.2"})
    (address,) = udp_sockets(agent.pid) - before
    assert address.startswith("0100007F:")  # 127.0.0.1, as the kernel writes it
