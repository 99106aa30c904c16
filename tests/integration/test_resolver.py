# SPDX-License-Identifier: Apache-2.0
"""The pod's own resolver: getaddrinfo of the C library, in a network and mount namespace with the agent as its only name
server, so that the search path, the order of A and AAAA, and the library's sorting are those of a real pod.

Needs root (CI has it) and unshare(1)."""

import collections
import json
import sys

import pytest

import harness
import pod_network

pytestmark = pytest.mark.skipif(not pod_network.POSSIBLE, reason="needs root, to make a pod's network and resolv.conf")

POD_V4, POD_V6 = "10.244.1.99", "fd00:244:1::99"
LOOK_UPS = 300
DUAL_STACK = """
apiVersion: v1
kind: Service
metadata: {name: dual, namespace: default}
spec:
  clusterIP: 10.96.0.77
  clusterIPs: [10.96.0.77, "fd00:96::77"]
  ipFamilies: [IPv4, IPv6]
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: default}
status: {podIP: 10.244.1.99, podIPs: [{ip: 10.244.1.99}, {ip: "fd00:244:1::99"}]}
"""
# Near endpoints are in the pod's own /24, where glibc sorts by common prefix; weights 1, 2 and 7.
NEAR_AND_FAR = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: near, namespace: default}
spec:
  hosts: [near.example.com]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints:
  - {address: 10.244.1.98, weight: 1}
  - {address: 10.244.1.3, weight: 2}
  - {address: 10.244.9.9, weight: 7}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: six, namespace: default}
spec:
  hosts: [six.example.com]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints:
  - {address: "fd00:244:1::98", weight: 1}
  - {address: "fd00:244:1::3", weight: 2}
  - {address: "fd00:244:9::9", weight: 7}
"""
# Runs in the pod: one JSON line for each [name, family, times] on stdin.
CLIENT = """
import json, socket, sys
for line in sys.stdin:
    name, family, times = json.loads(line)
    answers = []
    for _ in range(times):
        try:
            found = socket.getaddrinfo(name, 80, getattr(socket, family), socket.SOCK_STREAM)
            answers.append([each[4][0] for each in found])
        except socket.gaierror as error:
            answers.append(error.errno)
    print(json.dumps(answers), flush=True)
"""


class Pod(pod_network.Pod):
    def __init__(self, folder, mesh):
        super().__init__(folder, mesh, (f"{POD_V4}/24", f"{POD_V6}/64"), ("10.244.1.1", "fd00:244:1::1"),
                         "--pod-ip", f"{POD_V4},{POD_V6}")
        (folder / "client.py").write_text(CLIENT)
        self.client = self.start(sys.executable, str(folder / "client.py"))

    def look_up(self, name, family="AF_UNSPEC", times=1):
        self.client.stdin.write(json.dumps([name, family, times]) + "\n")
        self.client.stdin.flush()
        return json.loads(self.client.stdout.readline())

    def addresses(self, name, family="AF_UNSPEC"):
        (answer,) = self.look_up(name, family)
        return answer

    def first(self, name, family="AF_UNSPEC"):
        """How often each address comes first, in per cent."""
        answers = self.look_up(name, family, LOOK_UPS)
        return {a: 100 * n / LOOK_UPS for a, n in collections.Counter(each[0] for each in answers).items()}


@pytest.fixture(scope="module")
def pod(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pod")
    mesh = harness.copy_tree(harness.ROOT / "docs/examples/bookinfo", folder / "mesh")
    (mesh / "dual.yaml").write_text(DUAL_STACK)
    (mesh / "near.yaml").write_text(NEAR_AND_FAR)
    pod = Pod(folder, mesh)
    yield pod
    pod.stop()


NAME_ERROR = -2  # EAI_NONAME


@pytest.mark.parametrize(
    "name",
    ["details", "details.default", "details.default.svc", "details.default.svc.cluster.local", "DETAILS",
     "details.default.svc.cluster.local."],
)
@pytest.mark.parametrize("family", ["AF_INET", "AF_UNSPEC"])
def test_names_by_the_search_path(pod, name, family):
    assert pod.addresses(name, family) == ["10.96.0.11"]


def test_search_stops_at_the_first_name_that_exists(pod):
    before = pod.metric("isthmus_dns_requests_total")
    assert pod.addresses("details", "AF_INET") == ["10.96.0.11"]
    assert pod.metric("isthmus_dns_requests_total") == before + 1


def test_both_families_together(pod):
    assert sorted(pod.addresses("dual")) == ["10.96.0.77", "fd00:96::77"]
    assert pod.addresses("dual", "AF_INET6") == ["fd00:96::77"]
    assert pod.addresses("details", "AF_INET6") in (NAME_ERROR, -5)  # no data, as the library words it


def test_headless_pods(pod):
    """All of them every time, the one in our own subnet too."""
    for answer in pod.look_up("mongodb", "AF_UNSPEC", 20):
        assert sorted(answer) == ["10.244.1.30", "10.244.2.30"]
    assert pod.addresses("mongodb-1.mongodb") == ["10.244.2.30"]


def test_split_of_nine_to_one_is_what_comes_first(pod):
    shares = pod.first("reviews")
    assert abs(shares["10.244.1.14"] - 10) <= 2, shares
    assert abs(shares["10.244.1.13"] - 45) <= 2 and abs(shares["10.244.2.13"] - 45) <= 2, shares


@pytest.mark.parametrize("family", ["AF_INET", "AF_UNSPEC"])
def test_sorting_by_prefix_does_not_undo_weights(pod, family):
    shares = pod.first("near.example.com", family)
    assert abs(shares["10.244.1.98"] - 10) <= 2 and abs(shares["10.244.1.3"] - 20) <= 2, shares
    assert abs(shares["10.244.9.9"] - 70) <= 2, shares
    assert any(len(answer) > 1 for answer in pod.look_up("near.example.com", family, 20))  # with something to fall back on


def test_sorting_by_prefix_does_not_undo_weights_of_ipv6(pod):
    shares = pod.first("six.example.com")
    assert abs(shares["fd00:244:1::98"] - 10) <= 2 and abs(shares["fd00:244:1::3"] - 20) <= 2, shares
    assert abs(shares["fd00:244:9::9"] - 70) <= 2, shares


def test_own_resolv_conf_is_no_upstream(pod):
    """The only name server there is ourselves: nothing is asked in a circle, and the client does not wait."""
    assert "our own addresses" in pod.agent.log() or "no upstream" in pod.agent.log()
    assert pod.addresses("www.example.org", "AF_INET") == -3  # EAI_AGAIN: nobody could say
    assert pod.metric("isthmus_dns_upstream_requests_total") == 0
