#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Python: compiles without a warning, and ruff's errors, unused things and likely bugs (pyflakes, bugbear)."""
import re
import shutil
import subprocess
import sys
import warnings

import lint

names = lint.files(".py")
warnings.simplefilter("error")
for path in names:
    try:
        compile(lint.read(path), path, "exec", dont_inherit=True)
    except (SyntaxError, Warning) as problem:
        lint.report(path, getattr(problem, "lineno", 1) or 1, problem)
ruff = shutil.which("ruff")
if not ruff:
    sys.exit("tests/lint/check_python.py:1: ruff is not installed (tests/run.sh puts it into its own environment)")
run = subprocess.run([ruff, "check", "--isolated", "--no-cache", "--quiet", "--output-format=concise", "--line-length=130",
                      "--select=E4,E7,E9,E501,F,B,PLE,W6", "--ignore=B023,B905", *names],
                     cwd=lint.ROOT, capture_output=True, text=True)
for line in run.stdout.splitlines():
    if found := re.match(r"(.+?):(\d+):\d+: (.*)", line):
        lint.report(found[1], found[2], found[3])
if run.returncode not in (0, 1):
    lint.report("tests/lint/check_python.py", 1, f"ruff fails: {run.stderr.strip()}")
lint.finish()
