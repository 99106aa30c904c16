#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Nacos door beside r-nacos with the same instances, in a network of their own (r-nacos listens on every interface).

Both servers run at once, each on the server's core; the clients have the other one. One after the other:

  http    the list of one service over HTTP, again and again over one connection: answers a second, CPU of the server for each
  grpc    the same over gRPC
  push    from a change until the subscriber over gRPC hears of it; the change is a file in the agent's directory (which the agent
          lets settle), and for r-nacos
          a registration over gRPC
  memory  before and after so many subscribers

r-nacos is left out where it has not been built (tests/clients/rnacos/build.sh) and this is the short form."""
import contextlib
import os
import pathlib
import statistics
import sys
import tempfile
import time

import benchlib
import dns_peers
import eureka_load
import meshes

sys.path.append(str(benchlib.ROOT / "tests/clients"))
import harness  # noqa: E402
import nacos_reference  # noqa: E402
import nacos_rpc  # noqa: E402
import nacos_wire  # noqa: E402

PATH = "/nacos/v1/ns/instance/list?serviceName="
ASKED = 3  # the service whose list is asked for
DEADLINE_S = 60


@contextlib.contextmanager
def on_server_core():
    """What is started inside runs on this core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {dns_peers.SERVER_CORE})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def address(service, endpoint, endpoints):
    return meshes.dotted(10, service * endpoints + endpoint + 1)


class Ours:
    """A directory of services in files of their own."""

    def __init__(self, folder, services, endpoints, clients):
        self.folder, self.endpoints = pathlib.Path(folder), endpoints
        for i in range(services):
            self.write(i, False)
        with on_server_core():
            self.process = harness.Agent("--source", f"dir:{folder}", *benchlib.POD, *nacos_wire.options(), "--nacos-connections",
                                         str(clients + 64))
        self.http_port, self.grpc_port = nacos_wire.ports(self.process)
        self.pid = self.process.pid

    @staticmethod
    def name(i):
        return f"svc-{i}.{meshes.namespace_of(i)}"

    def write(self, i, moved):
        addresses = [address(i, e, self.endpoints) for e in range(self.endpoints)]
        if moved:
            addresses[0] = meshes.dotted(11, i + 1)
        hidden = self.folder / f".svc-{i}"
        hidden.write_text(meshes.service_text(i) + meshes.slice_text(i, addresses))
        hidden.rename(self.folder / f"svc-{i}.yaml")

    def move(self, i, moved):
        self.write(i, moved)

    def stop(self):
        self.process.stop()


class Reference:
    """The same instances, registered over one connection."""

    def __init__(self, folder, services, endpoints):
        self.endpoints = endpoints
        with on_server_core():
            self.process = nacos_reference.RNacos(folder)
        self.http_port, self.grpc_port, self.pid = self.process.http_port, self.process.grpc_port, self.process.pid
        self.owner = self.process.connect()
        for i in range(services):
            self.move(i, False)

    name = staticmethod(Ours.name)

    def move(self, i, moved):
        entries = [nacos_wire.instance(address(i, e, self.endpoints)) for e in range(self.endpoints)]
        if moved:
            entries[0] = nacos_wire.instance(meshes.dotted(11, i + 1))
        answer = self.owner.naming("BatchInstanceRequest", self.name(i), type="batchRegisterInstance", instances=entries)
        assert answer["success"], answer

    def stop(self):
        self.owner.stop()
        self.process.stop()


# --- Questions ------------------------------------------------------------------------------------------------------


def over_grpc(port, name, seconds):
    """As eureka_load.one_by_one."""
    connection, times = nacos_wire.Connection(port), []
    fields = {"namespace": "public", "serviceName": name, "groupName": nacos_wire.GROUP, "cluster": "", "healthyOnly": False}
    message = nacos_rpc.payload("ServiceQueryRequest", fields)
    length = len(connection.call(message))
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        connection.call(message)
        times.append(time.monotonic() - now)
    connection.stop()
    return {"answers": len(times), "bytes": length, "times": times}


def measure(server, ask, *args):
    """What the client saw, and CPU of the server for each answer."""
    before, started = benchlib.cpu_s(server.pid), time.monotonic()
    row = ask(*args)
    spent, elapsed = benchlib.cpu_s(server.pid) - before, time.monotonic() - started
    times = row.pop("times")
    return {**row, "rate": row["answers"] / elapsed, "cpu_us": spent * 1e6 / max(1, row["answers"]),
            "p50_us": benchlib.percentile(times, 50) * 1e6, "p99_us": benchlib.percentile(times, 99) * 1e6}


def questions(servers, seconds):
    rows = {"http": {}, "grpc": {}}
    for name, server in servers.items():
        rows["http"][name] = measure(server, eureka_load.one_by_one, server.http_port, PATH + server.name(ASKED), seconds)
        rows["grpc"][name] = measure(server, over_grpc, server.grpc_port, server.name(ASKED), seconds)
    return rows


# --- Pushes ---------------------------------------------------------------------------------------------------------


def push(server, services, changes):
    """Times from the change to the callback, in milliseconds."""
    client, took_ms = nacos_wire.Connection(server.grpc_port), []
    for i in range(services):
        client.subscribe(server.name(i))
    for n in range(changes):
        i, moved = n % services, n // services % 2 == 0
        wanted = meshes.dotted(11, i + 1)

        def right(info, wanted=wanted, moved=moved):
            return (wanted in (host["ip"] for host in info["hosts"])) == moved

        with client.lock:
            client.pushes.clear()  # what comes now is the change's
        started = time.monotonic()
        server.move(i, moved)
        client.wait_list(server.name(i), right, DEADLINE_S)
        took_ms.append(1000 * (time.monotonic() - started))
    client.stop()
    return {"changes": changes, "median_ms": statistics.median(took_ms), "p99_ms": benchlib.percentile(took_ms, 99),
            "max_ms": max(took_ms)}


def crowd(server, clients):
    """Memory before so many subscribers to one service, and with them."""
    benchlib.wait_quiet(server.pid, 0.3)
    before = benchlib.memory_mb(server.pid)
    connections = [nacos_wire.Connection(server.grpc_port) for _ in range(clients)]
    for each in connections:
        each.subscribe(server.name(ASKED))
    after = benchlib.memory_mb(server.pid)
    for each in connections:
        each.stop()
    return {"clients": clients, "before": before, "after": after}


def run(services, endpoints, clients, changes, seconds, folder):
    mesh, data = folder / "mesh", folder / "data"
    mesh.mkdir()
    data.mkdir()
    with contextlib.ExitStack() as stack:
        servers = {"Isthmus": stack.enter_context(benchlib.Running(Ours(mesh, services, endpoints, clients)))}
        if nacos_reference.rnacos_folder():
            servers["r-nacos"] = stack.enter_context(benchlib.Running(Reference(data, services, endpoints)))
        rows = questions(servers, seconds)
        pushes = {name: push(server, min(20, services), changes) for name, server in servers.items()}
        memory = {name: crowd(server, clients) for name, server in servers.items()}
    return {**rows, "push": pushes, "memory": memory}


def main():
    options = benchlib.arguments(__doc__)
    nacos_reference.leave_network()
    if options.long:
        harness.built("tests/clients/rnacos/build.sh", "ISTHMUS_RNACOS_DIR")
    services, endpoints, clients, changes, seconds = (1000, 10, 500, 200, 10) if options.long else (30, 3, 5, 10, 0.5)
    os.sched_setaffinity(0, {dns_peers.LOAD_CORE})
    with tempfile.TemporaryDirectory() as folder:
        figures = run(services, endpoints, clients, changes, seconds, pathlib.Path(folder))
    for cell in ("http", "grpc"):
        assert all(row["answers"] > 0 and row["bytes"] > 100 * endpoints for row in figures[cell].values()), figures[cell]
    benchlib.save("nacos", {"services": services, "endpoints": endpoints, **figures}, options.long)


if __name__ == "__main__":
    main()
