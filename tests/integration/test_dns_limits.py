# SPDX-License-Identifier: Apache-2.0
"""The DNS door under those who mean it no good, or mean too much: memory, file descriptors and the log stay where they are, and
the others are answered. Memory is what the agent has for itself (RssAnon)."""

import contextlib
import json
import os
import pathlib
import random
import re
import socket
import struct
import subprocess

import dns.rcode
import pytest

import dnswire
import harness
import scripted_dns
from dnswire import BIG, TYPE_A, VIP, connect, framed, packet, read_exactly, read_message, udp, wire_name

SRV = struct.pack(">HH", 33, 1)
SLACK_KB = 768  # of the allocator and the sanitizers
EVICTIONS, WAITING = "isthmus_dns_cache_evictions_total", "isthmus_dns_pending_queries"
PENDING, CONNECTIONS = 2048, 256  # docs/dns.md, Limits
LONG = pytest.param(1_000_000, id="long", marks=[pytest.mark.long, pytest.mark.timeout(1800)])


@contextlib.contextmanager
def serving(folder, upstream, *args):
    with dnswire.serving(folder, *args, upstream=upstream, env=harness.LEAN) as (agent, _):
        yield agent


@pytest.fixture
def upstream():
    server = scripted_dns.Server()
    yield server
    server.stop()


@pytest.fixture
def agent(tmp_path, upstream):
    with serving(tmp_path, upstream) as agent:
        yield agent


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("programs")
    return [harness.compile_c(source, folder / pathlib.Path(source).stem)
            for source in ("tests/bench/dnsload.c", "tests/support/dns_answers.c")]


class Answers:
    """tests/support/dns_answers.c, running."""

    def __init__(self, program):
        self.child = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.address = f"127.0.0.1:{int(self.child.stdout.readline())}"

    def stop(self):
        self.child.communicate()


def memory_kb(agent):
    return int(re.search(r"RssAnon:\s+(\d+)", pathlib.Path(f"/proc/{agent.pid}/status").read_text()).group(1))


def descriptors(agent):
    return len(os.listdir(f"/proc/{agent.pid}/fd"))


def metric(agent, name):
    found = re.search(rf"^{re.escape(name)} (\S+)$", agent.http("/metrics").body, re.M)
    return float(found.group(1)) if found else 0.0


def is_answered(agent):
    return dnswire.raw(agent, packet()).endswith(socket.inet_aton(VIP))


def ask_distinct(program, agent, folder, first, count):
    """Asks for names that nobody has asked for before; each must be answered."""
    names = folder / "names.txt"
    names.write_text("".join(f"n{first + i}.names.example.net A\n" for i in range(count)))
    words = [program, "-p", str(agent.ports["dns"]), "-q", names, "-n", str(count), "-t", "600", "-w", "64"]
    account = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    assert account["answered"] == account["data"] == count, account


@pytest.mark.parametrize("count", [pytest.param(50_000, id="short"), LONG])
def test_memory_is_flat_under_distinct_names(tmp_path, programs, count):
    load, answers = programs
    with serving(tmp_path, Answers(answers)) as agent:
        chunk, asked = 25_000, 25_000
        ask_distinct(load, agent, tmp_path, 0, chunk)  # the cache has filled its block twice
        before, open_before, evicted = memory_kb(agent), descriptors(agent), metric(agent, EVICTIONS)
        assert evicted > chunk / 4
        while asked < count:
            ask_distinct(load, agent, tmp_path, asked, chunk)
            asked += chunk
        assert memory_kb(agent) - before < SLACK_KB
        assert descriptors(agent) <= open_before + 4
        assert metric(agent, EVICTIONS) - evicted > (count - chunk) * 0.9


def garbage(rng):
    """Anything between noise and a question with broken bytes."""
    if rng.random() < 0.3:
        return rng.randbytes(rng.randrange(1, 1400))
    data = bytearray(packet(wire_name(f"{rng.randrange(1 << 30):x}.example.net") + struct.pack(">HH", rng.randrange(300), 1),
                            flags=rng.choice((0x0100, rng.randrange(1 << 15))), counts=(1, 0, 0, 1),
                            rest=dnswire.opt(options=dnswire.option(rng.randrange(20), rng.randbytes(rng.randrange(30))))))
    for _ in range(rng.randrange(1, 5)):
        data[rng.randrange(2, len(data))] = rng.randrange(256)
    return bytes(data[: rng.randrange(1, len(data) + 1)] if rng.random() < 0.3 else data)


@pytest.mark.parametrize("count", [pytest.param(30_000, id="short"), LONG])
def test_memory_and_log_are_flat_under_garbage(tmp_path, programs, count):
    """By UDP, and the same by TCP, where garbage ends connections."""
    with serving(tmp_path, Answers(programs[1]), "--dns-cache-size", "128Ki") as agent:
        check_garbage(agent, count)


def check_garbage(agent, count):
    rng = random.Random(53)

    def flood(packets):
        with udp(agent) as client:
            for number in range(packets):
                client.send(garbage(rng))
                if number % 100 == 0:  # no more than the agent can read
                    assert is_answered(agent)
        for _ in range(packets // 100):
            with connect(agent) as client, contextlib.suppress(ConnectionError):
                client.sendall(b"".join(framed(garbage(rng)) if rng.random() < 0.8 else garbage(rng) for _ in range(10)))
        assert is_answered(agent)

    flood(10_000)
    before, open_before, lines = memory_kb(agent), descriptors(agent), len(agent.stderr)
    flood(count)
    assert memory_kb(agent) - before < SLACK_KB
    harness.wait_for(lambda: descriptors(agent) <= open_before + 4, "connections to end")
    assert len(agent.stderr) - lines <= 10, agent.log()


# --- TCP ------------------------------------------------------------------------------------------------------------


def test_slow_writers_are_bounded(agent):
    """Slow loris: a thousand connections, of each a byte from time to time. The oldest go, the others are answered."""
    before, open_before = memory_kb(agent), descriptors(agent)
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            slow = [stack.enter_context(connect(agent)) for _ in range(250)]
            for each in slow:
                with contextlib.suppress(ConnectionError):
                    each.sendall(b"\x0f")
            with connect(agent) as client:
                client.sendall(framed(packet()))
                assert read_message(client).endswith(socket.inet_aton(VIP))
            assert descriptors(agent) - open_before <= CONNECTIONS
            for each in slow:
                with contextlib.suppress(ConnectionError):
                    each.sendall(b"\xff")
        assert is_answered(agent)
    assert memory_kb(agent) - before < CONNECTIONS * 8 + SLACK_KB
    harness.wait_for(lambda: descriptors(agent) <= open_before, "connections to end")


def test_slow_readers_are_bounded(agent):
    """They ask for a hundred times more than the agent keeps for them, and take nothing. The others are answered; who reads
    after all gets everything."""
    readers, questions = 10, 6000
    question = framed(packet(wire_name(f"_http._tcp.{BIG}") + SRV))
    before = memory_kb(agent)
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect(agent)) for _ in range(readers)]
        for each in slow:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            each.settimeout(0.3)
            with contextlib.suppress(TimeoutError):  # the agent has stopped to read
                each.sendall(question * questions)
        for _ in range(50):
            assert is_answered(agent)
        with connect(agent) as client:
            client.sendall(framed(packet()))
            assert read_message(client).endswith(socket.inet_aton(VIP))
        assert memory_kb(agent) - before < readers * 256 + SLACK_KB
        slow[0].settimeout(10)
        for _ in range(500):
            assert len(read_message(slow[0])) > 4000
    assert is_answered(agent)


# --- File descriptors -------------------------------------------------------------------------------------------------


def test_no_descriptor_leaks(agent, upstream):
    """Upstreams that refuse, are silent, break TCP off; clients that reset, half close, or go while they wait."""
    upstream.names = {"silent": scripted_dns.silent, "refused": scripted_dns.error(dns.rcode.REFUSED),
                      "cut": scripted_dns.truncated, "garbage": scripted_dns.garbage}

    def trouble(number):
        upstream.close_after = number % 3 if number % 2 else None
        with udp(agent) as client:
            for kind in ("silent", "refused", "cut", "garbage"):
                client.send(packet(wire_name(f"{kind}.x{number}.example.net") + TYPE_A))
        for behaviour in ("reset", "half", "gone"):
            with connect(agent) as client:
                name = f"{('silent', 'cut')[number % 2]}.{behaviour}{number}.example.net"
                client.sendall(framed(packet(wire_name(name) + TYPE_A)))
                client.sendall(framed(packet()))
                read_exactly(client, 2)
                if behaviour == "reset":
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                elif behaviour == "half":
                    client.shutdown(socket.SHUT_WR)
        upstream.close_connections()

    for number in range(20):
        trouble(number)
    harness.wait_for(lambda: metric(agent, WAITING) == 0, "all to be answered")
    before = descriptors(agent)
    for number in range(20, 120):
        trouble(number)
    harness.wait_for(lambda: metric(agent, WAITING) == 0, "all to be answered")
    harness.wait_for(lambda: descriptors(agent) <= before + 2, f"no more than {before} descriptors")
    assert is_answered(agent)


def test_takeovers_leak_no_descriptor(start_agent, bookinfo, tmp_path):
    """The fifth agent of a row has as many as the second."""
    options = ("--source", f"dir:{bookinfo}", "--control-socket", str(tmp_path / "control"), "--takeover")
    old, counts = start_agent(*options), []
    harness.wait_for((tmp_path / "control").exists, "the control socket")
    for _ in range(4):
        new = start_agent(*options)
        assert old.child.wait(harness.DEADLINE_S) == 0
        counts.append(descriptors(new))
        old = new
    assert max(counts) - min(counts) <= 1, counts


# --- Waiting for upstreams --------------------------------------------------------------------------------------------


def use_pool(agent, times):
    for round_ in range(times):
        with udp(agent) as client:
            for number in range(PENDING):
                client.send(packet(wire_name(f"r{round_}n{number}.example.net") + TYPE_A, ident=number))
                if number % 50 == 0:
                    assert is_answered(agent)
        harness.wait_for(lambda: metric(agent, WAITING) == 0, "nobody to wait")


def check_waiting_queries(agent, upstream):
    upstream.behave = scripted_dns.held
    before, failed, extra = memory_kb(agent), 0, 500
    with udp(agent) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        for number in range(PENDING + extra):
            client.send(packet(wire_name(f"w{number}.example.net") + TYPE_A, ident=number))
            if number % 50 == 0:
                assert is_answered(agent)
        assert is_answered(agent)
        client.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            while failed < extra:
                failed += dnswire.rcode_of(client.recv(512)) == dns.rcode.SERVFAIL
    assert failed == extra
    assert memory_kb(agent) - before < 12 * 1024
    upstream.behave = scripted_dns.answer
    upstream.release()
    harness.wait_for(lambda: metric(agent, WAITING) == 0, "nobody to wait")
    assert dnswire.ask(agent, "after.example.net").answer[0][0].address == scripted_dns.GOOD
    use_pool(agent, 4)
    peak = memory_kb(agent)
    use_pool(agent, 2)  # it is used again, it does not grow
    assert memory_kb(agent) - peak < SLACK_KB


def test_waiting_queries_are_bounded(tmp_path, upstream):
    """Beyond 2048 that wait for a silent upstream, SERVFAIL comes at once; ours are answered throughout, all afterwards."""
    with serving(tmp_path, upstream, "--dns-cache-size", "off") as agent:
        check_waiting_queries(agent, upstream)
