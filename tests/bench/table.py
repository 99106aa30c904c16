#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the results of the benches in $BENCH_RESULTS as the Markdown tables of docs/benchmarks.md."""
import json

import benchlib


def line(*cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |")


def head(title, *columns):
    print(f"\n### {title}\n")
    line(*columns)
    line(*("---" for _ in columns))


def memory(f):
    def cells(row):
        return [f"{row[key]:.1f}" for key in ("rss", "pss", "anonymous", "peak")]

    large = f"{f['services']:,} x {f['endpoints']}"
    head("Memory, MB", "", "RSS", "PSS", "anonymous", "peak RSS", "goal RSS")
    line("idle, over TLS", *cells(f["idle_tls"]), "17, 4 of it anonymous")
    line(f"{large}, from a directory", *cells(f["large_directory"]), 25)
    line(f"{large}, from istiod over TLS", *cells(f["large_tls"]), "28, peak 45")
    line("idle, the istiod that Envoy takes", *cells(f["idle_beside_envoy"]), "")
    line("the same: Envoy", *cells(f["idle_envoy"]), "")
    line(f"{large}, the istiod that Envoy takes", *cells(f["large_beside_envoy"]), "")
    line("the same: Envoy", *cells(f["large_envoy"]), "")


def push(f):
    head(f"Push to answer, ms ({f['services']:,} x {f['endpoints']})", "door", "pushes", "median", "p99", "maximum",
         "one question", "goal")
    for door in ("dns", "rest"):
        row = f[door]
        line(door.upper(), row["pushes"], f"{row['median_ms']:.2f}", f"{row['p99_ms']:.2f}", f"{row['max_ms']:.2f}",
             f"{row['one_question_median_ms']:.2f}", "5")


def sync(f):
    def row(name, mesh, who, goal=""):
        sent, row = f[mesh]["sent_mb"], f[mesh][who]
        line(name, "/".join(f"{sent[kind]:.1f}" for kind in ("CDS", "EDS", "LDS", "RDS")), f"{row['cpu_s']:.3f}",
             f"{row['wall_s']:.2f}", f"{row['rss_mb']:.1f}", goal)

    head("Cold synchronisation", "mesh", "CDS/EDS/LDS/RDS, MB", "CPU, s", "time, s", "RSS after, MB", "goal CPU, s")
    large = f"{f['services']:,} x {f['endpoints']}"
    row("bookinfo, TLS", "small", "agent_tls")
    row(f"{large}, TLS", "synthetic", "agent_tls", 0.5)
    row(f"{large}, plaintext", "synthetic", "agent_plaintext")
    row(f"{f['tcp_services']:,} TCP services, TLS", "listeners", "agent_tls", 0.5)
    row(f"{f['tcp_services']:,} TCP services, plaintext", "listeners", "agent_plaintext")
    row(f"{large}, plaintext, the istiod that Envoy takes", "synthetic_beside_envoy", "agent_plaintext")
    row("the same: Envoy", "synthetic_beside_envoy", "envoy")


def warm(f):
    head("Warm start, istiod down", "services x 10", "resources", "file, MB", "first answer, ms", "answer of the mesh, ms",
         "CPU, ms", "RSS after, MB", "peak, MB", "goal, ms")
    for row in f["rows"]:
        line(f"{row['services']:,}", f"{row['resources']:,}", row["file_mb"], f"{row['first_ms']:.1f}",
             f"{row['mesh_ms']:.1f}", f"{row['cpu_ms']:.1f}", f"{row['rss_mb']:.1f}", f"{row['peak_mb']:.1f}",
             row["goal_ms"])


def commit(f):
    head("Cost per changed service, us", "services", "anywhere, median", "anywhere, p99", "always among the same 500",
         "100 in one commit, each", "whole mesh at once, each")
    for row in f["sizes"]:
        line(f"{row['services']:,}", f"{row['median_us']:.1f}", f"{row['p99_us']:.1f}", f"{row['same_500_median_us']:.1f}",
             f"{row['batch_us_per_service']:.1f}", f"{row['load_ms'] * 1000 / row['services']:.1f}")


def dns(f):
    for run in f["runs"]:
        cells = run["cells"]

        def rate(cell, name, cells=cells):
            row = cells[cell][name]
            return f"{row['rate'] / 1000:.0f} ({row['rate_ratio']['median']:.2f})"

        def cost(cell, name, cells=cells):
            row = cells[cell][name]
            return f"{row['cpu_us']:.2f} ({row['cpu_ratio']['median']:.2f})"

        def times(cell, name, cells=cells):
            return f"{cells[cell][name]['p50_us']:.0f} / {cells[cell][name]['p99_us']:.0f}"

        head(f"DNS, {run['names']:,} names x 3", "server", "load, 1000/s", "CPU, us", "load of mix", "CPU, us",
             "dnsperf hit", "dnsperf mix", "20,000/s, us", "same core, us", "RSS / PSS / anonymous, MB")
        for name in run["servers"]:
            memory_of = run["memory"][name]
            line(name, rate("load", name), cost("load", name), rate("load_mix", name), cost("load_mix", name),
                 rate("hit", name), rate("mix", name), times("paced", name), times("round_trip", name),
                 f"{memory_of['rss']:.1f} / {memory_of['pss']:.1f} / {memory_of['anonymous']:.1f}")
        dns_goals(run)


def dns_goals(run):
    """What is compared with something else than the echo."""
    def spread(ratio):
        return f"{ratio['median']:.2f} ({ratio['least']:.2f} to {ratio['most']:.2f})"

    head(f"DNS, {run['names']:,} names x 3: goals", "", "measured", "goal")
    ours = run["cells"]["load"]["Isthmus, even"]
    line("rate to the echo's, load", spread(ours["rate_ratio"]), "0.95")
    line("CPU of an answer to the echo's, load", spread(ours["cpu_ratio"]), "1.10")
    for key, goal in (("rate", "0.95"), ("cpu_us", "1.05")):
        name = "rate" if key == "rate" else "CPU"
        line(f"weighted to fixed, {name}", spread(run["cells"]["load"]["weighted_to_fixed"][key]), goal)
        if run["cached"] is not None:
            line(f"cached to local, {name}", spread(run["cached"][key]), "0.90" if key == "rate" else "1.10")
    memory_of = run["memory"]
    line("memory of DNS: with it and without, RSS, MB",
         f"{memory_of['Isthmus, even']['rss']:.1f}, {memory_of['Isthmus, even, DNS off']['rss']:.1f}", "8 more")
    line("memory without a mesh, RSS, MB", f"{memory_of['Isthmus, no mesh']['rss']:.1f}", "")


def update(f):
    head(f"DNS while endpoints change, {f['services']:,} x 3", "", "changes/s", "revisions/s", "load, 1000/s",
         "to quiet (lowest to highest)", "CPU, us", "20,000/s, us", "lost", "goal")
    for form, name in (("quiet", "nothing is pushed"), ("same", "pushed, nothing changes"), ("changes", "pushed, all changes")):
        row = f[form]
        ratio = f["rate_ratio"].get(form)
        line(name, f"{row['pushed_per_s']:,.0f}", f"{row['revisions_per_s']:.0f}", f"{row['rate'] / 1000:.0f}",
             f"{ratio['median']:.2f} ({ratio['least']:.2f} to {ratio['most']:.2f})" if ratio else "", f"{row['cpu_us']:.2f}",
             f"{row['p50_us']:.0f} / {row['p99_us']:.0f}", f"{row['lost']:.0f}", "0.95, p99 200" if form == "changes" else "")


def eureka(f):
    instances = f"{f['services'] * f['endpoints']:,}"
    head(f"Eureka, {instances} instances", "", "server", "answers", "bytes", "CPU of an answer, us", "of one core",
         "median, us", "p99, us")

    def rows(name, cell):
        for server, row in cell.items():
            line(name, server, row["answers"], f"{row['bytes']:,}", f"{row['cpu_us']:.0f}", f"{100 * row['core']:.0f} %",
                 f"{row['p50_us']:.0f}", f"{row['p99_us']:.0f}")
    rows("whole list, one client", f["full"])
    for count, cell in f["delta"].items():
        rows(f"delta after {count}, one client", cell)
    rows("the same, a client that returns no cookie", f["forget"])
    rows(f"the same delta, {f['clients']:,} clients once a second", f["poll"])
    head("Eureka: memory, MB", "server", "RSS before the clients", "RSS after", "peak")
    for server, row in f["memory"].items():
        line(server, f"{f['memory_before'][server]['rss']:.1f}", f"{row['rss']:.1f}", f"{row['peak']:.1f}")
    head("Eureka: CPU of the door, in process", "services x 10", "first list, ms", "same again, us",
         "whole list after a change, ms", "delta after 1 service, us", "after 10", "after 100")
    for row in f["costs"]:
        line(f"{row['services']:,}", f"{row['first_ms']:.0f}", f"{row['again_us']:.1f}", f"{row['full_us'] / 1000:.1f}",
             *(f"{row[f'delta_{k}_us']:.0f}" for k in (1, 10, 100)))


def nacos(f):
    head(f"Nacos, {f['services']:,} services x {f['endpoints']}", "a list of one service", "server", "answers/s", "bytes",
         "CPU of an answer, us", "median, us", "p99, us")
    for name, cell in (("HTTP", f["http"]), ("gRPC", f["grpc"])):
        for server, row in cell.items():
            line(name, server, f"{row['rate']:.0f}", f"{row['bytes']:,}", f"{row['cpu_us']:.0f}", f"{row['p50_us']:.0f}",
                 f"{row['p99_us']:.0f}")
    head("Nacos: from a change to the subscriber, ms", "server", "changes", "median", "p99", "maximum")
    for server, row in f["push"].items():
        line(server, row["changes"], f"{row['median_ms']:.1f}", f"{row['p99_ms']:.1f}", f"{row['max_ms']:.1f}")
    head("Nacos: memory, MB", "server", "subscribers", "RSS before them", "RSS with them")
    for server, row in f["memory"].items():
        line(server, row["clients"], f"{row['before']['rss']:.1f}", f"{row['after']['rss']:.1f}")


def main():
    for show in (memory, push, sync, warm, commit, dns, update, eureka, nacos):
        path = benchlib.RESULTS / f"{show.__name__}.json"
        if path.exists():
            result = json.loads(path.read_text())
            show(result["figures"])
            if not result["long"]:
                print("\n(short form: a test of the bench, no measurement)")


if __name__ == "__main__":
    main()
