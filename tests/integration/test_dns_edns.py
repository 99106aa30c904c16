# SPDX-License-Identifier: Apache-2.0
"""EDNS, rule by rule: OPT (RFC 6891), DNS cookies (RFC 7873, 9018), keepalive (RFC 7828), padding (RFC 7830), NSID (RFC 5001),
client subnet (RFC 7871). What is malformed stands in test_dns_wire.py."""

import re
import socket
import struct

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest

import dnswire
from dnswire import HOST, TYPE_A, VIP, connect, framed, opt, option, packet, raw, rcode_of, read_message, wire_name

COOKIE, KEEPALIVE, PADDING, NSID, SUBNET = 10, 11, 12, 3, 8
CLIENT = b"\x01\x02\x03\x04\x05\x06\x07\x08"
IDLE_100MS = 300


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with dnswire.serving(tmp_path_factory.mktemp("edns")) as both:
        yield both


@pytest.fixture
def agent(world):
    return world[0]


@pytest.fixture
def upstream(world):
    return world[1]


def with_options(options, question=None, **kwargs):
    return packet(question, counts=(1, 0, 0, 1), rest=opt(options=options), **kwargs)


def options_of(reply):
    """code -> bytes of the one OPT of a reply; dnspython checks the packet as a whole."""
    parsed = dns.message.from_wire(reply)
    assert parsed.edns == 0
    found = {int(one.otype): one.to_wire() for one in parsed.options}
    assert len(found) == len(parsed.options)
    return found


def by_tcp(agent, query):
    with connect(agent) as client:
        client.sendall(framed(query))
        return read_message(client)


# --- Cookies --------------------------------------------------------------------------------------------------------


def test_client_cookie_is_given_back_with_a_server_cookie(agent):
    """RFC 7873 5.2.3, RFC 9018 4: version 1, reserved bits 0, 24 bytes in all."""
    for reply in (raw(agent, with_options(option(COOKIE, CLIENT))), by_tcp(agent, with_options(option(COOKIE, CLIENT)))):
        cookie = options_of(reply)[COOKIE]
        assert len(cookie) == 24 and cookie[:12] == CLIENT + b"\x01\0\0\0"
        assert dns.message.from_wire(reply).answer[0][0].address == VIP


def test_good_server_cookie_is_kept(agent):
    """RFC 9018 4.3: one that is younger than half an hour does not change."""
    first = options_of(raw(agent, with_options(option(COOKIE, CLIENT))))[COOKIE]
    assert options_of(raw(agent, with_options(option(COOKIE, first)))) == {COOKIE: first}


@pytest.mark.parametrize("server", [b"\x01\0\0\0" + b"\0" * 12, b"12345678", b"x" * 32], ids=len)
def test_bad_server_cookie_is_answered_with_a_good_one(agent, server):
    """RFC 7873 5.2.4: as if there were none. We never turn anybody away with BADCOOKIE."""
    reply = raw(agent, with_options(option(COOKIE, CLIENT + server)))
    cookie = options_of(reply)[COOKIE]
    assert len(cookie) == 24 and cookie[:8] == CLIENT and cookie[8:] != server
    assert rcode_of(reply) == 0 and dns.message.from_wire(reply).answer[0][0].address == VIP
    assert options_of(raw(agent, with_options(option(COOKIE, cookie)))) == {COOKIE: cookie}


def test_server_cookie_belongs_to_one_address(agent):
    """RFC 9018 4.4: the client's address is part of what is signed."""
    cookies = []
    for source in ("127.0.0.1", "127.0.0.2"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(5)
            client.bind((source, 0))
            client.sendto(with_options(option(COOKIE, CLIENT)), agent.dns[0])
            cookies.append(options_of(client.recv(4096))[COOKIE])
    cookies.append(options_of(raw(agent, with_options(option(COOKIE, CLIENT)), which=1))[COOKIE])
    assert len({cookie[16:] for cookie in cookies}) == 3


@pytest.mark.parametrize("length", [*range(8), *range(9, 16), 41, 60])
def test_cookie_of_another_length_is_a_format_error(agent, length):
    """RFC 7873 5.2.2."""
    assert rcode_of(raw(agent, with_options(option(COOKIE, b"c" * length)))) == dns.rcode.FORMERR


def test_only_the_first_cookie_counts(agent):
    """RFC 7873 5.2."""
    options = option(COOKIE, CLIENT) + option(COOKIE, b"another1")
    assert options_of(raw(agent, with_options(options)))[COOKIE][:8] == CLIENT


def test_cookie_can_be_asked_for_without_a_question(agent):
    """RFC 7873 5.4: QDCOUNT 0 and a cookie. Without the cookie it is malformed (RFC 9619)."""
    reply = raw(agent, packet(b"", counts=(0, 0, 0, 1), rest=opt(options=option(COOKIE, CLIENT))))
    assert rcode_of(reply) == 0 and reply[4:12] == b"\0\0\0\0\0\0\0\1"
    assert options_of(reply)[COOKIE][:8] == CLIENT
    assert raw(agent, packet(b"", counts=(0, 0, 0, 1), rest=opt()))[3:] == b"\x81\0\0\0\0\0\0\0\0"


def test_forwarded_replies_have_our_cookie(agent, upstream):
    """The upstream never sees the client's: cookies are between neighbours (RFC 7873 5)."""
    upstream.records["cookie.example.net."] = ["192.0.2.80"]
    question = wire_name("cookie.example.net") + TYPE_A
    for reply in (
        raw(agent, with_options(option(COOKIE, CLIENT), question)),
        by_tcp(agent, with_options(option(COOKIE, CLIENT), question)),
    ):
        assert options_of(reply)[COOKIE][:8] == CLIENT
        assert dns.message.from_wire(reply).answer[0][0].address == "192.0.2.80"


def test_dig_calls_our_cookie_good(agent):
    out = agent.dig(HOST)
    cookie = re.search(r"; COOKIE: ([0-9a-f]{48}) \(good\)", out).group(1)
    assert f"; COOKIE: {cookie} (good)" in agent.dig(f"+cookie={cookie}", HOST)
    assert "COOKIE" not in agent.dig("+nocookie", HOST)


def test_full_reply_keeps_room_for_the_cookie(agent):
    for payload in (512, 1232):
        query = packet(wire_name(dnswire.BIG) + TYPE_A, counts=(1, 0, 0, 1),
                       rest=opt(size=payload, options=option(COOKIE, CLIENT)))
        reply = raw(agent, query)
        parsed = dns.message.from_wire(reply)
        assert len(reply) <= payload and len(options_of(reply)[COOKIE]) == 24
        assert not parsed.flags & dns.flags.TC and len(parsed.answer[0]) > 25


# --- Other options --------------------------------------------------------------------------------------------------


def test_keepalive_and_cookie_together(agent):
    """RFC 7828 3.3.2: the idle time in units of 100 ms, by TCP only; alone it is tested in test_dns_wire.py."""
    options = option(KEEPALIVE, b"") + option(COOKIE, CLIENT)
    found = options_of(by_tcp(agent, with_options(options)))
    assert found.keys() == {COOKIE, KEEPALIVE} and found[KEEPALIVE] == struct.pack(">H", IDLE_100MS)
    assert options_of(raw(agent, with_options(options))).keys() == {COOKIE}


@pytest.mark.parametrize(
    "sent",
    [option(PADDING, b"\0" * 100), option(NSID, b""), option(SUBNET, b"\0\1\x18\0\x0a\0\0"), option(65001, b"x"), option(0, b"")],
    ids=["padding", "nsid", "client subnet", "private", "code 0"],
)
def test_options_that_we_do_not_know_are_ignored(agent, sent):
    """RFC 6891 6.1.2: neither an error nor echoed; padding is not answered with padding where the transport is clear text."""
    reply = raw(agent, with_options(sent))
    assert options_of(reply) == {} and dns.message.from_wire(reply).answer[0][0].address == VIP


def test_options_in_any_order_and_number(agent):
    options = option(65002, b"y" * 30) * 20 + option(COOKIE, CLIENT) + option(PADDING, b"\0" * 64)
    assert options_of(raw(agent, with_options(options))).keys() == {COOKIE}


def test_opt_before_other_additional_records(agent):
    """RFC 6891 6.1.1: anywhere in the additional section."""
    extra = b"\x01x\0" + struct.pack(">HHIH", 1, 1, 0, 4) + b"\x7f\0\0\1"
    for rest in (opt() + extra, extra + opt()):
        reply = raw(agent, packet(counts=(1, 0, 0, 2), rest=rest))
        assert options_of(reply) == {} and reply[6:12] == b"\0\1\0\0\0\1"


def test_records_of_a_question_are_walked_not_believed(agent):
    """A question may carry answers; they change nothing (RFC 1035 4.1)."""
    record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + b"\x7f\0\0\1"
    reply = raw(agent, packet(counts=(1, 1, 1, 1), rest=record * 3))
    assert reply.endswith(socket.inet_aton(VIP)) and reply[6:12] == b"\0\1\0\0\0\0"
