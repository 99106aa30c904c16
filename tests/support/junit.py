#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""junit.py REPORT.xml PREFIX: one line for each test of a JUnit report (ctest, pytest), `pass NAME`, `fail NAME` or
`skip NAME`; the last lines of each failure's text go to stderr."""
import sys
import xml.etree.ElementTree as tree

TAIL = 40


def verdict(case):
    """The verdict and what the test had to say. ctest calls a test without its program `notrun`: that failed."""
    for kind in ("failure", "error"):
        if (found := case.find(kind)) is not None:
            out = case.findtext("system-out") or ""
            return "fail", f"{out}\n{found.get('message', '')}\n{found.text or ''}"
    if case.get("status") in ("notrun", "disabled"):
        return "fail", "it was not run"
    return ("skip", "") if case.find("skipped") is not None else ("pass", "")


def main(path, prefix):
    for case in tree.parse(path).iter("testcase"):
        group = case.get("classname", "")
        name = case.get("name") if group in ("", case.get("name")) else f"{group}.{case.get('name')}"
        word, text = verdict(case)
        print(word, f"{prefix}{name}".replace("\n", " "))
        if word == "fail":
            lines = [line for line in text.split("\n") if line.strip()]
            print(f"--- {prefix}{name} ({case.get('time', '?')} s)", *lines[-TAIL:], sep="\n", file=sys.stderr)


main(*sys.argv[1:])
