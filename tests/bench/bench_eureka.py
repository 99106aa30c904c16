#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Eureka door beside Netflix's own eureka-core server with the same instances, and what it costs in process (bench_eureka.c).

Both servers run at once, each on the server's core; the clients (eureka_load.py) have the other one. One after the other:

  full    the whole list, packed, again and again over one connection: CPU of the server for each answer
  delta   the same for the delta after 1, 10 and 100 instances have been replaced by others
  forget  the last delta for a client that does not return the cookie: ours tells it everything
  poll    many connected clients that ask for that delta once a second each: CPU of one core, latency, memory"""
import contextlib
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
import zlib

import benchlib
import dns_peers
import eureka_load
import meshes

sys.path.append(str(benchlib.ROOT / "tests/clients"))
import eureka_reference  # noqa: E402
import harness  # noqa: E402

JVM = ("-Xmx1g",)  # all else is Java's choice
LEASE = {"renewalIntervalInSecs": 3600, "durationInSecs": 86400}


@contextlib.contextmanager
def on_core(core):
    """What is started inside runs on this core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Ours:
    """A directory of services, of which the first ones stand in files of their own, so that they can change alone."""

    def __init__(self, folder, services, endpoints, clients):
        self.folder, self.endpoints = pathlib.Path(folder), endpoints
        for i in range(services):
            self.write(i, 0)
        with on_core(dns_peers.SERVER_CORE):
            self.process = harness.Agent("--source", f"dir:{folder}", *benchlib.POD, "--eureka-listen", "127.0.0.1:0",
                                         "--eureka-connections", str(clients + 16))
        self.port, self.pid = self.process.ports["eureka"], self.process.pid

    def write(self, i, replaced):
        addresses = [meshes.dotted(10, i * self.endpoints + e + 1) for e in range(self.endpoints)]
        if replaced:
            addresses[0] = meshes.dotted(11, i + 1)
        hidden = self.folder / f".svc-{i}"
        hidden.write_text(meshes.service_text(i) + meshes.slice_text(i, addresses))
        hidden.rename(self.folder / f"svc-{i}.yaml")

    def replace(self, services):
        for i in services:
            self.write(i, 1)

    def stop(self):
        self.process.stop()


class Reference:
    """The same instances, registered; no cache of its own stands between a change and the answer."""

    def __init__(self, services, endpoints):
        self.endpoints = endpoints
        with on_core(dns_peers.SERVER_CORE):
            self.process = eureka_reference.ReferenceServer(jvm=JVM, shouldUseReadOnlyResponseCache="false")
        self.port, self.pid = self.process.port, self.process.pid
        self.registry = self.process.registry
        for i in range(services):
            for e in range(endpoints):
                self.registry.register(self.entry(i, meshes.dotted(10, i * endpoints + e + 1)))

    @staticmethod
    def entry(i, address):
        name, namespace = f"svc-{i}", meshes.namespace_of(i)
        vip = ",".join([name] * (namespace == "ns-0") + [f"{name}.{namespace}", f"{name}.{namespace}.svc.cluster.local"])
        app = name if namespace == "ns-0" else f"{name}.{namespace}"
        home = f"http://{address}:8080/"
        return {**eureka_reference.instance(app.upper(), address, vip=vip), "leaseInfo": LEASE, "metadata": {},
                "homePageUrl": home, "statusPageUrl": f"{home}actuator/info", "healthCheckUrl": f"{home}actuator/health"}

    def replace(self, services):
        for i in services:
            self.registry.register(self.entry(i, meshes.dotted(11, i + 1)))
            self.registry.cancel(self.entry(i, meshes.dotted(10, i * self.endpoints + 1)))

    def stop(self):
        self.process.stop()


def addresses_in(server, path):
    """Address -> action, as a client reads them."""
    client = eureka_load.Client(server.port, path)
    client.ask()
    body = client.body
    client.close()
    if not body.startswith(b"\x1f\x8b"):  # in chunks
        body = b"".join(part for part in unchunk(body))
    applications = json.loads(zlib.decompress(body, 31))["applications"]["application"]
    return {i["ipAddr"]: i["actionType"] for a in applications for i in a["instance"]}


def unchunk(body):
    while True:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            return
        yield rest[:length]
        body = rest[length + 2:]


def wait_replaced(server, services):
    wanted = {meshes.dotted(11, i + 1) for i in services}
    harness.wait_for(lambda: wanted <= addresses_in(server, eureka_load.DELTA).keys(), "the delta with what has changed", 60)


def measure(server, ask, *args):
    """What the clients saw, and CPU of the server for each answer."""
    before, started = benchlib.cpu_s(server.pid), time.monotonic()
    row = ask(server.port, *args)
    spent, elapsed = benchlib.cpu_s(server.pid) - before, time.monotonic() - started
    times = row.pop("times")
    return {**row, "cpu_us": spent * 1e6 / max(1, row["answers"]), "core": spent / elapsed,
            "p50_us": benchlib.percentile(times, 50) * 1e6, "p99_us": benchlib.percentile(times, 99) * 1e6}


def compare(servers, cell, ask, *args):
    """The cell for one server after the other; a first, shorter round lets Java compile what it needs."""
    for server in servers.values():
        ask(server.port, *args)
    return {name: {"cell": cell, **measure(server, ask, *args)} for name, server in servers.items()}


def deltas(servers, seconds):
    rows, done = {}, 0
    for count in (1, 10, 100):
        services = range(done, count)
        for server in servers.values():
            server.replace(services)
            wait_replaced(server, services)
        done = count
        rows[count] = compare(servers, f"delta_{count}", eureka_load.one_by_one, eureka_load.DELTA, seconds)
    return rows


def run(services, endpoints, clients, seconds, folder):
    with benchlib.Running(Ours(folder, services, endpoints, clients)) as ours, \
            benchlib.Running(Reference(services, endpoints)) as reference:
        servers = {"Isthmus": ours, "eureka-core": reference}
        lists = {name: addresses_in(server, eureka_load.WHOLE) for name, server in servers.items()}
        assert lists["Isthmus"].keys() == lists["eureka-core"].keys(), {n: len(rows) for n, rows in lists.items()}
        memory_before = {name: benchlib.memory_mb(server.pid) for name, server in servers.items()}
        full = compare(servers, "full", eureka_load.one_by_one, eureka_load.WHOLE, seconds)
        delta = deltas(servers, seconds)
        forget = compare(servers, "forget", eureka_load.one_by_one, eureka_load.DELTA, seconds, True)
        poll = compare(servers, "poll", eureka_load.by_the_clock, eureka_load.DELTA, clients, 1.0, 3 * seconds)
        memory = {name: benchlib.memory_mb(server.pid) for name, server in servers.items()}
    return {"full": full, "delta": delta, "forget": forget, "poll": poll, "memory_before": memory_before, "memory": memory}


def in_process(long_form):
    command = [benchlib.program("bench_eureka"), *([] if long_form else ["--short"])]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    return json.loads(done.stdout)["figures"]["sizes"]


def main():
    options = benchlib.arguments(__doc__)
    services, endpoints, clients, seconds = (1000, 10, 1000, 5) if options.long else (110, 2, 50, 0.5)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4 * clients + 1024)), hard))
    costs = in_process(options.long)
    os.sched_setaffinity(0, {dns_peers.LOAD_CORE})
    with tempfile.TemporaryDirectory() as folder:
        figures = run(services, endpoints, clients, seconds, folder)
    for name, row in figures["poll"].items():
        assert row["answers"] >= 0.9 * clients * 3 * seconds, (name, row)
    benchlib.save("eureka", {"services": services, "endpoints": endpoints, "clients": clients, "costs": costs, **figures},
                  options.long)


if __name__ == "__main__":
    main()
