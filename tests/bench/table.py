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


def commit(f):
    head("Cost per changed service, us", "services", "anywhere, median", "anywhere, p99", "always among the same 500",
         "100 in one commit, each", "whole mesh at once, each")
    for row in f["sizes"]:
        line(f"{row['services']:,}", f"{row['median_us']:.1f}", f"{row['p99_us']:.1f}", f"{row['same_500_median_us']:.1f}",
             f"{row['batch_us_per_service']:.1f}", f"{row['load_ms'] * 1000 / row['services']:.1f}")


def dns(f):
    head("DNS against a bare UDP echo", "questions", "echo, 1/s", "agent, 1/s", "ratio (lowest to highest)",
         "CPU per answer, us: echo, agent", "goal")
    for name in ("vip", "endpoints", "mix"):
        row = f[name]
        line(name, f"{row['echo']['rate']:,.0f}", f"{row['agent']['rate']:,.0f}",
             f"{row['ratio']:.2f} ({row['ratio_min']:.2f} to {row['ratio_max']:.2f})",
             f"{row['echo']['cpu_us']:.2f}, {row['agent']['cpu_us']:.2f}", 0.95)


def main():
    for show in (memory, push, sync, commit, dns):
        path = benchlib.RESULTS / f"{show.__name__}.json"
        if path.exists():
            result = json.loads(path.read_text())
            show(result["figures"])
            if not result["long"]:
                print("\n(short form: a test of the bench, no measurement)")


if __name__ == "__main__":
    main()
