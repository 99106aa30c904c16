#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every lock stands in the table of docs/ARCHITECTURE.md section 4, and what stands there exists."""
import re

import lint

TABLE = "docs/ARCHITECTURE.md"
text = lint.read(TABLE)
documented = {(row[1], row[2]): row.start() for row in re.finditer(r"^\| `(\w+)` \(`([\w/.]+)`\) \|", text, re.M)}
locks = {}
for path in lint.files(".c", ".h", under=("agent", "dns", "api")):
    source = lint.code(lint.read(path))
    for found in re.finditer(r"\bpthread_(?:mutex|rwlock|spinlock|cond)_t\s+(\w+)\s*(?:;|=)", source):
        locks[found[1], path] = lint.line_of(source, found.start())
for (lock, path), line in locks.items():
    if (lock, path) not in documented:
        lint.report(path, line, f"{lock} is missing in the table of locks in {TABLE}")
for (lock, path), offset in documented.items():
    if (lock, path) not in locks:
        lint.report(TABLE, lint.line_of(text, offset), f"there is no lock {lock} in {path}")
lint.finish()
