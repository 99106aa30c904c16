# SPDX-License-Identifier: Apache-2.0
"""Applications on Nacos's own Java client, of every generation, without Spring."""

import dataclasses
import itertools
import urllib.parse

import demos
import harness
import plain
from nacos_support import GROUP

VERSIONS = {"nacos-1.1": "1.1.4", "nacos-1.4": "1.4.8", "nacos-2.0": "2.0.4", "nacos-2.2": "2.2.4", "nacos-2.5": "2.5.1",
            "nacos-3.0": "3.0.3", "nacos-3.2": "3.2.1-2026.03.30"}
JVM = ("-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def words(line):
    """Of an answer, or of one of its parts."""
    return [urllib.parse.unquote_plus(word) for word in line.split(" ")]


@dataclasses.dataclass
class Instance:
    """As the client's own class has it."""

    place: str  # ADDRESS:PORT
    weight: float
    healthy: bool
    enabled: bool
    ephemeral: bool
    cluster: str
    service: str
    id: str
    metadata: dict

    @classmethod
    def read(cls, text):
        *fields, metadata = text.split("|")
        ip, port, weight, healthy, enabled, ephemeral, *names = map(urllib.parse.unquote_plus, fields)
        flags = (flag == "true" for flag in (healthy, enabled, ephemeral))
        return cls(f"{ip}:{port}", float(weight), *flags, *names, dict(urllib.parse.parse_qsl(metadata, keep_blank_values=True)))


def instances(text):
    return [Instance.read(word) for word in text.split(" ") if word]


def weights(found):
    """ADDRESS:PORT -> weight, of all its copies together."""
    total = {}
    for one in found:
        total[one.place] = total.get(one.place, 0) + one.weight
    return total


def shares(found):
    """The same in per cent."""
    total = sum(one.weight for one in found)
    return {place: 100 * weight / total for place, weight in weights(found).items()}


@dataclasses.dataclass
class Events:
    """What a listener has been told."""

    count: int
    last_ms: int  # since 1970
    service: str
    instances: list

    @classmethod
    def read(cls, text):
        count, last, service, found = text.split(" ", 3)
        return cls(int(count), int(last), urllib.parse.unquote_plus(service), instances(found))


class Refused(Exception):
    """The client has thrown an exception, of which this is the text."""


class Application(plain.Lines):
    """A JVM with one version of the client, which keeps its files in a folder of the test."""

    def __init__(self, module, folder, *jvm):
        self.module, self.version, self.ids = module, VERSIONS[module], itertools.count()
        files = {"user.home": folder, "JM.LOG.PATH": folder / "logs", "JM.SNAPSHOT.PATH": folder / "snapshots"}
        settings = [f"-D{name}={value}" for name, value in files.items()]
        super().__init__(["java", *JVM, *settings, *jvm, "-cp", f"{demos.jars()}/{module}.lib/*",
                          "isthmus.nacos.NacosApplication"])  # fmt: skip

    def ask(self, *said):
        answer = super().ask(*(urllib.parse.quote_plus(str(word)) for word in said))
        if answer.startswith("error "):
            raise Refused(words(answer)[1])
        return answer

    def connect(self, server, **properties):
        """A client of its own on a server; the properties are Nacos's."""
        return Client(self, str(next(self.ids)), {"serverAddr": server, **properties})


class Client:
    """One NamingService of an application. What is asked of a service wants its name, group, and clusters, joined by commas."""

    def __init__(self, application, name, properties):
        self.application, self.name = application, name
        application.ask("connect", name, *itertools.chain(*properties.items()))

    def ask(self, command, *said):
        return self.application.ask(command, self.name, *said)

    def all(self, service, group=GROUP, clusters="", subscribe=True):
        return instances(self.ask("all", service, group, clusters, subscribe))

    def select(self, service, group=GROUP, clusters="", healthy=True, subscribe=True):
        return instances(self.ask("select", service, group, clusters, subscribe, healthy))

    def pick(self, service, times, group=GROUP, clusters=""):
        """ADDRESS:PORT -> how often the client's balancer has chosen it."""
        pairs = (pair.split("=") for pair in self.ask("pick", service, group, clusters, times).strip("{}").split(", "))
        return {place: int(count) for place, count in pairs}

    def subscribe(self, service, group=GROUP, clusters=""):
        return Subscription(self, (service, group, clusters))

    def register(self, service, place, group=GROUP, cluster="", weight=1.0, ephemeral=True, **metadata):
        self.ask("register", service, group, cluster, place, weight, ephemeral, *itertools.chain(*metadata.items()))

    def deregister(self, service, place, group=GROUP, cluster="", ephemeral=True):
        self.ask("deregister", service, group, cluster, place, 1.0, ephemeral)

    def batch(self, service, *places, group=GROUP):
        self.ask("batch", service, group, "", *places)

    def unbatch(self, service, *places, group=GROUP):
        self.ask("unbatch", service, group, "", *places)

    def services(self, page=1, size=100, group=GROUP):
        """The count, and the names of the page."""
        count, *names = words(self.ask("services", page, size, group))
        return int(count), [name for name in names if name]

    def config(self, data_id, group=GROUP):
        return words(self.ask("config", data_id, group))[0]

    def close(self):
        self.ask("close")


class Subscription:
    """A listener on a service."""

    def __init__(self, client, service):
        self.client, self.service = client, service
        client.ask("subscribe", *service)

    def events(self):
        return Events.read(self.client.ask("events", *self.service))

    def wait(self, condition, what):
        """Until the instances that it was told of last, none before the first time, are so; returns its events."""

        def told():
            events = self.events()
            assert condition(events.instances), events
            return events

        return harness.wait_for(told, f"{self.client.application.version}: {what}")

    def stop(self):
        self.client.ask("unsubscribe", *self.service)
