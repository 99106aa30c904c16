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


def over_tls(rounds, folder, *mesh):
    with benchlib.istiod(*mesh, certificates=f"{folder}/certificates") as server:
        return measure(rounds, lambda: benchlib.agent(*benchlib.tls(server, folder)))


def beside_envoy(folder, *mesh):
    """Both on one istiod that a stock Envoy understands."""
    with benchlib.istiod(*mesh, certificates=f"{folder}/certificates", for_envoy=True) as server:
        ours = measure(1, lambda: benchlib.agent(*benchlib.tls(server, folder)))
        return ours, measure(1, lambda: ready_envoy(server.plaintext, folder))


def run(long_form, folder):
    services, endpoints, rounds = (5000, 10, 5) if long_form else (50, 3, 1)
    figures = {"services": services, "endpoints": endpoints, "rounds": rounds}
    small = ("--dir", str(benchlib.ROOT / "docs/examples/bookinfo"))
    large = ("--synthetic", f"{services}x{endpoints}")
    figures["idle_tls"] = over_tls(rounds, folder, *small)
    figures["idle_beside_envoy"], figures["idle_envoy"] = beside_envoy(folder, *small)
    figures["large_tls"] = over_tls(rounds, folder, *large)
    figures["large_beside_envoy"], figures["large_envoy"] = beside_envoy(folder, *large)
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
    assert figures["large_beside_envoy"]["rss"] < figures["large_envoy"]["rss"], figures
    benchlib.save("memory", figures, options.long)


if __name__ == "__main__":
    main()
