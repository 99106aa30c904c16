# SPDX-License-Identifier: Apache-2.0
"""The mode of the DNS door changes at run time, with the next query: by admin request, by command, by reload."""

import re
import signal

import pytest

import harness

NAME = "details.default.svc.cluster.local"
OURS, THEIRS = ["10.96.0.11"], ["192.0.2.7"]


@pytest.fixture
def agent(start_agent, bookinfo, upstream, tmp_path):
    upstream.records[NAME + "."] = THEIRS
    (tmp_path / "c.yaml").write_text("log-level: info\n")
    return start_agent("--source", f"dir:{bookinfo}", "--config", str(tmp_path / "c.yaml"), upstream=upstream.address)


def observed(agent):
    return {
        result: int(count)
        for result, count in re.findall(r'isthmus_dns_observed_total\{result="(\w+)"\} (\d+)', agent.http("/metrics").body)
    }


def test_admin_request_changes_the_mode_with_the_next_query(agent, upstream):
    assert agent.get("/dns") == {"mode": "serve", "query_log": "off"} and agent.addresses(NAME) == OURS
    for _ in range(3):
        assert agent.http("/dns?mode=forward", method="POST").json() == {"mode": "forward", "query_log": "off"}
        assert agent.addresses(NAME) == THEIRS
        assert agent.status()["dns_mode"] == "forward"
        assert agent.http("/dns?mode=serve", method="POST").status == 200
        assert agent.addresses(NAME) == OURS
    assert observed(agent) == {}
    assert agent.http("/dns?mode=observe", method="POST").status == 200
    assert agent.addresses(NAME) == THEIRS
    assert observed(agent) == {"addresses": 1}
    upstream.records[NAME + "."] = OURS + THEIRS
    agent.query(NAME, "TXT")
    assert agent.query("nobody.example").rcode() == 3
    assert observed(agent)["not_ours"] == 1
    bad = agent.http("/dns?mode=off", method="POST")
    assert bad.status == 400 and "serve, observe, forward" in bad.json()["detail"]


def test_command_shows_and_changes_the_mode(agent):
    def dns_mode(*words):
        return harness.run("dns-mode", *words, "--admin", f"127.0.0.1:{agent.ports['admin']}", "--no-headers")

    assert dns_mode().stdout.strip() == "serve"
    assert dns_mode("forward").stdout.strip() == "forward"
    assert agent.addresses(NAME) == THEIRS
    wrong = dns_mode("off")
    assert wrong.returncode == 2 and "serve, observe, forward" in wrong.stderr
    assert dns_mode().stdout.strip() == "forward"


def test_reload_changes_the_mode_where_the_option_has_changed(agent, tmp_path):
    def reload(text):
        (tmp_path / "c.yaml").write_text(text)
        before = len(agent.log())
        agent.child.send_signal(signal.SIGHUP)
        harness.wait_for(lambda: "configuration reloaded" in agent.log()[before:], "the reload")

    reload("dns-mode: forward\n")
    assert agent.addresses(NAME) == THEIRS
    reload("dns-mode: serve\n")
    assert agent.addresses(NAME) == OURS
    agent.http("/dns?mode=forward", method="POST")
    reload("dns-mode: serve\ndns-answer: vip\n")  # about something else: the kill switch stays
    assert agent.addresses(NAME) == THEIRS
    assert "takes effect at the next start" not in agent.log()


def test_dns_that_is_off_has_no_mode(start_agent, bookinfo):
    agent = start_agent("--source", f"dir:{bookinfo}", "--dns-listen", "off")
    assert agent.get("/dns") == {"mode": None, "query_log": "off"} and agent.status()["dns_mode"] is None
    assert agent.http("/dns?mode=forward", method="POST").status == 409
