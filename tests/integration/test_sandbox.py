# SPDX-License-Identifier: Apache-2.0
"""Sandboxes refuse system calls: the agent serves without what it cannot have, and says what is missing."""

import platform
import sys

import dns.rdatatype
import pytest

import harness

NUMBERS = {"x86_64": {"socket": 41, "inotify_init1": 294}, "aarch64": {"socket": 198, "inotify_init1": 26}}
NUMBERS = NUMBERS.get(platform.machine())
AF_NETLINK = 16
pytestmark = pytest.mark.skipif(NUMBERS is None, reason="system call numbers of this machine are not known here")

# Runs the rest of its arguments where one system call fails with EACCES (13): its number, and what its first argument must be
# (-1: anything).
SANDBOX = """
import ctypes, os, struct, sys
number, argument = int(sys.argv[1]), int(sys.argv[2])
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
code = [(LOAD, 0, 0, 0), (EQUAL, 0, 3 if argument >= 0 else 1, number)]
code += [(LOAD, 0, 0, 16), (EQUAL, 0, 1, argument)] if argument >= 0 else []
code += [(RETURN, 0, 0, 0x00050000 | 13), (RETURN, 0, 0, 0x7FFF0000)]
filters = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in code))
program = struct.pack("HxxxxxxQ", len(code), ctypes.addressof(filters))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS"
assert libc.prctl(22, 2, ctypes.c_char_p(program), 0, 0) == 0, "PR_SET_SECCOMP"
os.execv(sys.argv[3], sys.argv[3:])
"""
WEIGHTED = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: far, namespace: default}
spec:
  hosts: [far.example.com]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints:
  - {address: 10.244.1.98, weight: 1}
  - {address: 10.244.9.9, weight: 7}
"""


class Sandboxed(harness.Agent):
    def __init__(self, call, argument, *args, **kwargs):
        self.limits = [sys.executable, "-c", SANDBOX, str(NUMBERS[call]), str(argument)]
        super().__init__(*args, **kwargs)

    def command(self):
        return [*self.limits, *super().command()]


@pytest.fixture
def sandboxed(bookinfo):
    (bookinfo / "far.yaml").write_text(WEIGHTED)
    agents = []

    def start(call, argument, *args, **kwargs):
        agents.append(Sandboxed(call, argument, "--source", f"dir:{bookinfo}", *args, **kwargs))
        return agents[-1]

    yield start
    for agent in agents:
        assert agent.stop() == 0, agent.log()


def counts(agent):
    replies = (agent.query("far.example.com") for _ in range(16))
    return {sum(item.rdtype == dns.rdatatype.A for rrset in reply.answer for item in rrset) for reply in replies}


def test_without_rtnetlink_answers_are_such_that_no_sorting_harms_them(sandboxed):
    agent = sandboxed("socket", AF_NETLINK, "--pod-ip", "10.244.1.99")
    log = agent.log()
    assert "socket(AF_NETLINK): Permission denied: changes of the pod's addresses are not followed" in log
    assert "the addresses of the interfaces cannot be read: Permission denied; --dns-prefix can say them" in log
    assert "answers are made for the addresses: none, answers of endpoints have one address" in log
    assert counts(agent) == {1}


def test_without_rtnetlink_a_prefix_that_is_given_is_enough(sandboxed):
    agent = sandboxed("socket", AF_NETLINK, "--dns-prefix", "10.244.1.99/32")
    assert "AF_NETLINK" not in agent.log() and "cannot be read" not in agent.log()
    assert counts(agent) == {2}


def test_without_inotify_resolv_conf_is_followed_at_a_reload_only(sandboxed, upstream):
    agent = sandboxed("inotify_init1", -1, "--source", "istiod", "--xds-address", "127.0.0.1:9", "--xds-tls", "off",
                      upstream=upstream.address, wait="listening")  # a directory could not be followed
    assert "inotify: Permission denied: changes of /etc/resolv.conf are followed at a reload (SIGHUP) only" in agent.log()
    upstream.records["far.example."] = ["192.0.2.1"]
    assert agent.addresses("far.example") == ["192.0.2.1"]
