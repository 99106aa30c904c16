# SPDX-License-Identifier: Apache-2.0
"""What the Nacos door sends is read alike by a parser that has nothing in common with ours and by the own decoder of every
client: odd names, generated metadata, both families, copies, a thousand hosts. The long form generates anew, and
NACOS_DECODERS_SEED repeats."""

import json
import os
import random
import urllib.parse

import eureka_bodies
import harness
import nacos_languages
import nacos_support
import objects
import pytest
from nacos_languages import KINDS

AGENTS = ("Nacos-Go-Client:v1.1.6", "Nacos-Python-Client:v1.0.0", "Nacos-Java-Client:v1.0.0", "Nacos-Java-Client:v1.4.8",
          "curl/8")  # fmt: skip
HUGE = 1000  # endpoints
GENERATED = 60  # registrations
SEED = 20240501
# Pieces of what is generated: of every class of JSON, UTF-8, and of what some parser takes for something else.
PIECES = (
    "a", "Z9", " ", "\t", "\n", "\r\n", "\x01", "\x1f", "\x7f", '"', "\\", "\\u0041", "/", "</script>", "&amp;", "<b>", "'",
    "@@", "#", "{", "}", "[", "]", ",", ":", "null", "true", "1e3", "-0", "%20", "+", "=", "\u00e9", "\u00fc\u00df", "\u2028",
    "\u2029", "\u65e5\u672c", "\u05d0\u05d1", "e\u0301", "\ufeff", "\ufffd", "\ufffe", "\uffff", "\U0001f600", "\U0010ffff",
    "k" * 300,
)  # fmt: skip
NAMES = ("reviews", "reviews.default", "reviews--v2", "reviews--v3--p9090", "ratings.shop", "review-service", "Order_Service",
         "many", "six", "secure", "greeter", "huge", "nobody", "digits.2nd")  # fmt: skip
GROUPS = ("", "blue", "gr\u00fcn \"1\"")


def huge():
    addresses = [f"10.9.{i // 250}.{1 + i % 250}" for i in range(HUGE)]
    return objects.app("huge", {"v1": addresses}, ip="10.96.0.99")


def text(rng, most):
    return "".join(rng.choice(PIECES) for _ in range(rng.randint(1, most)))


def registrations(seed):
    """(name, metadata) of each; a name that the protocol allows."""
    rng = random.Random(seed)
    for number in range(GENERATED):
        name = f"own{number}" + text(rng, 3).replace("@@", "@").replace("k" * 300, "k")
        yield name, {text(rng, 2): text(rng, rng.choice((1, 4, 12))) for _ in range(rng.randint(0, 6))}


class Collector:
    """Bodies in files."""

    def __init__(self, folder, mesh):
        self.folder, self.mesh, self.files, self.lists = folder, mesh, [], []

    def get(self, name, agent, **query):
        words = urllib.parse.urlencode({"serviceName": name, **query})
        answer = self.mesh.agent.http(f"/nacos/v1/ns/instance/list?{words}", port="nacos", headers={"User-Agent": agent})
        assert answer.status == 200, (name, query, answer.body)
        file = self.folder / f"{len(self.files)}.body"
        file.write_text(answer.body, newline="")
        self.files.append(file)
        self.lists.append(json.loads(answer.body))

    def collect(self, names):
        for agent in AGENTS:
            for name in names:
                self.get(name, agent)
            for group in GROUPS:
                self.get("reviews", agent, groupName=group, namespaceId="6f1c2d34", clusters="DEFAULT")


def register(mesh, name, metadata):
    form = {"serviceName": name, "ip": "10.1.0.9", "port": 7070, "metadata": json.dumps(metadata)}
    answer = mesh.agent.http("/nacos/v1/ns/instance", "POST", {"Content-Type": "application/x-www-form-urlencoded"}, "nacos",
                             urllib.parse.urlencode(form).encode())  # fmt: skip
    assert (answer.status, answer.body) == (200, "ok"), (name, metadata, answer.body)


@pytest.fixture(scope="module")
def seed(request):
    usual = random.randrange(1 << 32) if nacos_languages.is_long(request.config) else SEED
    seed = int(os.environ.get("NACOS_DECODERS_SEED", usual))
    print(f"NACOS_DECODERS_SEED={seed}")
    return seed


@pytest.fixture(scope="module")
def bodies(tmp_path_factory, seed):
    folder = tmp_path_factory.mktemp("bodies")
    mesh = nacos_support.Mesh(folder, [*eureka_bodies.mesh(), *huge()], eureka_bodies.CONFIG)
    try:
        own = dict(registrations(seed))
        for name, metadata in own.items():
            register(mesh, name, metadata)
        collector = Collector(folder, mesh)
        collector.collect([*NAMES, *own])
        for found in collector.lists:  # what was registered is what is listed
            name = found["name"].partition("@@")[2]
            if name in own:
                assert [host["metadata"] for host in found["hosts"]] == [own[name]], name
        mesh.put("mesh", *huge())  # what is gone is told by its last hosts
        harness.wait_for(lambda: not nacos_languages.usable(mesh.hosts("reviews")), "reviews to be gone")
        collector.collect(NAMES)
    finally:
        mesh.stop()
    return collector


def said(found):
    """The list as an application shows it."""
    return [nacos_languages.entry(host) for host in found["hosts"]]


def test_bodies_are_of_every_kind(bodies):
    sizes = {len(found["hosts"]) for found in bodies.lists}
    assert {0, 1, HUGE} < sizes
    assert any(host["weight"] > 1 for found in bodies.lists for host in found["hosts"])
    assert any(":" in host["ip"] for found in bodies.lists for host in found["hosts"])
    assert any("odd:key" in host["metadata"] for found in bodies.lists for host in found["hosts"])
    assert all(isinstance(value, str) for found in bodies.lists for host in found["hosts"] for value in host["metadata"].values())


# Python's client of HTTP has the parser that we judge by.
@pytest.mark.parametrize("name", nacos_languages.clients(lambda kind: kind.words != ("http",)))
def test_client_understands_every_body(bodies, name, tmp_path, seed):
    results = KINDS[name].understands(bodies.files, tmp_path)
    assert len(results) == len(bodies.lists) > 100
    for number, (result, found) in enumerate(zip(results, bodies.lists)):
        assert result == said(found), (f"NACOS_DECODERS_SEED={seed}", number, found["name"])
