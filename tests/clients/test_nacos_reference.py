# SPDX-License-Identifier: Apache-2.0
"""The agent beside the makers' own server: the same requests over HTTP and gRPC, every answer compared field by field. What
differs stands in a table here, with its reason; what is in the table and does not differ is a failure too."""

import re

import harness
import nacos_reference
import nacos_wire
import objects
import pytest

NAME, OTHER = "orders", "payments"
# Each server's own: when, and what it calls a connection.
OWN = {"lastRefTime", "connectionId", "requestId"}
ONE, TWO = ("10.1.0.1", 7070), ("10.1.0.2", 7071)


class Difference:
    """`where`: a regular expression for STEP: FIELD, as `differences` writes it."""

    def __init__(self, where, reason):
        self.where, self.reason, self.seen = re.compile(where), reason, False


def table():
    hosts = r".*\.hosts\[[^]]*\]\."
    return [
        Difference(r"gRPC, .*\.message", "success has a word too; clients look at it where something fails"),
        Difference(r"gRPC, an unknown kind of registration: \.message", "our words"),
        Difference(r"HTTP, register at a port that is none: \[1\]", "our words"),
        Difference(hosts + "(instanceHeartBeatInterval|instanceHeartBeatTimeOut|ipDeleteTimeout|instanceIdGenerator)",
                   "what the metadata says or does not say, computed; no client reads it from a list"),
        Difference(r"HTTP, list .*: \[1\]\.cacheMillis", "so often do clients ask that are not told of changes: theirs is 10 s"),
        Difference(r"HTTP, list of the one that is left: .*\.weight", "weights that are all the same are told as 1"),
        Difference(r"HTTP, names.*: \[1\]\.(count|doms.*)", "theirs keeps names for a minute after their last instance has gone"),
    ]


# --- What is asked --------------------------------------------------------------------------------------------------


def http_steps(http):
    """(what, answer) one after the other."""
    def list_of(name, **more):
        return http.ask("GET", "/v1/ns/instance/list", serviceName=name, **more)

    def settled(count):
        """Servers take their time."""
        harness.wait_for(lambda: len(http.list(NAME)["hosts"]) == count, f"{count} instances in the list")
        return list_of(NAME)

    one, two = ({"serviceName": NAME, "ip": ip, "port": port} for ip, port in (ONE, TWO))
    yield "list of a service that is not there", list_of("ghost")
    yield "list with a group in the name", list_of("shop@@ghost")
    yield "list without a name", http.ask("GET", "/v1/ns/instance/list")
    yield "register", http.ask("POST", "/v1/ns/instance", **one)
    yield "list of one", settled(1)
    yield "register by form", http.ask("POST", "/v1/ns/instance", form={
        **two, "weight": "3", "metadata": '{"version":"v1"}', "clusterName": "DEFAULT", "ephemeral": "true"})  # fmt: skip
    yield "list of two", settled(2)
    yield "list of a cluster", list_of(NAME, clusters="DEFAULT")
    yield "list of another cluster", list_of(NAME, clusters="NONE")
    yield "list of the healthy", list_of(NAME, healthyOnly="true")
    yield "one instance", http.ask("GET", "/v1/ns/instance", **two)
    yield "an instance that is not there", http.ask("GET", "/v1/ns/instance", serviceName=NAME, ip="10.1.0.9", port=1)
    yield "beat", http.ask("PUT", "/v1/ns/instance/beat", **one)
    yield "beat of nobody", http.ask("PUT", "/v1/ns/instance/beat", serviceName="ghost", ip="10.1.0.9", port=1)
    yield "names", http.ask("GET", "/v1/ns/service/list", pageNo=1, pageSize=10)
    yield "names of page 2", http.ask("GET", "/v1/ns/service/list", pageNo=2, pageSize=10)
    for missing in ("serviceName", "ip", "port"):
        words = {key: value for key, value in one.items() if key != missing}
        yield f"register without {missing}", http.ask("POST", "/v1/ns/instance", **words)
    yield "register at a port that is none", http.ask("POST", "/v1/ns/instance", **{**one, "port": "x"})
    yield "status", http.ask("GET", "/v1/ns/operator/metrics", onlyStatus="true")
    yield "deregister one", http.ask("DELETE", "/v1/ns/instance", **one)
    yield "deregister it again", http.ask("DELETE", "/v1/ns/instance", **one)
    yield "list of the one that is left", settled(1)
    yield "deregister the other", http.ask("DELETE", "/v1/ns/instance", **two)


def rpc_steps(connection, pushes):
    """(what, answer) one after the other; `pushes`: those of lists among them."""
    def push_of(count):
        return connection.wait_list(OTHER, lambda info: len(info["hosts"]) == count)

    one = nacos_wire.instance(*ONE, metadata={"version": "v1"})
    two = nacos_wire.instance(*TWO, weight=3.0)
    yield "server check", connection.check
    yield "set-up", connection.pushed("SetupAckRequest")[0]
    yield "health check", connection.ask("HealthCheckRequest")
    yield "unknown request", connection.ask("NoSuchRequest")
    yield "query of a service that is not there", connection.naming("ServiceQueryRequest", "ghost", cluster="", healthyOnly=False)
    yield "subscribe to what is not there", connection.naming("SubscribeServiceRequest", OTHER, subscribe=True, clusters="")
    yield "register", connection.register(OTHER, one)
    if pushes:
        yield "push of one", push_of(1)
    harness.wait_for(lambda: len(connection.query(OTHER)["hosts"]) == 1, "the one that is registered")
    yield "query of one", connection.naming("ServiceQueryRequest", OTHER, cluster="", healthyOnly=False)
    yield "query of a cluster", connection.naming("ServiceQueryRequest", OTHER, cluster="NONE", healthyOnly=False)
    yield "batch", connection.naming("BatchInstanceRequest", OTHER, type="batchRegisterInstance", instances=[one, two])
    if pushes:
        yield "push of two", push_of(2)
    harness.wait_for(lambda: len(connection.query(OTHER)["hosts"]) == 2, "both that are registered")
    yield "names", connection.services()
    yield "names of page 2", connection.services(2, 10)
    yield "an unknown kind of registration", connection.register(OTHER, one, "noSuchThing")
    yield "unsubscribe", connection.naming("SubscribeServiceRequest", OTHER, subscribe=False, clusters="")
    yield "deregister", connection.deregister(OTHER, one)


def answers_of(server):
    """Step -> answer."""
    http, connection = nacos_wire.Http(server.http_port), server.connect(abilities=nacos_wire.ABILITIES)
    found = {f"gRPC, {what}": answer for what, answer in rpc_steps(connection, server.pushes)}
    connection.stop()
    harness.wait_for(lambda: not http.list(OTHER)["hosts"], "the registrations of the connection to be gone")
    found.update({f"HTTP, {what}": answer for what, answer in http_steps(http)})
    http.close()
    return found


# --- Comparing ------------------------------------------------------------------------------------------------------


def flat(value, path=""):
    """Path -> value; hosts by where they are, since their order is each server's own."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key not in OWN:
                yield from flat(each, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        if not value:
            yield path, []
        for i, each in enumerate(value):
            place = f"{each['ip']}:{each['port']}" if isinstance(each, dict) and "ip" in each else i
            yield from flat(each, f"{path}[{place}]")
    else:
        yield path, value


def differences(theirs, ours):
    """(STEP: FIELD, what they say, what we say)"""
    for step, answer in theirs.items():
        want, got = dict(flat(answer)), dict(flat(ours[step]))
        for path in {**want, **got}:
            absent = "absent"
            a, b = want.get(path, absent), got.get(path, absent)
            if a != b or isinstance(a, bool) != isinstance(b, bool):
                yield f"{step}: {path}", a, b


class Ours:
    """The agent on a mesh that has nothing which registries list."""

    pushes = True

    def __init__(self, folder):
        (folder / "mesh.yaml").write_text(objects.dump(objects.service("database", ports=((5432, 5432, "tcp"),))))
        # As a Nacos server tells weights: nothing is repeated.
        self.agent = harness.Agent("--source", f"dir:{folder}", "--nacos-profile", "weights", *nacos_wire.options())
        self.http_port, self.grpc_port = nacos_wire.ports(self.agent)

    def connect(self, **how):
        return nacos_wire.Connection(self.grpc_port, **how)

    def stop(self):
        assert self.agent.stop() == 0, self.agent.log()


@pytest.fixture
def ours(tmp_path_factory):
    server = Ours(tmp_path_factory.mktemp("mesh"))
    yield answers_of(server)
    server.stop()


@pytest.fixture
def theirs(tmp_path):
    server = nacos_reference.Official(tmp_path)
    yield answers_of(server)
    server.stop()


def test_every_difference_is_explained(ours, theirs):
    explained, surprises = table(), []
    for where, want, got in differences(theirs, ours):
        reasons = [each for each in explained if each.where.fullmatch(where)]
        for each in reasons:
            each.seen = True
        if not reasons:
            surprises.append(f"{where}: they say {want!r}, we say {got!r}")
    assert not surprises, "\n".join(surprises)
    assert not [each.where.pattern for each in explained if not each.seen], "these do not differ"
