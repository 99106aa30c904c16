# SPDX-License-Identifier: Apache-2.0
"""The program around the agent: usage, exit codes, configuration, doors that cannot be opened, files that cannot be read."""

import json
import os
import signal
import socket
import time

import dns.message
import pytest

import harness


def test_reference_in_the_docs_is_what_the_program_says():
    table = harness.run("help", "options").stdout
    assert table and (harness.ROOT / "docs/configuration.md").read_text().endswith(table)


@pytest.mark.parametrize(
    "words, code, text",
    [
        ((), 2, "Usage"),
        (("--help",), 0, "isthmus agent"),
        (("agent", "--help"), 0, "--dns-listen"),
        (("check", "--help"), 0, "--source"),
        (("version",), 0, "isthmus 0."),
        (("agnet",), 2, "agent"),
        (("agent", "--dns-lisen", "x"), 2, "did you mean --dns-listen?"),
        (("agent", "stray"), 2, "stray"),
        (("agent", "--config", "/nonexistent/isthmus.yaml"), 2, "/nonexistent/isthmus.yaml"),
        (("agent", "--labels", "@/nonexistent/labels", "--source", "dir:/tmp"), 1, "/nonexistent/labels"),
        (
            (
                "agent",
                "--source",
                "dir:/nonexistent/mesh",
                "--dns-listen",
                "off",
                "--admin-listen",
                "127.0.0.1:0",
                "--health-listen",
                "off",
                *harness.REGISTRIES_OFF,
            ),
            1,
            "/nonexistent/mesh",
        ),
        (("check",), 2, "--source dir:PATH"),
        (("check", "--source", "dir:/nonexistent/mesh"), 1, "/nonexistent/mesh"),
        (("agent", "--xds-tls", "off"), 2, "--xds-allow-plaintext"),
        (
            (
                "agent",
                "--source",
                "dir:/tmp",
                "--dns-listen",
                "off",
                "--admin-listen",
                "off",
                "--health-listen",
                "off",
                *harness.REGISTRIES_OFF,
            ),
            1,
            "door",
        ),
    ],
)
def test_usage_and_exit_codes(words, code, text):
    done = harness.run(*words, timeout=30)
    assert done.returncode == code, done.stdout + done.stderr
    assert text in done.stdout + done.stderr


def test_busy_port_closes_that_door_loudly_and_no_other(start_agent, bookinfo):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        agent = start_agent("--source", f"dir:{bookinfo}", "--dns-listen", f"127.0.0.1:{port}")
        assert "dns" not in agent.ports and f"{port}" in agent.log() and "door stays closed" in agent.log()
        assert agent.get("/v1/services")["services"]
        assert 'isthmus_listener_up{listener="dns"} 0' in agent.http("/metrics").body


def test_all_doors_busy_ends_the_agent(bookinfo):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = harness.run(
            "agent",
            "--source",
            f"dir:{bookinfo}",
            "--dns-listen",
            f"127.0.0.1:{port}",
            "--admin-listen",
            f"127.0.0.1:{port}",
            "--health-listen",
            "off",
            *harness.REGISTRIES_OFF,
        )
        assert done.returncode == 1 and str(port) in done.stderr
        assert f"--admin-listen: cannot listen on 127.0.0.1 port {port}" in done.stderr
        assert "cannot start: no door could be opened" in done.stderr


def test_json_log_is_one_object_a_line(start_agent, bookinfo):
    agent = start_agent("--source", f"dir:{bookinfo}", "--log-format", "json")
    agent.stop()
    lines = [json.loads(line) for line in agent.stderr]
    assert lines and all({"level", "time", "scope", "msg"} <= set(line) for line in lines)


def test_environment_and_file_configure_as_flags_do(start_agent, bookinfo, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text(f"source: dir:{bookinfo}\ndns-answer: vip\n")
    agent = start_agent("--config", str(config), env={"ISTHMUS_DNS_ANSWER": "endpoint", "POD_NAMESPACE": "default"})
    assert agent.addresses("details") == ["10.244.1.11", "10.244.2.11"]


def test_missing_root_certificate_is_named_and_tried_again(start_agent):
    agent = start_agent(
        "--source",
        "istiod",
        "--xds-address",
        "127.0.0.1:1",
        "--xds-root-ca",
        "/nonexistent/root.pem",
        wait="listening",
    )
    error = harness.wait_for(lambda: agent.status()["source"]["last_error"], "the error")
    assert "/nonexistent/root.pem" in error
    assert agent.http("/healthz/ready", port="health").status == 503
    start = agent.log()
    assert "source istiod at 127.0.0.1:1 (TLS, delta)" in start
    assert "upstreams: 127.0.0.1:9" in start
    assert "/nonexistent/root.pem: No such file" in start and "set --xds-root-ca" in start


def test_reload_tells_what_has_changed_since_the_last_one(start_agent, bookinfo, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("dns-answer: vip\n")
    agent = start_agent("--source", f"dir:{bookinfo}", "--config", str(config))
    for text, line in (
        ("dns-answer: endpoint\n", '--dns-answer: "vip" -> "endpoint"'),
        ("dns-answer: endpoint\n", None),
        ("dns-answer: vip\n", '--dns-answer: "endpoint" -> "vip"'),
    ):
        config.write_text(text)
        before = len(agent.log())
        agent.child.send_signal(signal.SIGHUP)
        harness.wait_for(lambda: "configuration reloaded" in agent.log()[before:], "the reload")
        told = agent.log()[before:]
        assert (line in told) if line else ("->" not in told)
    config.unlink()
    agent.child.send_signal(signal.SIGHUP)
    agent.wait_line(agent.stderr, rf"configuration not reloaded: .*{config}.*the old one stays")
    assert agent.addresses("reviews.default.svc.cluster.local") == ["10.96.0.13"]


def test_reload_does_not_cut_the_drain_short(start_agent, bookinfo):
    agent = start_agent("--source", f"dir:{bookinfo}", "--drain-time", "20s")
    agent.child.send_signal(signal.SIGTERM)
    agent.wait_line(agent.stderr, r"draining for 20000 ms")
    agent.child.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert agent.addresses("reviews.default.svc.cluster.local")
    agent.child.send_signal(signal.SIGTERM)  # this one asks to hurry


def test_garbage_at_every_door_is_survived(start_agent, bookinfo):
    agent = start_agent("--source", f"dir:{bookinfo}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        for size in (0, 1, 11, 12, 13, 100, 512, 4000):
            for _ in range(20):
                udp.sendto(os.urandom(size), ("127.0.0.1", agent.ports["dns"]))
    for door in ("dns", "admin", "health"):
        for garbage in (
            b"\x00" * 50,
            b"GET / HTTP/9.9\r\n\r\n",
            b"\xff" * 5000,
            b"GET " + b"a" * 100000,
            os.urandom(300),
        ):
            with socket.create_connection(("127.0.0.1", agent.ports[door]), timeout=5) as tcp:
                try:
                    tcp.sendall(garbage)
                except OSError:
                    pass  # it may hang up on us
    assert agent.addresses("details.default.svc.cluster.local") == ["10.96.0.11"]
    assert agent.addresses("details.default.svc.cluster.local", tcp=True) == ["10.96.0.11"]
    assert agent.get("/v1/services")["services"]


def test_query_byte_by_byte_over_tcp_is_answered(start_agent, bookinfo):

    agent = start_agent("--source", f"dir:{bookinfo}")
    query = dns.message.make_query("details.default.svc.cluster.local", "A").to_wire()
    with socket.create_connection(("127.0.0.1", agent.ports["dns"]), timeout=5) as tcp:
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in len(query).to_bytes(2, "big") + query:
            tcp.sendall(bytes([byte]))
        data = b""
        while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
            data += tcp.recv(4096)
    assert dns.message.from_wire(data[2:]).answer[0][0].address == "10.96.0.11"


def test_other_names_are_forwarded_with_the_upstreams_answer(start_agent, bookinfo, upstream):
    upstream.records["www.example.net."] = ["127.9.9.9"]
    agent = start_agent("--source", f"dir:{bookinfo}", upstream=upstream.address)
    assert agent.addresses("www.example.net") == ["127.9.9.9"]
    assert agent.query("nobody.example.net").rcode() == 3
    assert agent.addresses("details") == ["10.96.0.11"]
    assert not [name for name, _ in upstream.asked if name.startswith("details")]


def test_dead_upstream_is_servfail_never_nxdomain(start_agent, bookinfo, upstream):
    upstream.silent = True
    agent = start_agent("--source", f"dir:{bookinfo}", upstream=upstream.address)
    assert agent.query("www.example.net", timeout=10).rcode() == 2


BROKEN_YAML = {
    "binary": b"\x00\x01\x02\xff\xfe" * 100,
    "cyclic": b"a: &x [*x]\n",
    "half written": b'apiVersion: v1\nkind: Service\nmetadata:\n  name: "half',
    "bomb": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (c + 1, c + 1, b",".join([b"*%c" % c] * 9)) for c in range(97, 110)),
    "deep": b"[" * 10000,
    "not UTF-8": b"kind: \xff\xff\n",
    "a list of words": b"- a\n- b\n",
    "duplicate key": b"kind: Service\nkind: Pod\napiVersion: v1\nmetadata: {name: a}\n",
}


@pytest.mark.parametrize("what", BROKEN_YAML)
def test_broken_yaml_is_named_and_the_rest_serves(start_agent, bookinfo, what):
    agent = start_agent("--source", f"dir:{bookinfo}")
    (bookinfo / "broken.yaml").write_bytes(BROKEN_YAML[what])
    agent.wait_line(agent.stderr, r"broken\.yaml:\d+")
    assert agent.addresses("details") == ["10.96.0.11"]
    done = harness.run("check", "--source", f"dir:{bookinfo}")
    assert done.returncode == 1 and "broken.yaml:" in done.stdout


def test_unreadable_file_is_named(start_agent, bookinfo):
    (bookinfo / "dangling.yaml").symlink_to("/nonexistent/target.yaml")
    (bookinfo / "directory.yaml").mkdir()
    agent = start_agent("--source", f"dir:{bookinfo}")
    assert agent.addresses("details") == ["10.96.0.11"]
    assert "dangling.yaml" in agent.log()
