# SPDX-License-Identifier: Apache-2.0
"""A pod of its own: a network and a mount namespace with an interface, the agent, and a resolv.conf that names it alone. What
the C library does there (search path, order of A and AAAA, sorting) is what it does in a real pod. Needs root."""

import contextlib
import ctypes
import os
import re
import shutil
import socket
import subprocess
import threading

import harness

POSSIBLE = os.geteuid() == 0 and shutil.which("unshare") is not None
CLONE_NEWNET = 0x40000000
RESOLV_CONF = """\
nameserver 127.0.0.53
search default.svc.cluster.local svc.cluster.local cluster.local
options ndots:5
"""


class Pod:
    """The agent and its clients share a network, an /etc/resolv.conf and nothing else with this machine. `addresses` are
    those of the interface pod0, as ADDRESS/BITS; `gateways` may lie outside their prefixes."""

    def __init__(self, folder, mesh, addresses, gateways, *args, setup=""):
        (folder / "resolv.conf").write_text(RESOLV_CONF)
        (folder / "nsswitch.conf").write_text("hosts: files dns\n")  # glibc asks it whom to ask: DNS, nobody else
        own = "\n".join(f"ip address add {each} dev pod0 {'nodad' if ':' in each else ''}" for each in addresses)
        ways = "\n".join(f"ip route add {each} dev pod0\nip route add default via {each} dev pod0" for each in gateways)
        script = f"""
            set -e
            mount --make-rprivate /
            for file in resolv.conf nsswitch.conf; do
              mount --bind {folder}/$file "$(readlink -f /etc/$file)"
            done
            ip link set lo up
            ip link add pod0 type veth peer name node0
            ip link set node0 up
            ip link set pod0 up
            {own}
            {ways}
            {setup}
            exec "$@"
        """
        self.holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "bash", "-c", script, "pod", "sh", "-c", "echo up; exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        assert self.holder.stdout.readline() == "up\n"
        self.inside = ["nsenter", f"--target={self.holder.pid}", "--net", "--mount", f"--wd={folder}"]
        self.agent = harness.Process(
            [*self.inside, harness.binary(), "agent", "--source", f"dir:{mesh}", "--pod-name", "client",
             "--pod-namespace", "default", "--dns-listen", "127.0.0.53:53", "--drain-time", "0s", *args]
        )
        self.agent.wait_line(self.agent.stdout, "^ready ")
        self.children = []

    def start(self, *command):
        """A client that reads lines and writes lines; ended when its stdin is closed."""
        child = subprocess.Popen([*self.inside, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.children.append(child)
        return child

    def run(self, command):
        return subprocess.run([*self.inside, *command.split()], capture_output=True, text=True, check=True, timeout=30).stdout

    def bind_udp(self, address, port=53):
        """A UDP socket in the pod's network, for a server that runs here."""
        made = []

        def bind():
            libc = ctypes.CDLL(None, use_errno=True)
            with open(f"/proc/{self.holder.pid}/ns/net", encoding="ascii") as namespace:
                assert libc.setns(namespace.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            made.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            made[0].bind((address, port))

        thread = threading.Thread(target=bind)  # which leaves this network; the others stay
        thread.start()
        thread.join()
        return made[0]

    def metric(self, pattern):
        text = self.run("curl -s http://127.0.0.1:15180/metrics")
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if re.match(pattern, line))

    def stop(self):
        for child in (*self.children, self.holder):
            child.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(10)
            child.stdout.close()
        code = self.agent.stop()
        assert code == 0, self.agent.log()
