# SPDX-License-Identifier: Apache-2.0
"""What the integration tests drive: the real agent binary, the real istiod, real DNS queries and HTTP requests.

Everything runs on loopback with ports chosen by the kernel, is ended by pid, and waits for conditions with deadlines.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEADLINE_S = 30.0
# AddressSanitizer keeps what was freed for a while: the environment of an agent of which memory is measured.
LEAN = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"}


def binary():
    """The agent under test: $ISTHMUS_BIN, else the dev build."""
    path = os.environ.get("ISTHMUS_BIN", str(ROOT / "build/dev/isthmus"))
    assert os.access(path, os.X_OK), f"no agent at {path}: build it, or set ISTHMUS_BIN"
    return path


def compile_c(source, target, *flags):
    """Builds a support program of one file (its path from the root) as `target`, and returns that."""
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", str(target), str(ROOT / source), *flags], check=True)
    return target


def wait_for(condition, what, deadline_s=DEADLINE_S):
    """Calls condition until it returns something true, and returns that."""
    end = time.monotonic() + deadline_s
    last = None
    while time.monotonic() < end:
        try:
            value = condition()
            if value:
                return value
            last = value
        except (OSError, AssertionError, KeyError, urllib.error.URLError) as error:
            last = error
        time.sleep(0.02)
    raise AssertionError(f"waited {deadline_s} s for {what}; last: {last!r}")


def environment(more=None):
    """Ours without what would set options of the program, and `more`."""
    return {**{k: v for k, v in os.environ.items() if not k.startswith("ISTHMUS_")}, **(more or {})}


class Process:
    """A child with its output collected line by line; ended by pid."""

    def __init__(self, args, env=None, cwd=None, pass_fds=()):
        self.args = args
        self.stdout, self.stderr = [], []
        self.child = subprocess.Popen(
            args,
            env=environment(env),
            cwd=cwd,
            pass_fds=pass_fds,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self.readers = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((self.child.stdout, self.stdout), (self.child.stderr, self.stderr))
        ]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def _read(stream, lines):
        for line in stream:
            lines.append(line.rstrip("\n"))

    @property
    def pid(self):
        return self.child.pid

    def log(self):
        return "\n".join(self.stderr)

    def wait_line(self, stream, pattern, deadline_s=DEADLINE_S):
        def find():
            for line in stream:
                match = re.search(pattern, line)
                if match:
                    return match
            if self.child.poll() is not None:
                raise RuntimeError(f"{self.args[0]} ended with {self.child.returncode}:\n{self.log()}")
            return None

        return wait_for(find, f"a line like {pattern!r} of {self.args[0]} (log:\n{self.log()})", deadline_s)

    def stop(self, how=signal.SIGTERM, deadline_s=20):
        if self.child.poll() is None:
            self.child.send_signal(how)
            try:
                self.child.wait(deadline_s)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
                raise AssertionError(f"{self.args[0]} did not stop within {deadline_s} s:\n{self.log()}") from None
        for reader in self.readers:
            reader.join(5)
        self.child.stdin.close()
        return self.child.returncode


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


REGISTRIES_OFF = ("--eureka-listen", "off", "--nacos-listen", "off", "--nacos-grpc-listen", "off")


class Agent(Process):
    """The agent on free ports. `args` override the defaults of the tests; `upstream` None leaves it to them."""

    COMMAND = ("agent",)

    def __init__(self, *args, env=None, upstream="127.0.0.1:9", wait="ready"):
        defaults = [
            "--dns-listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
            "--health-listen",
            "127.0.0.1:0",
            *REGISTRIES_OFF,
            "--drain-time",
            "0s",
            "--log-level",
            "info",
            *(("--dns-upstream", upstream) if upstream else ()),
        ]
        super().__init__([*self.command(), *defaults, *args], env=env)
        if wait == "ready":
            self.wait_ready()
        elif wait == "listening":
            self.wait_listening()

    def command(self):
        """What is run, in front of its options."""
        return [binary(), *self.COMMAND]

    def _ports(self, line):
        self.ports = {name: int(port) for name, port in re.findall(r"(\w+)=\S*?:(\d+)(?:\s|$)", line)}

    def wait_listening(self):
        self._ports(self.wait_line(self.stderr, r"listening: .*").group(0))

    def wait_ready(self, deadline_s=DEADLINE_S):
        self._ports(self.wait_line(self.stdout, r"^ready .*", deadline_s).group(0))

    def http(self, path, method="GET", headers=None, port="admin", body=None, timeout=35):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports[port]}{path}", method=method, data=body, headers=headers or {}
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return Answer(answer.status, answer.headers, answer.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read().decode())

    def get(self, path, **kwargs):
        answer = self.http(path, **kwargs)
        assert answer.status == 200, f"{path}: {answer.status} {answer.body}"
        return answer.json()

    def status(self):
        return self.get("/v1/status")

    def last_words(self):
        """What explains a failed test: the state of the sources and the end of the log."""
        try:
            state = json.dumps(self.status())
        except (OSError, AssertionError) as error:
            state = f"no status: {error}"
        return "\n".join([state, *self.stderr[-40:]])

    def view(self):
        return self.get("/debug/view")

    def endpoints(self, host, **params):
        query = "?" + urllib.parse.urlencode(params) if params else ""
        return self.get(f"/v1/endpoints/{host}{query}")

    def shares(self, host, **params):
        """address:port -> share"""
        return {f"{e['address']}:{e['port']}": e["share"] for e in self.endpoints(host, **params)["endpoints"]}

    def query(self, name, rdtype="A", tcp=False, timeout=5):
        query = dns.message.make_query(name, rdtype)
        ask = dns.query.tcp if tcp else dns.query.udp
        return ask(query, "127.0.0.1", port=self.ports["dns"], timeout=timeout)

    def addresses(self, name, rdtype="A", **kwargs):
        reply = self.query(name, rdtype, **kwargs)
        return sorted(
            item.address for rrset in reply.answer for item in rrset if item.rdtype == dns.rdatatype.from_text(rdtype)
        )

    def dig(self, *words):
        done = subprocess.run(
            ["dig", "+time=5", "+tries=1", "@127.0.0.1", "-p", str(self.ports["dns"]), *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def rss_kb(self):
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1))


class Supervised(Agent):
    """The agent under `isthmus supervise`: `pid` is the supervisor's."""

    COMMAND = ("supervise", "--", "agent")

    def agents(self):
        """Process ids of all agents so far, the newest last."""
        return [int(pid) for pid in re.findall(r"agent started, pid (\d+)", self.log())]

    def ready_count(self):
        return sum(line.startswith("ready ") for line in self.stdout)


def run(*args, env=None, timeout=60):
    """Runs a command of the program to its end."""
    return subprocess.run(
        [binary(), *args], capture_output=True, text=True, check=False, timeout=timeout, env=environment(env)
    )


def built(script, variable, *words):
    """The folder of what a build script, with these words, has made: $VARIABLE where somebody has built it before."""
    if not os.environ.get(variable):
        done = subprocess.run(["bash", str(ROOT / script), *words], capture_output=True, text=True, check=False, timeout=1800)
        assert done.returncode == 0, f"{script}: {done.stderr}"
        os.environ[variable] = done.stdout.strip().splitlines()[-1]
    return pathlib.Path(os.environ[variable])


def go_program(name):
    """Path of a program of tests/istiod, built if need be."""
    return str(built("tests/istiod/build.sh", "ISTHMUS_ISTIOD_DIR") / name)


class Istiod(Process):
    """The real control plane (tests/istiod) on free ports, with its control API."""

    def __init__(self, *args, env=None):
        super().__init__([go_program("istiod-harness"), "--exit-with-stdin", *args], env=env)
        line = self.wait_line(self.stdout, r'^\{"ready":true.*\}$', 120).group(0)
        self.info = json.loads(line)
        self.plaintext, self.tls, self.control = self.info["plaintext"], self.info["tls"], self.info["control"]

    def call(self, path, method="POST", body=b"", timeout=60):
        if isinstance(body, str):
            body = body.encode()
        request = urllib.request.Request(
            f"http://{self.control}{path}", method=method, data=body if method == "POST" else None
        )
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            text = answer.read().decode()
        return json.loads(text) if text[:1] in "{[" else text

    def apply(self, yaml):
        return self.call("/apply", body=yaml)

    def delete(self, kind, namespace, name):
        return self.call(f"/delete?kind={kind}&namespace={namespace}&name={name}")

    def quiesce(self, clients=None):
        wanted = f"&clients={clients}" if clients is not None else ""
        return self.call(f"/quiesce?deadline=30s{wanted}", method="GET")

    def token(self, namespace="default", sa="default", audience="istio-ca", expires_in=3600):
        return self.call(f"/token?namespace={namespace}&sa={sa}&audience={audience}&expires_in={expires_in}")

    def plaintext_options(self):
        """How an agent reaches it without TLS."""
        return ("--source", "istiod", "--xds-address", self.plaintext, "--xds-tls", "off")

    def tls_options(self, token_file):
        """How an agent reaches it with TLS and the token in a file."""
        return ("--source", "istiod", "--xds-address", self.tls, "--xds-root-ca", self.info["root_cert"],
                "--xds-server-name", self.info["server_name"], "--xds-token", str(token_file))


def copy_tree(source, target):
    shutil.copytree(source, target, dirs_exist_ok=True)
    return target


def bind_udp_and_tcp():
    """Two sockets on one free port of loopback."""
    while True:
        udp, tcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket()
        udp.bind(("127.0.0.1", 0))
        try:
            tcp.bind(udp.getsockname())
            return udp, tcp
        except OSError:  # the number is taken on the other side
            udp.close()
            tcp.close()


class Upstream:
    """A name server that answers A records from a table; unknown names are NXDOMAIN, with SOA (so that they may be kept) where
    `soa` is its text. Counts what it was asked. `bound`: its UDP socket, where it is not to be a free port of loopback."""

    def __init__(self, bound=None):
        self.records = {}
        self.asked = []
        self.silent = False
        self.soa = None
        self.socket = bound or socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if not bound:
            self.socket.bind(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self.socket.getsockname())
        self.running = True
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        self.socket.settimeout(0.2)
        while self.running:
            try:
                packet, peer = self.socket.recvfrom(4096)
            except socket.timeout:
                continue
            query = dns.message.from_wire(packet)
            name, rdtype = query.question[0].name.to_text().lower(), query.question[0].rdtype
            if rdtype != dns.rdatatype.HINFO:  # the agent looks whether we lead back to it
                self.asked.append((name, dns.rdatatype.to_text(rdtype)))
            if not self.silent and not self._ignores(query):
                self.socket.sendto(self._reply(query, name, rdtype).to_wire(max_size=65535), peer)

    def _ignores(self, query):
        """For those with a fault of their own."""
        return False

    def _reply(self, query, name, rdtype):
        reply = dns.message.make_response(query, recursion_available=True)
        if name not in self.records:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif rdtype == dns.rdatatype.A:
            reply.answer.append(dns.rrset.from_text_list(query.question[0].name, 60, "IN", "A", self.records[name]))
        if not reply.answer and self.soa:
            reply.authority.append(dns.rrset.from_text(".", 60, "IN", "SOA", self.soa))
        return reply

    def stop(self):
        self.running = False
        self.thread.join(5)
        self.socket.close()


class Relay:
    """A TCP relay on loopback to `target` that passes on what the server sends in pieces of `piece` bytes; on a free port,
    unless one is given."""

    def __init__(self, target, piece, port=0):
        host, _, target_port = target.rpartition(":")
        self.target, self.piece = (host, int(target_port)), piece
        self.listener = socket.create_server(("127.0.0.1", port))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.sockets = [self.listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            while True:
                client = self.listener.accept()[0]
                try:
                    server = socket.create_connection(self.target)
                except OSError:  # not there now; the next client may find it
                    client.close()
                    continue
                for side in (client, server):
                    side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.sockets += [client, server]
                for source, sink, piece in ((client, server, 65536), (server, client, self.piece)):
                    threading.Thread(target=self._pass, args=(source, sink, piece), daemon=True).start()
        except OSError:
            pass  # stopped

    def _pass(self, source, sink, piece):
        try:
            while data := source.recv(65536):
                self.seen(source, data)
                for at in range(0, len(data), piece):
                    sink.sendall(data[at : at + piece])
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side has gone

    def seen(self, source, data):
        """For those that look at what passes."""

    def stop(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # close alone would leave it to the thread that waits in accept
        for one in self.sockets:
            one.close()
