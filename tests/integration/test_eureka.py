# SPDX-License-Identifier: Apache-2.0
"""The Eureka door of the real agent, byte by byte on the wire: statuses, headers, bodies of both formats, changes."""

import gzip
import http.client
import json
import signal
import socket
import sys
import xml.etree.ElementTree as ET

import pytest
import yaml

import harness

sys.path.append(str(harness.ROOT / "tests/bench"))
import meshes  # noqa: E402

JSON = {"Accept": "application/json"}
JAVA = {**JSON, "User-Agent": "Java-EurekaClient/v1.10.17"}
REGISTRATION = {
    "instance": {
        "instanceId": "me:orders:7070", "hostName": "me", "app": "ORDERS", "ipAddr": "10.9.9.9", "vipAddress": "orders",
        "status": "UP", "port": {"$": 7070, "@enabled": "true"}, "lastDirtyTimestamp": "1000",
        "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"},
    }
}  # fmt: skip


class Eureka:
    """Requests as they are, on one connection or on one each."""

    def __init__(self, agent):
        self.port = agent.ports["eureka"]

    def ask(self, method, path, headers=None, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers, content

    def get(self, path, headers=JAVA):
        status, _, content = self.ask("GET", path, headers)
        assert status == 200, path
        return json.loads(content)

    def apps(self, headers=JAVA, path="/eureka/apps/"):
        """APP -> id -> instance"""
        applications = self.get(path, headers)["applications"]
        return {a["name"]: {i["instanceId"]: i for i in a["instance"]} for a in applications["application"]}

    def shares(self, vip):
        """Address -> share of the repetitions of this name, as a client counts them."""
        counts = {}
        for app in self.apps().values():
            for instance in app.values():
                times = instance["vipAddress"].split(",").count(vip)
                if times:
                    counts[instance["ipAddr"]] = times
        total = sum(counts.values())
        return {address: times / total for address, times in counts.items()}


@pytest.fixture
def door(start_agent, bookinfo):
    agent = start_agent("--source", f"dir:{bookinfo}", "--eureka-listen", "127.0.0.1:0")
    return Eureka(agent), agent, bookinfo


@pytest.mark.parametrize("path", ["/eureka/apps", "/eureka/apps/", "/eureka/v2/apps", "//eureka///v2/apps//"])
def test_every_base_and_slash_gives_the_list(door, path):
    eureka, _, _ = door
    assert set(eureka.apps(path=path)) == {"DETAILS", "PAYMENTS.EXAMPLE.COM", "PRODUCTPAGE", "RATINGS", "REVIEWS", "REVIEWS--V3"}


@pytest.mark.parametrize(
    "accept,form", [("application/json", "json"), ("application/json, application/*+json", "json"), ("*/*", "xml"), (None, "xml")]
)
@pytest.mark.parametrize("packed", [True, False])
def test_form_and_packing_are_what_the_client_offers(door, accept, form, packed):
    eureka, _, _ = door
    headers = {"User-Agent": "Java-EurekaClient/v1"}
    headers.update({"Accept": accept} if accept else {})
    headers.update({"Accept-Encoding": "gzip, x-gzip, deflate"} if packed else {"Accept-Encoding": "identity"})
    for path in ("/eureka/apps", "/eureka/apps/delta", "/eureka/apps/REVIEWS", "/eureka/vips/reviews", "/eureka/vips/none"):
        status, got, content = eureka.ask("GET", path, headers)
        assert status == 200 and got["Content-Type"] == f"application/{form}"
        assert got["Content-Encoding"] == ("gzip" if packed else None)
        content = gzip.decompress(content) if packed else content
        assert json.loads(content) if form == "json" else ET.fromstring(content) is not None


def test_both_formats_say_the_same(door):
    eureka, _, _ = door
    _, _, content = eureka.ask("GET", "/eureka/apps", {"User-Agent": JAVA["User-Agent"]})
    root = ET.fromstring(content)
    listed = eureka.apps()
    assert root.find("apps__hashcode").text == f"UP_{sum(map(len, listed.values()))}_"
    assert {a.find("name").text for a in root.iter("application")} == set(listed)
    for element in root.iter("instance"):
        instance = listed[element.find("app").text][element.find("instanceId").text]
        for name in ("hostName", "ipAddr", "status", "vipAddress", "homePageUrl", "lastUpdatedTimestamp"):
            assert element.find(name).text == instance[name]
        metadata = {k: v for k, v in instance["metadata"].items() if k != "@class"}  # JSON names an empty map's class
        assert {m.tag: m.text for m in element.find("metadata")} == metadata
        assert int(element.find("port").text) == instance["port"]["$"]


def test_shares_are_those_of_the_rules(door):
    eureka, agent, _ = door
    truth = {e["address"]: e["share"] for e in agent.endpoints("reviews")["endpoints"]}
    for name in ("reviews", "reviews.default", "reviews.default.svc.cluster.local"):
        assert eureka.shares(name).keys() == truth.keys()
        assert all(abs(share - truth[address]) <= 0.01 for address, share in eureka.shares(name).items())
    v1 = {e["address"] for e in agent.endpoints("reviews", subset="v1")["endpoints"]}
    assert eureka.shares("reviews--v1").keys() == v1


def test_tls_is_one_secure_instance_of_the_host(door):
    eureka, _, _ = door
    (instance,) = eureka.apps()["PAYMENTS.EXAMPLE.COM"].values()
    assert instance["hostName"] == "payments.example.com"
    assert instance["port"] == {"$": 443, "@enabled": "false"} and instance["securePort"] == {"$": 443, "@enabled": "true"}
    assert instance["secureVipAddress"] == instance["vipAddress"] == "payments.example.com"
    assert instance["homePageUrl"] == "https://payments.example.com:443/"


@pytest.mark.parametrize(
    "method,path,status",
    [
        ("PUT", "/eureka/apps/NOBODY/id?status=UP&lastDirtyTimestamp=1", 404),
        ("DELETE", "/eureka/apps/NOBODY/id", 404),
        ("GET", "/eureka/apps/NOBODY", 404),
        ("GET", "/eureka/v2/apps/REVIEWS/nobody", 404),
        ("GET", "/eureka/instances/nobody", 404),
        ("PUT", "/eureka/asg/x/status?value=ENABLED", 400),
    ],
)
def test_refusals_have_no_body_and_no_type(door, method, path, status):
    eureka, _, _ = door
    got, headers, content = eureka.ask(method, path, {"Content-Type": "application/json"}, "{}" if method == "PUT" else None)
    assert (got, content) == (status, b"")
    assert headers["Content-Length"] == "0" and headers["Content-Type"] is None


def test_registration_lives_its_life(door):
    eureka, agent, _ = door
    post = {"Content-Type": "application/json"}
    own = "/eureka/apps/orders/me%3Aorders%3A7070"
    assert eureka.ask("PUT", f"{own}?status=UP", post, "{}")[0] == 404
    status, headers, content = eureka.ask("POST", "/eureka/apps/ORDERS", post, json.dumps(REGISTRATION))
    assert (status, content, headers["Content-Type"]) == (204, b"", None)
    assert eureka.apps()["ORDERS"]["me:orders:7070"]["status"] == "UP"
    assert "ORDERS" in eureka.apps(path="/eureka/apps/delta")
    assert eureka.ask("PUT", f"{own}?status=UP&lastDirtyTimestamp=1000", post, "{}")[::2] == (200, b"")
    assert eureka.ask("PUT", f"{own}/status?value=OUT_OF_SERVICE")[::2] == (200, b"")
    assert eureka.get("/eureka/apps/ORDERS/me:orders:7070")["instance"]["overriddenstatus"] == "OUT_OF_SERVICE"
    assert eureka.get("/eureka/serverinfo/statusoverrides") == {"me:orders:7070": "OUT_OF_SERVICE"}
    assert "isthmus_eureka_registrations 1" in agent.http("/metrics").body
    assert eureka.ask("DELETE", own)[::2] == (200, b"")
    assert "ORDERS" not in eureka.apps()
    (gone,) = eureka.apps(path="/eureka/apps/delta")["ORDERS"].values()
    assert gone["actionType"] == "DELETED"


def test_chunked_body_in_pieces_is_taken(door):
    """Jersey 1 sends its registration so."""
    eureka, _, _ = door
    body = json.dumps(REGISTRATION).encode()
    with socket.create_connection(("127.0.0.1", eureka.port), timeout=30) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(b"POST /eureka/v2/apps/ORDERS HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       b"Transfer-Encoding: chunked\r\n\r\n")  # fmt: skip
        for at in range(0, len(body), 50):
            piece = body[at : at + 50]
            client.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        client.sendall(b"0\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 204 ")
    assert "ORDERS" in eureka.apps()


def test_foreign_hosts_are_refused(door):
    eureka, _, _ = door
    assert eureka.ask("GET", "/eureka/apps", {"Host": "evil.example:8761"})[0] == 403
    assert eureka.ask("GET", "/eureka/apps", {"Host": "localhost:8761"})[0] == 200


def test_change_of_the_mesh_is_in_list_and_delta(door):
    eureka, _, mesh = door
    before = eureka.get("/eureka/apps")["applications"]
    rules = mesh / "reviews-rules.yaml"
    hidden = mesh / ".rules"
    hidden.write_text(rules.read_text().replace("weight: 90", "weight: 40").replace("weight: 10", "weight: 60"))
    hidden.rename(rules)
    changed = harness.wait_for(
        lambda: (now := eureka.get("/eureka/apps")["applications"])["versions__delta"] != before["versions__delta"] and now,
        "the new weights",
    )
    assert int(changed["versions__delta"]) > int(before["versions__delta"])
    assert sum(eureka.shares("reviews").values()) == pytest.approx(1)
    delta = eureka.get("/eureka/apps/delta")["applications"]
    assert (delta["versions__delta"], delta["apps__hashcode"]) == (changed["versions__delta"], changed["apps__hashcode"])
    assert "REVIEWS" in {a["name"] for a in delta["application"]}


def test_client_that_says_what_it_knows_gets_what_it_lacks(door):
    eureka, _, mesh = door
    _, headers, _ = eureka.ask("GET", "/eureka/apps", JAVA)
    mark, _, attributes = headers["Set-Cookie"].partition(";")
    assert mark.startswith("isthmus-eureka-list=") and attributes.strip() == "Path=/"
    knows = {**JAVA, "Cookie": f"theirs=1; {mark}"}
    assert eureka.apps(knows, "/eureka/apps/delta") == {}
    assert eureka.apps(path="/eureka/apps/delta").keys() == eureka.apps().keys(), "soon after a start: anything may be missing"
    (mesh / "reviews-rules.yaml").unlink()
    harness.wait_for(lambda: eureka.apps(knows, "/eureka/apps/delta"), "the delta")
    assert {"REVIEWS"} <= eureka.apps(knows, "/eureka/apps/delta").keys() <= {"REVIEWS", "REVIEWS--V3"}
    assert eureka.ask("PUT", "/eureka/apps/NOBODY/id")[1]["Set-Cookie"] is None


def test_busy_port_closes_this_door_and_no_other(start_agent, bookinfo):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        agent = start_agent("--source", f"dir:{bookinfo}", "--eureka-listen", f"127.0.0.1:{port}")
        assert "eureka" not in agent.ports and f"{port}" in agent.log() and "eureka door stays closed" in agent.log()
        assert 'isthmus_listener_up{listener="eureka"} 0' in agent.http("/metrics").body
        assert "eureka" not in agent.status()["listeners"]


def test_door_that_is_off_is_not_there(start_agent, bookinfo):
    agent = start_agent("--source", f"dir:{bookinfo}", "--eureka-listen", "off")
    assert "eureka" not in agent.ports and "isthmus_eureka" not in agent.http("/metrics").body


def test_profile_can_be_forced(start_agent, bookinfo):
    agent = start_agent("--source", f"dir:{bookinfo}", "--eureka-listen", "127.0.0.1:0", "--eureka-profile", "ids")
    apps = Eureka(agent).apps()
    assert all("," not in i["vipAddress"] for app in apps.values() for i in app.values())
    assert any("~2" in i for i in apps["REVIEWS"])


def test_settings_of_the_file_are_followed_by_a_reload(start_agent, bookinfo, tmp_path):
    """Pages, metadata, namespaces; what is refused keeps what was."""
    config = tmp_path / "isthmus.yaml"

    def reload(words):
        before = len(agent.stderr)
        agent.child.send_signal(signal.SIGHUP)
        harness.wait_for(lambda: any(words in line for line in agent.stderr[before:]), "the reload")
        return "\n".join(agent.stderr[before:])

    def write(namespaces, **service):
        content = {"eureka-base": ["/discovery/v2"], "eureka-health-path": "/healthz", "unlisted-namespaces": namespaces}
        config.write_text(yaml.safe_dump({**content, "services": {"details": service}}))

    def details():
        return eureka.get("/eureka/apps/details")["application"]["instance"][0]

    write([])
    agent = start_agent("--source", f"dir:{bookinfo}", "--eureka-listen", "127.0.0.1:0", "--config", str(config))
    eureka = Eureka(agent)
    assert eureka.apps(path="/discovery/v2/apps") == eureka.apps()
    place = details()["homePageUrl"]
    assert details()["healthCheckUrl"] == f"{place}healthz" and "team" not in details()["metadata"]
    write(["default"], **{"eureka-home-path": "/home", "metadata": {"team": "blue", "tier": 1}})
    assert "takes effect at the next start" not in reload("configuration reloaded")
    assert "DETAILS" not in harness.wait_for(lambda: "DETAILS" not in (now := eureka.apps()) and now, "the namespace to go")
    assert details()["homePageUrl"] == f"{place}home" and details()["healthCheckUrl"] == f"{place}healthz"
    assert details()["metadata"]["team"] == "blue" and details()["metadata"]["tier"] == "1"
    write([], metadata={"zone": "a"})
    assert 'service details: metadata may not have "zone"' in reload("configuration not reloaded")
    assert details()["metadata"]["team"] == "blue"


def test_report_says_what_this_door_cannot_honour(door):
    """Clients that honour no shares, names that nobody knows; in the report, in its command, in explain and in metrics."""
    eureka, agent, _ = door
    eureka.apps({**JSON, "User-Agent": "Steeltoe/4.2.0"})
    assert eureka.ask("GET", "/eureka/apps/STOCK", JAVA)[0] == 404
    eureka.get("/eureka/vips/stock")
    eureka.get("/eureka/vips/reviews--v2")
    report = agent.get("/v1/report")
    (registry,) = report["registries"]
    honours = {c["client"]: c["honours_shares"] for c in registry["clients"]}
    assert honours == {"Steeltoe/4.2.0": False, JAVA["User-Agent"]: True}
    assert [(n["name"], n["count"]) for n in registry["unknown_names"]] == [("stock", 2)]
    found = {(s["host"].split(".")[0], f["finding"]): f for s in report["services"] for f in s["findings"]}
    assert found["reviews", "unsteered-client"]["detail"].endswith("seen: Steeltoe/4.2.0")
    assert found["mongodb", "not-listed"]["doors"] == ["eureka"]
    doors = {d["door"]: d for d in agent.get("/v1/explain?host=reviews&subset=v2")["doors"]}
    assert doors["eureka"] == {"door": "eureka", "carries": True, "name": "reviews--v2", "reason": None}
    metrics = agent.http("/metrics").body
    assert "isthmus_eureka_unknown_names_total 2" in metrics
    assert 'isthmus_report_findings{finding="unsteered-client"} 1' in metrics


def test_before_the_first_view_nothing_is_answered(start_agent, tmp_path):
    agent = start_agent("--source", "istiod", "--xds-address", "127.0.0.1:9", "--xds-tls", "off",
                        "--eureka-listen", "127.0.0.1:0", wait="listening")  # fmt: skip
    status, _, content = Eureka(agent).ask("GET", "/eureka/apps", JAVA)
    assert (status, content) == (503, b"")


# --- Sizes ----------------------------------------------------------------------------------------------------------

LIST_BYTES, PACKED_BYTES = 4_700_000, 141_000  # 1,000 services of 5 instances


def assert_small(agent):
    """The whole list as a Java client asks for it, plain and packed."""
    eureka = Eureka(agent)
    _, _, packed = eureka.ask("GET", "/eureka/apps/", {**JAVA, "Accept-Encoding": "gzip"})
    _, _, plain = eureka.ask("GET", "/eureka/apps/", {**JAVA, "Accept-Encoding": "identity"})
    assert gzip.decompress(packed) == plain
    assert sum(len(app["instance"]) for app in json.loads(plain)["applications"]["application"]) == 5000
    assert len(plain) <= LIST_BYTES and len(packed) <= PACKED_BYTES, (len(plain), len(packed))


def test_large_list_is_small(start_agent, tmp_path):
    meshes.write_directory(tmp_path, 1000, 5)
    agent = start_agent("--source", f"dir:{tmp_path}", "--pod-namespace", "ns-0", "--eureka-listen", "127.0.0.1:0")
    assert_small(agent)


@pytest.mark.istiod
def test_large_list_with_what_istiod_knows_of_pods_is_small(start_agent, start_istiod):
    """Workload and namespace of every pod are in its metadata, and addresses are further apart."""
    istiod = start_istiod("--synthetic", "1000x5", "--synthetic-pods")
    agent = start_agent(*istiod.plaintext_options(), "--pod-namespace", "ns-0", "--eureka-listen", "127.0.0.1:0")
    assert_small(agent)
