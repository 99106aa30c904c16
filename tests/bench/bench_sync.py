#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cold synchronisation from the real istiod: CPU and time from the start of the process until it is ready.

Two meshes: the synthetic one, beside Envoy, and one of TCP services whose listeners are large. What the control plane
computes before it answers is in the time, not in the CPU. `until_quiet_s` adds what the process does after it is ready."""
import tempfile
import time

import benchlib
import meshes


def measure(rounds, start, wait_ready):
    rows = []
    for _ in range(rounds):
        began = time.monotonic()
        with start() as process:
            wait_ready(process)
            row = {"cpu_s": benchlib.cpu_s(process.pid), "wall_s": time.monotonic() - began}
            benchlib.wait_quiet(process.pid)
            row["until_quiet_s"] = benchlib.cpu_s(process.pid)
            row["rss_mb"] = benchlib.memory_mb(process.pid)["rss"]
            rows.append(row)
    return benchlib.median_of(rows)


def sent_mb(server, types=("CDS", "EDS", "LDS", "RDS", "NDS")):
    """What istiod has sent to the client that came last, in MB (10^6 bytes), by type."""
    stream = max(server.call("/state", method="GET")["connections"], key=lambda one: one["id"])
    return {name: round(stream["types"].get(name, {"bytes": 0})["bytes"] / 1e6, 2) for name in types}


def agents(rounds, *args):
    return measure(rounds, lambda: benchlib.agent(*args, wait=None), lambda agent: agent.wait_ready())


def sizes_of(server, *args):
    with benchlib.agent(*args) as agent:
        server.quiesce(1)
        benchlib.wait_quiet(agent.pid)
        return sent_mb(server)


def on_istiod(rounds, folder, *mesh):
    with benchlib.istiod(*mesh, certificates=f"{folder}/certificates") as server:
        args = benchlib.tls(server, folder)
        return {"sent_mb": sizes_of(server, *args), "agent_tls": agents(rounds, *args),
                "agent_plaintext": agents(rounds, *benchlib.plaintext(server.plaintext))}


def beside_envoy(rounds, folder, *mesh):
    with benchlib.istiod(*mesh, for_envoy=True) as server:
        args = benchlib.plaintext(server.plaintext)
        return {"sent_mb": sizes_of(server, *args), "agent_plaintext": agents(rounds, *args),
                "envoy": measure(min(rounds, 3), lambda: benchlib.envoy(server.plaintext, folder),
                                 lambda envoy: envoy.wait_ready())}


def run(long_form, folder):
    services, endpoints, tcp_services, rounds = (5000, 10, 2200, 5) if long_form else (50, 3, 20, 1)
    synthetic = ("--synthetic", f"{services}x{endpoints}")
    meshes.write_tcp_mesh(f"{folder}/tcp", tcp_services, 3)
    config = meshes.write_logging_mesh_config(f"{folder}/mesh-config.json")
    return {"services": services, "endpoints": endpoints, "tcp_services": tcp_services, "rounds": rounds,
            "small": on_istiod(rounds, folder, "--dir", str(benchlib.ROOT / "docs/examples/bookinfo")),
            "synthetic": on_istiod(rounds, folder, *synthetic),
            "synthetic_beside_envoy": beside_envoy(rounds, folder, *synthetic),
            "listeners": on_istiod(rounds, folder, "--dir", f"{folder}/tcp", "--mesh-config", str(config))}


def main():
    options = benchlib.arguments(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        figures = run(options.long, folder)
    for name in ("small", "synthetic", "listeners"):
        row = figures[name]
        assert row["sent_mb"]["CDS"] > 0 or not options.long, row
        assert 0 < row["agent_tls"]["cpu_s"] <= row["agent_tls"]["until_quiet_s"] < 30, row
    benchlib.save("sync", figures, options.long)


if __name__ == "__main__":
    main()
