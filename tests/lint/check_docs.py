#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Public headers teach, and each module says on one page what it is."""
import pathlib
import re

import lint

WORDS = ("May use", "May not use", "Threads", "Memory")
README_LINES = 60
FIXED = re.compile(r"_(new|free|init|done|clear|ref|unref|name)$")  # docs/CODING_STYLE.md says what these do
PROTOTYPE = re.compile(r"^(?:[A-Za-z_][\w\s*]*?[\s*])(ist_\w+)\(", re.M)


def check_head(name, lines):
    if lines[0] != "// SPDX-License-Identifier: Apache-2.0":
        lint.report(name, 1, "the first line is not the SPDX line")
    if "#pragma once" not in lines:
        lint.report(name, 1, "no #pragma once")
    essay = []
    for line in lines[1:]:
        if not line.startswith("//"):
            break
        essay.append(line.strip("/ "))
    if len([line for line in essay if line]) < 3:
        lint.report(name, 2, "fewer than 3 lines at the top say what this is, who owns it, who may call")
    if not re.search(r"thread|pure|immutable|value", " ".join(essay), re.I):
        lint.report(name, 2, "the text at the top has no word on threads")


def check_prototypes(name, lines):
    """A comment stands in the group of the prototype (no blank line between); names of fixed meaning need none."""
    start = 0
    for at in range(len(lines) + 1):
        if at == len(lines) or not lines[at].strip():
            group = lines[start:at]
            for offset, line in enumerate(group):
                found = PROTOTYPE.match(line)
                if found and not line.startswith(("typedef", "static")) and not any("//" in one for one in group) \
                        and not FIXED.search(found[1]):
                    lint.report(name, start + offset + 1, f"{found[1]} has no comment")
            start = at + 1


def check_readme(folder):
    readme = folder / "README.md"
    name = str(readme.relative_to(lint.ROOT))
    if not readme.exists():
        lint.report(name, 1, "missing: every module has a page")
        return
    text = readme.read_text(encoding="utf-8")
    if text.count("\n") > README_LINES:
        lint.report(name, README_LINES + 1, f"longer than {README_LINES} lines")
    for word in WORDS:
        if not re.search(word, text, re.I):
            lint.report(name, 1, f'says nothing on "{word}"')


for path in lint.files(".h", under=("agent", "dns", "api")):
    if "/include/" in path:
        content = lint.read(path).split("\n")
        check_head(path, content)
        check_prototypes(path, content)
for path in lint.files("CMakeLists.txt", under=("agent", "dns", "api", "proto")):
    if path != "agent/CMakeLists.txt":
        check_readme((lint.ROOT / pathlib.PurePosixPath(path)).parent)
lint.finish()
