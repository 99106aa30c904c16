# SPDX-License-Identifier: Apache-2.0
"""The query log: one line for each query that says who asked what, and who answered; nothing that stands in a question can break
a line; nobody who reads slowly can hold up an answer."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time

import dns.message
import dns.name
import harness
import pytest

DOMAIN = "default.svc.cluster.local"
LINE = re.compile(
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\tinfo\tquery\tclient=(?P<client>\S+) name=(?P<name>[!-~]+) type=(?P<type>\S+) "
    r"proto=(?P<proto>udp|tcp) rcode=(?P<rcode>\w+) source=(?P<source>\w+) us=(?P<us>\d+) revision=(?P<revision>\d+)$")
WRITTEN, DROPPED = "isthmus_dns_query_log_entries_total", "isthmus_dns_query_log_dropped_total"


@pytest.fixture
def start(start_agent, bookinfo, upstream):
    upstream.records["far.example."] = ["192.0.2.1"]
    return lambda *args, **kwargs: start_agent("--source", f"dir:{bookinfo}", *args, upstream=upstream.address, **kwargs)


def lines(agent):
    return [found.groupdict() for found in map(LINE.match, list(agent.stderr)) if found]


def wait_lines(agent, count):
    return harness.wait_for(lambda: len(lines(agent)) >= count and lines(agent), f"{count} lines of the query log")


def metric(agent, name):
    return int(re.search(rf"^{name} (\d+)$", agent.http("/metrics").body, re.M)[1])


def set_log(agent, what):
    answer = agent.http(f"/dns?query-log={what}", method="POST")
    assert answer.status == 200, answer.body
    return answer.json()["query_log"]


def test_every_source_has_its_line(start):
    agent = start("--dns-query-log", "all")
    agent.query(f"details.{DOMAIN}")
    agent.query("far.example")
    agent.query("far.example", tcp=True)
    agent.query("nobody.example", "AAAA")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.connect(("127.0.0.1", agent.ports["dns"]))
        client.send(dns.message.make_query("version.bind", "TXT", "CH").to_wire())
        assert client.recv(512)
        own = "127.0.0.1:%d" % client.getsockname()[1]
    found = wait_lines(agent, 5)
    assert [(each["name"], each["type"], each["proto"], each["rcode"], each["source"]) for each in found] == [
        (f"details.{DOMAIN}", "A", "udp", "NOERROR", "mesh"),
        ("far.example", "A", "udp", "NOERROR", "upstream"),
        ("far.example", "A", "tcp", "NOERROR", "cache"),
        ("nobody.example", "AAAA", "udp", "NXDOMAIN", "upstream"),
        ("version.bind", "TXT", "udp", "REFUSED", "refused"),
    ]
    assert found[-1]["client"] == own and all(each["client"].startswith("127.0.0.1:") for each in found)
    assert all(int(each["us"]) < harness.DEADLINE_S * 1e6 and each["revision"] == "1" for each in found)
    assert metric(agent, WRITTEN) == 5 and metric(agent, DROPPED) == 0


def test_json_lines_have_the_same_as_members(start):
    agent = start("--dns-query-log", "all", "--log-format", "json")
    agent.query(f"details.{DOMAIN}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.connect(("127.0.0.1", agent.ports["dns"]))
        client.send(b"\x12\x34" + bytes(10))  # a header that asks for nothing
        assert client.recv(512)

    def found():
        objects = [json.loads(line) for line in list(agent.stderr)]
        return [each for each in objects if each["scope"] == "query"]

    first, second = harness.wait_for(lambda: len(found()) == 2 and found(), "two lines")
    assert first["name"] == f"details.{DOMAIN}" and first["type"] == "A" and first["source"] == "mesh"
    assert first["level"] == "info" and first["revision"] == 1 and isinstance(first["us"], int)
    assert second["name"] is None and second["type"] is None and second["rcode"] == "FORMERR"
    assert set(first) == set(second) == {"level", "time", "scope", "client", "name", "type", "proto", "rcode", "source", "us",
                                         "revision"}


@pytest.mark.parametrize("form", ["text", "json"])
def test_hostile_names_stay_on_their_line(start, form):
    agent = start("--dns-query-log", "all", "--log-format", form)
    hostile = [bytes([byte]) for byte in range(256)] + [b"x\nfake line", b"\x1b[2Jclear", b"a=b c=d", b"\xff" * 63, b'"},{"',
                                                        b"name=you source=mesh"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.connect(("127.0.0.1", agent.ports["dns"]))
        for label in hostile:
            client.send(dns.message.make_query(dns.name.Name((label, label, b"example", b"")), "A").to_wire())
            client.recv(512)
    def names():
        if form == "text":
            return [each["name"] for each in lines(agent)]
        return [each["name"] for each in map(json.loads, list(agent.stderr)) if each["scope"] == "query"]

    harness.wait_for(lambda: len(names()) == len(hostile), "a line for each")
    for label, name in zip(hostile, names()):
        assert dns.name.from_text(name) == dns.name.Name((label, label, b"example", b""))
        assert all("!" <= letter <= "~" for letter in name)


def test_errors_alone(start, upstream):
    agent = start("--dns-query-log", "errors")
    agent.query(f"details.{DOMAIN}")
    agent.query("nobody.example")  # "no such name" is an answer, and each search path is full of them
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.connect(("127.0.0.1", agent.ports["dns"]))
        client.send(dns.message.make_query("a.example", 252).to_wire())
        assert client.recv(512)
    assert [(each["type"], each["rcode"]) for each in wait_lines(agent, 1)] == [("TYPE252", "NOTIMP")]
    assert metric(agent, WRITTEN) == 1


def test_one_of_many(start):
    agent = start("--dns-query-log", "all:1/4")
    for _ in range(400):  # in turns, as resolvers ask
        agent.query(f"details.{DOMAIN}", "A")
        agent.query(f"details.{DOMAIN}", "AAAA")
    count = metric(agent, WRITTEN)
    assert 100 < count < 300  # 200 with a deviation of 12
    types = [each["type"] for each in wait_lines(agent, count)]
    assert types.count("A") > 40 and types.count("AAAA") > 40


def test_switched_at_run_time(start, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("log-level: info\n")
    agent = start("--config", str(config))
    assert agent.get("/dns") == {"mode": "serve", "query_log": "off"}
    agent.query(f"details.{DOMAIN}")
    assert set_log(agent, "all") == "all"
    agent.query(f"reviews.{DOMAIN}")
    assert set_log(agent, "off") == "off"
    agent.query(f"ratings.{DOMAIN}")
    assert set_log(agent, "errors:1/3") == "errors:1/3"
    assert [each["name"] for each in wait_lines(agent, 1)] == [f"reviews.{DOMAIN}"]
    for bad in ("some", "all:2/3", "all:1/0", "off:1/2", ""):
        answer = agent.http(f"/dns?query-log={bad}", method="POST")
        assert answer.status == 400 and "off, errors or all" in answer.json()["detail"]
    assert agent.get("/dns")["query_log"] == "errors:1/3"
    config.write_text("log-level: info\ndns-query-log: all\n")
    agent.child.send_signal(signal.SIGHUP)
    harness.wait_for(lambda: agent.get("/dns")["query_log"] == "all", "the reload")
    agent.query(f"productpage.{DOMAIN}")
    assert wait_lines(agent, 2)[1]["name"] == f"productpage.{DOMAIN}"


def test_command_shows_and_changes_it(start):
    agent = start()

    def query_log(*words):
        return harness.run("query-log", *words, "--admin", f"127.0.0.1:{agent.ports['admin']}", "--no-headers")

    assert query_log().stdout.strip() == "off"
    assert query_log("all:1/100").stdout.strip() == "all:1/100"
    wrong = query_log("most")
    assert wrong.returncode == 2 and "off, errors or all" in wrong.stderr
    assert query_log().stdout.strip() == "all:1/100"


def test_option_is_checked():
    done = harness.run("agent", "--dns-query-log", "all:1/2000000")
    assert done.returncode == 2 and "--dns-query-log" in done.stderr and "off, errors or all" in done.stderr


def test_dns_that_is_off_has_no_log(start):
    agent = start("--dns-listen", "off", "--dns-query-log", "all")
    assert agent.get("/dns") == {"mode": None, "query_log": "off"}
    assert agent.http("/dns?query-log=all", method="POST").status == 409


class Unread:
    """An agent that writes its log into a pipe; nobody reads there by itself."""

    http = harness.Agent.http

    def __init__(self, mesh, *args):
        self.reader, writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.child = subprocess.Popen(
            [harness.binary(), "agent", "--source", f"dir:{mesh}", "--dns-listen", "127.0.0.1:0", "--admin-listen",
             "127.0.0.1:0", "--health-listen", "127.0.0.1:0", "--drain-time", "0s", "--dns-upstream", "127.0.0.1:9",
             "--dns-query-log", "all", *args],
            stdout=subprocess.PIPE, stderr=writer, text=True, env=harness.environment())
        os.close(writer)
        self.ports = {name: int(port) for name, port in re.findall(r"(\w+)=127.0.0.1:(\d+)", self.child.stdout.readline())}

    def ask(self, count):
        """Asks and waits for each answer; how long the slowest one took."""
        query, slowest = dns.message.make_query(f"details.{DOMAIN}", "A").to_wire(), 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(10)
            client.connect(("127.0.0.1", self.ports["dns"]))
            for _ in range(count):
                started = time.monotonic()
                client.send(query)
                assert client.recv(512)
                slowest = max(slowest, time.monotonic() - started)
        return slowest

    def read(self):
        """What is in the pipe now."""
        text = b""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.reader, 65536):
                text += data
        return text.decode()

    def stop(self):
        self.child.terminate()
        code = self.child.wait(20)
        self.child.stdout.close()
        os.close(self.reader)
        return code


def test_reader_that_does_not_read_holds_up_no_answer(bookinfo):
    """The pipe is full: answers go on, what does not fit is dropped and counted, and what is read later is whole lines."""
    agent, asked, text = Unread(bookinfo), 0, ""
    try:
        while metric(agent, DROPPED) < 100:
            assert agent.ask(500) < 5 and asked < 20_000
            asked += 500
        dropped, written = metric(agent, DROPPED), metric(agent, WRITTEN)
        assert written + dropped == asked

        def read_all():
            nonlocal text
            text += agent.read()
            return text.count("\tquery\t") == written

        harness.wait_for(read_all, "everything that was not dropped")
        assert all(LINE.match(line) for line in text.splitlines() if "\tquery\t" in line)
        assert agent.ask(10) < 5
        harness.wait_for(lambda: metric(agent, WRITTEN) == written + 10, "the log to go on")
    finally:
        assert agent.stop() == 0


def test_agent_ends_although_nobody_reads(bookinfo):
    agent = Unread(bookinfo, "--log-level", "none")  # its other lines wait for the reader
    agent.ask(3000)
    assert metric(agent, DROPPED) > 0
    assert agent.stop() == 0
