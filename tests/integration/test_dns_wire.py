# SPDX-License-Identifier: Apache-2.0
"""DNS on the wire: what a server must say byte by byte (RFC 1035, 2308, 6891, 7766, 7873, 8482, 8906, 9460, 9619).

One agent for the whole module. Packets are made by hand where dnspython would not make them."""

import contextlib
import itertools
import socket
import struct
import time

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.reversename
import pytest

import dnswire
import harness
from dnswire import (
    BIG, ENDPOINTS, HEADLESS, HOST, TTL_ENDPOINT, TTL_VIP, TYPE_A, VIP, ask, check_negative, connect, framed, opt,
    option, packet, raw, rcode_of, read_message, silent, wire_name,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with dnswire.serving(tmp_path_factory.mktemp("wire")) as both:
        yield both


@pytest.fixture
def agent(world):
    return world[0]


@pytest.fixture
def upstream(world):
    return world[1]


# --- Header ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [0x0000, 0x0100, 0x0110, 0x0120, 0x0140])
def test_header_bits(agent, flags):
    reply = raw(agent, packet(ident=0xBEEF, flags=flags))
    ident, got = struct.unpack(">HH", reply[:4])
    assert ident == 0xBEEF
    assert got == 0x8000 | 0x0400 | 0x0080 | (flags & 0x0110)  # QR, AA, RA; RD and CD as they came; no AD, no Z


@pytest.mark.parametrize("which", [0, 1], ids=["IPv4", "IPv6"])
def test_both_loopbacks_answer(agent, which):
    assert raw(agent, packet(), which).endswith(socket.inet_aton(VIP))


@pytest.mark.parametrize("name", ["dEtAiLs.DEFAULT.svc.Cluster.lOCAL", "DETAILS", "Details.default.SVC"])
def test_question_is_echoed_byte_for_byte(agent, name):
    question = wire_name(name) + struct.pack(">HH", 1, 1)
    reply = raw(agent, packet(question))
    assert reply[12 : 12 + len(question)] == question
    assert reply[12 + len(question) :] == struct.pack(">HHHIH", 0xC00C, 1, 1, TTL_VIP, 4) + socket.inet_aton(VIP)


def test_responses_and_fragments_get_nothing(agent):
    for query in (packet(flags=0x8100), b"", b"\x12", packet()[:11]):
        assert silent(agent, query)


@pytest.mark.parametrize("opcode", [1, 2, 4, 5, 6, 15])
def test_other_operations_are_not_implemented(agent, opcode):
    reply = raw(agent, packet(flags=0x0100 | opcode << 11))
    assert len(reply) == 12 and rcode_of(reply) == dns.rcode.NOTIMP
    assert (reply[2] >> 3 & 0x0F) == opcode


# --- Broken questions -----------------------------------------------------------------------------------------------


def long_name(last):
    """A name of 63+1 four times, the last label as long as asked: 255 bytes on the wire with 61."""
    return b"".join(bytes([n]) + b"a" * n for n in (63, 63, 63, last)) + b"\0"


BROKEN = {
    "no question": packet(b"", counts=(0, 0, 0, 0)),
    "two questions": packet((wire_name(HOST) + TYPE_A) * 2, counts=(2, 0, 0, 0)),
    "a question that is not there": packet(b""),
    "no type": packet(wire_name(HOST)),
    "cut name": packet(b"\x07detai"),
    "256 bytes of name": packet(long_name(62) + TYPE_A),
    "label of 64 bytes": packet(b"\x40" + b"a" * 64 + b"\0" + TYPE_A),
    "reserved label type": packet(b"\x80a\0" + TYPE_A),
    "pointer to itself": packet(b"\xc0\x0c" + TYPE_A),
    "pointer into the header": packet(b"\x01a\xc0\x00" + TYPE_A),
    "type 0": packet(wire_name(HOST) + struct.pack(">HH", 0, 1)),
    "type OPT": packet(wire_name(HOST) + struct.pack(">HH", 41, 1)),
    "an answer that is not there": packet(counts=(1, 1, 0, 0)),
    "an additional record that is not there": packet(counts=(1, 0, 0, 1)),
    "two OPT": packet(counts=(1, 0, 0, 2), rest=opt() + opt()),
    "OPT with a name": packet(counts=(1, 0, 0, 1), rest=b"\x01a" + opt()),
    "OPT as an answer": packet(counts=(1, 1, 0, 0), rest=opt()),
    "OPT longer than the packet": packet(counts=(1, 0, 0, 1), rest=opt()[:-2] + b"\0\x04"),
    "option longer than OPT": packet(counts=(1, 0, 0, 1), rest=opt(options=b"\0\x0a\0\x09" + b"12345678")),
    "cookie of 7 bytes": packet(counts=(1, 0, 0, 1), rest=opt(options=option(10, b"1234567"))),
    "cookie of 9 bytes": packet(counts=(1, 0, 0, 1), rest=opt(options=option(10, b"123456789"))),
    "cookie of 41 bytes": packet(counts=(1, 0, 0, 1), rest=opt(options=option(10, b"1" * 41))),
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_question_is_a_format_error(agent, what):
    reply = raw(agent, BROKEN[what])
    assert rcode_of(reply) == dns.rcode.FORMERR and reply[:2] == b"\x12\x34"
    parsed = dns.message.from_wire(reply)
    assert not parsed.answer and not parsed.authority


def test_bytes_behind_the_last_record_are_ignored(agent):
    assert raw(agent, packet(rest=b"garbage")).endswith(socket.inet_aton(VIP))


def test_longest_name_and_root_are_questions(agent, upstream):
    for question in (long_name(61), b"\0"):
        reply = raw(agent, packet(question + TYPE_A))
        assert rcode_of(reply) == dns.rcode.NXDOMAIN  # what the upstream said
        assert reply[12 : 12 + len(question)] == question


@pytest.mark.parametrize(
    "label", [b"a.b", b"nul\0", b"\xff\xfe", b"with space", b"*", b"a\\b", b"-", b"\xc3\xa9", b"a\nb"], ids=repr
)
def test_odd_bytes_in_names_are_the_upstreams_business(agent, upstream, label):
    name = bytes([len(label)]) + label + wire_name("odd.example.net")
    before = len(upstream.asked)
    reply = raw(agent, packet(name + TYPE_A))
    assert rcode_of(reply) == dns.rcode.NXDOMAIN and reply[12 : 12 + len(name)] == name
    assert len(upstream.asked) == before + 1


def test_dot_inside_a_label_is_no_dot(agent, upstream):
    """details\\.default as one label is another name than details.default."""
    reply = raw(agent, packet(b"\x0fdetails.default" + wire_name("svc.cluster.local") + TYPE_A))
    assert rcode_of(reply) == dns.rcode.NXDOMAIN and "details\\.default.svc.cluster.local." == upstream.asked[-1][0]


# --- Classes and types ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rdclass", [2, 3, 4, 254, 255])
def test_other_classes_are_refused(agent, rdclass):
    for name, rdtype in ((HOST, 1), ("version.bind", 16), ("id.server", 16)):
        reply = raw(agent, packet(wire_name(name) + struct.pack(">HH", rdtype, rdclass)))
        assert rcode_of(reply) == dns.rcode.REFUSED and reply[6:8] == b"\0\0"


@pytest.mark.parametrize("rdtype", [249, 250, 251, 252, 253, 254])
def test_transfers_and_the_like_are_not_implemented(agent, rdtype):
    assert rcode_of(raw(agent, packet(wire_name(HOST) + struct.pack(">HH", rdtype, 1)))) == dns.rcode.NOTIMP


@pytest.mark.parametrize("rdtype", ["AAAA", "MX", "TXT", "NS", "SOA", "CNAME", "SRV", "PTR", "SVCB", "HTTPS", "DS", "CAA",
                                    "TYPE999", "TYPE65280", "TYPE65535"])
def test_types_that_we_do_not_have_are_no_data(agent, upstream, rdtype):
    before = len(upstream.asked)
    for name in (HOST, HEADLESS, "reviews"):
        zone = "cluster.local." if name != "reviews" else "reviews."
        check_negative(ask(agent, name, rdtype), dns.rcode.NOERROR, zone)
    assert len(upstream.asked) == before


@pytest.mark.parametrize("name", [HOST, HEADLESS, "reviews", "payments.example.com"])
def test_any_gets_one_record(agent, name):
    reply = ask(agent, name, "ANY")
    (rrset,) = reply.answer
    assert rrset.rdtype == dns.rdatatype.HINFO and len(rrset) == 1 and rrset[0].cpu == b"RFC8482"


# --- What exists ----------------------------------------------------------------------------------------------------


def test_unknown_name_in_the_cluster_is_asked_upstream(agent, upstream):
    """The view may be narrower than the cluster: no NXDOMAIN of ours."""
    upstream.records["nobody.default.svc.cluster.local."] = ["10.1.2.3"]
    reply = ask(agent, "nobody.default.svc.cluster.local")
    assert reply.answer[0][0].address == "10.1.2.3" and not reply.flags & dns.flags.AA
    assert ask(agent, "nobody.else.svc.cluster.local").rcode() == dns.rcode.NXDOMAIN
    assert upstream.asked[-1] == ("nobody.else.svc.cluster.local.", "A")


def test_version_of_the_kubernetes_specification(agent, upstream):
    """Kubernetes DNS specification 2.2; the name is ours in the pod's cluster domain alone."""
    (rrset,) = ask(agent, "DNS-Version.cluster.local", "TXT").answer
    assert rrset[0].strings == (b"1.1.0",) and rrset.ttl == TTL_VIP
    for rdtype in ("A", "AAAA", "SRV"):
        check_negative(ask(agent, "dns-version.cluster.local", rdtype), dns.rcode.NOERROR)
    ask(agent, "dns-version.other.example", "TXT")
    assert upstream.asked[-1] == ("dns-version.other.example.", "TXT")


@pytest.mark.parametrize("name", ["svc.cluster.local", "default.svc.cluster.local", f"_tcp.{HOST}"])
def test_empty_non_terminals_are_no_data(agent, name):
    for rdtype in ("A", "AAAA", "TXT", "ANY"):
        check_negative(ask(agent, name, rdtype), dns.rcode.NOERROR)


@pytest.mark.parametrize("name", [f"www.{HOST}", f"www.example.com.{HOST}", f"a.mongodb-0.{HEADLESS}", f"a.b.{HEADLESS}"])
def test_nothing_stands_below_a_service(agent, upstream, name):
    """RFC 8020, and the search list of whoever asks goes on at once."""
    upstream.asked.clear()
    for rdtype in ("A", "AAAA", "SRV", "TXT", "ANY"):
        check_negative(ask(agent, name, rdtype), dns.rcode.NXDOMAIN)
    assert not upstream.asked


@pytest.mark.parametrize("name", [f"details-0.{HOST}", f"10-1-2-3.{HOST}", f"mongodb-7.{HEADLESS}", f"_x._tcp.{HOST}"])
def test_name_that_may_be_one_of_a_pod_is_forwarded(agent, upstream, name):
    ask(agent, name, "TXT")
    assert upstream.asked[-1] == (f"{name}.", "TXT")


@pytest.mark.parametrize("directive", ["v9._subset", "_http._tcp.v9._subset"])
def test_name_that_does_not_exist_does_so_for_every_type(agent, directive):
    for rdtype in ("A", "AAAA", "SRV", "TXT", "ANY"):
        check_negative(ask(agent, f"{directive}.reviews.default.svc.cluster.local", rdtype), dns.rcode.NXDOMAIN)


@pytest.mark.parametrize("directive", ["_http._tcp", "_http._tcp.v1._subset"])
def test_name_of_srv_records_exists_for_every_type(agent, directive):
    name = f"{directive}.reviews.default.svc.cluster.local"
    assert ask(agent, name, "SRV").answer
    for rdtype in ("A", "AAAA", "TXT"):
        check_negative(ask(agent, name, rdtype), dns.rcode.NOERROR)
    assert ask(agent, name, "ANY").answer[0].rdtype == dns.rdatatype.HINFO


def test_reverse_of_a_vip(agent, upstream):
    reply = ask(agent, "11.0.96.10.in-addr.arpa", "PTR")
    assert reply.answer[0][0].target.to_text() == HOST + "." and reply.answer[0].ttl == TTL_VIP
    ask(agent, "9.9.9.9.in-addr.arpa", "PTR")
    assert upstream.asked[-1] == ("9.9.9.9.in-addr.arpa.", "PTR")


def test_reverse_of_the_pods_of_headless_services(agent, upstream):
    for address, target in (("10.244.1.30", f"mongodb-0.{HEADLESS}"), ("10.77.0.7", f"10-77-0-7.{BIG}")):
        reply = ask(agent, dns.reversename.from_address(address).to_text(), "PTR")
        assert reply.answer[0][0].target.to_text() == f"{target}." and reply.answer[0].ttl == TTL_ENDPOINT
        assert [item.address for item in ask(agent, target).answer[0]] == [address]
    asked = ask(agent, "11.1.244.10.in-addr.arpa", "PTR"), upstream.asked[-1]  # a pod of a service with a virtual IP
    assert not asked[0].answer and asked[1] == ("11.1.244.10.in-addr.arpa.", "PTR")


# --- EDNS -----------------------------------------------------------------------------------------------------------


def opt_of(reply):
    """The OPT of a reply to a question for HOST without records: what stands last."""
    assert struct.unpack(">H", reply[10:12])[0] == 1
    return reply[-11:]


@pytest.mark.parametrize("size", [0, 100, 511, 512, 1232, 4096, 65535])
def test_opt_is_answered_with_ours(agent, size):
    reply = raw(agent, packet(counts=(1, 0, 0, 1), rest=opt(size=size)))
    assert opt_of(reply) == opt(size=1232) and len(reply) <= 1232
    assert dns.message.from_wire(reply).answer[0][0].address == VIP


def test_dnssec_ok_is_copied_and_z_is_not(agent):
    reply = raw(agent, packet(counts=(1, 0, 0, 1), rest=opt(flags=0xFFFF)))
    assert opt_of(reply) == opt(flags=0x8000)


def test_options_are_ignored_and_not_echoed(agent):
    options = option(3, b"") + option(8, b"\0\x01\x18\0\x0a\0\0") + option(12, b"\0" * 20)
    options += option(11, b"") + option(65001, b"x" * 50)  # keepalive by UDP means nothing (RFC 7828 3.3.1)
    reply = raw(agent, packet(counts=(1, 0, 0, 1), rest=opt(options=options)))
    assert opt_of(reply) == opt() and rcode_of(reply) == 0 and reply[6:8] == b"\0\x01"


def test_newer_version_is_bad_and_says_ours(agent):
    for version in (1, 255):
        reply = raw(agent, packet(counts=(1, 0, 0, 1), rest=opt(version=version)))
        assert rcode_of(reply) == 0 and opt_of(reply) == opt(extended=1)
        assert dns.message.from_wire(reply).rcode() == dns.rcode.BADVERS and reply[6:8] == b"\0\0"


def test_no_opt_without_one(agent):
    for name in (HOST, HEADLESS, "unknown.example.net"):
        assert ask(agent, name, use_edns=False).edns == -1


# --- Size -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [None, 512, 1232, 4096])
def test_addresses_are_never_truncated(agent, payload):
    """A headless service: all of its pods, or as many as fit."""
    kwargs = {"use_edns": False} if payload is None else {"use_edns": 0, "payload": payload}
    seen = set()
    for _ in range(20):
        reply = ask(agent, BIG, **kwargs)
        assert not reply.flags & dns.flags.TC and reply.answer[0].ttl == TTL_ENDPOINT
        addresses = [item.address for item in reply.answer[0]]
        assert len(addresses) == len(set(addresses)) == (ENDPOINTS if payload in (1232, 4096) else len(addresses))
        assert 25 < len(addresses) and len(reply.to_wire()) <= (payload or 512)
        seen.update(addresses)
    assert len(seen) == ENDPOINTS
    assert len(ask(agent, BIG, tcp=True).answer[0]) == ENDPOINTS


@pytest.mark.parametrize("payload", [512, 1232])
def test_large_srv_is_marked_and_whole_by_tcp(agent, payload):
    reply = ask(agent, f"_http._tcp.{BIG}", "SRV", payload=payload)
    assert reply.flags & dns.flags.TC and reply.answer and len(reply.to_wire()) <= payload
    whole = ask(agent, f"_http._tcp.{BIG}", "SRV", tcp=True)
    assert not whole.flags & dns.flags.TC and len(whole.answer[0]) == ENDPOINTS
    targets = {record.target.to_text() for record in whole.answer[0]}
    assert targets == {rrset.name.to_text() for rrset in whole.additional}
    one = targets.pop()
    assert ask(agent, one).answer[0][0].address == one.split(".")[0].replace("-", ".")


def test_large_foreign_answer_is_fetched_and_fitted(agent, upstream):
    upstream.records["many.example.net."] = [f"192.0.2.{i}" for i in range(1, 41)]  # 40 * 16 bytes
    small = ask(agent, "many.example.net", use_edns=False)
    assert small.flags & dns.flags.TC and 0 < len(small.answer[0]) < 40
    assert len(ask(agent, "many.example.net", payload=1232).answer[0]) == 40
    assert len(ask(agent, "many.example.net", tcp=True).answer[0]) == 40


# --- TCP ------------------------------------------------------------------------------------------------------------


def test_pipelined_queries_are_all_answered(agent, upstream):
    upstream.records["pipe.example.net."] = ["192.0.2.77"]
    foreign = wire_name("pipe.example.net") + TYPE_A
    queries = [packet(foreign if i % 5 == 0 else None, ident=i) for i in range(300)]
    with connect(agent) as client:
        client.sendall(b"".join(map(framed, queries)))
        answers = {}
        for _ in queries:
            reply = read_message(client)
            answers[struct.unpack(">H", reply[:2])[0]] = reply[-4:]
    assert answers == {i: socket.inet_aton("192.0.2.77" if i % 5 == 0 else VIP) for i in range(300)}


def test_pipelined_large_answers_are_all_sent(agent):
    query = dns.message.make_query(f"_http._tcp.{BIG}", "SRV").to_wire()
    with connect(agent) as client:
        client.sendall(framed(query) * 200)
        for _ in range(200):
            assert len(read_message(client)) > 4000


@pytest.mark.parametrize("body", [b"", b"\0\1"], ids=["empty", "client's own figure"])
def test_connection_says_how_long_it_may_idle(agent, upstream, body):
    """RFC 7828: asked for by the option, in answers of ours, of the upstream and errors; over UDP it is ignored."""
    upstream.records["idle.example.net."] = ["192.0.2.79"]
    wish = opt(options=option(11, body))
    told = opt(options=option(11, struct.pack(">H", 300)))
    foreign = wire_name("idle.example.net") + TYPE_A
    chaos = wire_name("version.bind") + struct.pack(">HH", 16, 3)
    with connect(agent) as client:
        for question in (None, foreign, chaos):
            client.sendall(framed(packet(question, counts=(1, 0, 0, 1), rest=wish)))
            assert read_message(client).endswith(told)
        client.sendall(framed(packet(counts=(1, 0, 0, 1), rest=opt())))
        assert opt_of(read_message(client)) == opt()
    assert opt_of(raw(agent, packet(counts=(1, 0, 0, 1), rest=wish))) == opt()


def test_half_closed_connection_gets_its_answers(agent, upstream):
    upstream.records["half.example.net."] = ["192.0.2.78"]
    with connect(agent) as client:
        client.sendall(framed(packet(wire_name("half.example.net") + TYPE_A)) + framed(packet()))
        client.shutdown(socket.SHUT_WR)
        assert {read_message(client)[-4:] for _ in range(2)} == {socket.inet_aton("192.0.2.78"), socket.inet_aton(VIP)}
        assert client.recv(1) == b""


def test_split_message_is_answered(agent):
    with connect(agent) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        whole = framed(packet())
        for cut in (1, 2, 3, 14):
            client.sendall(whole[:cut])
            time.sleep(0.02)
            client.sendall(whole[cut:])
            assert read_message(client).endswith(socket.inet_aton(VIP))


@pytest.mark.parametrize("garbage", [b"\0\0", b"\xff\xff", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"], ids=repr)
def test_what_is_no_dns_ends_the_connection(agent, garbage):
    with connect(agent) as client:
        client.sendall(garbage)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""


def test_idle_connections_do_not_lock_others_out(agent):
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connect(agent)) for _ in range(300)]
        with connect(agent) as client:
            client.sendall(framed(packet()))
            assert read_message(client).endswith(socket.inet_aton(VIP))
        assert idle[0].recv(1) == b""  # the oldest had to go
        idle[-1].sendall(framed(packet()))
        assert read_message(idle[-1]).endswith(socket.inet_aton(VIP))


def test_bytes_without_a_message_keep_no_place(agent):
    """Who sends a byte now and then (slow loris) fills the house and does not turn out those who ask."""
    with contextlib.ExitStack() as stack:
        honest = stack.enter_context(connect(agent))
        slow = [stack.enter_context(connect(agent)) for _ in range(255)]
        honest.sendall(framed(packet()))
        assert read_message(honest).endswith(socket.inet_aton(VIP))
        for each in slow:
            each.sendall(b"\0")
        newcomer = stack.enter_context(connect(agent))
        for each in (newcomer, honest):
            each.sendall(framed(packet()))
            assert read_message(each).endswith(socket.inet_aton(VIP))
        with contextlib.suppress(ConnectionResetError):
            assert slow[0].recv(1) == b""


# --- Counting -------------------------------------------------------------------------------------------------------


def counters(agent):
    lines = (line.rpartition(" ") for line in agent.http("/metrics").body.splitlines() if line.startswith("isthmus_dns_"))
    return {name: float(value) for name, _, value in lines}


def test_each_query_is_counted_once(agent, upstream):
    upstream.records["count.example.net."] = ["192.0.2.79"]
    harness.wait_for(lambda: counters(agent)["isthmus_dns_tcp_connections"] == 0, "the end of other tests' connections")
    before = counters(agent)
    for _ in range(3):
        raw(agent, packet())
    raw(agent, packet(), which=1)
    ask(agent, HOST, "TYPE4242", tcp=True)
    ask(agent, "count.example.net")
    raw(agent, BROKEN["two questions"])
    raw(agent, packet(wire_name(HOST) + struct.pack(">HH", 1, 3)))
    closed = 'isthmus_dns_tcp_connections_closed_total{reason="client"}'
    harness.wait_for(lambda: counters(agent).get(closed, 0) > before.get(closed, 0), "the end of the connection")
    after = counters(agent)
    grown = {name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name, 0)}
    counted = [name for name in grown if name.partition("{")[0].endswith(("_total", "_count"))]
    counts = {name[len("isthmus_dns_") :]: grown[name] for name in counted}
    to = upstream.address
    assert {"isthmus_dns_cache_bytes", "isthmus_dns_cache_entries"} <= set(grown)
    assert counts == {
        "cache_misses_total": 1,
        "tcp_connections_accepted_total": 1,
        'tcp_connections_closed_total{reason="client"}': 1,
        'requests_total{proto="udp",family="1",type="A"}': 5,
        'requests_total{proto="udp",family="2",type="A"}': 1,
        'requests_total{proto="udp",family="1",type="other"}': 1,
        'requests_total{proto="tcp",family="1",type="other"}': 1,
        'responses_total{rcode="NOERROR",source="mesh"}': 5,
        'responses_total{rcode="NOERROR",source="upstream"}': 1,
        'responses_total{rcode="FORMERR",source="refused"}': 1,
        'responses_total{rcode="REFUSED",source="refused"}': 1,
        'request_duration_seconds_count{source="mesh"}': 5,
        'request_duration_seconds_count{source="upstream"}': 1,
        f'upstream_requests_total{{to="{to}"}}': 1,
        f'upstream_duration_seconds_count{{to="{to}"}}': 1,
    }


def test_types_do_not_multiply_series(agent):
    for rdtype in itertools.chain(range(256, 400), (64, 35, 99, 6, 2, 15)):
        raw(agent, packet(wire_name(HOST) + struct.pack(">HH", rdtype, 1)))
    series = [name for name in counters(agent) if name.startswith("isthmus_dns_requests_total")]
    assert len(series) <= 2 * 2 * 9
