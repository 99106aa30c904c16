# SPDX-License-Identifier: Apache-2.0
"""Applications on the Nacos clients of Go, Python and Node, asked by lines."""

import collections
import dataclasses
import json

import demos
import harness
import plain
import pytest
from nacos_support import GRPC, HTTP

HERE = harness.ROOT / "tests/clients"


@dataclasses.dataclass(frozen=True)
class Kind:
    """A client: the program that has it, and what it can do."""

    language: str
    version: str
    words: tuple  # what its program is told first
    balances: bool = False  # by itself, by weight
    lists_services: bool = True
    subscribes_again: bool = True  # where it once has not reached the server

    def command(self, *words):
        """Its program's, with these words."""
        program = {"go": self._go, "python": self._python, "node": self._node}[self.language]()
        return [str(word) for word in (*program, *self.words, *words)]

    def _go(self):
        return [demos.nacos_go(self.version if self.version in OLD_GO else "")]

    def _python(self):
        return [demos.nacos_python() / self.version / "bin/python", HERE / "python/nacos_application.py"]

    @staticmethod
    def _node():
        return ["node", demos.node_clients() / "nacos_application.js"]

    def started(self, folder, namespace=""):
        """As an application, which keeps its files in a folder of the test."""
        place = {"go": (HTTP, folder), "python": (HTTP, GRPC, folder), "node": (HTTP,)}[self.language]
        return Application(self, self.command(*place, *([namespace] if namespace else [])))

    def understands(self, files, folder):
        """What its decoder makes of each of these files."""
        names = folder / f"{self.language}-{self.version}.list"
        names.write_text("".join(f"{file}\n" for file in files))
        if self.language == "go":  # whose program has two decoders
            return demos.lines_of([*map(str, self._go()), "decode", *self.words, str(names)])
        return demos.lines_of(self.command("decode", names))


KINDS = {
    "go-1.1.6": Kind("go", "1.1.6", ("1",), balances=True),
    "go-2.3.5": Kind("go", "2.3.5", ("2",), balances=True),
    "python-1.0.0": Kind("python", "1.0.0", ("http",), lists_services=False, subscribes_again=False),
    "python-2.0.11": Kind("python", "2.0.11", ("grpc",)),
    "python-3.2.0": Kind("python", "3.2.0", ("grpc",)),
    "node-2.6.3": Kind("node", "2.6.3", (), lists_services=False),
    "go-2.0.0": Kind("go", "2.0.0", ("2",), balances=True),
    "go-2.2.5": Kind("go", "2.2.5", ("2",), balances=True),
    "python-2.0.11-http": Kind("python", "2.0.11", ("http",), lists_services=False, subscribes_again=False),
}
OLD_GO = ("2.0.0", "2.2.5")
SELDOM = (KINDS["go-2.0.0"], KINDS["go-2.2.5"], KINDS["python-2.0.11-http"])


def clients(condition=lambda kind: True):
    """Names of those that are so, for parameters of tests."""
    found = {name: kind for name, kind in KINDS.items() if condition(kind)}
    return [pytest.param(name, marks=pytest.mark.long if kind in SELDOM else ()) for name, kind in found.items()]


def is_long(config):
    """Whether this is the long form of the tests."""
    return "not long" not in config.option.markexpr


class Refused(Exception):
    """The client has failed, of which this is the text."""


class Application(plain.Lines):
    """A process with one of the clients. A service's group is "-" where the application names none."""

    def __init__(self, kind, command):
        self.kind = kind
        super().__init__(command)

    def ask(self, command, service, group="-", *words):
        answer = json.loads(super().ask(command, service, group, *words))
        if isinstance(answer, dict) and "error" in answer:
            raise Refused(answer["error"])
        return answer

    def do(self, *words):
        assert self.ask(*words) == "ok", self.log()

    def list(self, service, group="-"):
        """All of its instances."""
        return self.ask("list", service, group)

    def select(self, service, group="-"):
        """Those that may be called. Some clients take it for an error that there is none."""
        try:
            return self.ask("select", service, group)
        except Refused as error:
            assert "empty" in str(error), error
            return []

    def told(self, service):
        """The lists that a subscription has brought."""
        start = f"event {service} "
        return [json.loads(line[len(start) :]) for line in list(self.stdout) if line.startswith(start)]

    def wait_told(self, service, condition, what):
        """Until the last of them is so."""

        def last():
            lists = self.told(service)
            assert lists and condition(lists[-1]), lists[-1:]
            return lists[-1:]

        return harness.wait_for(last, f"{what} (log:\n{self.log()[-2000:]})", 60)[0]


def place(instance):
    return f"{instance['ip']}:{instance['port']}"


FIELDS = {"id": "instanceId", "ip": "ip", "port": "port", "weight": "weight", "healthy": "healthy", "enabled": "enabled",
          "cluster": "clusterName", "service": "serviceName", "metadata": "metadata"}  # fmt: skip


def entry(host):
    """A host of the HTTP API, as the applications show it."""
    return {name: host[field] for name, field in FIELDS.items()}


def usable(instances):
    return [one for one in instances if one["healthy"] and one["enabled"] and one["weight"] > 0]


def weights(instances):
    """ADDRESS:PORT -> weight of all its copies."""
    found = collections.Counter()
    for one in usable(instances):
        found[place(one)] += one["weight"]
    return dict(found)
