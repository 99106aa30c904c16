# SPDX-License-Identifier: Apache-2.0
"""The example mesh from its directory, through DNS, REST and the commands."""

import collections
import json
import re
import signal

import dns.rcode
import pytest

import harness


@pytest.fixture
def agent(start_agent, bookinfo):
    return start_agent("--source", f"dir:{bookinfo}", "--pod-namespace", "default")


def test_vip_service_answers_its_cluster_ip(agent):
    for name in (
        "details.default.svc.cluster.local",
        "details.default.svc",
        "details.default",
        "details",
        "DETAILS.Default.svc.cluster.local",
    ):
        assert agent.addresses(name) == ["10.96.0.11"], name


def test_headless_service_answers_its_pods(agent):
    assert agent.addresses("mongodb.default.svc.cluster.local") == ["10.244.1.30", "10.244.2.30"]
    assert agent.addresses("mongodb-0.mongodb.default.svc.cluster.local") == ["10.244.1.30"]


def test_other_family_is_nodata_with_soa(agent):
    reply = agent.query("details.default.svc.cluster.local", "AAAA")
    assert reply.rcode() == dns.rcode.NOERROR and not reply.answer
    assert [str(rrset.rdtype) for rrset in reply.authority] and len(reply.authority) == 1


def test_external_service_answers_its_weighted_endpoints(agent):
    assert agent.addresses("payments.example.com")[0].startswith("203.0.113.")
    assert agent.shares("payments.example.com") == {"203.0.113.10:443": 0.75, "203.0.113.11:443": 0.25}


def test_srv_names_port_and_target(agent):
    reply = agent.query("_http._tcp.details.default.svc.cluster.local", "SRV")
    (record,) = reply.answer[0]
    assert record.port == 9080 and str(record.target) == "details.default.svc.cluster.local."


def test_tcp_and_udp_agree(agent):
    assert agent.addresses("details.default.svc.cluster.local", tcp=True) == ["10.96.0.11"]


def test_split_shows_in_dns_and_rest(agent):
    shares = agent.shares("reviews")
    assert shares == pytest.approx({"10.244.1.13:9080": 0.45, "10.244.2.13:9080": 0.45, "10.244.1.14:9080": 0.1})
    first = collections.Counter()
    for _ in range(200):
        reply = agent.query("reviews.default.svc.cluster.local")
        first[reply.answer[0][0].address] += 1
    assert abs(first["10.244.1.14"] - 20) <= 4, first
    assert sum(first.values()) == 200 and "10.244.2.15" not in first


def test_weight_change_follows(agent, bookinfo):
    revision = agent.status()["revision"]
    rules = bookinfo / "reviews-rules.yaml"
    rules.write_text(rules.read_text().replace("weight: 90", "weight: 0").replace("weight: 10", "weight: 100"))
    change = agent.get(f"/v1/watch?revision={revision}&timeout=30")
    assert change["revision"] > revision
    assert "reviews.default.svc.cluster.local" in change["changed"]
    assert agent.shares("reviews") == {"10.244.1.14:9080": 1.0}
    assert agent.addresses("reviews.default.svc.cluster.local") == ["10.244.1.14"]


def test_broken_file_keeps_the_old_state_and_names_the_line(agent, bookinfo):
    before = agent.shares("reviews")
    rules = bookinfo / "reviews-rules.yaml"
    text = rules.read_text()
    rules.write_text(text.replace("weight: 90", "weight: many"))
    agent.wait_line(agent.stderr, r"reviews-rules\.yaml:\d+.*weight")
    assert agent.shares("reviews") == before
    rules.write_text(text.replace("weight: 90", "weight: 30"))
    harness.wait_for(lambda: agent.shares("reviews") != before, "the mended file")
    checked = harness.run("check", "--source", f"dir:{bookinfo}")
    assert checked.returncode == 0, checked.stdout


def test_check_names_file_line_and_field(bookinfo):
    rules = bookinfo / "reviews-rules.yaml"
    rules.write_text(rules.read_text().replace("weight: 90", "weight: many"))
    done = harness.run("check", "--source", f"dir:{bookinfo}")
    assert done.returncode == 1
    line = next(n for n, text in enumerate(rules.read_text().splitlines(), 1) if "many" in text)
    assert re.search(rf"reviews-rules\.yaml:{line}:.*weight", done.stdout), done.stdout


def test_dig_agrees(agent):
    assert agent.dig("+short", "details.default.svc.cluster.local").split() == ["10.96.0.11"]


def test_health_ready_and_metrics(agent):
    assert agent.http("/healthz/live", port="health").status == 200
    assert agent.http("/healthz/ready", port="health").status == 200
    assert agent.http("/v1/services", port="health").status == 404
    metrics = agent.http("/metrics", port="health").body
    assert re.search(r"^isthmus_view_services [1-9]", metrics, re.M)


def test_commands_show_tables_and_json(agent):
    admin = f"127.0.0.1:{agent.ports['admin']}"
    table = harness.run("services", "--admin", admin)
    assert table.returncode == 0 and "reviews.default.svc.cluster.local" in table.stdout
    answer = harness.run("endpoints", "reviews", "-o", "json", "--admin", admin)
    assert answer.returncode == 0
    assert len(json.loads(answer.stdout)["endpoints"]) == 3
    assert harness.run("endpoints", "nobody", "--admin", admin).returncode == 1
    assert harness.run("status", "--admin", admin).returncode == 0
    assert harness.run("status", "--admin", "127.0.0.1:1").returncode == 3


def test_foreign_host_header_is_refused(agent):
    assert agent.http("/v1/services", headers={"Host": "evil.example.com"}).status == 403


def test_sigterm_drains_and_sighup_reloads(start_agent, bookinfo, tmp_path):
    config = tmp_path / "isthmus.yaml"
    config.write_text("dns-answer: vip\n")
    agent = start_agent("--source", f"dir:{bookinfo}", "--config", str(config), "--drain-time", "10s")
    assert agent.addresses("reviews.default.svc.cluster.local") == ["10.96.0.13"]
    config.write_text("dns-answer: endpoint\n")
    agent.child.send_signal(signal.SIGHUP)
    harness.wait_for(lambda: agent.addresses("reviews.default.svc.cluster.local") != ["10.96.0.13"], "the reload")
    config.write_text("dns-anwser: vip\n")
    agent.child.send_signal(signal.SIGHUP)
    agent.wait_line(agent.stderr, r"did you mean dns-answer")
    agent.child.send_signal(signal.SIGTERM)
    harness.wait_for(lambda: agent.http("/healthz/ready", port="health").status == 503, "draining")
    assert agent.addresses("details.default.svc.cluster.local") == ["10.244.1.11", "10.244.2.11"]  # still serving
    agent.child.send_signal(signal.SIGTERM)
