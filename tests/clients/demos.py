# SPDX-License-Identifier: Apache-2.0
"""The stage of the Sermant demos: a pod's network with the addresses of the other pods in it, Spring applications as real
processes on them, the real istiod that knows them as Kubernetes objects, and the agent as the client pod's resolver."""

import ctypes
import json
import os
import pathlib
import subprocess
import urllib.parse
import urllib.request

import yaml

import harness
import objects

HOST = "spring-server.default.svc.cluster.local"
CLUSTER_IP = "10.96.7.1"  # nobody listens there and no route leads there: what reaches a server has gone to its pod
DISCOVERY_CLIENT_IP, ROUTING_CLIENT_IP = "10.244.1.98", "10.244.1.99"
SERVER_IPS = ("10.244.1.11", "10.244.2.12")
CLIENT_PORT = 8080
RESOLV_CONF = """\
nameserver 127.0.0.1
search default.svc.cluster.local svc.cluster.local cluster.local
options ndots:5
"""
NSSWITCH_CONF = "hosts: files dns\n"
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
# Small and quick to start. Java keeps an address 30 s and its absence 10 s, whatever their time to live, and
# HttpURLConnection keeps connections: a test that counts where calls go lets none of that be in the way. These are options
# of the JVM; no code knows of them. (The security properties, because there the 10 s stand, before any system property.)
FRESH_LOOK_UPS = pathlib.Path(__file__).parent / "fresh_look_ups.security"
JVM = ("-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Djava.security.properties={FRESH_LOOK_UPS}",
       "-Dhttp.keepAlive=false")
START_S = 300.0  # some seconds, where nothing else runs


def jars():
    return harness.built("tests/clients/java/build.sh", "ISTHMUS_DEMOS_DIR")


def go_clients():
    """The Eureka clients of Go."""
    return harness.built("tests/clients/go/build.sh", "ISTHMUS_EUREKA_GO_DIR") / "eureka-clients"


def node_clients():
    """The folder with the registry clients of Node."""
    return harness.built("tests/clients/node/build.sh", "ISTHMUS_NODE_CLIENTS_DIR")


def nacos_go(version=""):
    """The application with Go's Nacos clients of both generations; of the second another version, if it is told one."""
    variable = f"ISTHMUS_NACOS_GO_DIR{version.replace('.', '_')}"
    return harness.built("tests/clients/go/nacos/build.sh", variable, *filter(None, [version])) / "nacos"


def nacos_python():
    """The folder with a Python environment for each version of its Nacos client."""
    return harness.built("tests/clients/python/nacos/build.sh", "ISTHMUS_NACOS_PYTHON_DIR")


def lines_of(command):
    """A program's lines of JSON, when it has ended."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.split("\n")[:-1]]


def enter_pod_network(folder):
    """Moves this process, and so all that it starts from now on, into a network and a mount namespace of its own, where
    the addresses of all pods of the demos are local and the name server of /etc/resolv.conf is 127.0.0.1."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    files = {"resolv.conf": RESOLV_CONF, "nsswitch.conf": NSSWITCH_CONF}
    commands = ["mount --make-rprivate /", "ip link set lo up"]
    for name, text in files.items():
        (folder / name).write_text(text)
        commands.append(f"mount --bind {folder / name} {os.path.realpath('/etc/' + name)}")
    commands += [f"ip address add {address}/32 dev lo" for address in (DISCOVERY_CLIENT_IP, ROUTING_CLIENT_IP, *SERVER_IPS)]
    for command in commands:
        subprocess.run(command.split(), check=True, timeout=30)


def class_path(jar, without=None):
    """A jar that has its libraries beside it, those left out whose names begin so."""
    folder = jars() / f"{jar}.lib"
    libraries = sorted(str(path) for path in folder.iterdir() if not (without and path.name.startswith(without)))
    return ":".join([str(jars() / f"{jar}.jar"), *libraries])


class Java(harness.Process):
    """A Spring Boot application on an address of its own: a jar, or a class of one that has its libraries beside it."""

    def __init__(self, jar, address, port, *args, env=None, main=None, jvm=JVM, without=None):
        self.url = f"http://{address}:{port}"
        program = ["-cp", class_path(jar, without), main] if main else ["-jar", str(jars() / f"{jar}.jar")]
        super().__init__(
            ["java", *jvm, *program, f"--server.address={address}", f"--server.port={port}",
             "--spring.main.banner-mode=off", *args], env=env)

    def wait_started(self):
        self.wait_line(self.stdout, r"Started \w+ in ", START_S)
        return self

    def log(self):
        return "\n".join((*self.stdout, *self.stderr))  # Spring writes its log to stdout

    def get(self, path, **query):
        """The body of a 200."""
        with urllib.request.urlopen(f"{self.url}{path}?{urllib.parse.urlencode(query)}", timeout=60) as answer:
            return answer.read().decode()


class AccessLogs:
    """One file for each server of what has reached it: Host header and status. With each server on an address of its own,
    this is what a capture of packets would show."""

    def __init__(self, folder):
        self.folder = folder

    def options(self, ip):
        """What makes a server write its file."""
        settings = {"enabled": "true", "directory": self.folder, "prefix": ip, "suffix": "", "rotate": "false",
                    "buffered": "false", "pattern": "%{Host}i %s"}
        return [f"--server.tomcat.accesslog.{key}={value}" for key, value in settings.items()]

    def _lines(self):
        return {ip: (self.folder / ip).read_text().splitlines() if (self.folder / ip).exists() else [] for ip in SERVER_IPS}

    def reached_by(self, host, call):
        """Calls, and gives the statuses of what has reached each server under this Host. A line is written when the answer
        has gone out, so that it may be a moment later than the client's return."""
        before = self._lines()
        call()

        def fresh():
            words = {ip: [line.split() for line in lines[len(before[ip]):]] for ip, lines in self._lines().items()}
            found = {ip: [status for name, status in pairs if name == host] for ip, pairs in words.items()}
            return found if any(found.values()) else None

        return harness.wait_for(fresh, f"a server that has been called as {host}")


def stop_all(processes):
    """Ends JVMs, all at the same time. Spring Cloud Alibaba 2023.0 alone takes twenty seconds of its own."""
    for process in processes:
        process.child.terminate()
    for process in processes:
        process.stop(deadline_s=90)


class World:
    """istiod with the objects of a demo, in plaintext or with TLS and a token, and one agent at a time on it."""

    def __init__(self, folder, secure, client_ip, things):
        self.folder, self.secure, self.client_ip, self.agent = folder, secure, client_ip, None
        (folder / "mesh").mkdir()
        (folder / "mesh" / "mesh.yaml").write_text(objects.dump(*things))
        encryption = ("--tls", "127.0.0.1:0", "--cert-dir", str(folder / "certs")) if secure else ()
        self.istiod = harness.Istiod("--dir", str(folder / "mesh"), *encryption)

    def _source(self):
        if not self.secure:
            return self.istiod.plaintext_options()
        token = self.folder / "token"
        token.write_text(self.istiod.token())  # audience istio-ca, one hour
        return self.istiod.tls_options(token)

    def start_agent(self, *args, config=None):
        """The agent beside the client, in place of the one before."""
        self.stop_agent()
        if config:
            (self.folder / "isthmus.yaml").write_text(yaml.safe_dump(config))
            args = ("--config", str(self.folder / "isthmus.yaml"), *args)
        self.agent = harness.Agent(*self._source(), "--pod-name", "spring-client", "--pod-namespace", "default",
                                   "--pod-ip", self.client_ip, "--dns-listen", "127.0.0.1:53", *args)
        assert self.agent.status()["source"]["server"] == (self.istiod.tls if self.secure else self.istiod.plaintext)
        return self.agent

    def apply(self, *things, gone=()):
        """The mesh with these objects, and without those that are gone; returns when the agent has confirmed that it
        serves it."""
        self.istiod.apply(objects.dump(*things))
        if gone:
            self.istiod.call("/delete", body=objects.dump(*gone))
        self.istiod.quiesce(clients=1)

    def stop_agent(self):
        if self.agent:
            code = self.agent.stop()
            assert code == 0, f"the agent ended with {code}:\n{self.agent.log()}"
            self.agent = None

    def stop(self):
        self.stop_agent()
        self.istiod.stop()
