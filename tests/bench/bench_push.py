#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""From the last byte of an EDS push for one service to the changed answer at the DNS and the REST door.

Between the real istiod and the agent stands a relay that notes when the push's last byte goes out to the agent
(relay.py). All endpoints of one service move between 10.x and 11.x, while a loop asks the door without a pause. What is
measured holds the relay's own system call, the agent, and on average half of one question."""
import concurrent.futures
import http.client
import multiprocessing
import random
import socket
import statistics
import time
import urllib.request

import dns.message

import benchlib
import meshes
import relay

DEADLINE_S = 10


def apply(control, text):
    request = urllib.request.Request(f"http://{control}/apply", method="POST", data=text.encode())
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
        answer.read()


def host_of(service):
    return f"svc-{service}.{meshes.namespace_of(service)}.svc.cluster.local"


class DnsDoor:
    def __init__(self, agent):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(2)
        self.socket.connect(("127.0.0.1", agent.ports["dns"]))

    def asks(self, service):
        """A function that says in which network the service is now: 10 or 11."""
        query = dns.message.make_query(host_of(service), "A").to_wire()

        def ask():
            self.socket.send(query)
            return self.socket.recv(4096)[-4]  # first byte of the last record's address
        return ask

    def close(self):
        self.socket.close()


class RestDoor:
    def __init__(self, agent):
        self.connection = http.client.HTTPConnection("127.0.0.1", agent.ports["admin"], timeout=2)

    def asks(self, service):
        path = f"/v1/endpoints/{host_of(service)}"

        def ask():
            self.connection.request("GET", path)
            return 11 if b'"11.' in self.connection.getresponse().read() else 10
        return ask

    def close(self):
        self.connection.close()


class Push:
    """Moves the endpoints of one service and measures."""

    def __init__(self, server, between, endpoints, others):
        self.server, self.between, self.endpoints, self.others = server, between, endpoints, others

    def move(self, ask, service, network):
        text = meshes.slice_text(service, [meshes.dotted(network, service * self.endpoints + e + 1)
                                           for e in range(self.endpoints)])
        before = self.between.look()[1]
        applied = self.others.submit(apply, self.server.control, text)
        end_ns = time.monotonic_ns() + DEADLINE_S * 10**9
        while ask() != network:
            assert time.monotonic_ns() < end_ns, f"svc-{service} did not move; is the push for it alone?"
        now_ns = time.monotonic_ns()
        pushed_ns, count = self.between.look()
        applied.result()
        self.server.quiesce(1)
        return (now_ns - pushed_ns) / 1e6, count - before

    def series(self, door, services, pushes):
        chooser = random.Random(7)
        times_ms, frames, asked_us = [], [], []
        for _ in range(pushes):
            service = chooser.randrange(services)
            ask = door.asks(service)
            start = time.monotonic_ns()
            network = ask() ^ 1
            asked_us.append((time.monotonic_ns() - start) / 1e3)
            took_ms, count = self.move(ask, service, network)
            times_ms.append(took_ms)
            frames.append(count)
        door.close()
        return {"pushes": pushes, "median_ms": round(statistics.median(times_ms), 3),
                "p99_ms": round(benchlib.percentile(times_ms, 99), 3), "max_ms": round(max(times_ms), 3),
                "min_ms": round(min(times_ms), 3), "one_question_median_ms": round(statistics.median(asked_us) / 1e3, 3),
                "data_frames_max": max(frames)}


def run(long_form):
    services, endpoints, pushes = (5000, 10, 200) if long_form else (50, 10, 5)
    figures = {"services": services, "endpoints": endpoints}
    with benchlib.istiod("--synthetic", f"{services}x{endpoints}") as server, relay.Relay(server.plaintext) as between, \
            concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as others:
        with benchlib.agent(*benchlib.plaintext(between.address, "--dns-answer", "endpoint")) as agent:
            server.quiesce(1)
            benchlib.wait_quiet(agent.pid)
            push = Push(server, between, endpoints, others)
            figures["dns"] = push.series(DnsDoor(agent), services, pushes)
            figures["rest"] = push.series(RestDoor(agent), services, pushes)
    return figures


def main():
    options = benchlib.arguments(__doc__)
    figures = run(options.long)
    for door in ("dns", "rest"):
        row = figures[door]
        assert 0 < row["min_ms"] <= row["median_ms"] < 1000, row
        assert row["data_frames_max"] == 1, f"{door}: a push had several parts, so its last byte is not known: {row}"
    benchlib.save("push", figures, options.long)


if __name__ == "__main__":
    main()
