#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""DNS answers while endpoints change: 1,000 services a second of a large mesh move one endpoint each, in pushes of ten.

The control plane is scripted and shares the core of the load. `quiet`: nothing is pushed. `same`: the same pushes with the bytes
that the agent has, so that what the pushing itself costs can be told from what the changes cost."""
import os
import tempfile
import threading
import time

import bench_dns
import benchlib
import dns_peers
import scripted_ads as ads

PUSHES_PER_S, PER_PUSH = 100, 10
FORMS = ("quiet", "same", "changes")


class Mesh:
    """`count` services with three endpoints each, of which two states are kept as bytes."""

    def __init__(self, count):
        self.clusters = [f"outbound|80||svc-{i}.ns-{i % dns_peers.NAMESPACES}.svc.{dns_peers.ZONE}" for i in range(count)]
        self.states = [[self._assignment(i, state) for i in range(count)] for state in range(2)]
        self.now = [0] * count

    def _assignment(self, i, state):
        first = i * 3 + 1
        tail = [(f"10.{20 * (e == 0) * state + (first + e >> 16)}.{first + e >> 8 & 255}.{first + e & 255}", 80)
                for e in range(3)]
        return ads.assignment(self.clusters[i], *tail)

    def serve(self, plane):
        plane.resources["cds"] = {name: ads.cluster(name) for name in self.clusters}
        plane.resources["eds"] = dict(zip(self.clusters, self.states[0], strict=True))

    def push(self, plane, first, change):
        chosen = [(first + n) % len(self.clusters) for n in range(PER_PUSH)]
        for i in chosen:
            self.now[i] ^= int(change)
        plane.push("eds", {self.clusters[i]: self.states[self.now[i]][i] for i in chosen})


class Pusher(threading.Thread):
    """Pushes at its pace until it is told to stop."""

    def __init__(self, mesh, plane, change):
        super().__init__(daemon=True)
        self.mesh, self.plane, self.change = mesh, plane, change
        self.pushed, self.stopping = 0, False

    def run(self):
        start = time.monotonic()
        while not self.stopping:
            self.mesh.push(self.plane, self.pushed * PER_PUSH * 7, self.change)
            self.pushed += 1
            time.sleep(max(0, start + self.pushed / PUSHES_PER_S - time.monotonic()))

    def stop(self):
        self.stopping = True
        self.join()


def measure(form, server, mesh, plane, names, seconds):
    pusher = Pusher(mesh, plane, form == "changes") if form != "quiet" else None
    revision = server.get("/v1/status")["revision"]
    started = time.monotonic()
    if pusher:
        pusher.start()
    load = bench_dns.measure("load", server, names, seconds)
    paced = bench_dns.measure("paced", server, names, seconds)
    if pusher:
        pusher.stop()
    elapsed = time.monotonic() - started
    revisions = server.get("/v1/status")["revision"] - revision
    assert not any(request.error for request in plane.requests), [r for r in plane.requests if r.error][:3]
    return {"rate": load["rate"], "cpu_us": load["cpu_us"], "p50_us": paced["p50_us"], "p99_us": paced["p99_us"],
            "lost": load["lost"] + paced["lost"], "pushed_per_s": pusher.pushed * PER_PUSH / elapsed if pusher else 0,
            "revisions_per_s": revisions / elapsed}


def agent(plane):
    return dns_peers.Agent("Isthmus", None, "127.0.0.1:9", "--dns-listen", "127.0.0.1:0", "--xds-address", plane.address,
                           "--xds-tls", "off", source="istiod")


def run(size, rounds, seconds, folder):
    mesh, plane = Mesh(size), ads.ScriptedAds()
    mesh.serve(plane)
    names = dns_peers.Names(folder, size)
    rows = {form: [] for form in FORMS}
    try:
        with benchlib.Running(agent(plane)) as server:
            benchlib.wait_quiet(server.pid)
            for _ in range(rounds):
                for form in FORMS:
                    rows[form].append(measure(form, server, mesh, plane, names, seconds))
    finally:
        plane.stop()
    figures = {form: benchlib.median_of(mine) for form, mine in rows.items()}
    figures["rate_ratio"] = {form: bench_dns.ratios(rows[form], rows["quiet"], "rate") for form in FORMS[1:]}
    return figures


def main():
    options = benchlib.arguments(__doc__)
    size, rounds, seconds = (10000, 7, 4) if options.long else (100, 1, 1)
    os.sched_setaffinity(0, {dns_peers.LOAD_CORE})
    with tempfile.TemporaryDirectory() as folder:
        figures = run(size, rounds, seconds, f"{folder}/names")
    assert figures["changes"]["revisions_per_s"] > 10 and figures["same"]["revisions_per_s"] < 1, figures
    benchlib.save("update", {"services": size, "rounds": rounds, "seconds": seconds, **figures}, options.long)


if __name__ == "__main__":
    main()
