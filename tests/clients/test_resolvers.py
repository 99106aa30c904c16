# SPDX-License-Identifier: Apache-2.0
"""What real resolver libraries make of our answers: in pods of every prefix length, with endpoints near and far, the weights
come out as they are dealt, and with the dealt address come all others that the library cannot sort in front of it."""

import collections
import ipaddress
import json
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


def check_shares(answers, endpoints, weights=WEIGHTS):
    assert all(answer and answer[0] != "!" for answer in answers), answers[0]
    firsts = collections.Counter(answer[0] for answer in answers)
    for endpoint, weight in zip(endpoints, weights, strict=True):
        assert abs(100 * firsts[endpoint] / len(answers) - 100 * weight / sum(weights)) <= 2, firsts


def check_answers(answers, endpoints, key):
    """Shares of 1:2:7 within 2 points, and with each dealt address all that may follow it."""
    check_shares(answers, endpoints)
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


def test_addresses_are_followed(tmp_path, programs):
    """The pod gets another address while the agent runs: what is near is another endpoint from then on."""
    endpoints = {"mixed": PLACES["mixed"], "moved": ("10.77.0.8", "10.244.9.9", "10.244.1.3")}
    mesh = write_mesh(tmp_path / "mesh", [entry(name, addresses) for name, addresses in endpoints.items()])
    pod = pod_network.Pod(tmp_path, mesh, (f"{POD}/24",), ("10.244.1.1",))
    clients = resolvers.Clients(pod, programs)

    def both(key):
        for name, addresses in endpoints.items():
            check_answers(clients.look_up("glibc", name, 4, LOOK_UPS), addresses, key)

    both(lambda address: v4_key(24, address))
    pod.run("ip address add 10.77.0.9/24 dev pod0")
    pod.agent.wait_line(pod.agent.stderr, "the pod's addresses have changed: .*10.77.0.9/24")
    both(lambda address: max(v4_key(24, address), v4_key(24, address, "10.77.0.9")))
    pod.run(f"ip address del {POD}/24 dev pod0")
    pod.agent.wait_line(pod.agent.stderr, "the pod's addresses have changed: (?!.*10.244.1.99).*10.77.0.9/24")
    both(lambda address: v4_key(24, address, "10.77.0.9"))
    pod.stop()


def test_a_given_prefix_is_not_followed(tmp_path):
    mesh = write_mesh(tmp_path / "mesh", [])
    pod = pod_network.Pod(tmp_path, mesh, (f"{POD}/24",), ("10.244.1.1",), "--dns-prefix", f"{POD}/16", "--log-level", "info")
    pod.run("ip address add 10.77.0.9/24 dev pod0")
    sockets = pod.run("ss --family=netlink --no-header --processes")
    pod.stop()
    assert "isthmus" not in sockets


@pytest.mark.parametrize("client", ["glibc", "musl"])
def test_a_route_on_link_is_no_prefix(tmp_path, programs, client):
    """Point to point, as on AWS and with Calico, but with a route to the node's pods on the link: glibc goes by the prefix of
    the address alone, and so do we."""
    mesh = write_mesh(tmp_path / "mesh", [entry("near", PLACES["near"])])
    pod = pod_network.Pod(tmp_path, mesh, (f"{POD}/32",), ("10.244.1.1",), setup="ip route add 10.244.1.0/24 dev pod0")
    check_answers(resolvers.Clients(pod, programs).look_up(client, "near", 4, LOOK_UPS), PLACES["near"],
                  lambda address: v4_key(32, address))
    pod.stop()


# Two interfaces, and more than one address on one of them: each destination has a source of its own.
SECOND = """
ip link add pod1 type veth peer name node1
ip link set node1 up
ip link set pod1 up
ip address add 192.168.5.9/24 dev pod1
ip address add 10.244.1.77/24 dev pod0
"""
TWO = {"links": ("192.168.5.10", "10.244.1.3", "10.9.3.3"), "secondary": ("10.244.1.98", "10.244.1.76", "10.9.3.3")}


@pytest.mark.parametrize("client", ["glibc", "musl"])
def test_each_destination_has_its_source(tmp_path, programs, client):
    mesh = write_mesh(tmp_path / "mesh", [entry(name, addresses) for name, addresses in TWO.items()])
    pod = pod_network.Pod(tmp_path, mesh, (f"{POD}/24",), ("10.244.1.1",), setup=SECOND)
    clients = resolvers.Clients(pod, programs)
    for name, addresses in TWO.items():
        check_answers(clients.look_up(client, name, 4, LOOK_UPS), addresses,
                      lambda address: max(v4_key(24, address), v4_key(24, address, "192.168.5.9")))
    pod.stop()


# --- IPv6 and both families -----------------------------------------------------------------------------------------------

POD_ULA, POD_GUA = "fd00:244:1::99", "2001:db8:244:1::99"
SIX = {
    "six-near": ("fd00:244:1::98", "fd00:244:1::3", "fd00:244:1::8000"),
    "six-mixed": ("fd00:244:1::98", "fd00:244:9::9", "fd00:9:3::3"),
    "six-labels": ("fd00:244:1::98", "2001:db8:9::9", "2001:db8:244:1::98"),
    "dual-four": ("10.244.1.98", "10.244.9.9", "10.9.3.3"),
    "dual-gua": ("2001:db8:244:1::98", "2001:db8:9::9", "2001:db8:9:3::3"),
    "dual-six": ("fd00:244:1::98", "fd00:244:9::9", "fd00:9:3::3"),
}
SIX_PODS = {
    "ula-64": (f"{POD_ULA}/64",), "ula-128": (f"{POD_ULA}/128",), "gua-64": (f"{POD_GUA}/64",),
    "both-64": (f"{POD_ULA}/64", f"{POD_GUA}/64"),
}


@pytest.fixture(scope="module", params=SIX_PODS)
def v6_pod(request, tmp_path_factory, programs):
    folder = tmp_path_factory.mktemp("six")
    dual = entry("dual", SIX["dual-four"] + SIX["dual-six"], WEIGHTS + WEIGHTS)
    dual_gua = entry("dual-gua", SIX["dual-four"] + SIX["dual-gua"], WEIGHTS + WEIGHTS)
    others = [entry(name, SIX[name]) for name in ("six-near", "six-mixed", "six-labels")]
    mesh = write_mesh(folder / "mesh", [dual, dual_gua, *others])
    pod = pod_network.Pod(folder, mesh, (f"{POD}/24", *SIX_PODS[request.param]), ("10.244.1.1", "fd00:244:1::1"))
    pod.kind, pod.clients = request.param, resolvers.Clients(pod, programs)
    yield pod
    pod.stop()


@pytest.mark.parametrize("name", ["six-near", "six-mixed", "six-labels"])
@pytest.mark.parametrize("client", CLIENTS)
def test_weights_survive_in_ipv6(v6_pod, client, name):
    answers = v6_pod.clients.look_up(client, name, 6, LOOK_UPS)
    check_shares(answers, SIX[name])
    assert max(map(len, answers)) > 1


@pytest.mark.parametrize("client", CLIENTS)
def test_weights_survive_in_both_families(v6_pod, client):
    """Each family has its shares, whichever the library puts in front. (Slots of six endpoints are not quite 1:2:7.)"""
    listed = json.loads(v6_pod.run("curl -s http://127.0.0.1:15180/v1/endpoints/dual.default.svc.cluster.local"))["endpoints"]
    slots = {each["address"]: each["slots"] for each in listed}
    answers = v6_pod.clients.look_up(client, "dual", 0, LOOK_UPS)
    for family in (".", ":"):
        endpoints = SIX["dual-four" if family == "." else "dual-six"]
        check_shares([[each for each in answer if family in each] for answer in answers], endpoints,
                     [slots[each] for each in endpoints])


RFC_3484 = ("glibc", "python", "node lookup")  # for them unique local IPv6 goes before IPv4, for RFC 6724 it does not
IN_ORDER_OF_ASKING = ("java", "node resolve")  # IPv4 first, whatever the addresses are


@pytest.mark.parametrize("client", CLIENTS)
def test_which_family_goes_first(v6_pod, client):
    """Nothing that we answer decides it; docs/dns.md has this table."""
    for name, kind in (("dual", "ula"), ("dual-gua", "gua")):
        has_source = kind in v6_pod.kind or v6_pod.kind == "both-64"
        six = has_source and client not in IN_ORDER_OF_ASKING and (kind == "gua" or client in RFC_3484)
        firsts = {":" in answer[0] for answer in v6_pod.clients.look_up(client, name, 0, 20)}
        assert firsts == {six}, name


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
