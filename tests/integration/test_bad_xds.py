# SPDX-License-Identifier: Apache-2.0
"""What a control plane should never send: each bad resource is refused alone, by name, and the rest goes on serving."""

import os
import re

import pytest

import harness
import scripted_ads as ads

HOST = "good.default.svc.cluster.local"
GOOD = f"outbound|80||{HOST}"
OTHER = "outbound|80||other.default.svc.cluster.local"


@pytest.fixture
def plane():
    server = ads.ScriptedAds()
    server.resources["cds"] = {GOOD: ads.cluster(GOOD), OTHER: ads.cluster(OTHER)}
    server.resources["eds"] = {
        GOOD: ads.assignment(GOOD, ("10.0.0.1", 8080)),
        OTHER: ads.assignment(OTHER, ("10.0.0.9", 8080)),
    }
    server.resources["rds"] = {"80": ads.route_configuration("80", ads.virtual_host(f"{HOST}:80", [HOST], GOOD))}
    server.resources["nds"] = {"": ads.name_table(**{HOST: ["10.96.0.1"]})}
    yield server
    server.stop()


@pytest.fixture
def agent(start_agent, plane):
    agent = start_agent("--source", "istiod", "--xds-address", plane.address, "--xds-tls", "off")
    assert agent.shares("good") == {"10.0.0.1:8080": 1.0}
    return agent


BAD = {
    "cluster that is no protobuf": ("cds", {OTHER: b"\xff\xff\xff\xff"}, "Cluster"),
    "cluster with a broken name": ("cds", {"outbound|80||UP PER": ads.cluster("outbound|80||UP PER")}, "UP PER"),
    "cluster with port 0": (
        "cds",
        {"outbound|0||zero.example.com": ads.cluster("outbound|0||zero.example.com")},
        "port",
    ),
    "cluster with port 70000": (
        "cds",
        {"outbound|70000||big.example.com": ads.cluster("outbound|70000||big.example.com")},
        "port",
    ),
    "cluster name not UTF-8": (
        "cds",
        {OTHER: ads.field(1, b"outbound|80||\xff.example.com") + ads.field(2, 3)},
        "UTF-8|host",
    ),
    "endpoint with port 70000": ("eds", {GOOD: ads.assignment(GOOD, ("10.0.0.2", 70000))}, "port"),
    "endpoint with port 0": ("eds", {GOOD: ads.assignment(GOOD, ("10.0.0.2", 0))}, "port"),
    "endpoint with a zone": ("eds", {GOOD: ads.assignment(GOOD, ("fe80::1%eth0", 80))}, "zone"),
    "endpoint that is no address": ("eds", {GOOD: ads.assignment(GOOD, ("ten.zero", 80))}, "ten.zero|address"),
    "assignment cut short": ("eds", {GOOD: ads.assignment(GOOD, ("10.0.0.2", 80))[:-3]}, "eds outbound"),
    "virtual host that is no protobuf": (
        "rds",
        {"80": ads.field(1, "80") + ads.field(2, b"\xff\xff\xff")},
        "RouteConfiguration|80",
    ),
    "name with a bad address": (
        "nds",
        {"": ads.name_table(**{HOST: ["10.96.0.1"], "bad.example.com": ["1.2.3"]})},
        "1.2.3|bad.example.com",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_resource_is_refused_by_name_and_the_rest_serves(plane, agent, what):
    kind, resources, text = BAD[what]
    plane.push(kind, resources)
    reason = plane.nack(kind)
    assert re.search(text, reason), reason
    assert agent.shares("good") == {"10.0.0.1:8080": 1.0}
    # the good neighbour of a bad resource in one response applies
    if kind == "eds":
        plane.push("eds", {**resources, OTHER: ads.assignment(OTHER, ("10.0.0.77", 8080))})
        harness.wait_for(lambda: agent.shares("other") == {"10.0.0.77:8080": 1.0}, "the good one")
    # and a good one after it
    plane.push("eds", {GOOD: ads.assignment(GOOD, ("10.0.0.5", 8080))})
    harness.wait_for(lambda: agent.shares("good") == {"10.0.0.5:8080": 1.0}, "the mended one")
    assert agent.status()["source"]["types"][kind]["nacks"] >= 1


DAILY = {
    "route to a missing cluster": (
        "rds",
        {
            "80": ads.route_configuration(
                "80", ads.virtual_host(f"{HOST}:80", [HOST], "outbound|80|v9|gone.example.com")
            )
        },
    ),
    "allow_any only": (
        "rds",
        {"80": ads.route_configuration("80", ads.virtual_host("allow_any", ["*"], "PassthroughCluster"))},
    ),
    "route table of a port that the service lacks": (
        "rds",
        {"81": ads.route_configuration("81", ads.virtual_host(f"{HOST}:81", [HOST], "outbound|81||" + HOST))},
    ),
    "unknown fields": (
        "eds",
        {GOOD: ads.assignment(GOOD, ("10.0.0.1", 8080)) + ads.field(99, "new") + ads.field(98, 7)},
    ),
    "endpoints of an unknown cluster": (
        "eds",
        {"outbound|80||nobody.example.com": ads.assignment("outbound|80||nobody.example.com", ("10.0.0.3", 1))},
    ),
    "IPv4-mapped address": ("eds", {GOOD: ads.assignment(GOOD, ("::ffff:10.0.0.1", 8080))}),
}


@pytest.mark.parametrize("what", DAILY)
def test_daily_life_is_no_error(plane, agent, what):
    kind, resources = DAILY[what]
    plane.push(kind, resources)
    nonce = f"n{plane.serial}"
    answer = plane.wait(lambda r: r.nonce == nonce)
    assert answer.error is None, answer
    assert agent.addresses(HOST) == ["10.96.0.1"]
    if what != "route to a missing cluster":
        assert agent.shares("good") == {"10.0.0.1:8080": 1.0}


def test_duplicate_virtual_hosts_keep_one_and_say_so(plane, agent):
    first = ads.virtual_host(f"{HOST}:80", [HOST], GOOD)
    second = ads.virtual_host(f"{HOST}:80", [HOST], OTHER)
    plane.push("rds", {"80": ads.route_configuration("80", first, second)})
    assert HOST in plane.nack("rds")
    assert agent.shares("good") == {"10.0.0.1:8080": 1.0}


def test_garbage_instead_of_a_response_does_not_kill(plane, agent):
    for garbage in (b"", b"\x00", b"\xff" * 100, os.urandom(3000)):
        plane.push_raw(garbage)
    plane.wait(lambda r: r.node and r is not plane.requests[0], 40) if len(plane.outgoing) > 1 else None
    assert agent.shares("good") == {"10.0.0.1:8080": 1.0}
    harness.wait_for(
        lambda: plane.push("eds", {GOOD: ads.assignment(GOOD, ("10.0.0.6", 8080))})
        or agent.shares("good") == {"10.0.0.6:8080": 1.0},
        "a good one after garbage",
        40,
    )


def test_metadata_nested_5000_deep_is_survived(plane, agent):
    deep = b""
    for _ in range(5000):
        deep = ads.field(6, ads.field(1, deep))  # Value{list_value{values}}
    struct = ads.field(1, ads.field(1, "y") + ads.field(2, deep))
    metadata = ads.field(25, ads.field(1, ads.field(1, "istio") + ads.field(2, struct)))
    plane.push("cds", {OTHER: ads.cluster(OTHER, raw=metadata)})
    nonce = f"n{plane.serial}"
    plane.wait(lambda r: r.nonce == nonce)  # accepted or refused: both are fine
    plane.push("eds", {GOOD: ads.assignment(GOOD, ("10.0.0.5", 8080))})
    harness.wait_for(lambda: agent.shares("good") == {"10.0.0.5:8080": 1.0}, "the next push")


def test_absurd_counts_are_bounded(plane, agent):
    many = ads.field(1, GOOD) + ads.field(
        2, b"".join(ads.field(2, ads.field(1, ads.socket_address("10.0.0.1", 80))) for _ in range(60000))
    )
    plane.push("eds", {GOOD: many})
    assert "50000" in plane.nack("eds")
    assert agent.shares("good") == {"10.0.0.1:8080": 1.0}


def test_push_of_30_megabytes_is_taken(plane, agent):
    clusters = {f"outbound|80||s{i}.big.svc.cluster.local": None for i in range(30000)}
    pad = ads.field(
        25,
        ads.field(
            1,
            ads.field(1, "pad")
            + ads.field(2, ads.field(1, ads.field(1, "p") + ads.field(2, ads.field(3, "x" * 900)))),
        ),
    )
    plane.push("cds", {name: ads.cluster(name, kind=0, raw=pad) for name in clusters})
    nonce = f"n{plane.serial}"
    answer = plane.wait(lambda r: r.nonce == nonce, 60)
    assert answer.error is None
    harness.wait_for(lambda: agent.status()["counts"]["clusters"] >= 30000, "30,000 clusters", 60)
    assert agent.addresses(HOST) == ["10.96.0.1"]


def test_plane_that_never_answers_is_given_up(start_agent):
    silent, good = ads.ScriptedAds(), ads.ScriptedAds()
    silent.silent = True
    good.resources["cds"] = {GOOD: ads.cluster(GOOD)}
    good.resources["eds"] = {GOOD: ads.assignment(GOOD, ("10.0.0.1", 8080))}
    try:
        agent = start_agent(
            "--source",
            "istiod",
            "--xds-address",
            f"{silent.address},{good.address}",
            "--xds-tls",
            "off",
            wait="listening",
        )
        agent.wait_ready(90)
        assert agent.status()["source"]["server"] == good.address
    finally:
        silent.stop()
        good.stop()


def test_published_view_is_one_line_of_the_log(plane, agent):
    plane.push("eds", {GOOD: ads.assignment(GOOD, ("10.0.0.5", 8080))})
    revision = harness.wait_for(lambda: r if (r := agent.status()["revision"]) > 1 else None, "the new view")
    agent.wait_line(agent.stderr, rf"view revision {revision}: 1 services and 1 names rebuilt, 0 hosts wait")
    assert agent.log().count(f"view revision {revision}:") == 1
