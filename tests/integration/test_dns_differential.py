# SPDX-License-Identifier: Apache-2.0
"""Every reply is read alike by two parsers that are not ours: dnspython and ldns (tests/support/dns_parse.c). Generated questions
over every kind of name that docs/dns.md lists, whole and with broken bytes, by UDP and TCP. The same seed asks the same.

Environment: DNS_DIFFERENTIAL_SEED=N repeats a long form."""

import ipaddress
import itertools
import os
import random
import re
import socket
import struct
import subprocess

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.wire
import pytest
import yaml

import dnswire as wire
import harness
import objects

HOSTS = [wire.HOST, "details", "details.default", wire.HEADLESS, wire.BIG, "reviews", "reviews.default.svc.cluster.local",
         "dual", "old", "old.default.svc.cluster.local", "outside", "a.wild.example.com", "b.c.wild.example.com",
         "six.example.com", "payments.example.com"]
BELOW = ["v1._subset", "v9._subset", "_subset", "canary._ctx", "none._ctx", "_ctx", "_http._tcp", "_grpc._tcp", "_tcp",
         "_http._tcp.v1._subset", "_http._tcp.canary._ctx", "_why", "_why.v1._subset", "_why._http._tcp", "10-77-0-1",
         "fd00-244-1--98", "zone-a.pin._zone", "zone-b.region-1.prefer._zone.v1._subset", "nowhere.pin._zone", "_zone",
         "_http._tcp.zone-a.pin._zone", "_why.zone-a.pin._zone", "www", "a.b"]
PARTS = ["v1", "v9", "canary", "p9080", "v1--canary--p9080", "p1"]
DERIVED = [f"{name}--{part}{rest}" for rest in ("", ".default.svc.cluster.local") for part in PARTS
           for name in ("reviews", "details", "mongodb")]
ADDRESSES = (wire.VIP, "fd00:96::77", "9.9.9.9", "10.77.0.1", "10.244.1.30")
REVERSE = [ipaddress.ip_address(text).reverse_pointer for text in ADDRESSES]
OTHERS = ["dns-version.cluster.local", "svc.cluster.local", "default.svc.cluster.local", "nobody.default.svc.cluster.local",
          "every.example.net", "unknown.example.net"] + 8 * ["many.example.net"]  # at several sizes of the client
# Names of which the upstream says something made up, the same for the same question; and aliases of ours that lead to some.
RANDOM = [f"rand{i}.example.net" for i in range(20)]
CHASED = [f"chase{i}{rest}" for i in range(8) for rest in ("", ".default.svc.cluster.local")]
NAMES = HOSTS + [f"{below}.{host}" for below in BELOW for host in HOSTS] + DERIVED + REVERSE + OTHERS
NAMES += 4 * (RANDOM + CHASED)  # so that the cache answers too
TYPES = ["A", "AAAA", "SRV", "PTR", "TXT", "CNAME", "SOA", "NS", "MX", "HINFO", "HTTPS", "SVCB", "NAPTR", "CAA", "DS", "ANY",
         "TYPE65280"]
SIZES = [None, 0, 512, 600, 1232, 4096, 65535]
OURS = 1232  # what the agent sends by UDP at most
NO_EDNS = 512
# What the upstream says of every.example.net: foreign data of each shape, names within it too.
FOREIGN = {
    "AAAA": ["2001:db8::1", "2001:db8::2"],
    "TXT": ['"one" "two \\"quoted\\"" ""', '"\\000\\255"'],
    "MX": ["10 mx.every.example.net.", "20 elsewhere.example.org."],
    "SRV": ["1 2 3 target.every.example.net."],
    "PTR": ["odd\\.label.every.example.net."],
    "CNAME": ["many.example.net."],
    "SOA": ["ns.every.example.net. root.every.example.net. 1 2 3 4 5"],
    "NAPTR": ['1 2 "s" "SIP+D2U" "" _sip._udp.every.example.net.'],
    "CAA": ['0 issue "ca.example.net"'],
    "HTTPS": ["1 . alpn=h2 port=8443"],
    "DS": ["1 8 2 " + "ab" * 32],
    "TYPE65280": ["\\# 3 010203"],
}
FRESH = int(os.environ.get("DNS_DIFFERENTIAL_SEED", random.SystemRandom().randrange(1_000_000)))
# questions of each kind, seed
SHORT = (10000, 20250)
LONG = (100000, FRESH)
LONG_MARKS = [pytest.mark.long, pytest.mark.timeout(1800)]  # minutes, more of them under ASan
FORMS = [pytest.param(SHORT, id="short"), pytest.param(LONG, id="long", marks=LONG_MARKS)]


def add(section, owner, rdtype, rng):
    """One to thirty records of the owner; foreign data, names within it too."""
    texts = FOREIGN.get(rdtype, ["192.0.2.1"])
    if rdtype in ("A", "TXT"):
        texts = [f"192.0.2.{i}" if rdtype == "A" else f'"{"x" * i}"' for i in range(1, rng.choice((2, 9, 31)))]
    texts = [text.replace("every.example.net.", owner) for text in texts]
    section.append(dns.rrset.from_text_list(owner, rng.choice((0, 1, 60, 86400, 2**31 - 1)), "IN", rdtype, texts))


def made_up(query, rdtype):
    """A chain of aliases, records or none behind it, SOA or not, name servers and their addresses."""
    rng, owner = random.Random(query.question[0].to_text().lower()), query.question[0].name.to_text()
    reply = dns.message.make_response(query, recursion_available=True)
    missing = random.Random(owner.lower()).random() < 0.3  # for all types alike
    for i in range(rng.choice((0, 0, 0, 1, 2, 3)) if rdtype != "CNAME" else 0):
        target = rng.choice((f"hop{i}.{owner}", f"hop{i}.elsewhere.example.", f"{'x' * 63}.hop{i}.example.net."))
        reply.answer.append(dns.rrset.from_text(owner, 60, "IN", "CNAME", target))
        owner = target
    if rng.random() < 0.7 and (rdtype in FOREIGN or rdtype == "A") and not missing:
        add(reply.answer, owner, rdtype, rng)
    else:
        reply.set_rcode(dns.rcode.NXDOMAIN if missing else dns.rcode.NOERROR)
        if rng.random() < 0.8:
            soa = "ns.example.net. root. 1 2 3 4 900"
            reply.authority.append(dns.rrset.from_text("example.net.", 900, "IN", "SOA", soa))
    if rng.random() < 0.3:
        servers = ["ns1.example.net.", "ns2.other.example."]
        reply.authority.append(dns.rrset.from_text_list("example.net.", 60, "IN", "NS", servers))
        for server in servers:
            add(reply.additional, server, rng.choice(("A", "AAAA")), rng)
    return reply


class Upstream(harness.Upstream):
    def _reply(self, query, name, rdtype):
        if name.startswith("rand"):
            return made_up(query, dns.rdatatype.to_text(rdtype))
        texts = FOREIGN.get(dns.rdatatype.to_text(rdtype)) if name == "every.example.net." else None
        if texts is None:
            return super()._reply(query, name, rdtype)
        reply = dns.message.make_response(query, recursion_available=True)
        reply.answer.append(dns.rrset.from_text_list(query.question[0].name, 60, "IN", rdtype, texts))
        return reply


def outside_entry(name, host, *endpoints):
    spec = {"hosts": [host], "location": "MESH_EXTERNAL", "resolution": "STATIC", "endpoints": list(endpoints),
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]}
    return objects.istio("ServiceEntry", name, spec)


def write_mesh(folder):
    harness.copy_tree(harness.ROOT / "docs/examples/bookinfo", folder)
    (folder / "big.yaml").write_text(
        wire.BIG_SERVICE + "".join(wire.BIG_ENDPOINT.format(i + 1) for i in range(wire.ENDPOINTS)))
    (folder / "more.yaml").write_text(objects.dump(
        objects.service("dual", ip="10.96.0.77", ips=["10.96.0.77", "fd00:96::77"]),
        objects.external_name("old", "reviews.default.svc.cluster.local"),
        objects.external_name("outside", "many.example.net"),
        outside_entry("wild", "*.wild.example.com", {"address": "203.0.113.20"}),
        outside_entry("six", "six.example.com", {"address": "fd00:244:1::98", "weight": 1},
                      {"address": "fd00:244:9::9", "weight": 7}),
        *[each for i in range(8) for each in (
            objects.external_name(f"chase{i}", f"rand{i}.example.net"),
            objects.istio("ServiceEntry", f"rand{i}", {  # known to the mesh, its addresses only to the upstream
                "hosts": [f"rand{i}.example.net"], "location": "MESH_EXTERNAL", "resolution": "NONE",
                "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]}))],
    ))
    return folder


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parsers")
    config = folder / "isthmus.yaml"
    config.write_text(yaml.safe_dump({"contexts": {"canary": {"path": "/canary", "headers": {"version": "v1"}}}}))
    upstream = Upstream()
    upstream.records = {"many.example.net.": [f"192.0.2.{i}" for i in range(1, 41)], "every.example.net.": ["192.0.2.1"]}
    agent = harness.Agent(
        *("--source", f"dir:{write_mesh(folder / 'mesh')}", "--config", str(config), "--pod-namespace", "default"),
        *("--pod-ip", "10.99.0.1", "--dns-prefix", "10.99.0.0/24"),
        upstream=upstream.address,
    )
    agent.dns = [("127.0.0.1", agent.ports["dns"])]
    yield agent
    code, log = agent.stop(), agent.log()
    upstream.stop()
    assert code == 0, log


@pytest.fixture(scope="module")
def ldns_program(tmp_path_factory):
    return harness.compile_c("tests/support/dns_parse.c", tmp_path_factory.mktemp("ldns") / "dns_parse", "-lldns")


# --- The two parsers: for each message the lines that dns_parse.c describes ----------------------------------------------


def read_by_ldns(program, messages):
    done = subprocess.run([program], input=b"".join(map(wire.framed, messages)), capture_output=True, check=True)
    found = []
    for line in done.stdout.decode().splitlines():
        if line.startswith(("ok ", "error ")):
            found.append([])
        found[-1].append(line.rstrip())
    assert len(found) == len(messages)
    return found


def opt_text(message):
    if message.edns < 0:
        return "-"
    options = b"".join(wire.option(int(each.otype), each.to_wire()) for each in message.options)
    return f"{message.payload}/{message.ednsflags}/{options.hex()}"


def read_by_dnspython(packet):
    try:
        message = dns.message.from_wire(packet, one_rr_per_rrset=True)
    except dns.exception.DNSException as error:
        return [f"error {error!r}"]
    sections = [message.question, message.answer, message.authority, message.additional]
    lines = [f"ok {packet[3] & 0x0F} {' '.join(str(len(each)) for each in sections)} {opt_text(message)}"]
    for number, rrset in ((number, rrset) for number, section in enumerate(sections) for rrset in section):
        data = f" {rrset.ttl} {rrset[0].to_wire().hex()}" if number else ""
        lines.append(f"{number} {rrset.name.to_wire().hex()} {int(rrset.rdtype)} {int(rrset.rdclass)}{data}".rstrip())
    return lines


def disagreements(program, packets):
    """(index, dnspython's lines, ldns's lines) of each packet that one of them cannot read or that they read differently."""
    pairs = zip(map(read_by_dnspython, packets), read_by_ldns(program, packets))
    return [(i, one, other) for i, (one, other) in enumerate(pairs) if one != other or one[0].startswith("error")]


# --- Questions ------------------------------------------------------------------------------------------------------


def whole_questions(rng, count):
    """Every name with every type, as often as `count` allows."""
    pairs = list(itertools.product(NAMES, TYPES))
    rng.shuffle(pairs)
    for name, rdtype in itertools.islice(itertools.cycle(pairs), count):
        labels = "".join(rng.choice((letter.lower, letter.upper))() for letter in name) if rng.random() < 0.3 else name
        size, flags = rng.choice(SIZES), rng.choice((0, 0x8000))
        edns = b"" if size is None else wire.opt(size=size, flags=flags)
        question = wire.wire_name(labels) + struct.pack(">HH", dns.rdatatype.from_text(rdtype), 1)
        counts = (1, 0, 0, 1 if edns else 0)
        yield wire.packet(question, ident=rng.randrange(1 << 16), counts=counts, rest=edns), rng.random() < 0.25


def break_bytes(rng, query):
    """One to four times: a byte changed, bytes taken out, put in, repeated, or the end cut off."""
    data = bytearray(query)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        how = rng.randrange(12)
        if how < 7 and at < len(data):
            data[at] = rng.choice((rng.randrange(256), data[at] ^ 1 << rng.randrange(8), 0, 0xC0, 0xFF))
        elif how == 7:
            del data[at : at + rng.randint(1, 8)]
        elif how == 8:
            data[at:at] = rng.randbytes(rng.randint(1, 8))
        elif how == 9:
            data[at:at] = data[at : at + rng.randint(1, 40)]
        elif how == 10 and len(data) > 12:
            data[rng.randrange(4, 12)] = rng.randrange(3)
        elif how == 11:
            del data[at:]
    return bytes(data)


def questions(form):
    """(query, whether by TCP, whether it is whole)"""
    count, seed = form
    print(f"DNS_DIFFERENTIAL_SEED={seed}, {count} of each kind")
    rng = random.Random(seed)
    for query, tcp in whole_questions(rng, count):
        yield query, tcp, True
    for query, tcp in whole_questions(rng, count):
        yield break_bytes(rng, query), tcp, False


def expects_silence(query):
    """Less than a header, or a response: never answered."""
    return len(query) < 12 or query[2] & 0x80


def ask_all(agent, asked):
    """The reply to each (query, tcp, whole), None where silence is right and was kept."""
    with wire.udp(agent) as client:
        for query, tcp, _ in asked:
            if expects_silence(query):
                assert wire.silent(agent, query), query.hex()
                yield None
            elif tcp:
                with wire.connect(agent) as connection:
                    connection.sendall(wire.framed(query))
                    yield wire.read_message(connection)
            else:
                client.send(query)
                try:
                    yield client.recv(65535)
                except socket.timeout:
                    pytest.fail(f"no reply to {query.hex()}")


# --- What every reply must keep to ----------------------------------------------------------------------------------


def offered(query):
    """The size that the client takes by UDP; 512 where no OPT can be found."""
    parser = dns.wire.Parser(query, 4)
    try:
        asked, *records = parser.get_struct("!HHHH")
        for _ in range(asked):
            parser.get_name()
            parser.get_bytes(4)
        for _ in range(sum(records)):
            parser.get_name()
            rdtype, rdclass, _, length = parser.get_struct("!HHIH")
            if rdtype == dns.rdatatype.OPT:
                return min(max(rdclass, NO_EDNS), OURS)
            parser.get_bytes(length)
    except dns.exception.DNSException:
        pass
    return NO_EDNS


def question_of(packet):
    """(bytes, type) of the first question."""
    parser = dns.wire.Parser(packet, 12)
    parser.get_name()
    rdtype, _ = parser.get_struct("!HH")
    return packet[12 : parser.current], rdtype


def check_reply(query, tcp, whole, reply):
    flags, asked = struct.unpack(">2xHH", reply[:6])
    assert reply[:2] == query[:2] and flags & dns.flags.QR
    assert len(reply) <= (65535 if tcp else offered(query)), f"{len(reply)} bytes"
    if asked == 0:
        assert not whole and flags & 0x0F
        return
    question, rdtype = question_of(reply)
    assert asked == 1 and query[12:].startswith(question)
    if whole:
        assert flags & 0x0F in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
    if flags & dns.flags.TC:
        assert not tcp
        ours = flags & dns.flags.AA and not question.lower().startswith(b"\x06chase")  # there the addresses are the upstream's
        assert rdtype not in (dns.rdatatype.A, dns.rdatatype.AAAA) or not ours, "truncated addresses"


def kinds(replies):
    """What stood in the replies: types of records in answers by origin, and that one was truncated."""
    found = set()
    for reply in replies:
        flags = struct.unpack(">2xH", reply[:4])[0]
        origin = "mesh" if flags & dns.flags.AA else "upstream"
        found.update((origin, dns.rdatatype.to_text(rrset.rdtype)) for rrset in dns.message.from_wire(reply).answer)
        if flags & dns.flags.TC:
            found.add((origin, "TC"))
    return found


EXPECTED_KINDS = {("mesh", text) for text in ("A", "AAAA", "SRV", "PTR", "TXT", "CNAME", "HINFO", "TC")}
EXPECTED_KINDS |= {("upstream", text) for text in ("A", "TC", *FOREIGN)}
EXPECTED_KINDS |= {("mesh", text) for text in ("MX", "HTTPS", "CAA", "TYPE65280")}  # behind an alias of ours


@pytest.mark.parametrize("form", FORMS)
def test_two_parsers_read_every_reply_alike(agent, ldns_program, form):
    asked = list(questions(form))
    pairs = [(each, reply) for each, reply in zip(asked, ask_all(agent, asked)) if reply is not None]
    for (query, tcp, whole), reply in pairs:
        try:
            check_reply(query, tcp, whole, reply)
        except AssertionError as error:
            raise AssertionError(f"{error}\nquery {query.hex()} tcp={tcp}\nreply {reply.hex()}") from error
    found = disagreements(ldns_program, [reply for _, reply in pairs])
    assert not found, f"{len(found)} differ; query {pairs[found[0][0]][0][0].hex()}: {found[0]}"
    whole = [reply for (_, _, is_whole), reply in pairs if is_whole]
    assert len(whole) == form[0] and EXPECTED_KINDS - kinds(whole) == set()  # the generator reaches what it is meant to
    from_cache = re.search(r'responses_total{rcode="NOERROR",source="cache"} (\d+)', agent.http("/metrics").body)
    assert int(from_cache.group(1)) > form[0] / 40
    broken = {reply[3] & 0x0F for (_, _, is_whole), reply in pairs if not is_whole}
    assert broken >= {dns.rcode.NOERROR, dns.rcode.FORMERR, dns.rcode.NXDOMAIN, dns.rcode.NOTIMP, dns.rcode.REFUSED}


def test_a_damaged_reply_is_seen(agent, ldns_program):
    """The judge itself: a reply that is cut, or with a count or a length that is wrong, does not pass."""
    reply = wire.raw(agent, wire.packet(wire.wire_name(f"_http._tcp.{wire.BIG}") + struct.pack(">HH", 33, 1)))
    assert disagreements(ldns_program, [reply]) == []
    question, _ = question_of(reply)
    length_at = 12 + len(question) + 2 + 2 + 2 + 4  # of the first record, behind a pointer, type, class and TTL
    damaged = [reply[:end] for end in range(len(reply))] + [reply + b"\0"]
    for at in (5, 7, 9, 11, length_at, length_at + 1):
        for change in (1, -1):
            damaged.append(reply[:at] + bytes([(reply[at] + change) % 256]) + reply[at + 1 :])
    assert [i for i, _, _ in disagreements(ldns_program, damaged)] == list(range(len(damaged)))


# --- Existence ------------------------------------------------------------------------------------------------------


def verdict(agent, name, rdtype):
    """(ours, exists)"""
    reply = wire.ask(agent, name, rdtype, payload=OURS)
    assert reply.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN), f"{name} {rdtype}"
    return bool(reply.flags & dns.flags.AA), reply.rcode() == dns.rcode.NOERROR


def test_all_types_agree_on_what_exists(agent):
    """RFC 2308 and 8020: a name is ours for every type or for none, exists for every type or for none, and below one that does
    not exist nothing does, but explanations."""
    absent = []
    for name in sorted(set(NAMES) - set(CHASED)):  # of an alias CNAME exists, the rest as its target says (RFC 6604)
        found = {verdict(agent, name, rdtype) for rdtype in ("A", "AAAA", "SRV", "TXT", "PTR", "CNAME", "HTTPS", "ANY")}
        if any(ours for ours, _ in found):
            assert len(found) == 1, f"{name}: {found}"
            absent += [name] if not any(exists for _, exists in found) else []
    assert len(absent) > 20
    for name, front in itertools.product(absent, ("a", "a.b", "_http._tcp", "v1._subset", "zone-a.pin._zone")):
        assert not verdict(agent, f"{front}.{name}", "A")[1], f"{front}.{name}"
