# SPDX-License-Identifier: Apache-2.0
"""How one upstream, and several, are asked: docs/dns.md, Forwarding and Cache. Upstreams are scripted, and a real unbound."""

import concurrent.futures
import contextlib
import re
import socket
import statistics
import time

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

import dnswire
import harness
import scripted_dns as scripted
from scripted_dns import GOOD, MANY, Server

OTHER = "203.0.113.9"  # what the second upstream answers
PATIENCE_S = 6  # the forwarder gives up after 4 s


@pytest.fixture
def upstreams():
    """A factory of scripted upstreams."""
    servers = []

    def make(*args, **kwargs):
        servers.append(Server(*args, **kwargs))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def forwarding(start_agent, bookinfo):
    """Starts an agent over these upstreams."""

    def start(*servers, args=()):
        agent = start_agent(
            "--source", f"dir:{bookinfo}", *args, upstream=",".join(server.address for server in servers)
        )
        return agent

    return start


def ask(agent, name, rdtype="A", tcp=False, **kwargs):
    query = dns.message.make_query(name, rdtype, **kwargs)
    way = dns.query.tcp if tcp else dns.query.udp
    return way(query, "127.0.0.1", port=agent.ports["dns"], timeout=PATIENCE_S)


def addresses(reply):
    return sorted(item.address for rrset in reply.answer for item in rrset if item.rdtype == dns.rdatatype.A)


def metric(agent, name, server=None):
    """The value of a counter; 0 where there is none yet."""
    labels = rf'\{{to="{re.escape(server.address)}"\}}' if server else ""
    match = re.search(rf"^{name}{labels} (\S+)$", agent.http("/metrics").body, re.M)
    return float(match.group(1)) if match else 0


# --- One upstream of two --------------------------------------------------------------------------------------------

USELESS = {
    "silent": scripted.silent,
    "wrong-id": scripted.wrong_id,
    "wrong-question": scripted.wrong_question,
    "wrong-type": scripted.wrong_type,
    "wrong-source": scripted.wrong_source,
    "servfail": scripted.error(dns.rcode.SERVFAIL),
    "refused": scripted.error(dns.rcode.REFUSED),
    "notimp": scripted.error(dns.rcode.NOTIMP),
    "formerr": scripted.error(dns.rcode.FORMERR),
    "lame": scripted.lame,
    "garbage": scripted.garbage,
    "cut-short": scripted.cut_short,
    "broken-pointer": scripted.broken_pointer,
}


@pytest.mark.parametrize("how", USELESS)
def test_useless_first_upstream_second_answers(upstreams, forwarding, how):
    first, second = upstreams(USELESS[how]), upstreams(good=OTHER)
    agent = forwarding(first, second)
    reply = ask(agent, f"{how}.example")
    assert reply.rcode() == dns.rcode.NOERROR and addresses(reply) == [OTHER]
    assert first.count() >= 1 and second.count() == 1


def test_upstream_that_does_not_recurse_but_knows_is_believed(upstreams, forwarding):
    first, second = upstreams(scripted.without_recursion), upstreams(good=OTHER)
    agent = forwarding(first, second)
    assert addresses(ask(agent, "a.example")) == [GOOD] and second.count() == 0


def test_both_lame_the_reply_is_passed_on(upstreams, forwarding):
    agent = forwarding(upstreams(scripted.lame), upstreams(scripted.lame))
    reply = ask(agent, "a.example")
    assert reply.rcode() == dns.rcode.NOERROR and not reply.answer and reply.flags & dns.flags.RA


@pytest.mark.parametrize("pair", [("servfail", "lame"), ("lame", "servfail")], ids="-".join)
def test_error_is_better_than_a_referral(upstreams, forwarding, pair):
    agent = forwarding(*(upstreams(USELESS[how]) for how in pair))
    assert ask(agent, "a.example").rcode() == dns.rcode.SERVFAIL


def test_late_first_upstream_is_hedged(upstreams, forwarding):
    first, second = upstreams(scripted.held), upstreams(good=OTHER)
    agent = forwarding(first, second)
    assert addresses(ask(agent, "a.example")) == [OTHER]  # while the first still thinks
    assert first.waiting and second.count() == 1
    first.release()
    assert addresses(ask(agent, "a.example")) == [OTHER]  # what came late has changed nothing


def test_silent_upstream_is_soon_asked_last(upstreams, forwarding):
    first, second = upstreams(scripted.silent), upstreams(good=OTHER)
    agent = forwarding(first, second, args=("--dns-cache-size", "off"))

    def spared():
        before = first.count()
        assert addresses(ask(agent, "a.example")) == [OTHER]
        return first.count() == before

    harness.wait_for(spared, "a question that the silent upstream does not get")
    assert metric(agent, "isthmus_dns_upstream_failures_total", first) >= 2


@pytest.mark.long
def test_one_dead_of_two_costs_60_ms_at_most(upstreams, forwarding):
    first, second = upstreams(), upstreams(good=OTHER)
    agent = forwarding(first, second, args=("--dns-cache-size", "off"))

    def p99_ms(prefix, count=1000):
        took = []
        for i in range(count):
            start = time.monotonic()
            assert addresses(ask(agent, f"{prefix}{i}.example")) in ([GOOD], [OTHER])
            took.append((time.monotonic() - start) * 1000)
        return statistics.quantiles(took, n=100)[98]

    alive = p99_ms("alive")
    first.behave = scripted.silent
    end = time.monotonic() + 1
    while time.monotonic() < end:  # to find out
        p99_ms("first", 2)
    dead = p99_ms("dead")
    print(f"p99 {alive:.1f} ms with both, {dead:.1f} ms with one")
    assert dead - alive <= 60


def test_upstream_from_before_edns_is_asked_without(upstreams, forwarding):
    server = upstreams(scripted.no_edns)
    agent = forwarding(server)
    for i in range(3):
        assert addresses(ask(agent, f"n{i}.example")) == [GOOD]
    assert [one.query.edns for one in server.asked] == [0, -1, -1, -1]
    assert server.asked[0].query.payload == 1232


# --- All upstreams dead ---------------------------------------------------------------------------------------------


def test_all_silent_is_servfail_and_remembered(upstreams, forwarding):
    servers = upstreams(scripted.silent), upstreams(scripted.silent)
    agent = forwarding(*servers)
    assert ask(agent, "a.example").rcode() == dns.rcode.SERVFAIL

    def from_the_failure_cache():  # it holds for a second, then somebody asks again
        before = sum(server.count() for server in servers)
        assert ask(agent, "a.example").rcode() == dns.rcode.SERVFAIL
        return sum(server.count() for server in servers) == before

    harness.wait_for(from_the_failure_cache, "SERVFAIL without a question upstream")


def test_error_is_remembered(upstreams, forwarding):
    server = upstreams(scripted.error(dns.rcode.SERVFAIL))
    agent = forwarding(server)

    def remembered():
        assert ask(agent, "a.example").rcode() == dns.rcode.SERVFAIL
        before = server.count()
        assert ask(agent, "a.example").rcode() == dns.rcode.SERVFAIL
        return server.count() == before

    harness.wait_for(remembered, "an error that is not asked for again")


def test_closed_ports_are_servfail(upstreams, forwarding):
    server = upstreams()
    agent = forwarding(server)
    server.stop()
    assert ask(agent, "a.example").rcode() == dns.rcode.SERVFAIL


def outdated(agent, server, name):
    """A reply that has expired; the upstream is silent now. Ends with how long the next reply takes, and that."""
    server.names[name] = scripted.answer_with_ttl(1)
    assert addresses(ask(agent, f"{name}.example")) == [GOOD]
    server.names[name] = scripted.silent
    time.sleep(1.1)  # the time that the reply may be kept: no condition to wait for
    start = time.monotonic()
    reply = ask(agent, f"{name}.example")
    return time.monotonic() - start, reply


def test_all_silent_old_answer_is_given(upstreams, forwarding):
    server = upstreams()
    agent = forwarding(server)
    took, reply = outdated(agent, server, "a")
    assert addresses(reply) == [GOOD] and reply.answer[0].ttl <= 30
    assert took < 3.5, "that was the upstream's deadline"
    assert metric(agent, "isthmus_dns_cache_stale_served_total") >= 1


@pytest.mark.long
def test_all_silent_old_answer_comes_within_300_ms(upstreams, forwarding):
    server = upstreams()
    agent = forwarding(server)
    took = [outdated(agent, server, f"n{i}")[0] for i in range(10)]
    assert max(took) <= 0.3, took


# --- Cache and coalescing -------------------------------------------------------------------------------------------


def test_hundred_clients_one_question(upstreams, forwarding):
    server = upstreams(scripted.held)
    agent = forwarding(server)
    spellings = ["".join(c.upper() if i >> j & 1 else c for j, c in enumerate("many.example")) for i in range(100)]
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in spellings]
        queries = [dnswire.packet(dnswire.wire_name(text) + dnswire.TYPE_A, ident=i) for i, text in enumerate(spellings)]
        for client, query in zip(clients, queries):
            client.settimeout(PATIENCE_S)
            client.connect(("127.0.0.1", agent.ports["dns"]))
            client.send(query)
        harness.wait_for(lambda: metric(agent, "isthmus_dns_coalesced_total") == 99, "99 who wait for the first")
        server.release()
        for client, query in zip(clients, queries):
            reply = client.recv(4096)
            assert reply[:2] == query[:2] and reply[12 : len(query)] == query[12:]  # each its id and its letters
            assert addresses(dns.message.from_wire(reply)) == [GOOD]
    assert {one.text for one in server.asked} == {"many.example."} and server.count() == len(server.asked)
    assert server.count() == 1


def test_second_question_is_answered_from_the_cache(upstreams, forwarding):
    server = upstreams()
    agent = forwarding(server)
    for name in ("a.example", "A.Example", "a.example"):
        reply = ask(agent, name)
        assert addresses(reply) == [GOOD] and reply.question[0].name.to_text() == f"{name}."
        assert 0 < reply.answer[0].ttl <= scripted.TTL and not reply.flags & dns.flags.AA
    assert server.count() == 1


def test_do_and_cd_have_entries_of_their_own(upstreams, forwarding):
    server = upstreams()
    agent = forwarding(server)
    for _ in range(2):
        for want_dnssec in (False, True):
            for flags in (dns.flags.RD, dns.flags.RD | dns.flags.CD):
                assert addresses(ask(agent, "a.example", want_dnssec=want_dnssec, use_edns=0, flags=flags)) == [GOOD]
    seen = [(bool(one.query.ednsflags & dns.flags.DO), bool(one.query.flags & dns.flags.CD)) for one in server.asked]
    assert sorted(seen) == [(False, False), (False, True), (True, False), (True, True)]


@pytest.mark.parametrize("rcode", [dns.rcode.NXDOMAIN, dns.rcode.NOERROR])
def test_negative_answer_is_kept_with_its_soa_only(upstreams, forwarding, rcode):
    server = upstreams()
    agent = forwarding(server)

    def negative(soa):
        def behave(question):
            reply = question.reply(rcode)
            if soa:
                text = "ns.example. root.example. 1 3600 600 86400 30"
                reply.authority.append(dns.rrset.from_text("example.", 60, "IN", "SOA", text))
            question.send(reply)

        return behave

    server.names.update(kept=negative(True), lost=negative(False))
    for _ in range(3):
        reply = ask(agent, "kept.example")
        assert reply.rcode() == rcode and not reply.answer
        assert len(reply.authority) == 1 and 0 < reply.authority[0].ttl <= 60
        assert ask(agent, "lost.example").rcode() == rcode
    assert server.count("kept.example.") == 1 and server.count("lost.example.") == 3


def test_hot_name_is_fetched_before_it_expires(upstreams, forwarding):
    server = upstreams(scripted.answer_with_ttl(10))
    agent = forwarding(server)

    def refreshed():  # in the last second of ten, while the old reply is given
        assert addresses(ask(agent, "hot.example")) == [GOOD]
        return metric(agent, "isthmus_dns_cache_refreshes_total") >= 1

    harness.wait_for(refreshed, "a name that is fetched anew beside its answers")
    harness.wait_for(lambda: server.count() >= 2, "the question")


# --- TCP ------------------------------------------------------------------------------------------------------------


def test_truncated_reply_is_fetched_by_tcp(upstreams, forwarding):
    server = upstreams(scripted.truncated)
    agent = forwarding(server)
    assert len(addresses(ask(agent, "a.example", tcp=True))) == MANY
    assert server.count(transport="udp") == server.count(transport="tcp") == 1
    reply = ask(agent, "a.example")  # cut to this client, in whole records
    assert reply.flags & dns.flags.TC and 0 < len(addresses(reply)) < MANY


def test_many_truncated_replies_one_connection(upstreams, forwarding):
    server = upstreams(scripted.truncated)
    agent = forwarding(server)
    for i in range(10):
        assert len(addresses(ask(agent, f"n{i}.example", tcp=True))) == MANY
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda i: ask(agent, f"p{i}.example", tcp=True), range(20)))
    assert all(len(addresses(reply)) == MANY for reply in replies)
    assert len({one.text for one in server.asked if one.transport == "tcp"}) == 30 and len(server.connections) == 1
    assert metric(agent, "isthmus_dns_upstream_connections_total", server) == 1


def test_connection_that_the_upstream_closes_is_made_anew(upstreams, forwarding):
    server = upstreams(scripted.truncated)
    agent = forwarding(server)
    for i in range(3):
        assert len(addresses(ask(agent, f"n{i}.example", tcp=True))) == MANY
        server.close_connections()
    assert len(server.connections) == 3


def test_questions_on_a_closed_connection_are_asked_again(upstreams, forwarding):
    """The upstream answers one question a connection, however many are on it."""
    server = upstreams(scripted.truncated)
    server.close_after = 1
    agent = forwarding(server)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda i: ask(agent, f"n{i}.example", tcp=True), range(8)))
    assert [len(addresses(reply)) for reply in replies] == [MANY] * 8
    assert len(server.connections) >= 8


def test_reply_in_single_bytes(upstreams, forwarding):
    server = upstreams(scripted.truncated)
    server.piece = 1
    agent = forwarding(server)
    for i in range(3):
        assert len(addresses(ask(agent, f"n{i}.example", tcp=True))) == MANY
    assert len(server.connections) == 1


def test_too_large_a_packet_counts_as_truncated(upstreams, forwarding):
    server = upstreams(scripted.oversized)
    agent = forwarding(server)
    assert len(addresses(ask(agent, "a.example", tcp=True))) == scripted.HUGE
    assert server.count(transport="tcp") >= 1  # more where writing so much takes the upstream long: it is asked again


def test_no_tcp_after_truncation_next_upstream(upstreams, forwarding):
    first, second = upstreams(scripted.truncated, tcp=False), upstreams(good=OTHER)
    agent = forwarding(first, second)
    assert addresses(ask(agent, "a.example")) == [OTHER]


# --- Against forged replies -----------------------------------------------------------------------------------------


def letters(question):
    """The name as it was asked, without its dots and digits."""
    return [c for c in question.name.to_text() if c.isalpha()]


def test_question_goes_out_in_random_case_and_comes_back_as_asked(upstreams, forwarding):
    server = upstreams()
    agent = forwarding(server)
    for i in range(20):
        name = f"SoMe{i}.Example"
        query = dnswire.packet(dnswire.wire_name(name) + dnswire.TYPE_A)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(PATIENCE_S)
            client.connect(("127.0.0.1", agent.ports["dns"]))
            client.send(query)
            reply = client.recv(4096)
        assert reply[12 : len(query)] == query[12:]
        assert dns.message.from_wire(reply).answer[0].name.to_text() == f"{name}."
    upper = sum(c.isupper() for one in server.asked for c in letters(one))
    assert 0.3 < upper / sum(len(letters(one)) for one in server.asked) < 0.7
    assert len({one.name.to_text()[:4] for one in server.asked}) > 2


def test_upstream_that_changes_letters_is_asked_without(upstreams, forwarding):
    server = upstreams(scripted.lowering)
    agent = forwarding(server)
    name = "with-so-many-letters-that-some-are-large{}.example"
    for i in range(5):
        assert addresses(ask(agent, name.format(i))) == [GOOD]
    assert server.count(transport="tcp") == 1 and server.count(transport="udp") == 5
    assert all(one.name.to_text() == one.text for one in server.asked[2:])
    assert metric(agent, "isthmus_dns_upstream_case_mismatches_total", server) == 1
    assert len(re.findall(r"does not keep upper and lower case", agent.log())) == 1


def test_upstream_that_changes_letters_and_has_no_tcp(upstreams, forwarding):
    server = upstreams(scripted.lowering, tcp=False)
    agent = forwarding(server)
    for i in range(3):
        assert addresses(ask(agent, f"with-so-many-letters-that-some-are-large{i}.example")) == [GOOD]
    assert server.count() == 4


def test_reply_in_other_letters_is_not_believed(upstreams, forwarding):
    server = upstreams(scripted.lowering_udp)
    agent = forwarding(server)
    for i in range(3):
        assert addresses(ask(agent, f"with-so-many-letters-that-some-are-large{i}.example")) == [GOOD]
    assert server.count(transport="tcp") == 3  # it goes on asking in random case
    assert "does not keep" not in agent.log()


def test_ids_and_ports_cannot_be_foreseen(upstreams, forwarding):
    server = upstreams()
    agent = forwarding(server)
    for i in range(100):
        assert addresses(ask(agent, f"n{i}.example")) == [GOOD]
    ids = [one.query.id for one in server.asked]
    ports = [one.peer[1] for one in server.asked]
    assert len(set(ids)) > 90 and len(set(ports)) > 80  # of 65,536 and of about 28,000
    for numbers, span in ((ids, 65536), (ports, max(ports) - min(ports))):
        steps = [b - a for a, b in zip(numbers, numbers[1:])]
        assert len(set(steps)) > 80, "in steps"
        assert statistics.pstdev(numbers) > span / 10


def test_many_questions_at_a_time_come_from_many_ports(upstreams, forwarding):
    server = upstreams(scripted.held)
    agent = forwarding(server)
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        waiting = [pool.submit(ask, agent, f"n{i}.example") for i in range(100)]
        harness.wait_for(lambda: len({one.text for one in server.asked}) == 100, "all questions")
        server.release()
        assert all(addresses(one.result()) == [GOOD] for one in waiting)
    assert len({one.peer[1] for one in server.asked}) >= 32


def test_wrong_replies_are_counted(upstreams, forwarding):
    server = upstreams(lambda question: (scripted.wrong_id(question), scripted.answer(question)))
    agent = forwarding(server)
    assert addresses(ask(agent, "a.example")) == [GOOD]
    assert metric(agent, "isthmus_dns_upstream_ignored_total", server) == 1


# --- Itself, metrics, a real server, figures ------------------------------------------------------------------------


def test_own_address_is_refused(start_agent, bookinfo):
    udp, tcp = harness.bind_udp_and_tcp()
    address = f"127.0.0.1:{udp.getsockname()[1]}"
    udp.close()
    tcp.close()
    agent = start_agent("--source", f"dir:{bookinfo}", "--dns-listen", address, upstream=address)
    assert ask(agent, "a.example").rcode() == dns.rcode.SERVFAIL
    assert addresses(ask(agent, dnswire.HOST)) == [dnswire.VIP]


class Forwarder:
    """What makes an upstream lead back: it passes on what it is asked to the agent, once there is one."""

    def __init__(self):
        self.port = None

    def __call__(self, question):
        harness.wait_for(lambda: self.port, "the agent's port")
        try:
            reply = dns.query.udp(question.query, "127.0.0.1", port=self.port, timeout=PATIENCE_S)
        except dns.exception.Timeout:
            return
        question.send(reply)


def looping(upstreams, start_agent, bookinfo, *others):
    """(agent, the upstream that leads back to it), found out."""
    forward = Forwarder()
    loop = upstreams(forward)
    loop.names["probe"] = forward
    addresses_of = ",".join(server.address for server in (loop, *others))
    agent = start_agent("--source", f"dir:{bookinfo}", upstream=addresses_of, wait="listening")
    forward.port = agent.ports["dns"]
    agent.wait_ready()
    agent.wait_line(agent.stderr, rf"error.*upstream {re.escape(loop.address)} is a loop: .*--dns-upstream")
    return agent, loop


def test_upstream_that_leads_back_is_not_asked(upstreams, start_agent, bookinfo):
    second = upstreams(good=OTHER)
    agent, loop = looping(upstreams, start_agent, bookinfo, second)
    for i in range(3):
        assert addresses(ask(agent, f"n{i}.example")) == [OTHER]
    assert loop.count() == 0 and len(loop.probes) == len(second.probes) == 1  # one question each, no more
    assert metric(agent, "isthmus_dns_upstream_loop", loop) == 1
    assert metric(agent, "isthmus_dns_upstream_loop", second) == 0
    (ours,), (theirs,) = loop.probes, second.probes
    assert ours.name.labels[-2] != theirs.name.labels[-2] and len(ours.name.labels) == 3


def test_all_upstreams_lead_back_the_agent_goes_on(upstreams, start_agent, bookinfo):
    agent, loop = looping(upstreams, start_agent, bookinfo)
    assert ask(agent, "a.example").rcode() == dns.rcode.SERVFAIL
    assert addresses(ask(agent, dnswire.HOST)) == [dnswire.VIP]
    assert loop.count() == 0


@pytest.mark.long
def test_cured_loop_is_asked_again(upstreams, start_agent, bookinfo):
    agent, loop = looping(upstreams, start_agent, bookinfo)
    loop.behave, loop.names["probe"] = scripted.answer, scripted.error(dns.rcode.NXDOMAIN)
    agent.wait_line(agent.stderr, r"is no loop any more", 60)
    assert addresses(ask(agent, "a.example")) == [GOOD]


def test_times_of_the_upstream_are_a_histogram(upstreams, forwarding):
    server = upstreams()
    agent = forwarding(server)
    for i in range(5):
        ask(agent, f"n{i}.example")
    assert metric(agent, "isthmus_dns_upstream_duration_seconds_count", server) >= 5
    assert 0 < metric(agent, "isthmus_dns_upstream_duration_seconds_sum", server) < 5 * PATIENCE_S


UNBOUND = """
server:
  directory: "{folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  num-threads: 1
  interface: {host}@{port}
  access-control: 127.0.0.0/8 allow
  access-control: ::1 allow
  use-caps-for-id: yes
  local-zone: "real.example." static
  local-data: "real.example. 300 IN SOA ns.real.example. root.real.example. 1 3600 600 86400 30"
  local-data: "Www.real.example. 300 IN A 192.0.2.80"
  local-data: "www.real.example. 300 IN AAAA 2001:db8::80"
  local-data: "alias.real.example. 300 IN CNAME www.real.example."
  local-data: "real.example. 300 IN MX 10 mail.real.example."
  local-data: "_sip._tcp.real.example. 300 IN SRV 1 2 5060 www.real.example."
  local-data-ptr: "192.0.2.80 300 www.real.example"
"""


@pytest.fixture(params=["127.0.0.1", "::1"])
def unbound(request, tmp_path):
    """A real name server that knows one zone and asks nobody."""
    host = request.param
    udp, tcp = harness.bind_udp_and_tcp()
    port = udp.getsockname()[1]
    large = "".join(f'  local-data: "large.real.example. 300 IN A 192.0.2.{i + 1}"\n' for i in range(MANY))
    config = tmp_path / "unbound.conf"
    config.write_text(UNBOUND.format(folder=tmp_path, host=host, port=port) + large + 'remote-control:\n  control-enable: no\n')
    udp.close()
    tcp.close()
    server = harness.Process(["/usr/sbin/unbound", "-d", "-c", str(config)])
    server.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def answers():
        query = dns.message.make_query("www.real.example", "A")
        return dns.query.udp(query, host, port=port, timeout=1).answer

    harness.wait_for(lambda: _quietly(answers), f"unbound:\n{server.log()}")
    yield server
    server.stop()


def _quietly(function):
    try:
        return function()
    except dns.exception.DNSException:
        return None


def test_real_unbound(unbound, forwarding):
    agent = forwarding(unbound)
    wanted = {
        ("www.real.example", "A"): "192.0.2.80",
        ("www.real.example", "AAAA"): "2001:db8::80",
        ("real.example", "MX"): "10 mail.real.example.",
        ("_sip._tcp.real.example", "SRV"): "1 2 5060 www.real.example.",
        ("80.2.0.192.in-addr.arpa", "PTR"): "www.real.example.",
    }
    for _ in range(2):  # from there, and from the cache
        for (name, rdtype), text in wanted.items():
            reply = ask(agent, name, rdtype)
            assert [item.to_text() for item in reply.answer[-1]] == [text], (name, rdtype)
        assert ask(agent, "alias.real.example", "CNAME").answer[0][0].to_text() == "www.real.example."
        missing = ask(agent, "missing.real.example")
        assert missing.rcode() == dns.rcode.NXDOMAIN and missing.authority[0].rdtype == dns.rdatatype.SOA
        assert len(addresses(ask(agent, "large.real.example", tcp=True))) == MANY
    assert metric(agent, "isthmus_dns_upstream_case_mismatches_total", unbound) == 0
    assert metric(agent, "isthmus_dns_upstream_failures_total", unbound) == 0
    assert metric(agent, "isthmus_dns_upstream_connections_total", unbound) == 1
