#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Warm start: from exec to the first DNS answer out of the mesh, while istiod is down, for growing snapshots.

The snapshot is what the agent has kept of the real istiod; the clock begins before the process is made. `first_ms` is the first
answer at all, which may be an upstream's. Memory is that after the start, and its peak."""
import pathlib
import socket
import tempfile
import time

import dns.message
import dns.rcode

import benchlib
import harness

NAME = "svc-0.ns-0.svc.cluster.local."
ASK_EVERY_S = 0.0005
DEADLINE_S = 60
GOALS_MS = {100: 20, 5000: 200}  # by services


def free_port():
    udp, tcp = harness.bind_udp_and_tcp()
    port = udp.getsockname()[1]
    udp.close()
    tcp.close()
    return port


def record(size, path):
    """What an agent keeps of that mesh."""
    with benchlib.istiod("--synthetic", size) as server, \
            benchlib.agent(*benchlib.plaintext(server.plaintext), "--snapshot", str(path)) as agent:
        server.quiesce(1)

        def recorded():
            status = agent.status()
            return not status["stale"] and status["source"]["snapshot"]["commits"] and status["source"]["snapshot"]

        harness.wait_for(recorded, "the snapshot")
        benchlib.wait_quiet(agent.pid)
        return recorded()


def first_answers(port, began):
    """Milliseconds until the first answer, and until the first one out of the mesh."""
    query = dns.message.make_query(NAME, "A").to_wire()
    first = None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(ASK_EVERY_S)
        while time.monotonic() - began < DEADLINE_S:
            try:
                client.send(query)
                reply = dns.message.from_wire(client.recv(4096))
            except OSError:
                time.sleep(ASK_EVERY_S)  # nobody listens yet, or nothing has come
                continue
            now_ms = (time.monotonic() - began) * 1000
            first = first or now_ms
            if reply.answer and reply.rcode() == dns.rcode.NOERROR:
                return first, now_ms
    raise AssertionError(f"no answer about {NAME} within {DEADLINE_S} s")


def start_once(path):
    port = free_port()
    began = time.monotonic()
    with benchlib.agent(*benchlib.plaintext("127.0.0.1:9"), "--snapshot", str(path), "--dns-listen", f"127.0.0.1:{port}",
                        wait=None) as agent:
        first_ms, mesh_ms = first_answers(port, began)
        cpu_ms = benchlib.cpu_s(agent.pid) * 1000
        agent.wait_ready()
        benchlib.wait_quiet(agent.pid)
        memory = benchlib.memory_mb(agent.pid)
        return {"first_ms": first_ms, "mesh_ms": mesh_ms, "cpu_ms": cpu_ms, "rss_mb": memory["rss"], "peak_mb": memory["peak"]}


def run(long_form, folder):
    rows = []
    for services, rounds in ((100, 11), (1000, 7), (5000, 7)) if long_form else ((100, 3),):
        path = pathlib.Path(folder) / f"snapshot-{services}"
        kept = record(f"{services}x10", path)
        row = benchlib.median_of([start_once(path) for _ in range(rounds)])
        rows.append({"services": services, "resources": kept["resources"], "file_mb": round(kept["bytes"] / 1e6, 2), **row,
                     "goal_ms": GOALS_MS.get(services, "")})
    return {"rows": rows}


def main():
    options = benchlib.arguments(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        figures = run(options.long, folder)
    assert all(0 < row["first_ms"] <= row["mesh_ms"] for row in figures["rows"]), figures
    benchlib.save("warm", figures, options.long)


if __name__ == "__main__":
    main()
