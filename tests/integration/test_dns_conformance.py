# SPDX-License-Identifier: Apache-2.0
"""What the other DNS tests leave open of the rules in docs/dns-conformance.md: dig as RFC 8906 section 8 uses it, what is
forwarded and comes from the cache, sizes, TCP, and that the types of a name agree while the mesh changes."""

import contextlib
import random
import re
import socket
import struct
import time

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import objects
import pytest

import dnswire
import harness
import scripted_dns
from dnswire import (
    BIG, ENDPOINTS, HEADLESS, HOST, TYPE_A, VIP, ask, check_negative, connect, framed, opt, packet, raw,
    read_exactly, read_message, udp, wire_name,
)

SVC = "default.svc.cluster.local"
AA, TC, RD, RA, Z, AD, CD = 0x0400, 0x0200, 0x0100, 0x0080, 0x0040, 0x0020, 0x0010
HUGE = 1000  # pods whose SRV records fill a TCP message nearly


def pods(name, addresses):
    """A headless service and its pods, which only their slice knows."""
    endpoints = objects.endpoint_slice(name, addresses, ports=((80, "http"),))
    for endpoint in endpoints["endpoints"]:
        del endpoint["targetRef"]
    return objects.service(name, headless=True, ports=((80, 80, "http"),)), endpoints


def mesh():
    entry = {"hosts": ["many.example.com"], "location": "MESH_EXTERNAL", "resolution": "STATIC",
             "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
             "endpoints": [{"address": f"203.0.113.{i}"} for i in range(1, 41)]}
    return objects.dump(
        objects.istio("ServiceEntry", "many", entry),
        *pods("six", [f"fd00:9::{i:x}" for i in range(1, 61)]),
        *pods("huge", [f"10.80.{i // 250}.{i % 250 + 1}" for i in range(HUGE)]),
        *[objects.istio("ServiceEntry", name, {
            "hosts": [host], "location": "MESH_EXTERNAL", "resolution": "STATIC", "endpoints": [{"address": address}],
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]})
          for name, host, address in (("wild", "*.wild.example.com", "203.0.113.51"),
                                      ("deep", "*.deep.wild.example.com", "203.0.113.52"),
                                      ("exact", "exact.deep.wild.example.com", "203.0.113.53"))],
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with dnswire.serving(tmp_path_factory.mktemp("conformance"), extra=mesh(), upstream=scripted_dns.Server()) as both:
        yield both


@pytest.fixture
def agent(world):
    return world[0]


@pytest.fixture
def upstream(world):
    return world[1]


@pytest.fixture
def one_address(upstream):
    """The upstream knows every name; with flags as the test sets them."""
    flags = [0]

    def behave(question):
        reply = question.reply(addresses=["192.0.2.7"]).to_wire()
        question.send(reply[:2] + struct.pack(">H", 0x8000 | flags[0]) + reply[4:])

    upstream.behave = behave
    upstream.asked.clear()
    return flags


def flags_of(reply):
    return struct.unpack(">2xH", reply[:4])[0]


# --- dig, as RFC 8906 section 8 uses it ------------------------------------------------------------------------------------


def dig(agent, *words):
    """(status, flags, [counts], OPT line or None, whole text)"""
    out = agent.dig(*words)
    status = re.search(r"status: (\w+)", out).group(1)
    flags = re.search(r";; flags: ([\w ]*);", out).group(1).split()
    counts = [int(n) for n in re.search(r"QUERY: (\d+), ANSWER: (\d+), AUTHORITY: (\d+), ADDITIONAL: (\d+)", out).groups()]
    edns = re.search(r"; EDNS: (.*)", out)
    return status, flags, counts, edns.group(1) if edns else None, out


PLAIN = ("+noedns", "+noad", "+norec")
EDNS_1 = ("+nocookie", "+edns=1", "+noednsneg", "+noad", "+norec")
EDNS_0 = ("+nocookie", "+edns=0", "+noad", "+norec")
NO_DATA = [1, 0, 1, 0]
NO_DATA_OPT = [1, 0, 1, 1]
OPT, OPT_DO = "version: 0, flags:; udp: 1232", "version: 0, flags: do; udp: 1232"
# section of RFC 8906: (words of dig, status, flags, counts, OPT)
DIG = {
    "8.1.1 plain": ((*PLAIN, "soa"), "NOERROR", "qr aa ra", NO_DATA, None),
    "8.1.2 unknown type": ((*PLAIN, "type1000"), "NOERROR", "qr aa ra", NO_DATA, None),
    "8.1.3.1 CD": ((*PLAIN, "+cd", "soa"), "NOERROR", "qr aa ra cd", NO_DATA, None),
    "8.1.3.2 AD": (("+noedns", "+norec", "+ad", "soa"), "NOERROR", "qr aa ra", NO_DATA, None),
    "8.1.3.3 Z": ((*PLAIN, "+zflag", "soa"), "NOERROR", "qr aa ra", NO_DATA, None),
    "8.1.3.4 RD": (("+noedns", "+noad", "+rec", "soa"), "NOERROR", "qr aa rd ra", NO_DATA, None),
    "8.1.5 TCP": ((*PLAIN, "+tcp", "soa"), "NOERROR", "qr aa ra", NO_DATA, None),
    "8.2.1 EDNS": ((*EDNS_0, "soa"), "NOERROR", "qr aa ra", NO_DATA_OPT, OPT),
    "8.2.2 version 1": ((*EDNS_1, "soa"), "BADVERS", "qr ra", [1, 0, 0, 1], OPT),
    "8.2.3 unknown option": ((*EDNS_0, "+ednsopt=100", "soa"), "NOERROR", "qr aa ra", NO_DATA_OPT, OPT),
    "8.2.4 unknown flag": ((*EDNS_0, "+ednsflags=0x80", "soa"), "NOERROR", "qr aa ra", NO_DATA_OPT, OPT),
    "8.2.5 version 1, unknown flag": ((*EDNS_1, "+ednsflags=0x80", "soa"), "BADVERS", "qr ra", [1, 0, 0, 1], OPT),
    "8.2.6 version 1, unknown option": ((*EDNS_1, "+ednsopt=100", "soa"), "BADVERS", "qr ra", [1, 0, 0, 1], OPT),
    "8.2.7 DO": ((*EDNS_0, "+dnssec", "soa"), "NOERROR", "qr aa ra", NO_DATA_OPT, OPT_DO),
    "8.2.8 version 1, DO": ((*EDNS_1, "+dnssec", "soa"), "BADVERS", "qr ra", [1, 0, 0, 1], OPT_DO),
    "8.2.9 many options": (("+edns=0", "+noad", "+norec", "+cookie", "+nsid", "+expire", "+subnet=0.0.0.0/0", "soa"),
                           "NOERROR", "qr aa ra", NO_DATA_OPT, OPT),
    "8.2.10 small buffer": (("+norec", "+dnssec", "+bufsize=512", "+ignore", "dnskey"), "NOERROR", "qr aa ra", NO_DATA_OPT,
                            OPT_DO),
}


@pytest.mark.parametrize("name", [HOST, HEADLESS])
@pytest.mark.parametrize("case", DIG)
def test_dig_of_rfc_8906(agent, case, name):
    words, status, flags, counts, edns = DIG[case]
    got = dig(agent, *words, name)
    assert got[:4] == (status, flags.split(), counts, edns)
    assert not re.search(r"MBZ|OPT=|NSID|CLIENT-SUBNET|EXPIRE|malformed|[Tt]rail|mismatch", got[4])


@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_dig_with_an_unknown_opcode(agent, transport):
    """RFC 8906 8.1.4: a header alone."""
    status, flags, counts, edns, out = dig(agent, *PLAIN, "+opcode=15", "+header-only", transport)
    assert (status, flags, counts, edns) == ("NOTIMP", ["qr", "ra"], [0, 0, 0, 0], None) and "opcode: RESERVED15" in out


@pytest.mark.parametrize("name", ["version.bind", "hostname.bind", "id.server", "version.server"])
def test_dig_of_chaos_is_refused(agent, name):
    assert dig(agent, "+nocookie", "ch", "txt", name)[:3] == ("REFUSED", ["qr", "rd", "ra"], [1, 0, 0, 1])


@pytest.mark.parametrize("name", [HOST, SVC, "cluster.local", "example.net"])
@pytest.mark.parametrize("rdtype", ["axfr", "ixfr=1"])
def test_dig_of_a_transfer_fails_at_once(agent, upstream, name, rdtype):
    before = len(upstream.asked)
    assert "; Transfer failed." in agent.dig("+tcp", rdtype, name)
    assert len(upstream.asked) == before


def test_dig_of_any_by_udp_is_small(agent):
    for name in (HOST, HEADLESS, BIG):
        status, flags, counts, _, out = dig(agent, *PLAIN, "+notcp", "+ignore", "any", name)
        assert (status, flags, counts) == ("NOERROR", ["qr", "aa", "ra"], [1, 1, 0, 0]) and "HINFO\t\"RFC8482\" \"\"" in out
        assert int(re.search(r"MSG SIZE  rcvd: (\d+)", out).group(1)) < 100


# --- Header ---------------------------------------------------------------------------------------------------------


REFUSALS = {
    "format error": (packet(b"", counts=(0, 0, 0, 0)), 0x8081),
    "bad question": (packet(b"\xc0\x0c" + TYPE_A), 0x8081),
    "two questions": (packet((wire_name(HOST) + TYPE_A) * 2, counts=(2, 0, 0, 0)), 0x8081),
    "not implemented": (packet(flags=4 << 11), 0x8084 | 4 << 11),
    "update": (packet(flags=5 << 11), 0x8084 | 5 << 11),
}


@pytest.mark.parametrize("what", REFUSALS)
@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_what_cannot_be_echoed_gets_a_bare_header(agent, what, tcp):
    """Twelve bytes: id, opcode, RD and CD as they came, RA, the code, no counts. An OPT behind it changes nothing."""
    query, flags = REFUSALS[what]
    for rest, extra in ((b"", 0), (b"", RD), (b"", CD), (opt(), 0)):
        head = struct.pack(">H", flags_of(query) & ~RD | extra) + query[4:10] + struct.pack(">H", bool(rest))
        sent = query[:2] + head + query[12:] + rest
        if tcp:
            with connect(agent) as client:
                client.sendall(framed(sent))
                reply = read_message(client)
        else:
            reply = raw(agent, sent)
        assert reply == b"\x12\x34" + struct.pack(">H4H", flags | extra, 0, 0, 0, 0)


def test_recursion_is_available_in_every_reply(agent, one_address):
    """Go takes an empty answer without AA and RA for a lame server's (net/dnsclient_unix.go)."""
    questions = [(HOST, 1, 1), (HOST, 28, 1), (f"v9._subset.{HOST}", 1, 1), (HOST, 252, 1), (HOST, 1, 3), (HOST, 0, 1),
                 ("ra.example.net", 1, 1), ("ra.example.net", 1, 1)]
    for name, rdtype, rdclass in questions:
        assert flags_of(raw(agent, packet(wire_name(name) + struct.pack(">HH", rdtype, rdclass)))) & RA


def test_responses_by_tcp_get_nothing_either(agent):
    with connect(agent) as client:
        client.sendall(framed(packet(flags=0x8100)) + framed(b"\x12\x34") + framed(packet(ident=7)))
        assert read_message(client)[:2] == b"\0\7"


# --- What is forwarded ----------------------------------------------------------------------------------------------


def question(name):
    return wire_name(name) + TYPE_A


def test_forwarded_bits_are_the_upstreams(agent, upstream, one_address):
    """AA and AD pass, RA is ours, Z is nobody's; RD, AD and CD go up as the client sent them, Z and the rest do not."""
    one_address[0] = AA | AD | Z | RD
    for number, (sent, up) in enumerate([(RD, RD), (0, 0), (RD | AD, RD | AD), (RD | CD, RD | CD), (RD | Z, RD)]):
        name = f"bits{number}.example.net"
        reply = raw(agent, packet(question(name), flags=sent))
        assert flags_of(upstream.asked[-1].wire) == up
        assert flags_of(reply) == 0x8000 | AA | RA | AD | (sent & (RD | CD))


def test_cached_bits(agent, upstream, one_address):
    """From the cache: never authoritative, AD only for those who can read it (RFC 6840 5.7), CD is another question."""
    one_address[0] = AA | AD
    name = question("cached-bits.example.net")
    raw(agent, packet(name))
    assert flags_of(raw(agent, packet(name))) == 0x8000 | RD | RA
    assert flags_of(raw(agent, packet(name, flags=RD | AD))) == 0x8000 | RD | RA | AD
    assert len(upstream.asked) == 1
    assert flags_of(raw(agent, packet(name, flags=RD | CD))) & (AA | CD) == AA | CD
    assert len(upstream.asked) == 2 and flags_of(upstream.asked[-1].wire) == RD | CD
    with_do = packet(name, counts=(1, 0, 0, 1), rest=opt(flags=0x8000))
    raw(agent, with_do)
    assert len(upstream.asked) == 3  # DO as well
    assert flags_of(raw(agent, with_do)) == 0x8000 | RD | RA | AD


def test_authentic_data_is_never_invented(agent, one_address):
    name = question("plain-bits.example.net")
    for flags in (RD, RD | AD, RD | AD | CD):
        for _ in range(2):  # the second time from the cache
            reply = raw(agent, packet(name, flags=flags, counts=(1, 0, 0, 1), rest=opt(flags=0x8000)))
            assert not flags_of(reply) & AD


def test_forwarded_question_keeps_its_letters(agent, upstream, one_address):
    """0x20: each client sees its own letters, from upstream and from the cache."""
    for text in ("LeTTers.exaMPLE.nET", "lEttErs.Example.Net", "letters.example.net"):
        reply = raw(agent, packet(question(text)))
        assert reply[12 : 12 + len(question(text))] == question(text)
        assert reply[12 + len(question(text)) :][:2] == b"\xc0\x0c"
    assert len(upstream.asked) == 1


@pytest.mark.parametrize("rdtype", ["HTTPS", "SVCB", "TYPE65280", "ANY", "MX"])
def test_types_of_foreign_names_are_the_upstreams_business(agent, upstream, rdtype):
    upstream.behave = lambda question: question.send(question.reply())
    before = len(upstream.asked)
    reply = ask(agent, "types.example.net", rdtype, use_edns=False)
    assert reply.rcode() == dns.rcode.NOERROR and not reply.flags & dns.flags.AA
    assert upstream.asked[-1].query.question[0].rdtype == dns.rdatatype.from_text(rdtype)
    assert len(upstream.asked) == before + 1


@pytest.mark.parametrize("rdtype", ["HTTPS", "SVCB"])
@pytest.mark.parametrize("name", [HOST, HEADLESS, "many.example.com", "any.wild.example.com", f"v1._subset.reviews.{SVC}",
                                  "details"])
def test_https_of_our_names_never_leaves(agent, upstream, name, rdtype):
    """A foreign HTTPS record would lead Apple's clients past our addresses."""
    before = len(upstream.asked)
    reply = ask(agent, name, rdtype)
    assert reply.rcode() == dns.rcode.NOERROR and not reply.answer and reply.flags & dns.flags.AA
    assert [r.rdtype for r in reply.authority] == [dns.rdatatype.SOA] and len(upstream.asked) == before


def test_upstream_is_offered_our_size_and_no_options(agent, upstream, one_address):
    """OPT 1232 with DO, whatever the client sent; cookies and client subnets are between neighbours."""
    for number, (rest, do) in enumerate([(b"", 0), (opt(size=512), 0), (opt(size=4096, flags=0x8000), 0x8000),
                                         (opt(options=dnswire.option(8, b"\0\1\x18\0\x0a\0\0")), 0)]):
        raw(agent, packet(question(f"offer{number}.example.net"), counts=(1, 0, 0, 1 if rest else 0), rest=rest))
        wire = upstream.asked[-1].wire
        assert wire.endswith(opt(size=1232, flags=do)) and wire[10:12] == b"\0\1"


def test_silence_of_the_upstream_is_a_failure_never_a_no(agent, upstream):
    upstream.behave = scripted_dns.silent
    for rdtype in ("A", "AAAA"):
        assert ask(agent, f"silence-{rdtype}.example.net", rdtype, timeout=10).rcode() == dns.rcode.SERVFAIL


# --- Names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, address", [
    ("a.wild.example.com", "203.0.113.51"), ("a.b.c.wild.example.com", "203.0.113.51"),
    ("a.deep.wild.example.com", "203.0.113.52"), ("x.y.deep.wild.example.com", "203.0.113.52"),
    ("exact.deep.wild.example.com", "203.0.113.53"), ("EXACT.Deep.wild.example.com", "203.0.113.53"),
])
def test_closest_encloser_answers(agent, name, address):
    """RFC 4592: the deeper wildcard, the explicit name before it; the owner is the question's name."""
    for rdtype in ("A", "AAAA"):
        reply = ask(agent, name, rdtype)
        assert reply.rcode() == dns.rcode.NOERROR
    (rrset,) = ask(agent, name).answer
    assert rrset.name.to_text() == f"{name}." and rrset[0].address == address


@pytest.mark.parametrize("name, zone", [(HOST, "cluster.local."), (f"v9._subset.reviews.{SVC}", "cluster.local."),
                                        ("many.example.com", "many.example.com."), ("a.wild.example.com", "a.wild.example.com.")])
def test_negative_answers_have_one_soa(agent, name, zone):
    """RFC 2308: by UDP and TCP, with OPT and without, of every type; TTL and MINIMUM agree."""
    rcode = dns.rcode.NXDOMAIN if "v9" in name else dns.rcode.NOERROR
    for rdtype in ("AAAA", "TXT", "TYPE65280", "SOA", "NS"):
        for kwargs in ({}, {"use_edns": False}, {"tcp": True}, {"want_dnssec": True}):
            check_negative(ask(agent, name, rdtype, **kwargs), rcode, zone)


def test_long_negative_answer_keeps_its_soa(agent):
    """The longest name that is ours: the SOA fits into 512 bytes, and its own names, one label longer, are none too long."""
    name = ".".join(["a" * 63] * 3 + ["b" * 44, "wild.example.com"])
    assert len(name) == 253
    check_negative(ask(agent, name, "AAAA", use_edns=False), dns.rcode.NOERROR, f"{name}.")


# --- Sizes ----------------------------------------------------------------------------------------------------------


def sized(agent, name, rdtype, size):
    """(bytes on the wire, message) of the reply to a client that takes so much; None: without EDNS."""
    question = wire_name(name) + struct.pack(">HH", dns.rdatatype.from_text(rdtype), 1)
    rest = b"" if size is None else opt(size=size)
    reply = raw(agent, packet(question, counts=(1, 0, 0, 1 if rest else 0), rest=rest))
    return len(reply), dns.message.from_wire(reply)


@pytest.mark.parametrize("size", [0, 1, 100, 511])
def test_less_than_512_means_512(agent, size):
    for name, rdtype in ((BIG, "A"), (f"six.{SVC}", "AAAA"), (f"_http._tcp.{BIG}", "SRV")):
        (small, _), (plain, message) = sized(agent, name, rdtype, size), sized(agent, name, rdtype, 512)
        assert 512 - 80 < plain <= 512 and small == plain and len(message.answer[0]) > 5


@pytest.mark.parametrize("size", [None, 512, 1232, 65535])
def test_aaaa_is_never_truncated(agent, size):
    length, message = sized(agent, f"six.{SVC}", "AAAA", size)
    limit = min(size or 512, 1232)
    assert not message.flags & dns.flags.TC and limit - 28 - 11 < length <= limit
    assert len(ask(agent, f"six.{SVC}", "AAAA", tcp=True).answer[0]) == 60


def test_endpoints_are_eight_at_most(agent):
    for kwargs in ({"use_edns": False}, {}, {"tcp": True}):
        reply = ask(agent, "many.example.com", **kwargs)
        assert not reply.flags & dns.flags.TC and len(reply.answer[0]) == 8


def test_owners_are_compressed(agent):
    """Of every record a pointer: what a client takes is used for addresses."""
    reply = raw(agent, packet(wire_name(BIG) + TYPE_A, counts=(1, 0, 0, 1), rest=opt()))
    assert len(reply) == 12 + len(wire_name(BIG)) + 4 + ENDPOINTS * 16 + 11
    srv = f"_http._tcp.{BIG}"
    with connect(agent) as client:
        client.sendall(framed(packet(wire_name(srv) + struct.pack(">HH", 33, 1))))
        reply = read_message(client)
    target = len(wire_name("10-77-0-1." + BIG))  # uncompressed in SRV (RFC 2782), then pointed to
    assert len(reply) <= 12 + len(wire_name(srv)) + 4 + ENDPOINTS * (12 + 6 + target + 1 + 16)


@pytest.mark.parametrize("size", [None, 600, 1232])
def test_truncated_reply_has_whole_records(agent, upstream, size):
    """musl before 1.2.4 has no TCP: it lives on what is there. The next client takes more, from the same cache."""
    upstream.behave = scripted_dns.truncated
    limit = size or 512
    for name in (f"whole-{size}.example.net", f"whole-{size}.example.net", f"_http._tcp.{BIG}"):
        rdtype = "A" if name.startswith("whole") else "SRV"
        length, message = sized(agent, name, rdtype, size)
        one = 16 if rdtype == "A" else 18 + len(wire_name("10-77-0-10." + BIG))
        assert message.flags & dns.flags.TC and limit - 11 - one < length <= limit
        assert not message.authority and not message.additional
    assert len(ask(agent, f"whole-{size}.example.net", tcp=True).answer[0]) == 100


# --- TCP ------------------------------------------------------------------------------------------------------------


def test_slow_forwarded_answer_holds_nobody_back(agent, upstream):
    """Pipelined on one connection: what is known is answered before what waits, of the same client too (RFC 7766 6.2.1.1)."""
    upstream.behave = scripted_dns.held
    with connect(agent) as client:
        client.sendall(framed(packet(question("slow.example.net"), ident=1)))
        client.sendall(b"".join(framed(packet(ident=i)) for i in range(2, 40)))
        assert [struct.unpack(">H", read_message(client)[:2])[0] for _ in range(2, 40)] == list(range(2, 40))
        assert raw(agent, packet()).endswith(socket.inet_aton(VIP))
        harness.wait_for(lambda: upstream.waiting, "the question at the upstream")
        upstream.release()
        reply = read_message(client)
        assert reply[:2] == b"\0\1" and reply.endswith(socket.inet_aton(scripted_dns.GOOD))


def test_bytewise_arrival(agent):
    with connect(agent) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in framed(packet(ident=1)) + framed(packet(ident=2)):
            client.sendall(bytes([byte]))
        for ident in (1, 2):
            reply = read_message(client)
            assert reply[:2] == bytes([0, ident]) and reply.endswith(socket.inet_aton(VIP))


def test_empty_message_ends_the_connection_after_what_came_before(agent):
    """What follows a length of zero is not looked at."""
    with connect(agent) as client:
        client.sendall(b"\0\0" + framed(packet()))
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""


def test_own_answer_of_nearly_64_kib(agent):
    reply = ask(agent, f"_http._tcp.huge.{SVC}", "SRV", tcp=True, use_edns=False)
    assert not reply.flags & dns.flags.TC and len(reply.answer[0]) == HUGE and len(reply.to_wire()) > 16384
    targets = {record.target.to_text() for record in reply.answer[0]}
    assert len(targets) == HUGE and {rrset.name.to_text() for rrset in reply.additional} <= targets


def test_foreign_answer_of_nearly_64_kib(agent, upstream):
    """Truncated by UDP, fetched by TCP, passed on whole by TCP and cut for UDP."""
    texts = ['"%s"' % (chr(97 + i % 26) * 250 + f"{i:04}") for i in range(240)]

    def behave(question):
        reply = question.reply()
        if question.transport == "udp":
            reply.flags |= dns.flags.TC
        else:
            reply.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", "TXT", texts))
        question.send(reply)

    upstream.behave = behave
    whole = ask(agent, "large.example.net", "TXT", tcp=True)
    assert sorted(r.to_text() for r in whole.answer[0]) == sorted(texts) and not whole.flags & dns.flags.TC
    cut = ask(agent, "large.example.net", "TXT")
    assert cut.flags & dns.flags.TC and 0 < len(cut.answer[0]) < 5


def test_two_hundred_idle_connections_and_one_more(agent):
    """RFC 7766 6.2.3: nobody is turned away; the house holds 256."""
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connect(agent)) for _ in range(200)]
        newcomer = stack.enter_context(connect(agent))
        for each in (newcomer, idle[0], idle[-1]):
            each.sendall(framed(packet()))
            assert read_message(each).endswith(socket.inet_aton(VIP))


def test_client_that_goes_while_it_is_answered_harms_nobody(agent):
    query = framed(packet(wire_name(f"_http._tcp.huge.{SVC}") + struct.pack(">HH", 33, 1)))
    for _ in range(20):
        with connect(agent) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(query * 3)
            read_exactly(client, 100)
    assert raw(agent, packet()).endswith(socket.inet_aton(VIP))


# --- Existence while the mesh changes ---------------------------------------------------------------------------------


FLIPS = 200
# (name, whether we answer, whether it exists): `empty` is headless and loses its pods, `gone` is taken out of the mesh
THERE = {("empty", True, True), ("gone", True, True)}
AWAY = {("empty", True, False), ("gone", False, False)}


def flips(there):
    return objects.dump(*pods("empty", ["10.90.0.1"] if there else []),
                        *(objects.app("gone", {"v1": ["10.90.0.2"]}, ip="10.96.0.90") if there else []))


def put_in_place(file, text):
    new = file.parent.parent / file.name
    new.write_text(text)
    new.rename(file)


def read_verdict(reply):
    """(answered by the agent itself, whether the name exists, revision of the view in the SOA)"""
    message = dns.message.from_wire(reply)
    serials = [item.serial for rrset in message.authority for item in rrset if rrset.rdtype == dns.rdatatype.SOA]
    ours = bool(message.flags & dns.flags.AA)
    return ours, message.rcode() == dns.rcode.NOERROR, serials[0] if serials and ours else None


def ask_burst(client, rng, first):
    """Two names between two questions whose SOA names the view. Returns (revision before, {name: {type: verdict}}, after)."""
    names = [(f"{name}.{SVC}", rdtype) for name in ("empty", "gone") for rdtype in (1, 28, 16)]
    rng.shuffle(names)
    asked = [(HOST, 28), *names, (HOST, 28)]
    for i, (name, rdtype) in enumerate(asked):
        client.send(packet(wire_name(name) + struct.pack(">HH", rdtype, 1), ident=first + i))
    got = {}
    while len(got) < len(asked):
        reply = client.recv(4096)
        ident = struct.unpack(">H", reply[:2])[0]
        if ident >= first:  # not a late one
            got[ident - first] = read_verdict(reply)
    found = {}
    for i, (name, rdtype) in enumerate(asked[1:-1], 1):
        found.setdefault(name, {})[rdtype] = got[i]
    return got[0][2], found, got[len(asked) - 1][2]


def check_burst(found, revision, seen):
    for name, by_type in found.items():
        verdicts = {(ours, exists) for ours, exists, _ in by_type.values()}
        assert len(verdicts) == 1, f"{name} in revision {revision}: {by_type}"
        assert {serial for *_, serial in by_type.values()} <= {None, revision}
        seen.setdefault(revision, set()).add((name.split(".")[0], *verdicts.pop()))


def test_types_agree_on_existence_while_updates_land(tmp_path):
    """A socket's questions are taken in order and views only follow each other. So where the question before and the one after
    name the same revision (serial of the SOA), all between them were answered from that view, and must agree: all types
    say that the name exists, or all that it does not, or all leave it to the upstream; and each SOA names this revision."""
    upstream, rng, seen, first = harness.Upstream(), random.Random(8), {}, 8
    with dnswire.serving(tmp_path, "--dns-cache-size", "off", extra=flips(False), upstream=upstream) as (agent, _):
        with udp(agent) as client:
            *_, last = ask_burst(client, rng, 0)
            for flip in range(FLIPS):
                put_in_place(agent.mesh / "extra.yaml", flips(flip % 2 == 0))
                old, end = last, time.monotonic() + harness.DEADLINE_S
                while last == old or last not in seen:
                    assert time.monotonic() < end, f"no new view after revision {old}"
                    before, found, last = ask_burst(client, rng, first)
                    first = (first + 8) % 60000
                    if before == last:
                        check_burst(found, last, seen)
    assert all(one in (THERE, AWAY) for one in seen.values()), seen
    assert len(seen) >= FLIPS and THERE in seen.values() and AWAY in seen.values()
