# SPDX-License-Identifier: Apache-2.0
"""What the rules share: which files the tree has, C text without comments, and how a finding is reported."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
_SKIPPED = {".git", "build", "__pycache__", ".pytest_cache", "node_modules", "target"}
_found = []


def _all():
    """Tracked and new files; in an exported tree without git everything but what was built."""
    if (ROOT / ".git").exists():
        command = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others"]
        names = subprocess.run([*command, "--exclude-standard"], check=True, capture_output=True, text=True).stdout.split("\0")
    else:
        names = [str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if not _SKIPPED & set(p.relative_to(ROOT).parts)]
    return sorted({n for n in names if n and (ROOT / n).is_file() and not (ROOT / n).is_symlink()})


def files(*suffixes, under=()):
    """Paths relative to the top, with one of the suffixes (all where none is given), in one of the folders."""
    return [n for n in _all() if (not suffixes or n.endswith(suffixes))
            and (not under or n.startswith(tuple(f"{u}/" for u in under)))]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8", errors="replace")


def _blank(match):
    text = match.group(0)
    return re.sub(r"[^\n]", " ", text) if text.startswith("/") else text[0] + " " * (len(text) - 2) + text[-1]


def code(text):
    """C text of the same shape with comments and the contents of literals blanked."""
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', _blank, text, flags=re.S)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def report(name, line, problem):
    _found.append(f"{name}:{line}: {problem}")


def finish():
    print("\n".join(_found), end="\n" if _found else "")
    sys.exit(1 if _found else 0)
