#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small functions, small files. Lines of a function are counted between its outer braces."""
import re

import lint

LIMITS = {  # a ratchet: may be lowered, never raised
    "median lines of a function": 15,
    "lines of a function": 100,
    "per cent of functions over 60 lines": 5,
    "parameters of a function": 6,
    "levels of nesting": 3,
    "lines of a file": 1200,
    "lines of a file, 90th percentile": 700,
    "lines of a test file": 1500,
}
CALLBACKS = {"on_access": 8}  # signatures that a library prescribes: libmicrohttpd's MHD_AccessHandlerCallback
OPENS = re.compile(r"(\)|\belse|\bdo)\s*\{$")


def functions(text):
    """(first line, header text, body lines) of each function: a body starts with { in column 0 or `name(...) {`."""
    start, lines = None, text.split("\n")
    for i, line in enumerate(lines):
        if start is None:
            if line == "{" or re.match(r"^[A-Za-z_].*\)\s*\{\s*$", line):
                start = i
        elif line.rstrip() == "}":
            head = start
            while head > 0 and not re.match(r"^(\}|#|\s*$)|.*[;}]\s*$", lines[head - 1]):
                head -= 1
            yield head + 1, " ".join(lines[head:start + 1]), lines[start + 1:i]
            start = None


def parameters(header):
    """Commas at the first level of the parameter list, plus one."""
    found = re.search(r"\w+\s*\((.*)\)", header)
    flat = found[1] if found else ""
    while re.search(r"\([^()]*\)", flat):
        flat = re.sub(r"\([^()]*\)", "", flat)
    return flat.count(",") + 1


def nesting(body):
    deepest, stack = 0, []
    for line in body:
        for at, char in enumerate(line):
            if char == "{":
                stack.append(bool(OPENS.search(line[:at + 1])) and line.rstrip().endswith("{"))
            elif char == "}" and stack:
                stack.pop()
        deepest = max(deepest, sum(stack))
    return deepest


def over(name, line, what, value):
    if value > LIMITS[what]:
        lint.report(name, line, f"{what}: {value:g}, at most {LIMITS[what]}")


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0


lengths, sizes = [], []
for path in lint.files(".c", ".cc", under=("agent", "dns", "api")):
    source = lint.code(lint.read(path))
    sizes.append(source.count("\n"))
    over(path, 1, "lines of a file", sizes[-1])
    for first, header, body in functions(source):
        lengths.append(len(body))
        over(path, first, "lines of a function", len(body))
        name = re.search(r"(\w+)\s*\(", header)
        if not name or CALLBACKS.get(name[1]) != parameters(header):
            over(path, first, "parameters of a function", parameters(header))
        over(path, first, "levels of nesting", nesting(body))
for path in lint.files(".c", ".py", ".go", ".java", ".js", ".sh", under=("tests",)):
    over(path, 1, "lines of a test file", lint.read(path).count("\n"))
over(".", 1, "median lines of a function", quantile(lengths, .5))
over(".", 1, "per cent of functions over 60 lines", 100 * sum(n > 60 for n in lengths) / max(1, len(lengths)))
over(".", 1, "lines of a file, 90th percentile", quantile(sizes, .9))
lint.finish()
