#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rate of DNS answers against a bare UDP echo (dns_echo.c), by dnsperf, in turn in one run.

Server on one core, load on another. dnsperf is near its own limit there, so a ratio near 1 says that the server is not
what is waited for; the CPU per answer says what it costs. `vip`: A of services, one address each. `endpoints`: A with up to
8 addresses dealt by weight. `mix`: half of the questions AAAA, which have no data."""
import os
import pathlib
import random
import re
import socket
import statistics
import subprocess
import tempfile

import benchlib
import harness
import meshes

SERVER_CORE, LOAD_CORE = 0, min(1, os.cpu_count() - 1)


def pin(pid, core):
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


def write_questions(path, services, types):
    chooser = random.Random(5)
    order = [chooser.randrange(services) for _ in range(20000)]
    path.write_text("".join(f"svc-{i}.{meshes.namespace_of(i)}.svc.cluster.local {types[n % len(types)]}\n"
                            for n, i in enumerate(order)))
    return path


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def load(pid, port, questions, seconds):
    """One run of dnsperf: answers per second, the mean time of one, and the server's CPU for it."""
    before = benchlib.cpu_s(pid)
    text = subprocess.run(["taskset", "-c", str(LOAD_CORE), "dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d",
                           str(questions), "-c", "4", "-q", "100", "-T", "1", "-l", str(seconds)],
                          capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    spent = benchlib.cpu_s(pid) - before

    def figure(pattern):
        return float(re.search(pattern, text).group(1))

    completed = figure(r"Queries completed:\s+(\d+)")
    return {"rate": figure(r"Queries per second:\s+([\d.]+)"), "mean_us": figure(r"Average Latency \(s\):\s+([\d.]+)") * 1e6,
            "cpu_us": spent * 1e6 / completed, "lost": figure(r"Queries lost:\s+(\d+)"),
            "failed": completed - sum(map(float, re.findall(r"NOERROR (\d+)", text)))}


def compare(echo, agent, port, questions, rounds, seconds):
    """In turn, so that what else happens on the machine meets both."""
    rows = {"echo": [], "agent": []}
    for _ in range(rounds):
        rows["echo"].append(load(echo.pid, port, questions, seconds))
        rows["agent"].append(load(agent.pid, agent.ports["dns"], questions, seconds))
    ratios = [ours["rate"] / bare["rate"] for bare, ours in zip(rows["echo"], rows["agent"], strict=True)]
    return {"ratio": round(statistics.median(ratios), 4), "ratio_min": round(min(ratios), 4),
            "ratio_max": round(max(ratios), 4), "echo": benchlib.median_of(rows["echo"]),
            "agent": benchlib.median_of(rows["agent"])}


def run(long_form, folder):
    form = os.environ.get("BENCH_DNS", "5000,7,5" if long_form else "50,1,1")  # services, rounds, seconds of a load
    services, rounds, seconds = (int(number) for number in form.split(","))
    directory = meshes.write_directory(f"{folder}/mesh", services, 10)
    questions = {name: write_questions(pathlib.Path(folder) / name, services, types)
                 for name, types in (("vip", ["A"]), ("endpoints", ["A"]), ("mix", ["A", "AAAA"]))}
    figures = {"services": services, "rounds": rounds, "seconds": seconds}
    port = free_port()
    with benchlib.Running(harness.Process([benchlib.program("dns_echo"), str(port)])) as echo:
        pin(echo.pid, SERVER_CORE)
        for name, path in questions.items():
            mode = "endpoint" if name == "endpoints" else "auto"
            with benchlib.agent("--source", f"dir:{directory}", *benchlib.POD, "--dns-answer", mode) as agent:
                benchlib.wait_quiet(agent.pid)
                pin(agent.pid, SERVER_CORE)
                figures[name] = compare(echo, agent, port, path, rounds, seconds)
    return figures


def main():
    options = benchlib.arguments(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        figures = run(options.long, folder)
    for name in ("vip", "endpoints", "mix"):
        row = figures[name]["agent"]
        assert row["rate"] > 1000 and row["failed"] == 0, (name, figures[name])
    benchlib.save("dns", figures, options.long)


if __name__ == "__main__":
    main()
