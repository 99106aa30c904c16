# SPDX-License-Identifier: Apache-2.0
"""An upstream name server that behaves as a test says, by UDP and TCP on one port of loopback.

A behaviour is a function of one question; it may reply, reply later, reply nonsense, or say nothing. `behave` is the server's
default, `names` has others by the first label of the name (lower case).
"""

import socket
import struct
import threading

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

import dnswire
import harness

GOOD, FORGED, TTL = "192.0.2.1", "198.51.100.66", 60
MANY = 100  # records of a truncated name: they fit no UDP reply of ours
HUGE = 400  # more than anybody reads from UDP


class Question:
    """One query as it arrived, and the way back."""

    def __init__(self, server, wire, send, transport, peer):
        self.server, self.wire, self._send, self.transport, self.peer = server, wire, send, transport, peer
        self.query = dns.message.from_wire(wire)
        self.name = self.query.question[0].name  # keeps the case
        self.text = self.name.to_text().lower()
        self.rdtype = dns.rdatatype.to_text(self.query.question[0].rdtype)

    def send(self, reply):
        self._send(reply if isinstance(reply, bytes) else reply.to_wire(max_size=65535))

    def reply(self, rcode=dns.rcode.NOERROR, addresses=(), ttl=TTL):
        reply = dns.message.make_response(self.query, recursion_available=True)
        reply.set_rcode(rcode)
        if addresses and self.rdtype == "A":
            reply.answer.append(dns.rrset.from_text_list(self.name, ttl, "IN", "A", addresses))
        return reply


def answer(question):
    question.send(question.reply(addresses=[question.server.good]))


def answer_with_ttl(ttl):
    return lambda question: question.send(question.reply(addresses=[question.server.good], ttl=ttl))


def silent(_question):
    pass


def held(question):
    """Answers when the test calls `release`."""
    question.server.waiting.append(question)


def forged(question):
    return question.reply(addresses=[FORGED])


def wrong_id(question):
    reply = forged(question)
    reply.id ^= 1
    question.send(reply)


def wrong_question(question):
    reply = forged(question)
    reply.question[0].name = dns.name.from_text("other.example.")
    question.send(reply)


def wrong_type(question):
    reply = forged(question)
    reply.question[0].rdtype = dns.rdatatype.AAAA
    question.send(reply)


def wrong_source(question):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.sendto(forged(question).to_wire(), question.peer)


def error(rcode):
    return lambda question: question.send(question.reply(rcode))


def no_edns(question):
    """A server from before EDNS."""
    if question.query.edns >= 0:
        question.send(question.wire[:2] + b"\x81\x81" + bytes(8))
    else:
        answer(question)


def lame(question):
    """A referral: neither authoritative nor recursive, with name servers and no SOA."""
    reply = question.reply()
    reply.flags &= ~dns.flags.RA
    reply.authority.append(dns.rrset.from_text("example.", TTL, "IN", "NS", "ns.example."))
    question.send(reply)


def without_recursion(question):
    """Answers, though it says that it does not recurse: an authoritative server."""
    reply = question.reply(addresses=[question.server.good])
    reply.flags = reply.flags & ~dns.flags.RA | dns.flags.AA
    question.send(reply)


def garbage(question):
    question.send(question.wire[:2] + b"\x81\x80" + bytes(range(200)))


def cut_short(question):
    question.send(question.reply(addresses=[question.server.good] * 3).to_wire()[:-30])


def broken_pointer(question):
    """A CNAME whose name is a pointer to itself."""
    head = question.reply().to_wire()[: 12 + len(question.name.to_wire()) + 4]
    record = b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, TTL, 2)
    pointer = struct.pack(">H", 0xC000 | len(head) + len(record))
    question.send(head[:6] + b"\0\1" + bytes(4) + head[12:] + record + pointer)


def truncated(question):
    if question.transport == "udp":
        reply = question.reply()
        reply.flags |= dns.flags.TC
        question.send(reply)
    else:
        question.send(question.reply(addresses=[f"192.0.2.{i + 1}" for i in range(MANY)]))


def oversized(question):
    """Ignores what it was offered, by UDP."""
    question.send(question.reply(addresses=[f"192.0.{i // 256}.{i % 256}" for i in range(HUGE)]))


def lowering(question):
    """Does not keep the letters of the question."""
    reply = question.reply(addresses=[question.server.good])
    reply.question[0].name = dns.name.from_text(question.text)
    question.send(reply)


def lowering_udp(question):
    """Somebody forges replies by UDP who cannot see the letters."""
    if question.transport == "tcp":
        answer(question)
    else:
        reply = forged(question)
        reply.question[0].name = dns.name.from_text(question.text)
        question.send(reply)


class Server:
    def __init__(self, behave=answer, tcp=True, good=GOOD):
        self.behave, self.names, self.good = behave, {}, good
        self.asked, self.probes, self.waiting, self.connections = [], [], [], []
        self.close_after = None  # replies after which a connection is closed
        self.piece = 65537  # bytes that are sent at a time by TCP
        self.udp, self.tcp = harness.bind_udp_and_tcp()
        self.port = self.udp.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.running = True
        self.threads = [threading.Thread(target=self._serve_udp, daemon=True)]
        if tcp:
            self.tcp.listen()
            self.threads.append(threading.Thread(target=self._accept, daemon=True))
        for thread in self.threads:
            thread.start()

    def count(self, text=None, transport=None):
        """How many questions (for this name) came (that way)."""
        return sum(
            (text is None or one.text == text) and (transport is None or one.transport == transport)
            for one in list(self.asked)
        )

    def release(self):
        while self.waiting:
            answer(self.waiting.pop(0))

    def _take(self, wire, send, transport, peer):
        question = Question(self, wire, send, transport, peer)
        if question.rdtype == "HINFO":  # the agent looks whether we lead back to it
            self.probes.append(question)
            self.names.get("probe", error(dns.rcode.NXDOMAIN))(question)
            return
        self.asked.append(question)
        self.names.get(question.text.partition(".")[0], self.behave)(question)

    def _serve_udp(self):
        self.udp.settimeout(0.2)
        while self.running:
            try:
                wire, peer = self.udp.recvfrom(65535)
            except socket.timeout:
                continue
            self._take(wire, lambda reply, peer=peer: self.udp.sendto(reply, peer), "udp", peer)

    def _accept(self):
        self.tcp.settimeout(0.2)
        while self.running:
            try:
                client, peer = self.tcp.accept()
            except socket.timeout:
                continue
            self.connections.append(client)
            threading.Thread(target=self._serve_tcp, args=(client, peer), daemon=True).start()

    def _serve_tcp(self, client, peer):
        replies = 0

        def send(reply):
            data = dnswire.framed(reply)
            for at in range(0, len(data), self.piece):
                client.sendall(data[at : at + self.piece])

        try:
            client.settimeout(harness.DEADLINE_S)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while self.close_after is None or replies < self.close_after:
                self._take(dnswire.read_message(client), send, "tcp", peer)
                replies += 1
        except (OSError, AssertionError):
            pass  # the other side has gone
        self.close(client)

    @staticmethod
    def close(client):
        """Also under a thread that reads from it."""
        try:
            client.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # gone already
        client.close()

    def close_connections(self):
        for client in self.connections:
            self.close(client)

    def stop(self):
        self.running = False
        for thread in self.threads:
            thread.join(5)
        self.close_connections()
        self.udp.close()
        self.tcp.close()
