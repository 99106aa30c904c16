# SPDX-License-Identifier: Apache-2.0
"""The real istiod changes the mesh at random, for a while or for ten minutes, and clients of both generations follow it: those
over gRPC, whose connections break, and 1.x pollers, who lose datagrams, while the agent is restarted. Each believes a list only
where its lastRefTime has grown, as the real ones do, and each ends with istiod's truth. What pushes take is printed."""

import collections
import os
import statistics
import threading
import time

import churn
import grpc
import harness
import nacos_wire
import pytest

FORMS = [pytest.param(40, id="short"), pytest.param(600, id="long", marks=pytest.mark.long)]
SEED = int(os.environ.get("NACOS_CHURN_SEED", time.time_ns() % 1000000))
RESTARTS = 2
BREAKS_S = 7.0  # between two breaks of a connection
LOST = 0.4  # of all datagrams
NAMES = [*(f"{name}.{namespace}" for name, namespace in churn.SERVICES),
         *(f"partner{i}.example.com" for i in range(churn.PARTNERS))]  # fmt: skip
CLIENTS_S = 90.0


class Wire(harness.Relay):
    """Between istiod and the agent: knows when the last byte of a push has gone to the agent."""

    def __init__(self, target):
        self.server, self.last_ns = target, 0
        super().__init__(target, 65536)

    def seen(self, source, data):
        if len(data) > 100 and f"{source.getpeername()[0]}:{source.getpeername()[1]}" == self.server:  # no ping, no window
            self.last_ns = time.monotonic_ns()


class World(churn.World):
    """With the Nacos door at ports that stay."""

    def __init__(self, seed):
        self.wire = None
        super().__init__(seed, *nacos_wire.options())
        self.http_port, self.grpc_port = nacos_wire.ports(self.agent)
        self.options = nacos_wire.options(self.http_port, self.grpc_port)

    def source(self):
        self.wire = self.wire or Wire(self.istiod.plaintext)
        return ("--source", "istiod", "--xds-address", self.wire.address, "--xds-tls", "off")

    def restart_agent(self):
        assert self.agent.stop() == 0, self.agent.log()
        self.start_agent()

    def stop(self):
        super().stop()
        self.wire.stop()


class Cache:
    """What a client believes: service -> list."""

    def __init__(self, world):
        self.world, self.lock, self.lists, self.took_ms, self.old = world, threading.Lock(), {}, [], 0

    def hear(self, info, pushed):
        """As Go and Python do, whose rule is the strictest: what is not newer is dropped."""
        name = info["name"].rpartition("@@")[2]
        with self.lock:
            known = self.lists.get(name)
            if known and known["lastRefTime"] >= info["lastRefTime"]:
                self.old += known["hosts"] != info["hosts"]
                return
            self.lists[name] = info
            if pushed and known and known["hosts"] != info["hosts"]:
                self.took_ms.append((time.monotonic_ns() - self.world.wire.last_ns) / 1e6)

    def differences(self):
        """From the truth, in words; none in the end."""
        truth, found = self.world.truth(), []
        with self.lock:
            for name in NAMES:
                got = parts(self.lists.get(name))
                want = truth.get(name, {})
                if got.keys() != want.keys() or any(abs(got[each] - want[each]) > churn.SLOTS for each in want):
                    found.append((name, got, want))
        return found


def parts(info):
    """Address -> part of the weight that clients would give it."""
    weights = collections.Counter()
    for host in info["hosts"] if info else ():
        if host["enabled"] and host["healthy"] and host["weight"] > 0:
            weights[host["ip"]] += host["weight"]
    total = sum(weights.values())
    return {address: weight / total for address, weight in weights.items()}


class Subscriber:
    """A 2.x client in a thread: subscribes to all, and when the connection is gone, again on a new one. `reads_answers`: whether
    it reads what a subscription answers; Java does not after a break, and lives by pushes alone."""

    def __init__(self, world, reads_answers):
        self.world, self.cache, self.reads_answers, self.connects = world, Cache(world), reads_answers, 0
        self.connection, self.told, self.running = None, set(), True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _heard(self, kind, body):
        if kind == "NotifySubscriberRequest":
            info = body["serviceInfo"]
            self.cache.hear(info, pushed=info["name"] in self.told)  # the first one belongs to the subscription
            self.told.add(info["name"])

    def _run(self):
        while self.running:
            try:
                self._live()
            except (grpc.RpcError, ValueError, AssertionError):
                time.sleep(0.1)  # as clients do

    def _live(self):
        """One connection, until it ends."""
        connection = nacos_wire.Connection(self.world.grpc_port, setup=False)
        self.connection, self.told = connection, set()
        try:
            connection.heard = self._heard
            connection.set_up(abilities=nacos_wire.ABILITIES)
            self.connects += 1
            for name in NAMES:
                info = connection.subscribe(name)
                if self.reads_answers:
                    self.cache.hear(info, pushed=False)
            connection.wait_ended(None)
        finally:
            connection.stop()

    def break_off(self):
        """As a network does it."""
        if self.connection:
            self.connection.channel.close()

    def stop(self):
        self.running = False
        self.break_off()
        self.thread.join(30)
        assert not self.thread.is_alive()


class Poller:
    """A 1.x client in a thread: asks for each list when what it has is older than the server said it may be, and takes pushes by
    UDP, of which some are lost."""

    def __init__(self, world, agent="Nacos-Java-Client:v1.4.8"):
        self.world, self.cache, self.agent, self.polls = world, Cache(world), agent, 0
        self.datagrams = nacos_wire.Datagrams(drops=lambda data: self.world.random_loss.random() < LOST)
        self.datagrams.heard = lambda info: self.cache.hear(info, pushed=True)
        self.running = True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        due = dict.fromkeys(NAMES, 0.0)
        http = nacos_wire.Http(self.world.http_port, self.agent)
        while self.running:
            name = min(due, key=due.get)
            time.sleep(max(0.0, min(0.2, due[name] - time.monotonic())))
            if due[name] > time.monotonic():
                continue
            try:
                info = http.list(name, udpPort=self.datagrams.port, clientIP="127.0.0.1", healthyOnly="false")
            except (OSError, nacos_wire.http.client.HTTPException):
                http.close()
                due[name] = time.monotonic() + 0.5
                continue
            self.polls += 1
            self.cache.hear(info, pushed=False)
            due[name] = time.monotonic() + info["cacheMillis"] / 1000
        http.close()

    def stop(self):
        self.running = False
        self.thread.join(30)
        self.datagrams.stop()


@pytest.fixture
def world():
    print(f"NACOS_CHURN_SEED={SEED}")
    world = World(SEED)
    yield world
    world.stop()


@pytest.fixture
def clients(world):
    world.random_loss = type(world.random)(SEED + 1)
    clients = [Subscriber(world, True), Subscriber(world, False), Subscriber(world, False), Poller(world), Poller(world)]
    yield clients
    for client in clients:
        client.stop()


def told(name, times):
    """Of pushes: how many, and how long after the last byte from istiod."""
    if times:
        ordered = sorted(times)
        print(f"{name}: {len(times)} pushes, median {statistics.median(ordered):.1f} ms, "
              f"p99 {ordered[len(ordered) * 99 // 100]:.1f} ms after the last byte from istiod")  # fmt: skip


@pytest.mark.parametrize("seconds", FORMS)
def test_random_churn_reaches_every_client(world, clients, seconds):
    subscribers, pollers = clients[:3], clients[3:]
    harness.wait_for(lambda: not any(client.cache.differences() for client in clients), "all lists at the start", CLIENTS_S)
    started = time.monotonic()
    restarts, broken = [started + seconds * (i + 1) / (RESTARTS + 1) for i in range(RESTARTS)], started
    while (now := time.monotonic()) < started + seconds:
        world.change()
        if restarts and restarts[0] < now:
            restarts.pop(0)
            world.restart_agent()
        elif now > broken + BREAKS_S:
            broken = now
            world.random.choice(subscribers).break_off()
        time.sleep(world.random.choice((0, 0, 0.05, 0.3, 1.2)))
    world.istiod.quiesce(clients=1)
    for client in clients:
        harness.wait_for(lambda client=client: not client.cache.differences(),
                         f"{type(client).__name__} to end with the truth: {client.cache.differences()}", CLIENTS_S)  # fmt: skip
    told("gRPC", [ms for client in subscribers for ms in client.cache.took_ms])
    told("UDP", [ms for client in pollers for ms in client.cache.took_ms])
    assert all(client.connects > RESTARTS for client in subscribers), "each has found the agent again after each restart"
    assert all(client.cache.old == 0 for client in clients), "no list that differs had a lastRefTime that had not grown"
    assert all(client.polls > len(NAMES) for client in pollers) and world.changes > seconds / 2
