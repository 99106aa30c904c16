# SPDX-License-Identifier: Apache-2.0
"""DNS packets made by hand, where dnspython would not make them, and an agent to send them to."""

import contextlib
import socket
import struct

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rdatatype

import harness

HOST = "details.default.svc.cluster.local"
VIP = "10.96.0.11"
HEADLESS = "mongodb.default.svc.cluster.local"
BIG = "big.default.svc.cluster.local"
ENDPOINTS = 60
TTL_VIP, TTL_ENDPOINT, TTL_NEGATIVE = 30, 5, 5
BIG_SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: big, namespace: default}
spec: {clusterIP: None, selector: {app: big}, ports: [{name: http, port: 80, targetPort: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: big-1, namespace: default, labels: {kubernetes.io/service-name: big}}
addressType: IPv4
ports: [{name: http, port: 80, protocol: TCP}]
endpoints:
"""
BIG_ENDPOINT = "- {{addresses: [10.77.0.{}], conditions: {{ready: true, serving: true, terminating: false}}}}\n"


TYPE_A = struct.pack(">HH", 1, 1)


@contextlib.contextmanager
def serving(folder, *args, extra="", upstream=None, env=None):
    """(agent, upstream): the example mesh with a service of many endpoints, and more YAML; the IPv6 loopback too."""
    mesh = harness.copy_tree(harness.ROOT / "docs/examples/bookinfo", folder / "mesh")
    (mesh / "big.yaml").write_text(BIG_SERVICE + "".join(BIG_ENDPOINT.format(i + 1) for i in range(ENDPOINTS)))
    (mesh / "extra.yaml").write_text(extra)
    upstream = upstream or harness.Upstream()
    agent = harness.Agent(
        *("--source", f"dir:{mesh}", "--pod-namespace", "default", "--dns-listen", "127.0.0.1:0,[::1]:0"),
        *("--pod-ip", "10.99.0.1", "--dns-prefix", "10.99.0.0/24", *args),
        upstream=upstream.address,
        env=env,
    )
    agent.mesh = mesh
    agent.dns = [("127.0.0.1", agent.status()["listeners"]["dns"][0]), ("::1", agent.status()["listeners"]["dns"][1])]
    agent.dns = [(address, int(text.rpartition(":")[2])) for address, text in agent.dns]
    agent.ports["dns"] = agent.dns[0][1]  # for dig
    yield agent, upstream
    code, log = agent.stop(), agent.log()
    upstream.stop()
    assert code == 0, log


def wire_name(name):
    return b"".join(bytes([len(label)]) + label for label in (part.encode() for part in name.split("."))) + b"\0"


def packet(question=None, *, ident=0x1234, flags=0x0100, counts=(1, 0, 0, 0), rest=b""):
    question = wire_name(HOST) + struct.pack(">HH", 1, 1) if question is None else question
    return struct.pack(">HH4H", ident, flags, *counts) + question + rest


def opt(size=1232, version=0, flags=0, options=b"", extended=0):
    return b"\0" + struct.pack(">HHBBHH", 41, size, extended, version, flags, len(options)) + options


def option(code, body):
    return struct.pack(">HH", code, len(body)) + body


@contextlib.contextmanager
def udp(agent, which=0):
    address, port = agent.dns[which]
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect((address, port))
        yield client


def raw(agent, query, which=0):
    with udp(agent, which) as client:
        client.send(query)
        return client.recv(65535)


def silent(agent, query):
    """Nothing comes back for the packet, though the next one is answered."""
    with udp(agent) as client:
        client.send(query)
        client.send(packet(ident=0x7777))
        return client.recv(65535)[:2] == b"\x77\x77"


def rcode_of(reply):
    return reply[3] & 0x0F


def ask(agent, name, rdtype="A", tcp=False, timeout=5, **kwargs):
    """Every reply must be whole: dnspython raises on trailing bytes and on anything that does not parse."""
    query = dns.message.make_query(name, rdtype, **kwargs)
    address, port = agent.dns[0]
    reply = (dns.query.tcp if tcp else dns.query.udp)(query, address, port=port, timeout=timeout)
    assert reply.flags & dns.flags.QR and reply.flags & dns.flags.RA
    assert (reply.edns >= 0) == (query.edns >= 0)
    return reply


def check_negative(reply, rcode, zone="cluster.local."):
    assert reply.rcode() == rcode and not reply.answer
    (soa,) = reply.authority
    assert soa.rdtype == dns.rdatatype.SOA and soa.name.to_text() == zone
    assert soa.ttl == soa[0].minimum == TTL_NEGATIVE


# --- TCP -------------------------------------------------------------------------------------------------------------


def framed(message):
    return struct.pack(">H", len(message)) + message


def connect(agent):
    return socket.create_connection(agent.dns[0], timeout=5)


def read_exactly(client, count):
    got = b""
    while len(got) < count:
        piece = client.recv(count - len(got))
        assert piece, f"the connection ended after {len(got)} of {count} bytes"
        got += piece
    return got


def read_message(client):
    return read_exactly(client, struct.unpack(">H", read_exactly(client, 2))[0])
