# SPDX-License-Identifier: Apache-2.0
"""What the search list of a pod costs upstream: getaddrinfo of the C library with ndots:5 and three search domains, counted at
the name server behind the agent. With --dns-cluster-complete names of the cluster that the view lacks are denied here."""

import signal
import sys

import pytest

import harness
import pod_network

pytestmark = pytest.mark.skipif(not pod_network.POSSIBLE, reason="needs root, to make a pod's network and resolv.conf")

FAR, ADDRESS = "api.github.com", "192.0.2.99"
SEARCH = ("default.svc.cluster.local", "svc.cluster.local", "cluster.local")
CLIENT = """
import socket, sys
for line in sys.stdin:
    try:
        found = socket.getaddrinfo(line.strip(), 80, socket.AF_UNSPEC, socket.SOCK_STREAM)
        print(",".join(each[4][0] for each in found), flush=True)
    except socket.gaierror as error:
        print(error.errno, flush=True)
"""


class World:
    def __init__(self, folder, mesh, complete):
        self.config = folder / "c.yaml"
        self.set_complete(complete)
        self.pod = pod_network.Pod(folder, mesh, ["10.99.1.2/24"], ["10.99.1.1"], "--dns-upstream", "127.0.0.11",
                                   "--config", str(self.config))
        self.upstream = harness.Upstream(self.pod.bind_udp("127.0.0.11"))
        self.upstream.soa = "ns. root. 1 60 60 60 60"
        self.upstream.records[FAR + "."] = [ADDRESS]
        (folder / "client.py").write_text(CLIENT)
        self.client = self.pod.start(sys.executable, str(folder / "client.py"))

    def set_complete(self, complete):
        self.config.write_text(f"dns-cluster-complete: {complete}\n")

    def look_up(self, name):
        """The addresses, and what was asked upstream for them."""
        before = len(self.upstream.asked)
        self.client.stdin.write(name + "\n")
        self.client.stdin.flush()
        found = self.client.stdout.readline().strip()
        return found, sorted(self.upstream.asked[before:])

    def stop(self):
        self.upstream.stop()
        self.pod.stop()


@pytest.fixture
def world(tmp_path, bookinfo):
    made = []

    def make(complete):
        made.append(World(tmp_path, bookinfo, complete))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def both(*names):
    return sorted((name + ".", rdtype) for name in names for rdtype in ("A", "AAAA"))


def test_complete_view_external_name_costs_one_question_per_type(world):
    w = world("on")
    assert w.look_up(FAR) == (ADDRESS, both(FAR))
    assert w.look_up(FAR) == (ADDRESS, [])  # from the cache
    assert w.look_up("no.such.example") == ("-2", both("no.such.example"))  # EAI_NONAME, and not EAI_AGAIN


def test_incomplete_view_asks_each_search_domain_once(world):
    w = world("off")
    everything = both(*(f"{FAR}.{domain}" for domain in SEARCH), FAR)
    assert w.look_up(FAR) == (ADDRESS, everything)
    for _ in range(20):
        assert w.look_up(FAR) == (ADDRESS, [])  # "no such name" is kept, too
    assert w.look_up("reviews")[1] == []  # the first search domain has it


def test_switch_changes_at_a_reload_and_leaves_pods_to_upstream(world):
    w = world("on")
    pods = "10-99-1-7.default.pod.cluster.local"
    w.upstream.records[pods + "."] = ["10.99.1.7"]
    assert w.look_up(pods + ".") == ("10.99.1.7", both(pods))
    assert w.look_up("gone.default.svc.cluster.local.") == ("-2", [])
    known = "known.other.svc.cluster.local"
    w.upstream.records[known + "."] = ["10.96.9.9"]
    assert w.look_up(known + ".") == ("-2", [])
    mark = len(w.pod.agent.stderr)
    w.set_complete("off")
    w.pod.agent.child.send_signal(signal.SIGHUP)
    harness.wait_for(lambda: any("configuration reloaded" in line for line in w.pod.agent.stderr[mark:]), "the reload")
    assert not any("takes effect at the next start" in line for line in w.pod.agent.stderr[mark:])
    assert w.look_up(known + ".") == ("10.96.9.9", both(known))  # outside of what the view was given


def test_before_the_first_view_nothing_is_denied(start_agent, upstream):
    agent = start_agent("--source", "istiod", "--xds-address", "127.0.0.1:9", "--xds-tls", "off",
                        "--dns-cluster-complete", "on", upstream=upstream.address, wait="listening")
    upstream.records["late.default.svc.cluster.local."] = ["10.96.9.8"]
    assert agent.addresses("late.default.svc.cluster.local") == ["10.96.9.8"]
