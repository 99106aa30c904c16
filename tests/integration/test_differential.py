# SPDX-License-Identifier: Apache-2.0
"""The file source against the real istiod: the same objects and the same identity must give the same view.

Each scenario is a directory of objects. One agent reads it as files, another one gets it from istiod, and their canonical
views (GET /debug/view) are compared, apart from what differential_exclusions.yaml names. Where they differ, istiod is right.

Environment: DIFFERENTIAL_SEED=N repeats generated scenarios, DIFFERENTIAL_COUNT=N makes so many, DIFFERENTIAL_KEEP=DIR
keeps their objects.
"""

import fnmatch
import hashlib
import os
import pathlib
import random
import shlex
import time
import urllib.parse

import pytest
import yaml

import generate
import harness

pytestmark = pytest.mark.istiod

SCENARIOS = sorted(path for path in (harness.ROOT / "tests/scenarios").iterdir() if path.name[0].isdigit())
CLIENT = (
    "--pod-name client --pod-namespace app --pod-ip 10.0.0.9 --labels app=client,tier=front "
    "--locality r1/z1/a --network net1 --cluster-id Kubernetes --domain cluster.local"
)
# Every run makes the same scenarios first, so that it says something about the change at hand; the long form adds new ones.
SEED = int(os.environ.get("DIFFERENTIAL_SEED", 1))
FRESH = int(os.environ.get("DIFFERENTIAL_SEED", random.SystemRandom().randrange(1_000_000)))
SHORT, LONG = 20, 300
EXCLUSIONS = yaml.safe_load(pathlib.Path(__file__).with_name("differential_exclusions.yaml").read_text())
SETTLE_S = 3.0
SHOWN = 40  # differences per failure


class AllNames(dict):
    """Records of an upstream that knows every name but those that begin with "nx"."""

    def __contains__(self, name):
        return not name.startswith("nx")

    def __getitem__(self, name):
        digest = hashlib.sha256(name.encode()).digest()
        return [f"198.18.{digest[0]}.{digest[i] | 1}" for i in range(1, 2 + digest[9] % 2)]


@pytest.fixture(scope="module")
def names():
    upstream = harness.Upstream()
    upstream.records = AllNames()
    yield upstream
    upstream.stop()


def by(key, items, make=lambda item: item):
    """Items by key; those of the same key count on."""
    out = {}
    for item in items:
        name, number = key(item), 1
        while (name if number == 1 else f"{name} #{number}") in out:
            number += 1
        out[name if number == 1 else f"{name} #{number}"] = make(item)
    return out


def matcher_key(match):
    return " ".join(f"{key}={match[key]}" for key in sorted(match))


def canonical_route(route):
    """The conditions of a route hold together, so their order says nothing."""
    return route | {key: sorted(matcher_key(match) for match in route[key]) for key in ("headers", "queries")}


def reachable(routes):
    """Each address of a service has its own listener with the same routes: once is enough, the first one counts."""
    return [route for i, route in enumerate(routes) if route not in routes[:i]]


def endpoint_keys(endpoints):
    """Endpoints by address. istiod keeps the places that it has emptied, and their priorities: only the order counts."""
    ranks = sorted({endpoint["priority"] for endpoint in endpoints})
    ranked = [endpoint | {"priority": ranks.index(endpoint["priority"])} for endpoint in endpoints]
    return by(lambda endpoint: f"{endpoint['address']}:{endpoint['port']} {endpoint.get('cluster', '')}".strip(), ranked)


def canonical_port(port):
    host = port["virtual_host"]
    routes = {"routes": dict(enumerate(canonical_route(route) for route in host["routes"]))} if host else {}
    return port | {
        "virtual_host": host and host | routes,
        "l4_routes": dict(enumerate(reachable(port["l4_routes"]))),
        "destinations": by(
            lambda to: to["cluster"],
            port["destinations"],
            lambda to: to | {"endpoints": endpoint_keys(to["endpoints"])},
        ),
    }


def canonical_service(service):
    """istiod keeps the order of a Service's addresses, but not of a ServiceEntry's."""
    vips = service["vips"] if service["kubernetes"] else sorted(service["vips"])
    return service | {"vips": vips, "ports": by(lambda p: str(p["number"]), service["ports"], canonical_port)}


def selections(agent, view):
    """What the default context is given at each port."""
    answers = {}
    for service in view["services"]:
        for port in service["ports"]:
            name = f"{service['host']}:{port['number']}"
            if not name.startswith("*"):
                answer = agent.endpoints(name)
                answers[name] = answer | {"endpoints": endpoint_keys(answer["endpoints"])}
    return answers


def canonical(agent):
    """The view with keys in the place of positions, where the position means nothing."""
    view = agent.view()
    return view | {
        "services": by(lambda service: service["host"], view["services"], canonical_service),
        "names": by(lambda name: name["name"], view["names"]),
        "selections": selections(agent, view),
    }


def excluded(path, files, istiod):
    """Does an entry of the exclusion file allow this difference?"""
    for entry in EXCLUSIONS:
        patterns = entry["path"].split("/")
        if (
            len(patterns) == len(path)
            and all(fnmatch.fnmatchcase(key, pattern) for key, pattern in zip(path, patterns))
            and entry.get("files", files) == files
            and entry.get("istiod", istiod) == istiod
        ):
            return True
    return False


def differences(files, istiod, path=()):
    """Lines `path: value of the file source != value of istiod`."""
    if files == istiod or excluded(path, files, istiod):
        return
    if isinstance(files, dict) and isinstance(istiod, dict):
        for key in sorted(set(files) | set(istiod), key=str):
            yield from differences(files.get(key), istiod.get(key), (*path, str(key)))
    else:
        yield f"{'/'.join(path)}: {files!r} != {istiod!r}"


def resolves(view):
    return any(
        destination["discovery"] in ("STRICT_DNS", "LOGICAL_DNS")
        for service in view["services"].values()
        for port in service["ports"].values()
        for destination in port["destinations"].values()
    )


def settled_differences(files, istiod):
    """Compares until the views are equal, or time is up: what is pushed and resolved comes when it comes."""
    end = time.monotonic() + SETTLE_S
    equal_before = False
    while True:
        view = canonical(files)
        found = list(differences(view, canonical(istiod)))
        if time.monotonic() > end or (not found and (equal_before or not resolves(view))):
            return found
        equal_before = not found  # where names are resolved both may still lack the same addresses: look again
        time.sleep(0.3 if equal_before else 0.05)


def objects_of(directory):
    for path in sorted(directory.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            yield from document["items"] if document and "items" in document else [document]


def load(directory, start_istiod):
    """A control plane with these objects. Where istiod sees a slice before its Service, it takes an endpoint that ends for
    one that is not ready; so slices come once more."""
    control_plane = start_istiod("--dir", str(directory))
    slices = [thing for thing in objects_of(directory) if thing and thing["kind"] == "EndpointSlice"]
    if any(not end.get("conditions", {}).get("ready", True) for thing in slices for end in thing["endpoints"]):
        control_plane.quiesce()
        control_plane.call("/delete", body=yaml.safe_dump_all(slices))
        control_plane.quiesce()
        control_plane.call("/replace-dir?dir=" + urllib.parse.quote(str(directory)))
    return control_plane


def compare(directory, clients, start_istiod, start_agent, names):
    control_plane = load(directory, start_istiod)
    xds = ("--source", "istiod", "--xds-address", control_plane.plaintext, "--xds-tls", "off")
    for number, client in enumerate(clients, 1):
        flags = shlex.split(client)
        files = start_agent("--source", f"dir:{directory}", *flags, upstream=names.address)
        istiod = start_agent(*xds, *flags, upstream=names.address)
        control_plane.quiesce(clients=number)
        found = settled_differences(files, istiod)
        if found:
            more = [f"... and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
            lines = "\n  ".join(found[:SHOWN] + more)
            pytest.fail(f"{directory} as {client}\nfile source != istiod:\n  {lines}", pytrace=False)


def clients_of(directory):
    """The client of all scenarios, and those that the scenario adds: one line of flags each, which come last and win."""
    more = directory / "clients.txt"
    lines = more.read_text().splitlines() if more.exists() else []
    return [CLIENT] + [f"{CLIENT} {line}" for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("directory", SCENARIOS, ids=lambda path: path.name)
def test_scenario_gives_the_view_of_istiod(directory, start_istiod, start_agent, names):
    compare(directory, clients_of(directory), start_istiod, start_agent, names)


def compare_generated(seed, tmp_path, start_istiod, start_agent, names):
    print(f"DIFFERENTIAL_SEED={seed} DIFFERENTIAL_COUNT=1 repeats this scenario")
    directory = pathlib.Path(os.environ.get("DIFFERENTIAL_KEEP", tmp_path)) / f"seed-{seed}"
    directory.mkdir(parents=True, exist_ok=True)
    scenario = generate.Scenario(seed)
    (directory / "objects.yaml").write_text(scenario.yaml())
    compare(directory, [f"{CLIENT} {scenario.client()}"], start_istiod, start_agent, names)


@pytest.mark.parametrize("number", range(int(os.environ.get("DIFFERENTIAL_COUNT", SHORT))))
def test_generated_scenario_gives_the_view_of_istiod(number, tmp_path, start_istiod, start_agent, names):
    compare_generated(SEED + number, tmp_path, start_istiod, start_agent, names)


@pytest.mark.long
@pytest.mark.parametrize("number", range(SHORT, LONG))
def test_more_generated_scenarios_give_the_view_of_istiod(number, tmp_path, start_istiod, start_agent, names):
    compare_generated(FRESH + number, tmp_path, start_istiod, start_agent, names)
