#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Resident memory at rest and its peak: idle over TLS, and a large mesh from a directory, over TLS, and in Envoy."""
import contextlib
import tempfile

import benchlib
import meshes


def settled(process):
    benchlib.wait_quiet(process.pid)
    return benchlib.memory_mb(process.pid)


def measure(rounds, start):
    """`start` gives a context with a ready process; each round is a new one."""
    rows = []
    for _ in range(rounds):
        with start() as process:
            rows.append(settled(process))
    return benchlib.median_of(rows)


@contextlib.contextmanager
def ready_envoy(address, folder):
    with benchlib.envoy(address, folder) as peer:
        peer.wait_ready()
        yield peer


def on_istiod(rounds, folder, *mesh):
    with benchlib.istiod(*mesh, certificates=f"{folder}/certificates") as server:
        ours = measure(rounds, lambda: benchlib.agent(*benchlib.tls(server, folder)))
        peers = measure(1, lambda: ready_envoy(server.plaintext, folder))
    return ours, peers


def run(long_form, folder):
    services, endpoints, rounds = (5000, 10, 5) if long_form else (50, 3, 1)
    figures = {"services": services, "endpoints": endpoints, "rounds": rounds}
    small = str(benchlib.ROOT / "docs/examples/bookinfo")
    figures["idle_tls"], figures["idle_envoy"] = on_istiod(rounds, folder, "--dir", small)
    size = f"{services}x{endpoints}"
    figures["large_tls"], figures["large_envoy"] = on_istiod(rounds, folder, "--synthetic", size)
    directory = meshes.write_directory(f"{folder}/mesh", services, endpoints)
    figures["large_directory"] = measure(
        rounds, lambda: benchlib.agent("--source", f"dir:{directory}", *benchlib.POD))
    return figures


def main():
    options = benchlib.arguments(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        figures = run(options.long, folder)
    for name, row in figures.items():
        if isinstance(row, dict):
            assert 0 < row["anonymous"] < row["rss"] <= row["peak"], (name, row)
    assert figures["large_tls"]["rss"] < figures["large_envoy"]["rss"], figures
    benchlib.save("memory", figures, options.long)


if __name__ == "__main__":
    main()
