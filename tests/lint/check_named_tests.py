#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests that a page names, as `FILE::NAME`, exist; a table with a column `test` names one in every row."""
import re

import lint

NAMED = re.compile(r"`(test_\w+\.(?:py|c))::(\w+)`")
DEFINED = re.compile(r"^(?:def|static void) (\w+)\(", re.M)


def defined():
    """file name -> names of tests in it"""
    found = {}
    for path in lint.files(".py", ".c", under=("tests",)):
        name = path.rsplit("/", 1)[-1]
        if name.startswith("test_"):
            found.setdefault(name, set()).update(DEFINED.findall(lint.read(path)))
    return found


tests = defined()
for page in lint.files(".md", under=("docs",)):
    wanted = False
    for number, line in enumerate(lint.read(page).split("\n"), 1):
        wanted = line.endswith("| test |") or wanted and line.startswith("|")
        named = NAMED.findall(line)
        for file, test in named:
            if test not in tests.get(file, ()):
                lint.report(page, number, f"there is no test {test} in {file}")
        if wanted and not named and not line.endswith("| test |") and not line.startswith("|---"):
            lint.report(page, number, "a rule without a test")
lint.finish()
