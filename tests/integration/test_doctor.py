# SPDX-License-Identifier: Apache-2.0
"""`isthmus doctor`: what it says of agents, resolv.conf files and upstreams that are well, and of those that are not."""

import contextlib
import http.server
import json
import socket
import threading
import time

import pytest

import harness

OK, WARN, FAIL = "OK", "WARN", "FAIL"


def doctor(port, resolv_conf, code):
    """{check: [(result, text)]}"""
    done = harness.run("doctor", "--admin", f"127.0.0.1:{port}", "--resolv-conf", str(resolv_conf), "-o", "json")
    assert done.returncode == code, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    found = {}
    for check in answer["checks"]:
        found.setdefault(check["check"], []).append((check["result"], check["text"]))
    for key in (OK, WARN, FAIL):
        assert answer[key.lower()] == sum(check["result"] == key for check in answer["checks"])
    return found


@contextlib.contextmanager
def retold(agent, **changes):
    """The admin port of an agent that tells other facts of itself: where packets to it really go, how old it is."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer = agent.http(self.path)
            body = json.dumps({**answer.json(), **changes} if self.path == "/v1/status" else answer.json()).encode()
            self.send_response(answer.status)
            self.send_header("X-Isthmus-Revision", "1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def alone(tmp_path):
    """A resolv.conf that names the agent and nobody else."""
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 127.0.0.1\nsearch default.svc.cluster.local svc.cluster.local\noptions ndots:5\n")
    return path


@pytest.fixture
def deaf():
    """A port of loopback where nobody listens, and nobody can."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def agent(start_agent, bookinfo, upstream):
    return start_agent("--source", f"dir:{bookinfo}", upstream=upstream.address)


def test_all_is_well(agent, upstream, alone):
    found = doctor(agent.ports["admin"], alone, 0)
    assert not [check for check, results in found.items() if FAIL in dict(results)]
    assert found["agent"][0][0] == found["view"][0][0] == found["dns-mode"][0][0] == OK
    assert found["resolv-conf"] == [(OK, f"{alone} names the agent alone")]
    assert found["search"] == [(OK, "ndots 5, search default.svc.cluster.local svc.cluster.local")]
    assert found["capture"][0][0] == OK and "answers itself" in found["capture"][0][1]
    assert found["upstream"][0][0] == OK and upstream.address in found["upstream"][0][1]
    assert ("isthmus-doctor.invalid.", "A") in upstream.asked
    assert found["report"] == [(OK, "1 finding; `isthmus report` lists what a door cannot honour")]
    # Tests have no port 53, and that is told.
    assert found["dns-door"][0][0] == WARN and "only name port 53" in found["dns-door"][0][1]


def test_table_and_help(agent, alone):
    words = ("doctor", "--admin", f"127.0.0.1:{agent.ports['admin']}", "--resolv-conf", str(alone))
    lines = harness.run(*words).stdout.splitlines()
    assert lines[0].split() == ["RESULT", "CHECK", "FINDING"]
    assert {line.split()[0] for line in lines[1:]} == {OK, WARN}
    done = harness.run("doctor", "--help")
    assert done.returncode == 0 and "--resolv-conf" in done.stdout and "FAIL (doctor)" in done.stdout
    assert "isthmus doctor " in harness.run("--help").stdout


@pytest.mark.parametrize(
    "servers, result, words",
    [
        (["127.0.0.1", "10.96.0.10"], WARN, "musl"),
        (["10.96.0.10"], FAIL, "write `nameserver 127.0.0.1`"),
        (["10.96.0.10", "127.0.0.1"], FAIL, "make `nameserver 127.0.0.1` the first"),
        ([], FAIL, "write `nameserver 127.0.0.1`"),
    ],
)
def test_order_of_resolv_conf(agent, tmp_path, servers, result, words):
    path = tmp_path / "resolv.conf"
    path.write_text("".join(f"nameserver {server}\n" for server in servers))
    found = doctor(agent.ports["admin"], path, 4 if result == FAIL else 0)
    assert found["resolv-conf"][0][0] == result and words in found["resolv-conf"][0][1]
    assert found["search"] == [(OK, "ndots 1, search nothing")]


def test_resolv_conf_that_is_missing(agent, tmp_path):
    found = doctor(agent.ports["admin"], tmp_path / "nothing", 4)
    assert found["resolv-conf"][0][0] == FAIL and "--resolv-conf" in found["resolv-conf"][0][1]


def test_door_on_every_address(start_agent, bookinfo, upstream, alone, tmp_path):
    agent = start_agent("--source", f"dir:{bookinfo}", "--dns-listen", "0.0.0.0:0", upstream=upstream.address)
    found = doctor(agent.ports["admin"], alone, 0)
    assert found["resolv-conf"][0][0] == found["capture"][0][0] == OK
    other = tmp_path / "other"
    other.write_text("nameserver 192.0.2.1\n")  # of no machine (RFC 5737)
    found = doctor(agent.ports["admin"], other, 4)
    assert found["resolv-conf"][0][0] == FAIL and "write `nameserver 127.0.0.1`" in found["resolv-conf"][0][1]


def test_no_agent(alone, deaf):
    done = harness.run("doctor", "--admin", f"127.0.0.1:{deaf}", "--resolv-conf", str(alone))
    assert done.returncode == 3 and "no agent at" in done.stderr
    assert "FAIL" in done.stdout and "ndots 5" in done.stdout


def test_agent_of_another_version(agent, alone):
    with retold(agent, version="9.9.9") as port:
        found = doctor(port, alone, 0)
    assert found["agent"][0][0] == WARN and "9.9.9" in found["agent"][0][1]


def test_stale_view_and_errors_of_the_source(agent, alone):
    types = {"CDS": {"last_error": "no such cluster"}, "EDS": {"last_error": None}}
    with retold(agent, stale=True, source={"kind": "istiod", "last_error": "reset", "types": types}) as port:
        found = doctor(port, alone, 0)
    assert found["view"][0][0] == WARN and "stale" in found["view"][0][1]
    assert [text for _, text in found["source"]] == ["the last error of the stream: reset", "CDS: refused last: no such cluster"]


def test_view_that_never_came(alone, deaf, start_agent, upstream):
    agent = start_agent(
        *("--xds-address", f"127.0.0.1:{deaf}", "--xds-tls", "off"), upstream=upstream.address, wait="listening"
    )
    found = doctor(agent.ports["admin"], alone, 4)
    assert found["view"][0][0] == FAIL and "never been synchronised" in found["view"][0][1]
    assert found["capture"][0][0] == WARN


def test_door_that_is_off(start_agent, bookinfo, upstream, alone):
    agent = start_agent("--source", f"dir:{bookinfo}", "--dns-listen", "off", upstream=upstream.address)
    found = doctor(agent.ports["admin"], alone, 4)
    assert found["dns-door"][0][0] == FAIL and "--dns-listen" in found["dns-door"][0][1]
    assert "capture" not in found and "resolv-conf" not in found


def test_mode_that_does_not_serve(agent, alone):
    assert agent.http("/dns?mode=forward", method="POST").status == 200
    found = doctor(agent.ports["admin"], alone, 0)
    assert found["dns-mode"][0][0] == WARN and "isthmus dns-mode serve" in found["dns-mode"][0][1]
    assert found["capture"][0][0] == WARN


def test_capture_by_another_name_server(agent, upstream, alone):
    with retold(agent, listeners={"dns": [upstream.address]}, upstreams=[]) as port:
        found = doctor(port, alone, 4)
    assert found["capture"][0][0] == FAIL and "ISTIO_META_DNS_CAPTURE" in found["capture"][0][1]
    assert ("_why.details.default.svc.cluster.local.", "TXT") in upstream.asked


def test_no_upstream(agent, alone):
    with retold(agent, upstreams=[]) as port:
        assert doctor(port, alone, 0)["upstream"][0][0] == WARN


def test_upstream_that_is_silent(agent, upstream, alone):
    upstream.silent = True
    other = harness.Upstream()
    start = time.monotonic()
    try:
        with retold(agent, upstreams=[upstream.address, other.address]) as port:
            assert [result for result, _ in doctor(port, alone, 0)["upstream"]] == [WARN, OK]
    finally:
        other.stop()
    found = doctor(agent.ports["admin"], alone, 4)
    assert [result for result, _ in found["upstream"]] == [WARN, FAIL] and "no answer within 2 s" in found["upstream"][0][1]
    assert time.monotonic() - start < harness.DEADLINE_S


def test_upstream_that_loops(agent, alone):
    itself = f"127.0.0.1:{agent.ports['dns']}"
    with retold(agent, upstreams=[itself, "127.0.0.53:53"]) as port:
        found = doctor(port, alone, 4)
    assert [result for result, _ in found["upstream"]] == [FAIL, FAIL]
    assert "the agent itself" in found["upstream"][0][1] and "systemd-resolved" in found["upstream"][1][1]
