#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What every text file keeps to: licence line, no tabs, no trailing space, line length, no marks of work in progress,
nothing of the machine that it was written on."""
import re

import lint

COLUMNS = 130  # write for 120; a trailing comment may use the rest
LICENSED = (".c", ".h", ".cc", ".py", ".sh", ".go", ".java", ".js", ".proto", ".cmake", "CMakeLists.txt")
MEASURED = (".c", ".h", ".cc", ".py", ".sh")
TABS = (".go", ".mod", ".sum", "Makefile", ".tsv")  # tabs are these formats' own; shell may indent with them
TEXT = LICENSED + (".md", ".json", ".yaml", ".yml", ".txt", ".in", ".tpl", ".html", ".css", ".mod")
MARKS = re.compile(r"\b(TODO|FIXME|HACK)\b|\bXX" r"X\b[ :(]")
CONFLICT = re.compile(r"^(<{7}|>{7}|\|{7})( |$)|^={7}$")
MACHINE = re.compile(r"(?<![\w.$}])/(work|farm)/|/tmp/b-|(?<![\w/-])shared" r"/(design|rules|facts)|/root/|"
                     r"https?://[\w.]*(goproxy|artifactory|nexus|pypi-mirror|jfrog)[\w.]*|GOPROXY=https?:|"
                     r"--index-url|registry\s*=\s*https?:", re.I)
CORPUS = "tests/fuzz/corpus/"


def check_line(name, number, line):
    if line != line.rstrip():
        lint.report(name, number, "trailing space")
    if "\t" in line and not name.endswith(TABS) and not (name.endswith(".sh") and re.match(r"\t+\S", line)):
        lint.report(name, number, "tab")
    if len(line) > COLUMNS and name.endswith(MEASURED):
        lint.report(name, number, f"{len(line)} columns, at most {COLUMNS}")
    if MARKS.search(line):
        lint.report(name, number, "a mark of unfinished work: finish it, or write it into the issue")
    if CONFLICT.match(line):
        lint.report(name, number, "conflict marker")
    if MACHINE.search(line):
        lint.report(name, number, "names a machine, a registry or a path that only one machine has")


def check_file(name):
    text = lint.read(name)
    if name.endswith(LICENSED) and "SPDX-License-Identifier: Apache-2.0" not in "\n".join(text.split("\n")[:3]):
        lint.report(name, 1, "no SPDX line at the top")
    if text and not text.endswith("\n"):
        lint.report(name, text.count("\n") + 1, "no newline at the end")
    if "\r" in text:
        lint.report(name, 1, "carriage return")
    for number, line in enumerate(text.split("\n"), 1):
        check_line(name, number, line)


for path in lint.files(*TEXT):
    if not path.startswith((CORPUS, "tests/lint/check_style.py")):
        check_file(path)
lint.finish()
