# SPDX-License-Identifier: Apache-2.0
"""The servers of the DNS bench, each with the same names, on loopback and a port of its own, on one core.

Names are Names.table: {"svc-0.ns-0.svc.cluster.local": [address, ...]}. All configuration is in the bench's folder."""
import os
import pathlib
import random
import shutil
import socket

import benchlib
import harness

SERVER_CORE, LOAD_CORE = 0, min(1, os.cpu_count() - 1)
ZONE = "cluster.local"
OUTSIDE = "bench.example"  # a zone that only upstream knows
NAMESPACES = 20
WEIGHTS = (1, 2, 7)
START_S = 60


def free_port():
    """Of UDP and TCP."""
    udp, tcp = harness.bind_udp_and_tcp()
    with udp, tcp:
        return udp.getsockname()[1]


class Names:
    """`count` names with three addresses each; the same outside the mesh; and questions about them."""

    def __init__(self, folder, count):
        self.folder, self.count = pathlib.Path(folder), count
        self.folder.mkdir(parents=True, exist_ok=True)
        self.table = {f"svc-{i}.ns-{i % NAMESPACES}.svc.{ZONE}": [self._address(i * 3 + e + 1) for e in range(3)]
                      for i in range(count)}
        self.outside = {f"svc-{i}.{OUTSIDE}": list(self.table.values())[i] for i in range(count)}
        hosts, chooser = list(self.table), random.Random(5)
        order = [chooser.choice(hosts) for _ in range(20000)]
        search = [f"ns-0.svc.{ZONE}", f"svc.{ZONE}", ZONE]
        mixed = []
        for n, host in enumerate(order):  # a quarter A, a quarter AAAA without data, half of what a search path makes
            mixed.append((f"{host} A", f"{host}.{search[n // 4 % 3]} A", f"{host} AAAA",
                          f"{host}.{search[n // 4 % 3]} AAAA")[n % 4])
        self.hit = self._write("hit", [f"{host} A" for host in order])
        self.mix = self._write("mix", mixed)
        self.cached = self._write("cached", [f"{chooser.choice(list(self.outside)[:1000])} A" for _ in range(20000)])

    @staticmethod
    def _address(number):
        return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"

    def _write(self, name, lines):
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n")
        return path

    def zone(self, origin, table):
        lines = [f"$ORIGIN {origin}.", "$TTL 30", "@ SOA ns hostmaster 1 7200 1800 86400 5", "@ NS ns", "ns A 127.0.0.1"]
        return self._write(f"zone-{origin}", lines + [f"{host}. A {a}" for host, all_of in table.items() for a in all_of])

    def entries(self, kind):
        """Meshes of ServiceEntries, in files: `fixed`: three virtual IPs each; `weighted`: endpoints 1:2:7; `even`."""
        folder = self.folder / f"mesh-{kind}"
        folder.mkdir()
        weights = WEIGHTS if kind == "weighted" else (1, 1, 1)
        texts = []
        for host, addresses in self.table.items():
            endpoints = ", ".join(f"{{address: {a}, weight: {w}}}" for a, w in zip(addresses, weights, strict=True))
            body = f"addresses: [{', '.join(addresses)}], resolution: STATIC" if kind == "fixed" else \
                f"resolution: STATIC, endpoints: [{endpoints}]"
            name, namespace = host.split(".")[:2]
            texts.append(f"---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}, "
                         f"namespace: {namespace}}}\nspec: {{hosts: [{host}], location: MESH_INTERNAL, "
                         f"ports: [{{number: 80, name: http, protocol: HTTP}}], {body}}}\n")
        for part in range(20):
            (folder / f"{part}.yaml").write_text("".join(texts[part::20]))
        return folder


class Server(harness.Process):
    """A server on `core` that is up when it answers."""

    def __init__(self, name, command, port, core=SERVER_CORE, env=None, address="127.0.0.1"):
        self.name, self.port = name, port
        super().__init__(["taskset", "-c", str(core), *map(str, command)], env=env)
        query = harness.dns.message.make_query(f"svc-0.ns-0.svc.{ZONE}", "A")

        def answers():
            assert self.child.poll() is None, f"{name} ended:\n{self.log()}"
            try:
                return harness.dns.query.udp(query, address, port=port, timeout=1, ignore_unexpected=True)
            except harness.dns.exception.DNSException:
                return None
        try:
            harness.wait_for(answers, f"{name} to answer (log:\n{self.log()})", START_S)
        except BaseException:
            self.stop()
            raise

    def pids(self):
        """The process and its descendants."""
        found, new = [], [self.pid]
        while new:
            pid = new.pop()
            found.append(pid)
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                new += map(int, (task / "children").read_text().split())
        return found

    def cpu_s(self):
        return sum(map(benchlib.cpu_s, self.pids()))

    def memory_mb(self):
        rows = [benchlib.memory_mb(pid) for pid in self.pids()]
        return {key: round(sum(row[key] for row in rows), 2) for key in rows[0]}


def echo(names):
    port = free_port()
    return Server("UDP echo", [benchlib.program("dns_echo"), port], port)


class Agent(Server, harness.Agent):
    """Ours, on a directory or another source; ready."""

    def __init__(self, name, directory, upstream, *options, source=None):
        self.name = name
        command = [harness.binary(), "agent", "--source", source or f"dir:{directory}", *benchlib.POD,
                   "--admin-listen", "127.0.0.1:0", "--health-listen", "127.0.0.1:0", *harness.REGISTRIES_OFF,
                   "--drain-time", "0s",
                   "--dns-upstream", upstream, *options]
        harness.Process.__init__(self, ["taskset", "-c", str(SERVER_CORE), *command])
        self.wait_ready(START_S)
        self.port = self.ports.get("dns")


def agent(kind):
    def start(names, upstream):
        return Agent(f"Isthmus, {kind}", names.entries(kind), upstream, "--dns-listen", "127.0.0.1:0")
    return start


def gdnsd(names, folder):
    port = free_port()
    (folder / "zones").mkdir()
    shutil.copy(names.zone(ZONE, names.table), folder / "zones" / ZONE)
    (folder / "config").write_text(f"""options => {{
  listen => 127.0.0.1:{port}, udp_threads => 1, tcp_threads => 1
  run_dir => {folder}/run, state_dir => {folder}/state
}}
""")
    return Server("gdnsd", ["gdnsd", "-c", folder, "start"], port)


def nsd_server(name, folder, zones, core=SERVER_CORE, address="127.0.0.1", port=None):
    port = port or free_port()
    text = f"""server:
  ip-address: {address}@{port}
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: "{folder}/pid"
  xfrdfile: "{folder}/xfrd"
  zonelistfile: "{folder}/zones"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
"""
    for origin, path in zones.items():
        text += f'zone:\n  name: "{origin}"\n  zonefile: "{path}"\n'
    (folder / "nsd.conf").write_text(text)
    return Server(name, ["nsd", "-d", "-c", folder / "nsd.conf"], port, core, address=address)


def nsd(names, folder):
    return nsd_server("NSD", folder, {ZONE: names.zone(ZONE, names.table)})


def unbound(names, folder):
    port = free_port()
    data = "".join(f'  local-data: "{host}. 30 IN A {a}"\n' for host, addresses in names.table.items() for a in addresses)
    (folder / "unbound.conf").write_text(f"""server:
  interface: 127.0.0.1@{port}
  num-threads: 1
  do-daemonize: no
  use-syslog: no
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: "{folder}/pid"
  module-config: "iterator"
  local-zone: "{ZONE}." static
  local-data: "{ZONE}. 5 IN SOA ns.{ZONE}. hostmaster.{ZONE}. 1 7200 1800 86400 5"
{data}remote-control:
  control-enable: no
""")
    return Server("Unbound", ["unbound", "-d", "-c", folder / "unbound.conf"], port)


def dnsmasq(names, folder):
    port = free_port()
    (folder / "hosts").write_text("".join(f"{a} {host}\n" for host, addresses in names.table.items() for a in addresses))
    (folder / "conf").write_text(f"""port={port}
listen-address=127.0.0.1
bind-interfaces
no-resolv
no-hosts
addn-hosts={folder}/hosts
local=/{ZONE}/
user=root
pid-file={folder}/pid
""")
    return Server("dnsmasq", ["dnsmasq", "-k", "-C", folder / "conf"], port)


def coredns(names, folder):
    port = free_port()
    (folder / "Corefile").write_text(f"{ZONE}:{port} {{\n  bind 127.0.0.1\n  file {names.zone(ZONE, names.table)}\n}}\n")
    return Server("CoreDNS", [os.environ["BENCH_COREDNS"], "-conf", folder / "Corefile"], port, env={"GOMAXPROCS": "1"})


def istio_agent(names, folder, upstream_address):
    """It reads /etc/resolv.conf, so it gets one of its own in a mount namespace: for root only."""
    port = free_port()
    (folder / "resolv.conf").write_text(f"nameserver {upstream_address}\n")
    (folder / "names").write_text("".join(f"{host} {' '.join(addresses)}\n" for host, addresses in names.table.items()))
    script = f"mount --bind {folder}/resolv.conf /etc/resolv.conf && exec \"$@\""
    return Server("istio-agent", ["unshare", "--mount", "sh", "-c", script, "sh", harness.go_program("istiodns"),
                                  f"127.0.0.1:{port}", "ns-0", folder / "names"], port, env={"GOMAXPROCS": "1"})


def free_loopback_address():
    """One on which port 53 is free, for those that know no other port."""
    for number in range(2, 250):
        address = f"127.53.53.{number}"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            try:
                udp.bind((address, 53))
                tcp.bind((address, 53))
                return address
            except OSError:
                continue
    raise AssertionError("port 53 is taken on every address that was tried (or this is not root)")


def upstream(names, folder):
    """What forwarders ask, on the core of the load: knows the outside names, and that there is nothing else."""
    zones = {ZONE: names.zone(ZONE, names.table), OUTSIDE: names.zone(OUTSIDE, names.outside)}
    return nsd_server("upstream", folder, zones, LOAD_CORE, free_loopback_address(), 53)
