# SPDX-License-Identifier: Apache-2.0
"""The unmodified Eureka clients of Go, Node and Python: each registers, lists, renews and leaves as it really does, and calls
echo servers by the rules of the mesh, where it is the client that chooses."""

import collections
import contextlib
import json
import pathlib
import sys
from xml.etree import ElementTree

import demos
import eureka_bodies
import eureka_support
import harness
import pytest
from eureka_support import CALLS, ECHOES, SHARES, near
from py_eureka_client import eureka_basic

sys.path.append(str(pathlib.Path(__file__).parent / "python"))
from eureka_application import entry as python_entry  # noqa: E402

HERE = pathlib.Path(__file__).parent
# Of what chooses at random no finite number of calls is exact: so many picks are within a point but for one run in two million.
PICKS = 40000
FIVE_SIGMA = 4.5  # per cent: of 2,000 random calls with a share of 80 %
GO = ("fargo-xml", "fargo-json", "go-eureka-client", "go-kit")
NODE = ("eureka-js-client", "@rocketsoftware/eureka-js-client")
PYTHON = "py-eureka-client"


class Application(harness.Process):
    """An application that is asked by lines."""

    def __init__(self, command, env=None):
        super().__init__([str(word) for word in command], env=env)
        self.wait_line(self.stdout, "^started$")
        self.answered = 0

    def ask(self, *words):
        self.child.stdin.write(" ".join(map(str, words)) + "\n")
        self.child.stdin.flush()
        self.answered += 1

        def answers():
            found = [line for line in self.stdout if line.startswith("answer ")]
            assert self.child.poll() is None or len(found) >= self.answered, "it has ended"
            return found if len(found) >= self.answered else None

        found = harness.wait_for(answers, f"an answer to {words} of {self.args}", 120)
        return json.loads(found[self.answered - 1][len("answer ") :])

    def do(self, *words):
        assert self.ask(*words) == "ok", self.log()

    def list(self, *words):
        """Entries of a list, which is no error."""
        entries = self.ask(*words)
        assert isinstance(entries, list), entries
        return entries


def command(client, door):
    if client == PYTHON:
        return [sys.executable, HERE / "python/eureka_application.py", f"http://127.0.0.1:{door}/eureka/"]
    if client in NODE:
        return ["node", demos.node_clients() / "eureka_application.js", client, door]
    return [demos.go_clients(), client, f"http://127.0.0.1:{door}/eureka/v2"]


@contextlib.contextmanager
def running(client, door, env=None):
    application = Application(command(client, door), env)
    try:
        yield application
    finally:
        application.stop()


@pytest.fixture(scope="module")
def whole_stage(tmp_path_factory):
    stage = eureka_support.Stage(tmp_path_factory.mktemp("stage"))
    yield stage
    stage.stop()


@pytest.fixture
def stage(whole_stage):
    """Without the registrations of a test that has failed."""
    yield whole_stage
    for own in ("10.1.0.9:orders:7070", "10.1.0.9"):
        whole_stage.mesh.agent.http(f"/eureka/apps/ORDERS/{own}", "DELETE", port="eureka")


def places(entries):
    return collections.Counter(f"{entry['host']}:{entry['port']}" for entry in entries)


def truth(stage, host, **query):
    """Place -> slots."""
    endpoints = stage.mesh.agent.endpoints(host, **query)["endpoints"]
    return {f"{e['address']}:{e['port']}": e["slots"] for e in endpoints}


def check_own(entry, status="UP", **metadata):
    wanted = {"app": "ORDERS", "host": "10.1.0.9", "ip": "10.1.0.9", "port": 7070, "secure": False, "status": status}
    assert {key: entry[key] for key in wanted} == wanted
    assert entry["metadata"].items() >= metadata.items()


def check_own_json(stage, status):
    """As the server has it."""
    instance = stage.mesh.ask("apps/ORDERS/10.1.0.9:orders:7070").json()["instance"]
    assert instance["status"] == status, instance


# --- Life -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", GO)
def test_go_client_lives_its_life(stage, client):
    with running(client, stage.mesh.port) as application:
        assert "error" in application.ask("own")
        application.do("register")
        check_own(application.ask("own"), version="v7")
        assert places(application.list("app", "ORDERS")) == {"10.1.0.9:7070": 1}
        assert stage.mesh.registrations() == 1
        application.do("heartbeat")
        if client != "go-eureka-client":  # it has no such operations
            application.do("metadata", "colour", "blue")
            application.do("status", "OUT_OF_SERVICE")
            check_own(application.ask("own"), "OUT_OF_SERVICE", colour="blue", version="v7")
            assert application.list("vip", "orders") == []  # of those that are UP
        application.do("deregister")
        assert stage.mesh.registrations() == 0
        assert application.ask("heartbeat") != "ok"  # 404: it would register again


def test_go_kit_registers_again_by_itself(stage):
    """Its registrar takes the 404 of its heartbeat, which comes each second."""
    with running("go-kit", stage.mesh.port) as application:
        application.do("register")
        stage.mesh.agent.http("/eureka/apps/ORDERS/10.1.0.9:orders:7070", "DELETE", port="eureka")
        assert stage.mesh.registrations() == 0
        harness.wait_for(lambda: stage.mesh.registrations() == 1, "the second registration")
        application.do("deregister")
        assert stage.mesh.registrations() == 0


@pytest.mark.parametrize("client", NODE)
def test_node_client_lives_its_life(stage, client):
    """waitForRegistry: it has started only when it has found itself."""
    with running(client, stage.mesh.port) as application:
        application.do("start")
        (own,) = application.list("vip", "orders")
        check_own(own, version="v7")
        check_own(application.list("app", "ORDERS")[0])
        before = application.ask("heartbeats")
        harness.wait_for(lambda: application.ask("heartbeats") >= before + 2, "heartbeats that were answered with 200")
        stage.mesh.agent.http("/eureka/apps/ORDERS/10.1.0.9:orders:7070", "DELETE", port="eureka")
        harness.wait_for(lambda: stage.mesh.registrations() == 1, "its second registration, upon a 404")
        application.do("stop")
        assert stage.mesh.registrations() == 0


def test_python_client_lives_its_life(stage):
    def own():
        return application.list("app", "ORDERS")

    with running(PYTHON, stage.mesh.port) as application:
        (entry,) = harness.wait_for(own, "itself in its list")
        check_own(entry, version="v7")
        application.do("heartbeat")
        application.do("status", "OUT_OF_SERVICE")
        harness.wait_for(lambda: own() == [], "its list, by delta, without itself")  # in XML only what is UP is listed
        check_own_json(stage, "OUT_OF_SERVICE")
        application.do("clear")
        # Cleared is UNKNOWN, upon which its next heartbeat is a 404 and it registers again, as it first did.
        harness.wait_for(own, "itself in its list again")
        check_own_json(stage, "UP")
        application.do("stop")
        assert stage.mesh.registrations() == 0


# --- What it lists --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", GO)
def test_go_client_lists_what_the_agent_says(stage, client):
    reviews, ratings = truth(stage, "reviews"), truth(stage, eureka_support.OTHER_HOST)
    with running(client, stage.mesh.port) as application:
        listed = collections.defaultdict(list)
        for entry in application.list("all"):
            listed[entry["app"]].append(entry)
        assert places(listed["REVIEWS"]) == reviews  # an instance stands there as often as it has slots
        assert places(listed["RATINGS.SHOP"]) == ratings
        for name in ("reviews", "reviews.default", eureka_support.HOST, "review-service"):
            assert places(application.list("app", name)) == places(listed["REVIEWS"]), name
            assert places(application.list("vip", name)) == places(listed["REVIEWS"]), name
        assert places(application.list("vip", "reviews--v2")) == truth(stage, "reviews", subset="v2")
        assert places(application.list("vip", "reviews--p9090")).keys() == truth(stage, "reviews:9090").keys()
        assert application.list("vip", "nobody") == []
        assert {entry["metadata"]["namespace"] for entry in listed["RATINGS.SHOP"]} == {"shop"}


@pytest.mark.parametrize("client", NODE)
def test_node_client_sees_each_endpoint_with_a_share_once(stage, client):
    """It drops entries of equal host and port, however shares are told, so that it cannot be steered; what has no share it
    does not see."""
    with running(client, stage.mesh.port) as application:
        application.do("start")
        for name in ("reviews", "reviews.default", eureka_support.HOST, "review-service"):
            assert places(application.list("vip", name)) == dict.fromkeys(truth(stage, "reviews"), 1), name
        assert places(application.list("app", "reviews")) == dict.fromkeys(truth(stage, "reviews"), 1)
        assert places(application.list("vip", "reviews--v2")) == truth(stage, "reviews", subset="v2")
        assert places(application.list("vip", "ratings.shop")) == truth(stage, eureka_support.OTHER_HOST)
        assert application.list("vip", "REVIEWS") == []  # its look-up minds case
        report = stage.mesh.agent.get("/v1/report?finding=unsteered-client")
        (service,) = report["services"]
        assert service["host"] == eureka_support.HOST and "eureka-js-client" in service["findings"][0]["detail"]
        try:
            stage.shift(dict(zip(ECHOES, (50, 0, 50))))
            wanted = {f"{address}:{stage.echo.port}": 1 for address in (ECHOES[0], ECHOES[2])}
            harness.wait_for(lambda: places(application.list("vip", "reviews")) == wanted, "the list without a share of 0")
        finally:
            stage.shift(SHARES)
        harness.wait_for(lambda: len(application.list("vip", "reviews")) == 3, "the list as it was")
        application.do("stop")


def test_python_client_lists_what_the_agent_says(stage):
    with running(PYTHON, stage.mesh.port) as application:
        assert places(application.list("app", "reviews")) == truth(stage, "reviews")
        assert places(application.list("app", "review-service")) == truth(stage, "reviews")
        assert places(application.list("app", "ratings.shop")) == truth(stage, eureka_support.OTHER_HOST)
        application.do("stop")


# --- What it understands --------------------------------------------------------------------------------------------


def understood(fields):
    """An instance as the applications show it, from parsers that have nothing in common with theirs."""
    secure = fields("securePort.enabled") == "true"
    return {"app": fields("app"), "id": fields("instanceId"), "host": fields("hostName"), "ip": fields("ipAddr"),
            "port": int(fields("securePort" if secure else "port")), "secure": secure, "status": fields("status"),
            "vip": fields("vipAddress") or ""}  # fmt: skip


def check_decoded(bodies, results, kept=lambda found: found):
    """Each of them is understood as it is said; instances in any order."""
    assert len(bodies) == len(results) > 100
    for body, result in zip(bodies, results):
        assert isinstance(result, list), (body.label, result)
        _, found = eureka_bodies.instances(body.root, body.path.read_bytes().decode(), body.json)
        entries = [understood(fields) for _, fields in kept(found)]
        got = [{key: value for key, value in one.items() if key != "metadata"} for one in result]
        assert sorted(map(str, got)) == sorted(map(str, entries)), body.label
        if len(found) == len(result) == 1 and not body.json:
            said, read = found[0][1]("metadata"), result[0]["metadata"]
            assert sum(map(bool, read.values())) == sum(map(bool, said.values())), body.label


@pytest.mark.parametrize("client,is_json", [("fargo-json", True), ("fargo-xml", False), ("go-eureka-client", False)])
def test_go_client_understands_every_body(bodies, client, is_json):
    results = demos.lines_of([demos.go_clients(), "decode", client, bodies.lists[is_json]])
    check_decoded([body for body in bodies.all if body.json == is_json], results)


@pytest.mark.parametrize("client", NODE)
def test_node_client_understands_every_list(bodies, client, tmp_path):
    """Which are JSON to it. It keeps who is UP, once for each host and port."""
    def kept(found):
        up = [(name, fields) for name, fields in reversed(found) if fields("status") == "UP"]
        return {(name, fields("hostName"), fields("port")): (name, fields) for name, fields in up}.values()

    lists = [body for body in bodies.all if body.json and body.root == "applications"]
    names = tmp_path / "list"
    names.write_text("".join(f"{body.path}\n" for body in lists))
    words = ["node", demos.node_clients() / "eureka_application.js", client, "decode", names]
    check_decoded(lists, demos.lines_of(words), kept)


def test_python_client_understands_every_body(bodies):
    """Which are XML to it."""
    read = {"applications": eureka_basic._build_applications, "application": eureka_basic._build_application,
            "instance": eureka_basic._build_instance}  # fmt: skip

    def entries(body):
        found = read[body.root](ElementTree.fromstring(body.path.read_bytes()))
        apps = {"applications": lambda: found.applications, "application": lambda: [found]}.get(body.root, list)()
        return [python_entry(one) for app in apps for one in app.instances] or (
            [python_entry(found)] if body.root == "instance" else [])

    lists = [body for body in bodies.all if not body.json]
    check_decoded(lists, [entries(body) for body in lists])


# --- Whom it calls --------------------------------------------------------------------------------------------------


def check_calls(application, kind, within):
    counts = application.ask("call", *kind, "reviews", CALLS)
    assert sum(counts.values()) == CALLS and near(counts, SHARES, within), counts


@pytest.mark.parametrize(
    "client,kind",
    [
        ("fargo-xml", "list"),
        ("fargo-json", "list"),
        ("go-eureka-client", "list"),
        ("go-kit", "round-robin"),
        ("go-kit", "random"),
    ],
)
def test_go_client_calls_by_the_rules(stage, client, kind):
    with running(client, stage.mesh.port) as application:
        check_calls(application, [kind], FIVE_SIGMA if kind == "random" else eureka_support.POINT)
        picks = application.ask("pick", kind, "reviews", PICKS)
        assert near({place.partition(":")[0]: count for place, count in picks.items()}, SHARES), picks


def test_python_client_calls_by_the_rules(stage, tmp_path):
    """It reads the system's certificates anew for each call, plain HTTP or not: here there are none, which is quicker."""
    with running(PYTHON, stage.mesh.port, {"SSL_CERT_FILE": "", "SSL_CERT_DIR": str(tmp_path)}) as application:
        counts = application.ask("call", "reviews", CALLS)
        assert near({place.partition(":")[0]: count for place, count in counts.items()}, SHARES, FIVE_SIGMA), counts
        picks = application.ask("pick", "reviews", PICKS)
        assert near({place.partition(":")[0]: count for place, count in picks.items()}, SHARES), picks
        application.do("stop")
