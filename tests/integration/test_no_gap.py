# SPDX-License-Identifier: Apache-2.0
"""Restarts without a gap: crashes and upgrades under the supervisor, takeovers without one. No query goes unanswered, although
the client asks only once."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import dns.message
import pytest

import harness

NAME = "details.default.svc.cluster.local"
ADDRESS = ["10.96.0.11"]
# rate, queries, events; the long form is what docs/upgrades.md promises
SHORT = (2000, 8000, 3)
LONG = (20000, 160000, 6)
FORMS = [pytest.param(SHORT, id="short"), pytest.param(LONG, id="long", marks=pytest.mark.long)]


@pytest.fixture(scope="session")
def load_program(tmp_path_factory):
    return harness.compile_c("tests/support/dns_load.c", tmp_path_factory.mktemp("load") / "dns_load")


def under_load(program, port, form, event):
    """Runs `event(i)` spread over the load; the load's account."""
    rate, count, events = form
    words = [program, str(port), NAME, str(rate), str(count), "10000"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as load:
        for i in range(events):
            time.sleep(count / rate / (events + 1))
            event(i)
        text, _ = load.communicate(timeout=120)
    account = json.loads(text)
    assert account["sent"] == count
    return account


def assert_nothing_lost(account, log):
    assert (account["lost"], account["refused"], account["bad"]) == (0, 0, 0), f"{account}\n{log}"


def memory_kb(pid, field):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+)", text).group(1))


def mesh_options(mesh):
    return "--source", f"dir:{mesh}"


# --- The supervisor ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_killed_agents_lose_no_query(start_supervised, bookinfo, load_program, form):
    supervisor = start_supervised(*mesh_options(bookinfo))

    def kill(i):
        harness.wait_for(lambda: supervisor.ready_count() == i + 1, "the agent after the last kill")
        os.kill(supervisor.agents()[-1], signal.SIGKILL)

    account = under_load(load_program, supervisor.ports["dns"], form, kill)
    assert_nothing_lost(account, supervisor.log())
    harness.wait_for(lambda: supervisor.ready_count() == form[2] + 1, "the last agent")
    assert supervisor.log().count("was killed by signal 9") == form[2]


@pytest.mark.parametrize("form", FORMS)
def test_upgrades_lose_no_query(start_supervised, bookinfo, load_program, form):
    supervisor = start_supervised(*mesh_options(bookinfo))

    def upgrade(i):
        supervisor.child.send_signal(signal.SIGUSR2)
        harness.wait_for(
            lambda: len(re.findall(r"the old agent, pid \d+, ended with code 0", supervisor.log())) == i + 1, "the upgrade"
        )

    account = under_load(load_program, supervisor.ports["dns"], form, upgrade)
    assert_nothing_lost(account, supervisor.log())
    assert account["duplicates"] == 0
    assert len(set(supervisor.agents())) == form[2] + 1


def test_upgrade_runs_the_program_that_stands_in_its_place(bookinfo, tmp_path, monkeypatch):
    program = tmp_path / "isthmus"
    program.write_bytes(pathlib.Path(harness.binary()).read_bytes())
    program.chmod(0o755)
    monkeypatch.setenv("ISTHMUS_BIN", str(program))
    supervisor = harness.Supervised(*mesh_options(bookinfo))
    marker = tmp_path / "new"
    replacement = tmp_path / "replacement"
    replacement.write_text(f'#!/bin/sh\ntouch {marker}\nexec {harness.ROOT}/no-such-program "$@"\n')
    replacement.chmod(0o755)
    replacement.rename(program)
    supervisor.child.send_signal(signal.SIGUSR2)
    supervisor.wait_line(supervisor.stderr, r"upgrade failed: .* ended with code 127; the old one goes on")
    assert marker.exists()
    assert supervisor.addresses(NAME) == ADDRESS  # the one that cannot start takes nothing with it
    assert supervisor.stop() == 0


def test_agents_that_crash_at_once_are_restarted_more_slowly(start_supervised, bookinfo):
    supervisor = start_supervised(*mesh_options(bookinfo))
    for i in range(6):
        harness.wait_for(lambda n=i: len(supervisor.agents()) == n + 1, "the next agent")
        os.kill(supervisor.agents()[-1], signal.SIGKILL)
    delays = harness.wait_for(
        lambda: len(found := re.findall(r"starts in (\d+) ms", supervisor.log())) == 6 and found, "the sixth restart"
    )
    assert max(map(int, delays)) > 0 and max(map(int, delays)) <= 3000
    assert supervisor.addresses(NAME) == ADDRESS


def test_supervisor_is_small(start_supervised, bookinfo):
    if b"__asan_init" in pathlib.Path(harness.binary()).read_bytes():
        pytest.skip("the sanitizer's own memory")
    supervisor = start_supervised(*mesh_options(bookinfo))
    assert memory_kb(supervisor.pid, "RssAnon") < 2048
    assert memory_kb(supervisor.pid, "Threads") == 1


def test_reload_and_end_are_passed_on(bookinfo, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("dns-answer: vip\n")
    supervisor = harness.Supervised(*mesh_options(bookinfo), "--config", str(config))
    config.write_text("dns-answer: endpoint\n")
    supervisor.child.send_signal(signal.SIGHUP)
    supervisor.wait_line(supervisor.stderr, "configuration reloaded")
    assert supervisor.addresses(NAME) == ["10.244.1.11", "10.244.2.11"]
    assert supervisor.stop(signal.SIGINT) == 0
    assert not pathlib.Path(f"/proc/{supervisor.agents()[-1]}").exists()


def test_agent_that_wants_to_end_ends_the_supervisor(bookinfo):
    supervisor = harness.Supervised(*mesh_options(bookinfo))
    assert supervisor.http("/drain", method="POST").status == 200
    assert supervisor.child.wait(20) == 0
    supervisor.stop()


@pytest.mark.parametrize(
    "words, code, text",
    [
        (("supervise",), 2, "Usage"),
        (("supervise", "--", "services"), 2, "Usage"),
        (("supervise", "agent", "--dns-lisen", "x"), 2, "did you mean --dns-listen?"),
        (("supervise", "agent", "--help"), 0, "--dns-listen"),
        (("supervise", "--help"), 0, "SIGUSR2"),
        (
            ("supervise", "agent", "--source", "dir:/nonexistent/mesh", "--dns-listen", "off", "--health-listen", "off",
             "--admin-listen", "127.0.0.1:0"),
            1,
            "/nonexistent/mesh",
        ),
        (("agent", "--takeover"), 2, "--control-socket"),
    ],
)  # fmt: skip
def test_usage_and_exit_codes(words, code, text):
    done = harness.run(*words, timeout=30)
    assert done.returncode == code, done.stdout + done.stderr
    assert text in done.stdout + done.stderr


def children_of(pid):
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a process namespace")
def test_first_process_of_a_container_buries_orphans(bookinfo):
    outside = harness.Process(
        ["unshare", "--pid", "--fork", "--kill-child", harness.binary(), "supervise", "agent", *mesh_options(bookinfo),
         "--dns-listen", "127.0.0.1:0", "--admin-listen", "off", "--health-listen", "off", *harness.REGISTRIES_OFF,
         "--drain-time", "0s"]
    )  # fmt: skip
    outside.wait_line(outside.stdout, "^ready ")
    (supervisor,) = children_of(outside.pid)
    subprocess.run(["nsenter", "-t", supervisor, "-p", "sh", "-c", "(sleep 1 &)"], check=True, timeout=20)
    harness.wait_for(lambda: len(children_of(supervisor)) == 2, "the orphan")
    harness.wait_for(lambda: len(children_of(supervisor)) == 1, "its funeral")
    os.kill(int(supervisor), signal.SIGTERM)
    assert outside.child.wait(20) == 0
    outside.stop()


# --- Takeover ---------------------------------------------------------------------------------------------------------


def takeover_options(bookinfo, tmp_path):
    return *mesh_options(bookinfo), "--control-socket", str(tmp_path / "control"), "--takeover"


@pytest.mark.parametrize("form", FORMS)
def test_takeovers_lose_no_query(start_agent, bookinfo, tmp_path, load_program, form):
    options = takeover_options(bookinfo, tmp_path)
    agents = [start_agent(*options)]
    harness.wait_for((tmp_path / "control").exists, "the control socket")

    def take_over(_):
        agents.append(start_agent(*options))
        assert agents[-2].child.wait(30) == 0, agents[-2].log()

    account = under_load(load_program, agents[0].ports["dns"], form, take_over)
    assert_nothing_lost(account, agents[-1].log())
    assert account["duplicates"] == 0
    assert all(agent.ports == agents[0].ports for agent in agents)
    assert agents[-1].get("/v1/services")["services"]  # REST came over too


def test_takeover_that_fails_half_way_changes_nothing(start_agent, bookinfo, tmp_path):
    options = takeover_options(bookinfo, tmp_path)
    agent = start_agent(*options)
    harness.wait_for((tmp_path / "control").exists, "the control socket")
    done = harness.run("agent", *options, "--source", "dir:/nonexistent/mesh")
    assert done.returncode == 1 and "taking over" in done.stderr and "/nonexistent/mesh" in done.stderr
    agent.wait_line(agent.stderr, "wanted to take over has gone; this one goes on")
    assert agent.addresses(NAME) == ADDRESS
    successor = start_agent(*options)
    assert agent.child.wait(20) == 0
    assert successor.addresses(NAME) == ADDRESS


def test_tcp_connections_end_in_good_order(start_agent, bookinfo, tmp_path):
    options = takeover_options(bookinfo, tmp_path)
    agent = start_agent(*options)
    harness.wait_for((tmp_path / "control").exists, "the control socket")
    query = dns.message.make_query(NAME, "A").to_wire()
    with socket.create_connection(("127.0.0.1", agent.ports["dns"]), timeout=20) as tcp:
        tcp.sendall(len(query).to_bytes(2, "big") + query)
        answer = tcp.recv(4096)
        assert dns.message.from_wire(answer[2:]).answer[0][0].address == ADDRESS[0]
        successor = start_agent(*options)
        assert tcp.recv(4096) == b""  # an end, not a reset
    assert agent.child.wait(20) == 0
    assert successor.addresses(NAME, tcp=True) == ADDRESS


def test_query_that_waits_for_an_upstream_is_answered_by_the_old_one(start_agent, bookinfo, tmp_path, upstream):
    options = takeover_options(bookinfo, tmp_path)
    agent = start_agent(*options, upstream=upstream.address)
    harness.wait_for((tmp_path / "control").exists, "the control socket")
    upstream.records["slow.example."] = ["192.0.2.7"]
    upstream.silent = True
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(20)
        udp.connect(("127.0.0.1", agent.ports["dns"]))
        udp.send(dns.message.make_query("slow.example", "A").to_wire())
        harness.wait_for(lambda: upstream.asked, "the question at the upstream")
        start_agent(*options, upstream=upstream.address)
        agent.wait_line(agent.stderr, "finishing what was asked")
        upstream.silent = False  # it is asked again within 4 s
        reply = dns.message.from_wire(udp.recv(4096))
    assert reply.rcode() in (0, 2)  # an answer, or SERVFAIL after all attempts: never silence
    assert agent.child.wait(20) == 0


# --- Sockets of a socket unit -----------------------------------------------------------------------------------------


def test_sockets_of_systemd_are_used_and_readiness_is_told(bookinfo, tmp_path):
    """LISTEN_PID, LISTEN_FDS and NOTIFY_SOCKET as sd_listen_fds(3) and sd_notify(3) describe them."""
    udp, tcp = harness.bind_udp_and_tcp()
    with udp, tcp, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify"))
        notify.settimeout(30)
        port = udp.getsockname()[1]
        tcp.listen()
        fds = udp.fileno(), tcp.fileno()
        script = f'exec 30<&{fds[0]} 31<&{fds[1]} 3<&30 4<&31 30<&- 31<&-; LISTEN_PID=$$ LISTEN_FDS=2 exec "$@"'
        words = [harness.binary(), "agent", *mesh_options(bookinfo), "--dns-listen", f"127.0.0.1:{port}"]
        words += ["--admin-listen", "off", "--health-listen", "off", *harness.REGISTRIES_OFF]
        words += ["--drain-time", "0s", "--dns-upstream", "127.0.0.1:9"]
        agent = harness.Process(
            ["bash", "-c", script, "bash", *words], env={"NOTIFY_SOCKET": str(tmp_path / "notify")}, pass_fds=fds
        )
        assert notify.recv(64) == b"READY=1"
        query = dns.message.make_query(NAME, "A")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(20)
            client.connect(("127.0.0.1", port))
            client.send(query.to_wire())
            assert dns.message.from_wire(client.recv(4096)).answer[0][0].address == ADDRESS[0]
        assert agent.stop() == 0
        udp.setblocking(False)  # ours was the socket that it read
        with pytest.raises(BlockingIOError):
            udp.recv(4096)
