#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""DNS answers beside a bare UDP echo (dns_echo.c) and beside other servers with the same names (dns_peers.py).

All servers run at once, each on the server's core; in each round each cell of the table is measured for one server after the
other, so that what else happens on the machine meets all of them. A ratio is the median over the rounds of server to echo.

  hit, mix     dnsperf -c 4 -q 100; mix: 25 % A, 25 % AAAA without data, 50 % names that a search path makes (NXDOMAIN)
  load         dnsload, 64 questions under way: the server is what is waited for
  paced        dnsload, 20,000 questions a second by the clock
  round_trip   dnsload, one question under way, on the server's own core
  cached       as load, names that upstream knows; only where the server has a cache
"""
import contextlib
import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile

import benchlib
import dns_peers

PACE = 20000
CELLS = ("load", "hit", "mix", "load_mix", "paced", "round_trip")
ENDPOINTS, FIXED, WEIGHTED = "Isthmus, even", "Isthmus, fixed", "Isthmus, weighted"


def dnsperf(server, questions, seconds):
    text = subprocess.run(["taskset", "-c", str(dns_peers.LOAD_CORE), "dnsperf", "-s", "127.0.0.1", "-p", str(server.port),
                           "-d", str(questions), "-c", "4", "-q", "100", "-T", "1", "-l", str(seconds)],
                          capture_output=True, text=True, check=True, timeout=seconds + 60).stdout

    def figure(pattern):
        return float(re.search(pattern, text).group(1))
    return {"rate": figure(r"Queries per second:\s+([\d.]+)"), "answered": figure(r"Queries completed:\s+(\d+)"),
            "lost": figure(r"Queries lost:\s+(\d+)")}


def dnsload(server, questions, seconds, *options, core=dns_peers.LOAD_CORE):
    done = subprocess.run(["taskset", "-c", str(core), benchlib.program("dnsload"), "-p", str(server.port), "-q",
                           str(questions), "-t", str(seconds), *map(str, options)],
                          capture_output=True, text=True, check=True, timeout=seconds + 60)
    return json.loads(done.stdout)


def measure(cell, server, names, seconds):
    before = server.cpu_s()
    if cell in ("hit", "mix"):
        row = dnsperf(server, names.hit if cell == "hit" else names.mix, seconds)
    elif cell == "paced":
        row = dnsload(server, names.hit, seconds, "-r", PACE)
    elif cell == "round_trip":
        row = dnsload(server, names.hit, seconds, "-w", 1, core=dns_peers.SERVER_CORE)
    else:
        row = dnsload(server, names.mix if cell == "load_mix" else names.hit, seconds)
    row["cpu_us"] = (server.cpu_s() - before) * 1e6 / max(1, row["answered"])
    return row


def ratios(rows, base, key):
    found = [mine[key] / other[key] for mine, other in zip(rows, base, strict=True) if other[key] > 0]
    return {"median": round(statistics.median(found), 4), "least": round(min(found), 4), "most": round(max(found), 4)}


def is_right(cell, name, row):
    """Did the server answer what it was asked? Only dnsload tells."""
    if "data" not in row or name == "UDP echo":
        return True
    parts = {"data": 0.25, "nodata": 0.25, "nxdomain": 0.5} if cell == "load_mix" else {"data": 1}
    return row["answered"] > 0 and all(abs(row[kind] / row["answered"] - part) < 0.02 for kind, part in parts.items())


def compare(servers, names, rounds, seconds):
    """{cell: {server: figures}}"""
    rows = {cell: {server.name: [] for server in servers} for cell in CELLS}
    for turn in range(rounds):
        for cell in CELLS:
            for server in servers[turn % len(servers):] + servers[:turn % len(servers)]:
                row = measure(cell, server, names, seconds)
                assert is_right(cell, server.name, row), (cell, server.name, row, server.log()[-2000:])
                rows[cell][server.name].append(row)
    figures = {}
    for cell, by_server in rows.items():
        base = by_server["UDP echo"]
        figures[cell] = {name: {**benchlib.median_of(mine), "rate_ratio": ratios(mine, base, "rate"),
                                "cpu_ratio": ratios(mine, base, "cpu_us")} for name, mine in by_server.items()}
        figures[cell]["weighted_to_fixed"] = {key: ratios(by_server[WEIGHTED], by_server[FIXED], key)
                                              for key in ("rate", "cpu_us")}
    return figures


def cached(server, upstream, names, rounds, seconds):
    """Cache hits beside local answers; None where upstream was asked nevertheless: then there is no cache."""
    dnsload(server, names.cached, 2)
    rows = {"local": [], "cached": []}
    asked_s = upstream.cpu_s()
    for _ in range(rounds):
        rows["local"].append(measure("load", server, names, seconds))
        before = server.cpu_s()
        row = dnsload(server, names.cached, seconds)
        rows["cached"].append({**row, "cpu_us": (server.cpu_s() - before) * 1e6 / max(1, row["answered"])})
    answered = sum(row["answered"] for row in rows["cached"])
    if (upstream.cpu_s() - asked_s) * 1e6 / max(1, answered) > 0.5:
        return None
    return {"rate": ratios(rows["cached"], rows["local"], "rate"), "cpu_us": ratios(rows["cached"], rows["local"], "cpu_us")}


def start(stack, folder, names, with_coredns):
    """The servers that there are; the upstream comes last."""
    def place(name):
        path = pathlib.Path(folder) / name
        path.mkdir()
        return path
    upstream = stack.enter_context(benchlib.Running(dns_peers.upstream(names, place("upstream"))))
    host = "127.53.53." + re.search(r"ip-address: 127\.53\.53\.(\d+)@",
                                    (pathlib.Path(folder) / "upstream/nsd.conf").read_text())[1]
    makers = [lambda: dns_peers.echo(names)]
    for kind in ("even", "fixed", "weighted"):
        makers.append(lambda kind=kind: dns_peers.agent(kind)(names, f"{host}:53"))
    for peer in ("gdnsd", "nsd", "unbound", "dnsmasq"):
        makers.append(lambda peer=peer: getattr(dns_peers, peer)(names, place(peer)))
    if with_coredns:
        makers.append(lambda: dns_peers.coredns(names, place("coredns")))
    makers.append(lambda: dns_peers.istio_agent(names, place("istio"), host))
    return [stack.enter_context(benchlib.Running(make())) for make in makers], upstream


def memory(servers, names):
    """After the load. Ours without DNS, and without a mesh, says what DNS and what the names take."""
    figures = {server.name: server.memory_mb() for server in servers}
    empty = pathlib.Path(names.folder) / "mesh-empty"
    empty.mkdir()
    for name, mesh, door in (("Isthmus, even, DNS off", names.folder / "mesh-even", "off"),
                             ("Isthmus, no mesh", empty, "127.0.0.1:0")):
        with benchlib.Running(dns_peers.Agent(name, mesh, "127.0.0.1:9", "--dns-listen", door)) as server:
            benchlib.wait_quiet(server.pid)
            figures[name] = server.memory_mb()
    return figures


def run(size, rounds, seconds, with_coredns):
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        names = dns_peers.Names(f"{folder}/names", size)
        servers, upstream = start(stack, folder, names, with_coredns)
        for server in servers:
            benchlib.wait_quiet(server.pid)
            dnsload(server, names.hit, 0.2)
        figures = {"names": size, "servers": [server.name for server in servers]}
        figures["cells"] = compare(servers, names, rounds, seconds)
        ours = next(server for server in servers if server.name == ENDPOINTS)
        figures["cached"] = cached(ours, upstream, names, rounds, seconds)
        figures["memory"] = memory(servers, names)
        return figures


def main():
    options = benchlib.arguments(__doc__)
    form = os.environ.get("BENCH_DNS", "1000+10000,7,2" if options.long else "50,1,1")
    sizes, rounds, seconds = form.split(",")  # names, rounds, seconds of a load
    with_coredns = bool(os.environ.get("BENCH_COREDNS"))
    runs = [run(int(size), int(rounds), int(seconds), with_coredns) for size in sizes.split("+")]
    for figures in runs:
        for cell in CELLS:
            row = figures["cells"][cell][ENDPOINTS]
            assert row["answered"] > 1000, (cell, row)
    benchlib.save("dns", {"rounds": int(rounds), "seconds": int(seconds), "runs": runs}, options.long)


if __name__ == "__main__":
    main()
