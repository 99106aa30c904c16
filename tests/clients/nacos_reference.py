# SPDX-License-Identifier: Apache-2.0
"""Nacos servers as processes: the makers' own, and r-nacos, which others have written. Both listen on every interface, so that
they are for a network of their own (the pod's, or `leave_network`)."""

import ctypes
import os
import socket
import subprocess

import demos
import harness
import nacos_wire

PORTS_ABOVE = (0, 1000, 1001, 2000)  # what they take: HTTP, gRPC, gRPC among servers, console
RAFT_BELOW = 1000


def leave_network():
    """Moves this process, and what it starts from now on, into a network that has loopback and nothing else."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(demos.CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=30)


def is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
        return True


def free_port():
    """Below the kernel's own choices, so that nobody is given what stays free here."""
    for port in range(10000, 20000, 10):
        if all(map(is_free, (port - RAFT_BELOW, *(port + above for above in PORTS_ABOVE)))):
            return port
    raise AssertionError("no free ports")


class Server(harness.Process):
    """A server that other ones can be compared with. Use it in a network of its own."""

    def __init__(self, args, port, **how):
        self.http_port, self.grpc_port = port, port + 1000
        super().__init__(args, **how)
        harness.wait_for(self._serves, f"{args[0]} to serve", demos.START_S)

    def _serves(self):
        assert self.child.poll() is None, "\n".join((*self.stdout[-40:], *self.stderr[-40:]))
        http = nacos_wire.Http(self.http_port)
        try:
            return http.ask("GET", "/v1/ns/service/list", pageNo=1, pageSize=1)[0] == 200
        finally:
            http.close()

    def connect(self, **how):
        return nacos_wire.Connection(self.grpc_port, **how)


class Official(Server):
    """The makers' server 2.3.1 (tests/clients/java/nacos-server)."""

    name, pushes = "Nacos 2.3.1", False  # which it does not do when it is started from its modules

    def __init__(self, folder, jvm=demos.JVM):
        port = free_port()
        program = ["java", *jvm, "-cp", demos.class_path("nacos-server"), "isthmus.nacos.NacosServer"]
        super().__init__([*program, str(port), str(folder)], port, cwd=folder)


class RNacos(Server):
    """r-nacos (tests/clients/rnacos), which is not everywhere: its building takes long."""

    name, pushes = "r-nacos 0.8.8", True

    def __init__(self, folder):
        port = free_port()
        env = {"RNACOS_HTTP_PORT": str(port), "RNACOS_GRPC_PORT": str(port + 1000), "RNACOS_HTTP_CONSOLE_PORT": "0",
               "RNACOS_DATA_DIR": str(folder), "RUST_LOG": "warn"}  # fmt: skip
        super().__init__([str(rnacos_folder() / "bin/rnacos")], port, env=env, cwd=folder)


def rnacos_folder():
    """Where r-nacos is, or None where it has not been built and this is an ordinary run."""
    if "ISTHMUS_RNACOS_DIR" not in os.environ:
        script = str(harness.ROOT / "tests/clients/rnacos/build.sh")
        done = subprocess.run(["bash", script, "--cached"], capture_output=True, text=True, check=True, timeout=30)
        if not done.stdout.strip():
            return None
        os.environ["ISTHMUS_RNACOS_DIR"] = done.stdout.strip()
    return harness.built("tests/clients/rnacos/build.sh", "ISTHMUS_RNACOS_DIR")
