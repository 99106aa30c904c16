# SPDX-License-Identifier: Apache-2.0
"""Every operation of the Eureka protocol as Netflix's server answers it: statuses, headers, empty bodies, rules of status; and
the registrations of all clients that we know, in their own spelling."""

import http.client
import json
import xml.etree.ElementTree as ET

import pytest

BASES = ("/eureka", "/eureka/v2")
TYPED = {"Content-Type": "application/json"}
JSON = {"Accept": "application/json", "User-Agent": "Java-EurekaClient/v1.10.18"}
APP = "/eureka/apps/ORDERS"
OWN = f"{APP}/me:orders:7070"


def instance(**changes):
    whole = {
        "instanceId": "me:orders:7070", "hostName": "me", "app": "ORDERS", "ipAddr": "10.9.9.9", "vipAddress": "orders",
        "secureVipAddress": "orders-tls", "status": "UP", "port": {"$": 7070, "@enabled": "true"}, "lastDirtyTimestamp": "1000",
        "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"},
    }  # fmt: skip
    whole.update(changes)
    return {name: value for name, value in whole.items() if value is not None}


class Door:
    def __init__(self, agent):
        self.agent = agent

    def ask(self, method, path, body=None, headers=None):
        """Status, headers, body; byte by byte, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.agent.ports["eureka"], timeout=30)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        found = answer.status, answer.headers, answer.read()
        connection.close()
        return found

    def post(self, path, body):
        return self.ask("POST", path, json.dumps(body), TYPED)

    def bare(self, method, path, body=None, headers=None):
        """The status of an answer that has neither a body nor a type of one."""
        status, got, content = self.ask(method, path, body, headers)
        assert (content, got["Content-Type"], got["Content-Encoding"]) == (b"", None, None), (method, path)
        assert got["Content-Length"] in ("0", None) and got["Transfer-Encoding"] is None
        return status

    def register(self, body=None, path=APP, **changes):
        text = json.dumps({"instance": instance(**changes)}) if body is None else body
        return self.bare("POST", path, text, TYPED)

    def get(self, path):
        status, headers, content = self.ask("GET", path, headers=JSON)
        assert (status, headers["Content-Type"]) == (200, "application/json"), path
        return json.loads(content)

    def own(self):
        return self.get(OWN)["instance"]


@pytest.fixture
def door(start_agent, bookinfo):
    return Door(start_agent("--source", f"dir:{bookinfo}", "--eureka-listen", "127.0.0.1:0"))


# --- Register -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", BASES)
def test_register_is_204_without_a_body(door, base):
    assert door.register(path=f"{base}/apps/ORDERS") == 204
    assert door.register(path=f"{base}/apps/orders/", lastDirtyTimestamp="2000") == 204


@pytest.mark.parametrize(
    "lacking,text",
    [("hostName", "hostname"), ("ipAddr", "ip address"), ("app", "appName"), ("dataCenterInfo", "dataCenterInfo")],
)
def test_register_without_what_it_needs_is_400_with_a_short_text(door, lacking, text):
    status, headers, content = door.post(APP, {"instance": instance(**{lacking: None})})
    assert (status, headers["Content-Type"]) == (400, "text/plain") and text in content.decode() and len(content) < 100


def test_register_with_neither_id_nor_host_name_is_400(door):
    status, _, content = door.post(APP, {"instance": instance(instanceId=None, hostName=None)})
    assert (status, content) == (400, b"Missing instanceId")


def test_register_with_a_data_center_without_a_name_is_400(door):
    status, _, content = door.post(APP, {"instance": instance(dataCenterInfo={})})
    assert (status, content) == (400, b"Missing dataCenterInfo Name")


def test_register_under_another_application_is_400(door):
    status, _, content = door.post("/eureka/apps/OTHER", {"instance": instance()})
    assert (status, content) == (400, b"Mismatched appName, expecting OTHER but was ORDERS")


def test_register_compares_the_application_in_upper_case(door):
    assert door.register(path="/eureka/apps/oRdErS", app="Orders") == 204
    assert door.own()["app"] == "ORDERS"


def test_register_without_an_id_takes_the_host_name(door):
    assert door.register(instanceId=None) == 204
    assert door.get(f"{APP}/me")["instance"]["instanceId"] == "me"


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "<", "<a/>", "{}", '{"instance":[]}', "\x00", '{"instance":null}'])
@pytest.mark.parametrize("kind", ["application/json", "application/xml", None])
def test_register_with_a_body_that_is_none_is_400(door, body, kind):
    status, _, _ = door.ask("POST", APP, body, {"Content-Type": kind} if kind else None)
    assert status == 400
    assert door.bare("GET", OWN, headers=JSON) == 404


# --- Heartbeat ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("body,headers", [(None, {}), ("{}", TYPED), ("", {"Content-Length": "0"})])
def test_heartbeat_is_200_without_a_body(door, base, body, headers):
    door.register()
    path = f"{base}/apps/ORDERS/me%3Aorders%3A7070"
    ours = ("", "?status=UP", "?status=UP&lastDirtyTimestamp=1000", "?lastDirtyTimestamp=999", "?status=DOWN&overriddenstatus=UP")
    for query in ours:
        assert door.bare("PUT", path + query, body, headers) == 200
    assert door.own()["status"] == "UP"  # what a heartbeat says of the status counts for nothing


def test_heartbeat_of_nobody_is_404_without_a_body(door):
    door.register()
    for path in (f"{APP}/other", "/eureka/apps/OTHER/me:orders:7070", f"{OWN}x"):
        assert door.bare("PUT", f"{path}?status=UP", "{}", {"Content-Type": "application/json", **JSON}) == 404


def test_heartbeat_of_a_newer_state_is_404(door):
    door.register()
    assert door.bare("PUT", f"{OWN}?status=UP&lastDirtyTimestamp=1001") == 404
    assert door.register(lastDirtyTimestamp="1001") == 204
    assert door.bare("PUT", f"{OWN}?status=UP&lastDirtyTimestamp=1001") == 200


def test_heartbeat_of_an_unknown_status_is_404(door):
    door.register(status="UNKNOWN")
    assert door.bare("PUT", OWN) == 404


def test_heartbeat_of_a_server_with_an_older_state_is_409_with_the_instance(door):
    door.register()
    peer = {"x-netflix-discovery-replication": "true", **JSON}
    status, headers, content = door.ask("PUT", f"{OWN}?status=UP&lastDirtyTimestamp=999", headers=peer)
    assert (status, headers["Content-Type"]) == (409, "application/json")
    assert json.loads(content)["instance"]["instanceId"] == "me:orders:7070"
    assert door.bare("PUT", f"{OWN}?status=UP&lastDirtyTimestamp=1000", headers=peer) == 200


# --- Cancel -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", BASES)
def test_cancel_is_200_once_and_404_then(door, base):
    door.register()
    path = f"{base}/apps/orders/me:orders:7070"
    assert [door.bare("DELETE", path) for _ in range(2)] == [200, 404]
    assert door.bare("GET", OWN, headers=JSON) == 404


def test_what_the_mesh_has_is_nobodys_to_change(door):
    ident = door.get("/eureka/apps/REVIEWS")["application"]["instance"][0]["instanceId"]
    path = f"/eureka/apps/REVIEWS/{ident}"
    verbs = ("PUT ", "DELETE ", "PUT /status?value=DOWN", "DELETE /status", "PUT /metadata?a=b")
    for method, rest in (verb.split(" ") for verb in verbs):
        assert door.bare(method, path + rest) == 404, (method, rest)
    assert door.get(path)["instance"]["status"] == "UP"


# --- Reading ------------------------------------------------------------------------------------------------------------


def test_own_registration_is_in_every_answer(door):
    door.register()
    by_app = door.get(APP)["application"]["instance"][0]
    assert by_app == door.own() == door.get("/eureka/instances/me:orders:7070")["instance"]
    for path in ("/eureka/apps", "/eureka/apps/", "/eureka/apps/delta", "/eureka/vips/orders", "/eureka/svips/orders-tls"):
        applications = door.get(path)["applications"]["application"]
        assert [i["instanceId"] for a in applications if a["name"] == "ORDERS" for i in a["instance"]] == ["me:orders:7070"], path


@pytest.mark.parametrize("path", ["/eureka/vips/nobody", "/eureka/svips/nobody", "/eureka/v2/vips/NO-body.nowhere"])
def test_unknown_vip_is_an_empty_list(door, path):
    assert door.get(path) == {"applications": {"versions__delta": "-1", "apps__hashcode": "", "application": []}}
    _, _, content = door.ask("GET", path)
    root = ET.fromstring(content)
    assert root.find("versions__delta").text == "-1" and not root.find("apps__hashcode").text and root.find("application") is None


@pytest.mark.parametrize("path", ["/eureka/apps/NOBODY", f"{APP}/nobody", "/eureka/instances/nobody", "/eureka/apps/NOBODY/me"])
@pytest.mark.parametrize("headers", [JSON, {"Accept": "application/xml"}, {}, {"Accept-Encoding": "gzip"}])
def test_unknown_application_and_instance_are_404_without_a_body(door, path, headers):
    assert door.bare("GET", path, headers=headers) == 404


@pytest.mark.parametrize("path", ["/eureka/apps/reviews", "/eureka/v2/apps/REVIEWS/", "//eureka//apps/rEviews"])
def test_application_is_found_in_any_case(door, path):
    assert door.get(path)["application"]["name"] == "REVIEWS"


def test_regions_count_for_nothing(door):
    for path in ("/eureka/apps/", "/eureka/apps/delta"):
        assert door.get(f"{path}?regions=us-east-1,eu-west-1")["applications"] == door.get(path)["applications"]


def test_application_called_delta_is_hidden_by_the_delta(door):
    assert door.register(path="/eureka/apps/DELTA", app="DELTA") == 204
    assert "applications" in door.get("/eureka/apps/delta")
    assert door.get("/eureka/apps/DELTA")["application"]["name"] == "DELTA"


def test_content_type_of_a_question_counts_for_nothing(door):
    """Spring's RestClient and a Go client send one."""
    status, headers, content = door.ask("GET", "/eureka/apps/", headers={"Content-Type": "application/json", "Accept": "*/*"})
    assert (status, headers["Content-Type"]) == (200, "application/xml") and ET.fromstring(content).tag == "applications"


def test_compact_form_has_these_fields(door):
    wanted = {"instanceId", "app", "ipAddr", "vipAddress", "secureVipAddress", "dataCenterInfo", "hostName", "status",
              "lastUpdatedTimestamp", "actionType", "port", "securePort"}  # fmt: skip
    door.register()
    _, _, content = door.ask("GET", APP, headers={**JSON, "X-Eureka-Accept": "compact"})
    (found,) = json.loads(content)["application"]["instance"]
    assert set(found) == wanted and isinstance(found["lastUpdatedTimestamp"], int)
    _, _, content = door.ask("GET", APP, headers={"X-Eureka-Accept": "compact"})
    assert {e.tag for e in ET.fromstring(content).find("instance")} == wanted


# --- Status -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["OUT_OF_SERVICE", "DOWN", "STARTING", "UNKNOWN", "UP"])
def test_status_can_be_overridden(door, status):
    door.register()
    assert door.bare("PUT", f"{OWN}/status?value={status}&lastDirtyTimestamp=1000") == 200
    own = door.own()
    assert own["status"] == status and own["overriddenstatus"] == status


@pytest.mark.parametrize("query", ["?value=SLEEPY", "?value=", ""])
def test_status_that_there_is_not_is_500(door, query):
    door.register()
    assert door.bare("PUT", f"{OWN}/status{query}") == 500
    assert door.own()["status"] == "UP"


def test_status_of_nobody_is_404(door):
    assert door.bare("PUT", f"{OWN}/status?value=UP") == 404
    assert door.bare("DELETE", f"{OWN}/status?value=UP") == 404


def test_status_takes_over_a_newer_time_of_the_client(door):
    door.register()
    door.bare("PUT", f"{OWN}/status?value=DOWN&lastDirtyTimestamp=5000")
    assert door.own()["lastDirtyTimestamp"] == "5000"
    assert door.bare("PUT", f"{OWN}?lastDirtyTimestamp=5000") == 200


def test_cleared_override_gives_the_status_that_is_said(door):
    door.register()
    door.bare("PUT", f"{OWN}/status?value=OUT_OF_SERVICE")
    assert door.bare("DELETE", f"{OWN}/status?value=UP&lastDirtyTimestamp=1000") == 200
    own = door.own()
    assert (own["status"], own["overriddenstatus"]) == ("UP", "UNKNOWN")


def test_cleared_override_without_a_status_asks_for_a_registration(door):
    door.register()
    door.bare("PUT", f"{OWN}/status?value=OUT_OF_SERVICE")
    assert door.bare("DELETE", f"{OWN}/status") == 200
    assert door.own()["status"] == "UNKNOWN" and door.bare("PUT", OWN) == 404
    assert door.register() == 204
    assert door.own()["status"] == "UP" and door.bare("PUT", OWN) == 200


def test_clearing_what_is_not_overridden_changes_nothing(door):
    door.register()
    assert door.bare("DELETE", f"{OWN}/status?value=DOWN") == 200
    assert door.own()["status"] == "UP"


@pytest.mark.parametrize(
    "reported,override,shown",
    [
        ("DOWN", "OUT_OF_SERVICE", "DOWN"),  # what is less than out of service is believed
        ("STARTING", "UP", "STARTING"),
        ("UP", "OUT_OF_SERVICE", "OUT_OF_SERVICE"),
        ("OUT_OF_SERVICE", "UP", "UP"),
        ("UP", None, "UP"),
        ("OUT_OF_SERVICE", None, "OUT_OF_SERVICE"),  # Netflix's server keeps UP here: we believe who takes itself out
    ],
)
def test_registration_and_override_decide_together(door, reported, override, shown):
    door.register()
    if override:
        door.bare("PUT", f"{OWN}/status?value={override}")
    door.register(status=reported, lastDirtyTimestamp="2000")
    assert door.own()["status"] == shown
    door.bare("PUT", OWN)
    assert door.own()["status"] == shown


def test_registration_that_comes_late_changes_nothing(door):
    door.register(lastDirtyTimestamp="2000")
    assert door.register(status="DOWN", lastDirtyTimestamp="1000") == 204
    assert door.own()["status"] == "UP" and door.own()["lastDirtyTimestamp"] == "2000"


# --- Metadata and what servers ask --------------------------------------------------------------------------------------


def test_metadata_is_added_and_replaced(door):
    door.register(metadata={"a": "1", "b": "2"})
    assert door.bare("PUT", f"{OWN}/metadata?b=3&c=a%20b%2Bc") == 200
    assert door.own()["metadata"] == {"a": "1", "b": "3", "c": "a b+c"}
    assert door.bare("PUT", f"{APP}/nobody/metadata?a=1") == 404


def test_empty_metadata_is_an_empty_map_of_java(door):
    door.register()
    assert door.own()["metadata"] == {"@class": "java.util.Collections$EmptyMap"}
    _, _, content = door.ask("GET", OWN)
    assert ET.fromstring(content).find("metadata").get("class") == "java.util.Collections$EmptyMap"


def test_scaling_groups_are_refused(door):
    assert door.bare("PUT", "/eureka/asg/group/status?value=ENABLED") == 400


@pytest.mark.parametrize("path", ["/eureka/peerreplication/batch/", "/eureka/v2/peerreplication/batch"])
def test_batch_of_a_server_is_answered_item_by_item_and_kept_by_nobody(door, path):
    actions = ["Register", "Heartbeat", "Cancel", "StatusUpdate", "DeleteStatusOverride"]
    item = {"appName": "ORDERS", "id": "x", "lastDirtyTimestamp": 1, "status": "UP", "instanceInfo": instance()}
    items = [{**item, "action": action} for action in actions]
    status, headers, content = door.post(path, {"replicationList": items})
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(content) == {"responseList": [{"statusCode": 200}] * len(items)}
    assert door.bare("GET", APP, headers=JSON) == 404


# --- The registrations of all clients -----------------------------------------------------------------------------------

OWN_CENTER = {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"}
LEASE = {"renewalIntervalInSecs": 10, "durationInSecs": 30, "registrationTimestamp": 0, "lastRenewalTimestamp": 0,
         "evictionTimestamp": 0, "serviceUpTimestamp": 0}  # fmt: skip
JERSEY = {
    "instanceId": "h:orders:7070", "hostName": "h", "app": "ORDERS", "ipAddr": "10.9.9.9", "status": "STARTING",
    "overriddenstatus": "UNKNOWN", "port": {"$": 7070, "@enabled": "true"}, "securePort": {"$": 443, "@enabled": "false"},
    "countryId": 1, "dataCenterInfo": OWN_CENTER, "leaseInfo": LEASE, "metadata": {"management.port": "7071"},
    "homePageUrl": "http://h:7070/", "statusPageUrl": "http://h:7070/actuator/info", "vipAddress": "orders",
    "healthCheckUrl": "http://h:7070/actuator/health", "secureVipAddress": "orders", "isCoordinatingDiscoveryServer": "false",
    "lastUpdatedTimestamp": "1700000000000", "lastDirtyTimestamp": "1700000000001",
}  # fmt: skip
SPRING = {
    **JERSEY, "appGroupName": None, "sid": "na", "asgName": None, "secureHealthCheckUrl": None, "actionType": None,
    "isCoordinatingDiscoveryServer": False, "lastUpdatedTimestamp": 1700000000000, "lastDirtyTimestamp": 1700000000001,
}  # fmt: skip
NODE = {
    "app": "orders", "instanceId": "h:orders:7070", "hostName": "h", "ipAddr": "10.9.9.9", "vipAddress": "orders",
    "statusPageUrl": "http://h:7070/info", "status": "UP", "dataCenterInfo": {"name": "MyOwn"},
}  # fmt: skip
STEELTOE = {**{k: v for k, v in JERSEY.items() if k != "metadata"}, "status": "UP", "overriddenstatus": "UNKNOWN", "sid": "na",
            "metadata": {"@class": "java.util.Collections$EmptyMap"}, "lastDirtyTimestamp": "1700000000001"}  # fmt: skip
FARGO_JSON = {
    "instanceId": "h:orders:7070", "hostName": "h", "app": "ORDERS", "ipAddr": "10.9.9.9", "vipAddress": "orders",
    "secureVipAddress": "", "status": "UP", "overriddenstatus": "", "port": {"$": "7070", "@enabled": "true"},
    "securePort": {"$": "0", "@enabled": "false"}, "homePageUrl": "", "statusPageUrl": "", "healthCheckUrl": "", "countryId": 0,
    "dataCenterInfo": {"name": "MyOwn", "@class": "com.netflix.appinfo.MyDataCenterInfo"}, "metadata": {"a": 1, "b": None},
    "leaseInfo": {**LEASE, "renewalIntervalInSecs": 0, "durationInSecs": 0},
}  # fmt: skip
ARTHUR = {
    "hostName": "h", "app": "ORDERS", "ipAddr": "10.9.9.9", "vipAddress": "http://127.0.0.1:19999", "status": "UP",
    "port": {"$": 7070, "@enabled": True}, "securePort": {"$": 0, "@enabled": False}, "leaseInfo": {"evictionDurationInSecs": 30},
    "dataCenterInfo": {"name": "MyOwn", "@class": ""}, "metadata": {"map": "x"},
}  # fmt: skip
JERSEY_XML = (
    "<instance><instanceId>h:orders:7070</instanceId><hostName>h</hostName><app>ORDERS</app><ipAddr>10.9.9.9</ipAddr>"
    "<status>STARTING</status><overriddenstatus>UNKNOWN</overriddenstatus><port enabled=\"true\">7070</port>"
    "<securePort enabled=\"false\">443</securePort><countryId>1</countryId>"
    "<dataCenterInfo class=\"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo\"><name>MyOwn</name></dataCenterInfo>"
    "<leaseInfo><renewalIntervalInSecs>10</renewalIntervalInSecs><durationInSecs>30</durationInSecs></leaseInfo>"
    "<metadata><management.port>7071</management.port></metadata><vipAddress>orders</vipAddress>"
    "<isCoordinatingDiscoveryServer>false</isCoordinatingDiscoveryServer>"
    "<lastDirtyTimestamp>1700000000001</lastDirtyTimestamp></instance>"
)
FARGO_XML = (
    "<instance><instanceId>h:orders:7070</instanceId><hostName>h</hostName><app>ORDERS</app><ipAddr>10.9.9.9</ipAddr>"
    "<vipAddress>orders</vipAddress><secureVipAddress></secureVipAddress><status>UP</status><overriddenstatus></overriddenstatus>"
    "<port enabled=\"true\">7070</port><securePort enabled=\"false\">0</securePort><homePageUrl></homePageUrl>"
    "<statusPageUrl></statusPageUrl><healthCheckUrl></healthCheckUrl><countryId>0</countryId><dataCenterInfo><name>MyOwn</name>"
    "<metadata></metadata></dataCenterInfo><leaseInfo><renewalIntervalInSecs>0</renewalIntervalInSecs><durationInSecs>0"
    "</durationInSecs><registrationTimestamp>0</registrationTimestamp></leaseInfo><metadata><a>1</a></metadata></instance>"
)


def wrapped(body):
    return json.dumps({"instance": body})


STARTING = {"status": "STARTING", "duration": 30, "metadata": {"management.port": "7071"}}
PYTHON_METADATA = {"management.port": "7070", "zone": "default"}
# name, body, Content-Type, what of it is kept
BODIES = [
    ("jersey", wrapped(JERSEY), "application/json", STARTING),
    ("jersey-xml", JERSEY_XML, "application/xml", STARTING),
    ("spring", wrapped(SPRING), "application/json", STARTING),
    ("spring-1.7", wrapped({**SPRING, "overridden_status": "UNKNOWN", "overriddenstatus": None}), "application/json", STARTING),
    ("spring-down", wrapped({**SPRING, "status": "DOWN"}), "application/json", {**STARTING, "status": "DOWN"}),
    ("node", wrapped({**NODE, "port": {"$": 7070, "@enabled": True}}), "application/json", {}),
    ("node-bare-port", wrapped({**NODE, "port": 7070}), "application/json; charset=utf-8", {}),
    ("python", wrapped({**JERSEY, "status": "UP", "secureHealthCheckUrl": "", "metadata": PYTHON_METADATA}), "application/json",
     {"duration": 30, "metadata": PYTHON_METADATA}),
    ("steeltoe", wrapped(STEELTOE), "application/json", {"duration": 30}),
    ("fargo-xml", FARGO_XML, "application/xml", {"metadata": {"a": "1"}}),
    ("fargo-xml-untyped", FARGO_XML, None, {"metadata": {"a": "1"}}),
    ("fargo-json", wrapped(FARGO_JSON), "application/json", {"metadata": {"a": "1"}}),
    ("go-kit", FARGO_XML.replace("<metadata><a>1</a></metadata>", "<metadata></metadata>"), "application/xml", {}),
    ("arthurhlt", wrapped(ARTHUR), "application/json",
     {"id": "h", "vip": "http://127.0.0.1:19999", "duration": 30, "metadata": {"map": "x"}}),
]  # fmt: skip


@pytest.mark.parametrize("body,kind,kept", [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
def test_registration_of_every_client_is_taken_and_given_back(door, body, kind, kept):
    assert door.bare("POST", "/eureka/v2/apps/orders", body, {"Content-Type": kind} if kind else None) == 204
    ident = kept.get("id", "h:orders:7070")
    found = door.get(f"{APP}/{ident}")["instance"]
    assert (found["instanceId"], found["app"], found["hostName"], found["ipAddr"]) == (ident, "ORDERS", "h", "10.9.9.9")
    assert found["status"] == kept.get("status", "UP") and found["overriddenstatus"] == "UNKNOWN"
    assert found["port"] == {"$": 7070, "@enabled": "true"} and found["securePort"]["@enabled"] == "false"
    assert found["vipAddress"] == kept.get("vip", "orders")
    assert found["leaseInfo"]["durationInSecs"] == kept.get("duration", 90)
    assert {k: v for k, v in found["metadata"].items() if k != "@class"} == kept.get("metadata", {})
    assert found["dataCenterInfo"] == OWN_CENTER
    assert door.bare("PUT", f"{APP}/{ident}", headers=JSON) == (200 if found["status"] != "UNKNOWN" else 404)
    _, _, content = door.ask("GET", f"{APP}/{ident}", headers={"Accept": "application/xml"})
    element = ET.fromstring(content)
    assert [element.find(n).text for n in ("instanceId", "app", "vipAddress")] == [ident, "ORDERS", found["vipAddress"]]
