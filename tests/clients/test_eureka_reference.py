# SPDX-License-Identifier: Apache-2.0
"""The agent beside Netflix's own server: the same requests, the same answers."""

import json
import xml.etree.ElementTree as ET

import eureka_reference
import harness
import objects
import pytest

ORDERS = eureka_reference.instance("ORDERS", "10.1.0.9", 7070)
OTHER = eureka_reference.instance("ORDERS", "10.1.0.8", 7070)
PAYMENTS = eureka_reference.instance("PAYMENTS", "10.1.0.7", 7070)
# Each server's own: when, and what counts its answers.
TIMES = {"lastUpdatedTimestamp", "lastDirtyTimestamp", "registrationTimestamp", "lastRenewalTimestamp", "serviceUpTimestamp",
         "evictionTimestamp", "versions__delta"}  # fmt: skip


@pytest.fixture
def reference():
    """The server without what keeps its answers back: they are to be compared, not their age."""
    server = eureka_reference.ReferenceServer(shouldUseReadOnlyResponseCache="false")
    yield server.registry
    server.stop()


@pytest.fixture
def ours(tmp_path):
    mesh = objects.service("database", ports=((5432, 5432, "tcp"),))  # which registries do not list
    (tmp_path / "mesh.yaml").write_text(objects.dump(mesh))
    agent = harness.Agent("--source", f"dir:{tmp_path}", "--eureka-listen", "127.0.0.1:0")
    yield eureka_reference.Registry(f"http://127.0.0.1:{agent.ports['eureka']}/eureka")
    assert agent.stop() == 0


def ordered(values):
    """In one order, each once: the reference's delta repeats an instance for each change of it."""
    return [json.loads(text) for text in sorted({json.dumps(each, sort_keys=True) for each in values})]


def plain(value):
    """Without times, in one order, under the names that all versions of the client know."""
    if isinstance(value, dict):
        names = {key: "overriddenstatus" if key == "overriddenStatus" else key for key in value}
        return {names[key]: plain(each) for key, each in value.items() if key not in TIMES}
    if isinstance(value, list):
        return ordered(map(plain, value))
    return value if value != "MODIFIED" else "ADDED"  # no client tells them apart


def tree(element):
    """An XML element as one of JSON's values."""
    return {"tag": element.tag, **element.attrib, "text": plain((element.text or "").strip()),
            "in": ordered(tree(each) for each in element if each.tag not in TIMES)}  # fmt: skip


def same(reference, ours, method, path, body=None):
    for accept in ("application/json", "application/xml"):
        want, got = (server.ask(method, path, body, accept) for server in (reference, ours))
        assert got[0] == want[0], (method, path, got, want)
        if want[0] == 200 and want[1]:
            read = (lambda text: plain(json.loads(text))) if "json" in accept else (lambda text: tree(ET.fromstring(text)))
            assert read(got[1]) == read(want[1]), (method, path)
        else:
            assert got[1] == want[1] == "", (method, path, got, want)
        if method != "GET":
            return


def test_both_servers_answer_alike(reference, ours):
    own, ghost = reference.path(ORDERS), "/apps/GHOST/ghost"

    def everything():
        for path in ("/apps", "/apps/delta", "/apps/ORDERS", "/apps/orders", own, f"/instances/{ORDERS['instanceId']}",
                     "/vips/orders", "/svips/orders", "/vips/ghost", "/apps/GHOST", ghost, "/instances/ghost"):  # fmt: skip
            same(reference, ours, "GET", path)

    everything()
    for entry in (ORDERS, OTHER, PAYMENTS):
        same(reference, ours, "POST", f"/apps/{entry['app']}", json.dumps({"instance": entry}))
    everything()
    for method, path in (
        ("PUT", f"{own}?status=UP&lastDirtyTimestamp=1000"),
        ("PUT", f"{own}?status=UP&lastDirtyTimestamp=2000"),  # newer than what is known: register again
        ("PUT", f"{ghost}?status=UP"),
        ("PUT", f"{own}/metadata?colour=blue"),
        ("PUT", f"{own}/status?value=OUT_OF_SERVICE"),
        ("PUT", f"{ghost}/status?value=UP"),
    ):
        same(reference, ours, method, path)
    everything()
    for method, path in (
        ("DELETE", f"{own}/status?value=UP"),
        ("PUT", f"{own}?status=UP&lastDirtyTimestamp=1000"),
        ("DELETE", reference.path(OTHER)),
        ("DELETE", ghost),
        ("DELETE", f"{ghost}/status"),
    ):
        same(reference, ours, method, path)
    everything()
