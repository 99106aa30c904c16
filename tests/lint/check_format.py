#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The code has the shape of .clang-format. Lines that clang-format 14 would write otherwise are rare: a table or a
condition that was set by hand for its reader. Headers are tables for the most part and count only in the whole."""
import difflib
import shutil
import subprocess
import sys

import lint

FILE_PERCENT = 15  # of the lines of one file, where it has more than a few
FEW = 12
TREE_PERCENT = 4   # of all lines: a ratchet

if not shutil.which("clang-format-14"):
    sys.exit(".clang-format:1: clang-format-14 is not installed")
total = differing = 0
for path in lint.files(".c", ".h", under=("agent", "dns", "api")):
    run = subprocess.run(["clang-format-14", "--style=file", str(lint.ROOT / path)], capture_output=True, text=True)
    if run.returncode != 0:
        lint.report(".clang-format", 1, f"clang-format-14 fails on {path}: {run.stderr.strip()}")
        continue
    ours = lint.read(path).split("\n")
    changed = [a1 + 1 for tag, a1, a2, _, _ in difflib.SequenceMatcher(None, ours, run.stdout.split("\n"), False)
               .get_opcodes() if tag != "equal" for _ in range(max(1, a2 - a1))]
    total += len(ours)
    differing += len(changed)
    if path.endswith(".c") and len(changed) > max(FEW, len(ours) * FILE_PERCENT / 100):
        lint.report(path, changed[0], f"{len(changed)} of {len(ours)} lines differ from clang-format-14 --style=file")
if differing * 100 > total * TREE_PERCENT:
    lint.report(".", 1, f"{differing} of {total} lines differ from clang-format-14, at most {TREE_PERCENT} per cent may")
lint.finish()
