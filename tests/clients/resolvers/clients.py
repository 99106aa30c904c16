# SPDX-License-Identifier: Apache-2.0
"""The resolver libraries under test, each in a small program that prints what one look-up gives."""

import functools
import ipaddress
import os
import pathlib
import re
import subprocess
import sys

import demos

HERE = pathlib.Path(__file__).parent
JAVA = ["java", "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Djava.security.properties={demos.FRESH_LOOK_UPS}"]


def _go():
    return [subprocess.run(["bash", demos.harness.ROOT / "tests/support/install.sh", "go"], check=True, capture_output=True,
                           text=True).stdout.split()[-1] + "/go"]


@functools.cache
def commands(folder):
    """How each client is started; what must be compiled is, into the folder."""
    builds = (
        ["gcc", "-O1", "-o", folder / "glibc", HERE / "lookup.c"],
        ["musl-gcc", "-static", "-O1", "-o", folder / "musl", HERE / "lookup.c"],
        ["gcc", "-O1", "-o", folder / "c-ares", HERE / "lookup_cares.c", "-lcares"],
        [*_go(), "build", "-o", folder / "go", HERE / "lookup.go"],
        ["javac", "-d", folder, HERE / "LookUp.java"],
    )
    env = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}
    for build in builds:
        subprocess.run(build, check=True, env=env, timeout=240, cwd=folder)
    return {
        "glibc": [folder / "glibc"],
        "python": [sys.executable, HERE / "lookup.py"],
        "musl": [folder / "musl"],
        "go": [folder / "go"],
        "node lookup": ["node", HERE / "lookup.js", "lookup"],
        "node resolve": ["node", HERE / "lookup.js", "resolve"],
        "java": [*JAVA, "-cp", folder, "LookUp"],
        "c-ares": [folder / "c-ares"],
    }


def _first_line(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60)
    return done.stdout.splitlines()[0] if done.stdout else ""


def versions():
    """For the table."""
    def package(name):
        return _first_line("dpkg-query", "-W", "-f=${Version}\n", name)

    return {
        "glibc": package("libc6"), "python": sys.version.split()[0], "musl": package("musl-dev"),
        "go": re.sub(r"go version go(\S+).*", r"\1", _first_line(*_go(), "version")),
        "node lookup": _first_line("node", "--version"),
        "node resolve": _first_line("node", "-p", "process.version + ', c-ares ' + process.versions.ares"),
        "java": _first_line("java", "-version"), "c-ares": package("libc-ares2"),
    }


@functools.cache
def _plain(word):
    """Java writes IPv6 addresses at full length."""
    return str(ipaddress.ip_address(word)) if word.count(":") > 1 else word


class Clients:
    """The clients of one pod, each started when it is first asked."""

    def __init__(self, pod, folder):
        self.pod, self.folder, self.running = pod, folder, {}

    def look_up(self, client, name, family, times):
        """The answers of so many look-ups, each a list of addresses; what failed is the list ["!", words of the library]."""
        if client not in self.running:
            self.running[client] = self.pod.start(*map(str, commands(self.folder)[client.split("#")[0]]))
        child = self.running[client]
        # Node's resolve4 knows no search list.
        full = f"{name}.default.svc.cluster.local" if client == "node resolve" else name
        child.stdin.write(f"{full} {family} {times}\n")
        child.stdin.flush()
        return [[_plain(word) for word in child.stdout.readline().split()] for _ in range(times)]
