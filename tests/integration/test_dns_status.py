# SPDX-License-Identifier: Apache-2.0
"""The DNS part of /v1/status: what an operator sees of sockets, upstreams and cache is what has happened."""

import socket

import harness
import pytest

NAMES = [f"n{n}.example" for n in range(8)]


@pytest.fixture
def silent():
    server = harness.Upstream()
    server.silent = True
    yield server
    server.stop()


@pytest.fixture
def start(start_agent, bookinfo, upstream):
    upstream.records.update({name + ".": ["192.0.2.1"] for name in NAMES})
    return lambda *others, **kwargs: start_agent("--source", f"dir:{bookinfo}", *kwargs.pop("flags", ()),
                                                 upstream=",".join([*others, upstream.address]), **kwargs)


def test_agent_that_was_asked_nothing(start, upstream):
    agent = start()
    found = agent.status()["dns"]
    assert found["mode"] == "serve" and found["query_log"] == "off"
    assert found["sockets"] == [{"address": f"127.0.0.1:{agent.ports['dns']}", "receive_queue_bytes": 0, "receive_drops": 0}]
    assert found["tcp_connections"] == found["pending_queries"] == 0
    assert [each["address"] for each in found["upstreams"]] == [upstream.address]
    assert found["upstreams"][0]["state"] in ("up", "unknown")  # it may have asked whether there is a loop
    assert found["cache"]["size_bytes"] == 2 << 20 and not found["cache"]["entries"]


def test_upstreams_and_cache_follow_what_happens(start, upstream, silent):
    agent = start(silent.address)
    for name in NAMES:
        assert agent.addresses(name) == ["192.0.2.1"]
    assert agent.addresses(NAMES[0]) == ["192.0.2.1"]

    def states():
        found = agent.status()["dns"]
        return found if [each["state"] for each in found["upstreams"]] == ["down", "up"] else None

    found = harness.wait_for(states, "the silent upstream to be known as such")
    down, up = found["upstreams"]
    assert (down["address"], up["address"]) == (silent.address, upstream.address)
    assert down["failures"] >= 2 and down["rtt_ms"] is None and up["rtt_ms"] > 0 and up["requests"] >= len(NAMES)
    assert found["cache"]["entries"] == len(NAMES) and found["cache"]["hits"] == 1 and found["cache"]["bytes"] > 0
    silent.silent = False
    silent.records.update(upstream.records)

    def heard():
        agent.query(f"again{len(silent.asked)}.example")
        return agent.status()["dns"]["upstreams"][0]["state"] == "up"

    harness.wait_for(heard, "it to be asked and heard again")


def test_waiting_queries_connections_and_settings(start, upstream):
    agent = start()
    upstream.silent = True
    with socket.create_connection(("127.0.0.1", agent.ports["dns"]), timeout=10) as client:
        query = harness.dns.message.make_query("slow.example", "A").to_wire()
        client.sendall(len(query).to_bytes(2, "big") + query)
        harness.wait_for(lambda: agent.status()["dns"]["pending_queries"] == 1, "the query to wait")
        assert agent.status()["dns"]["tcp_connections"] == 1
    agent.http("/dns?mode=forward", method="POST")
    agent.http("/dns?query-log=errors:1/5", method="POST")
    found = agent.status()["dns"]
    assert found["mode"] == "forward" and found["query_log"] == "errors:1/5"
    upstream.silent = False


def test_dns_and_cache_that_are_off(start):
    agent = start(flags=("--dns-listen", "off", "--dns-cache-size", "off"))
    found = agent.status()["dns"]
    assert found["mode"] is None and found["sockets"] == [] and found["tcp_connections"] is None
    assert found["cache"]["size_bytes"] == 0 and found["cache"]["entries"] is None


def test_command_shows_it(start):
    agent = start()
    rows = dict(line.split(None, 1) for line in harness.run(
        "status", "--admin", f"127.0.0.1:{agent.ports['admin']}").stdout.splitlines())
    assert rows["dns.mode"] == "serve" and rows["dns.cache.size_bytes"] == "2097152"
    assert rows["dns.upstreams.0.state"] in ("up", "unknown") and rows["dns.sockets.0.receive_drops"] == "0"
