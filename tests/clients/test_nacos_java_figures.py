# SPDX-License-Identifier: Apache-2.0
"""How each version of Nacos's Java client takes to the door: prints the table of docs/nacos.md. The clients are alone, one after
the other. What must be true of them, by condition and not by clock, is in test_nacos_java.py."""

import statistics
import time

import eureka_support
import harness
import nacos_java
import nacos_support
import objects
import pytest
from eureka_support import ECHOES, SHARES
from nacos_java import weights
from nacos_support import SERVER

PICKS = 10000
ROUNDS = 20
ORDERS = ("10.1.3.1", "10.1.3.2")


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    mesh = nacos_support.Mesh(tmp_path_factory.mktemp("mesh"), eureka_support.mesh(SHARES))
    yield mesh
    mesh.stop()


def put_orders(mesh, *addresses):
    """Returns when they were written, in ms since 1970."""
    things = objects.app("orders", {"v1": list(addresses)}, ip="10.96.0.3")
    now = time.time_ns() / 1e6
    mesh.put("orders", *things)
    return now


def told(listener, *addresses):
    return listener.wait(lambda found: {one.place for one in found} == {f"{a}:8080" for a in addresses}, f"{addresses}")


def change_times(mesh, client):
    """From the changed file to the listener, ms: what the mesh directory takes is in it."""
    put_orders(mesh, ORDERS[0])
    listener = client.subscribe("orders")
    told(listener, ORDERS[0])
    times = []
    for number in range(ROUNDS):
        addresses = ORDERS[: 2 - number % 2]
        start = put_orders(mesh, *addresses)
        times.append(told(listener, *addresses).last_ms - start)
    return listener, times


def restart_time(mesh, listener):
    """From the agent that is ready again to the listener that knows what has changed meanwhile, s."""
    mesh.stop()
    put_orders(mesh, *ORDERS)
    mesh.start(SERVER)
    start = time.monotonic()
    told(listener, *ORDERS)
    return time.monotonic() - start


def figures(mesh, module, folder):
    start = time.monotonic()
    application = nacos_java.Application(module, folder).wait_started()
    client = application.connect(SERVER)
    harness.wait_for(lambda: len(weights(client.all("reviews"))) == len(ECHOES), "the first list")
    first = time.monotonic() - start
    counts = client.pick("reviews", PICKS)
    picks = " / ".join(f"{100 * counts[f'{address}:8080'] / PICKS:.1f}" for address in SHARES)
    listener, changes = change_times(mesh, client)
    again = restart_time(mesh, listener)
    application.stop()
    return f"{first:.1f} | {picks} | {statistics.median(changes):.0f} ({max(changes):.0f}) | {again:.1f}"


@pytest.mark.long
def test_figures(mesh, tmp_path, capsys):
    rows = {version: figures(mesh, module, tmp_path / module) for module, version in nacos_java.VERSIONS.items()}
    with capsys.disabled():
        print("\n| client | JVM to first list, s | picks, % | change to listener, ms (most) | restart to listener, s |")
        print("|---|---|---|---|---|")
        for version, row in rows.items():
            print(f"| {version} | {row} |")
    assert len(rows) == len(nacos_java.VERSIONS)
