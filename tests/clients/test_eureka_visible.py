# SPDX-License-Identifier: Apache-2.0
"""How long after a change Netflix's client, which polls every second, knows of it: from the agent on the real istiod, and from
Netflix's own server, with its defaults and without its read-only cache. Each change is made to all three at the same time: the
servers of the service register and cancel there. Prints the table of docs/eureka.md. Of the short form's kind, that is, by
condition and not by clock, is test_eureka_life.py: what the agent knows, the client knows after its next poll."""

import contextlib
import statistics
import threading
import time

import eureka_reference
import harness
import objects
import plain
import pytest

ROUNDS = 3
POLL_S = 1.0
BASE = "10.1.4.1"
KINDS = ("added", "out of service", "back", "removed")
DEADLINE_S = 90.0


def fresh_address(number):
    return f"10.1.5.{number + 1}"


class Mesh:
    """The agent on istiod. Out of service is an endpoint that is not ready."""

    name = "isthmus"

    def __init__(self, stack):
        self.istiod = stack.enter_context(stopping(harness.Istiod()))
        pods = [objects.pod("reviews", fresh_address(number)) for number in range(ROUNDS)]  # istiod skips those without
        self.istiod.apply(objects.dump(*objects.app("reviews", {"v1": [BASE]}), *pods))
        self.agent = stack.enter_context(stopping(harness.Agent(
            *self.istiod.plaintext_options(), "--pod-ip", "10.1.0.9", "--pod-namespace", "default",
            "--eureka-listen", "127.0.0.1:0")))  # fmt: skip
        self.url = f"http://127.0.0.1:{self.agent.ports['eureka']}/eureka/"

    def change(self, kind, address):
        addresses = [BASE] if kind == "removed" else [BASE, address]
        ready = {address: kind != "out of service"}
        self.istiod.apply(objects.dump(objects.endpoint_slice("reviews", addresses, ready=ready)))


class Reference:
    """Netflix's server, told by the service's own."""

    def __init__(self, stack, name, **settings):
        self.name = name
        self.server = stack.enter_context(stopping(eureka_reference.ReferenceServer(**settings)))
        self.registry = self.server.registry
        self.url = f"{self.registry.base}/"
        self.registry.register(self.entry(BASE))

    @staticmethod
    def entry(address):
        lease = {"renewalIntervalInSecs": 30, "durationInSecs": 3600}  # nobody sends heartbeats
        return {**eureka_reference.instance("REVIEWS", address), "leaseInfo": lease}

    def change(self, kind, address):
        entry = self.entry(address)
        if kind == "added":
            self.registry.register(entry)
        elif kind == "removed":
            self.registry.cancel(entry)
        else:
            self.registry.set_status(entry, "UP" if kind == "back" else "OUT_OF_SERVICE")


@contextlib.contextmanager
def stopping(process):
    yield process
    process.stop()


def in_service(client, address):
    return any(line.startswith(f"REVIEWS/{address}:") and "/UP/" in line for line in client.list())


def measure(server, client, kind, address, times):
    wanted = kind in ("added", "back")
    start = time.monotonic()
    server.change(kind, address)
    harness.wait_for(lambda: in_service(client, address) == wanted, f"{kind} at {server.name}", DEADLINE_S)
    times[server.name, kind].append(time.monotonic() - start)


@pytest.mark.long
def test_visible_times(capsys):
    with contextlib.ExitStack() as stack:
        servers = [
            Mesh(stack), Reference(stack, "eureka-core 1.10.18, no read-only cache", shouldUseReadOnlyResponseCache="false"),
            Reference(stack, "eureka-core 1.10.18, defaults"),
        ]  # fmt: skip
        settings = {"eureka.registration.enabled": "false"}
        clients = [stack.enter_context(stopping(plain.Client("eureka-client", server.url, **settings))) for server in servers]
        for client in clients:
            client.wait_started()
            harness.wait_for(lambda c=client: in_service(c, BASE), "the first list", DEADLINE_S)
        times = {(server.name, kind): [] for server in servers for kind in KINDS}
        for number in range(ROUNDS):
            for kind in KINDS:
                jobs = [threading.Thread(target=measure, args=(server, client, kind, fresh_address(number), times))
                        for server, client in zip(servers, clients)]  # fmt: skip
                for job in jobs:
                    job.start()
                for job in jobs:
                    job.join()
    with capsys.disabled():
        print(f"\nseconds until the client's list has it, median and most of {ROUNDS}; it polls every {POLL_S:.0f} s\n")
        print("| |", " | ".join(KINDS), "|")
        print("|---|" + "---|" * len(KINDS))
        for server in servers:
            cells = [times[server.name, kind] for kind in KINDS]
            print(f"| {server.name} |", " | ".join(f"{statistics.median(c):.1f} ({max(c):.1f})" for c in cells), "|")
    assert all(len(found) == ROUNDS for found in times.values())
    for kind in KINDS:
        ours, default = (statistics.median(times[server.name, kind]) for server in (servers[0], servers[2]))
        assert ours <= default, kind
