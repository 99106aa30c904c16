# SPDX-License-Identifier: Apache-2.0
"""What real resolver libraries make of our answers: in pods of every prefix length, with endpoints near and far, the weights
come out as they are dealt, and with the dealt address come all others that the library cannot sort in front of it."""

import collections
import ipaddress
import pathlib
import sys

import pytest
import yaml

sys.path.append(str(pathlib.Path(__file__).parent / "resolvers"))
import clients as resolvers  # noqa: E402
import pod_network  # noqa: E402

POD = "10.244.1.99"
LOOK_UPS = 300
WEIGHTS = (1, 2, 7)
CLIENTS = ("glibc", "python", "musl", "go", "node lookup", "node resolve", "java", "c-ares")
# What is nearest to the pod has the smallest weight, so that a library that sorts by distance is seen at once.
PLACES = {
    "near": ("10.244.1.98", "10.244.1.3", "10.244.1.200"),
    "far": ("10.9.1.1", "10.9.2.2", "10.9.3.3"),
    "mixed": ("10.244.1.98", "10.244.9.9", "10.9.3.3"),
}


def entry(name, addresses, weights=WEIGHTS):
    """A ServiceEntry under a name that the search list finds."""
    return {
        "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": {"name": name, "namespace": "default"},
        "spec": {"hosts": [f"{name}.default.svc.cluster.local"], "location": "MESH_EXTERNAL", "resolution": "STATIC",
                 "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
                 "endpoints": [{"address": a, "weight": w} for a, w in zip(addresses, weights, strict=True)]},
    }


def write_mesh(folder, things):
    folder.mkdir()
    (folder / "mesh.yaml").write_text(yaml.safe_dump_all(things))
    return folder


def v4_key(prefix, address, pod=POD):
    """glibc: the common prefix counts only inside the network of the interface (getaddrinfo(3), RFC 6724 rule 9)."""
    if ipaddress.ip_address(address) not in ipaddress.ip_network(f"{pod}/{prefix}", strict=False):
        return 0
    return 32 - (int(ipaddress.ip_address(address)) ^ int(ipaddress.ip_address(pod))).bit_length()


def check_answers(answers, endpoints, key):
    """Shares of 1:2:7 within 2 points, and with each dealt address all that may follow it."""
    assert all(answer and answer[0] != "!" for answer in answers), answers[0]
    firsts = collections.Counter(answer[0] for answer in answers)
    for endpoint, weight in zip(endpoints, WEIGHTS, strict=True):
        assert abs(100 * firsts[endpoint] / len(answers) - 10 * weight) <= 2, firsts
    for answer in answers:
        assert set(answer) == {each for each in endpoints if key(each) <= key(answer[0])}, (answer, endpoints)


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("programs")
    resolvers.commands(folder)
    return folder


@pytest.fixture(scope="module", params=[16, 24, 32])
def v4_pod(request, tmp_path_factory, programs):
    folder = tmp_path_factory.mktemp("pod")
    things = [entry(name, addresses) for name, addresses in PLACES.items()]
    mesh = write_mesh(folder / "mesh", [*things, entry("even", ("10.9.1.1", "10.9.2.2"), (1, 1))])
    pod = pod_network.Pod(folder, mesh, (f"{POD}/{request.param}",), ("10.244.1.1",))
    pod.prefix, pod.clients = request.param, resolvers.Clients(pod, programs)
    yield pod
    pod.stop()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("client", CLIENTS)
def test_weights_survive(v4_pod, client, place):
    family = 4 if client == "node resolve" else 0
    answers = v4_pod.clients.look_up(client, place, family, LOOK_UPS)
    check_answers(answers, PLACES[place], lambda address: v4_key(v4_pod.prefix, address))


def test_a_wrong_prefix_is_seen(tmp_path, programs):
    """The test itself: told that nothing is on link, the agent lets the near one follow, and glibc puts it in front."""
    mesh = write_mesh(tmp_path / "mesh", [entry("mixed", PLACES["mixed"])])
    pod = pod_network.Pod(tmp_path, mesh, (f"{POD}/24",), ("10.244.1.1",), "--dns-prefix", f"{POD}/32")
    firsts = {client: {answer[0] for answer in resolvers.Clients(pod, programs).look_up(client, "mixed", 0, LOOK_UPS)}
              for client in ("glibc", "musl")}
    pod.stop()
    assert firsts == {"glibc": {PLACES["mixed"][0]}, "musl": set(PLACES["mixed"])}


def test_clients_that_take_turns_do_not_stick(v4_pod):
    """Two clients that alternate over two equal endpoints: strict rotation would show each of them only one."""
    turns = 100
    firsts = {"glibc#1": collections.Counter(), "glibc#2": collections.Counter()}
    for _ in range(turns):
        for client, seen in firsts.items():
            ((first, *_rest),) = v4_pod.clients.look_up(client, "even", 4, 1)
            seen[first] += 1
    for seen in firsts.values():
        assert all(abs(count - turns / 2) <= 10 for count in seen.values()) and len(seen) == 2, firsts
