# SPDX-License-Identifier: Apache-2.0
"""Kubernetes' DNS specification 1.1.0, section by section, as the pod's resolver sees it: the mesh from a directory. Beside the
answers, what a server for the whole cluster may not get wrong: what exists, for every type, and what does not."""

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import objects
import pytest

import dnswire
import harness
from dnswire import TTL_VIP, ask, check_negative

ZONE = "cluster.local"
SVC = f"default.svc.{ZONE}"


def mesh():
    return objects.dump(
        # The mesh knows this host and not its addresses, as it does not know those of names that nobody declared.
        objects.istio("ServiceEntry", "far", {"hosts": ["far.example.net"], "location": "MESH_EXTERNAL",
                      "resolution": "NONE", "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]}),
        objects.external_name("inside", f"details.{SVC}"),
        objects.external_name("outside", "far.example.net"),
        objects.external_name("twice", f"outside.{SVC}"),
        objects.external_name("ring-a", f"ring-b.{SVC}"),
        objects.external_name("ring-b", f"ring-a.{SVC}"),
        objects.external_name("elsewhere", "www.example.net"),
    )


class Upstream(harness.Upstream):
    """Any records: name -> {type: texts}, a CNAME followed by what it leads to; SOA for the rest."""

    def __init__(self):
        super().__init__()
        self.zone = {}

    def _reply(self, query, name, rdtype):
        if name not in self.zone:
            return super()._reply(query, name, rdtype)
        reply = dns.message.make_response(query, recursion_available=True)
        owner = query.question[0].name
        for _ in range(8):
            records = self.zone.get(owner.to_text().lower(), {})
            found = "CNAME" if "CNAME" in records and rdtype != dns.rdatatype.CNAME else dns.rdatatype.to_text(rdtype)
            if found not in records:
                break
            reply.answer.append(dns.rrset.from_text_list(owner, 60, "IN", found, records[found]))
            if found != "CNAME":
                return reply
            owner = reply.answer[-1][0].target
        if owner.to_text().lower() not in self.zone:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        reply.authority.append(dns.rrset.from_text("example.net.", 900, "IN", "SOA", "ns. root. 1 2 3 4 900"))
        return reply


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Without a cache: each test has an upstream that says something else."""
    folder = tmp_path_factory.mktemp("kubernetes")
    with dnswire.serving(folder, "--dns-cache-size", "off", extra=mesh(), upstream=Upstream()) as both:
        yield both


@pytest.fixture
def agent(world):
    return world[0]


@pytest.fixture
def upstream(world):
    world[1].zone.clear()
    return world[1]


def shown(section):
    """[(owner, type, [data])]"""
    return [(r.name.to_text(), dns.rdatatype.to_text(r.rdtype), sorted(item.to_text() for item in r)) for r in section]


# --- 2.6 External names ---------------------------------------------------------------------------------------------


def test_external_name_inside_the_mesh(agent):
    reply = ask(agent, f"inside.{SVC}")
    assert shown(reply.answer) == [(f"inside.{SVC}.", "CNAME", [f"details.{SVC}."]), (f"details.{SVC}.", "A", [dnswire.VIP])]
    reply = ask(agent, f"inside.{SVC}", "AAAA")
    assert shown(reply.answer) == [(f"inside.{SVC}.", "CNAME", [f"details.{SVC}."])] and reply.rcode() == 0
    assert shown(reply.authority)[0][1] == "SOA"


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("rdtype, data", [("A", ["192.0.2.1", "192.0.2.2"]), ("AAAA", ["2001:db8::1"]), ("TXT", ['"v=1"'])])
def test_external_name_is_followed_upstream(agent, upstream, rdtype, data, tcp):
    """Our CNAME first, then all that upstream says of its target: a stub has the addresses at once."""
    upstream.zone = {"far.example.net.": {"CNAME": ["lb.example.net."]}, "lb.example.net.": {rdtype: data}}
    upstream.asked.clear()
    reply = ask(agent, f"Outside.{SVC}", rdtype, tcp=tcp)
    assert reply.rcode() == 0 and reply.flags & dns.flags.AA and not reply.flags & (dns.flags.TC | dns.flags.AD)
    assert shown(reply.answer) == [
        (f"Outside.{SVC}.", "CNAME", ["far.example.net."]),
        ("far.example.net.", "CNAME", ["lb.example.net."]),
        ("lb.example.net.", rdtype, data),
    ]
    assert [r.ttl for r in reply.answer] == [TTL_VIP, 60, 60] and not reply.authority
    assert upstream.asked == [("far.example.net.", rdtype)]


def test_external_name_without_data_has_the_alias_and_the_soa(agent, upstream):
    """RFC 2308 2.2: NODATA of the target."""
    upstream.zone = {"far.example.net.": {"A": ["192.0.2.1"]}}
    reply = ask(agent, f"outside.{SVC}", "AAAA")
    assert reply.rcode() == dns.rcode.NOERROR and [r[1] for r in shown(reply.answer)] == ["CNAME"]
    assert shown(reply.authority)[0][:2] == ("example.net.", "SOA")


def test_external_name_of_nothing_does_not_exist(agent, upstream):
    """RFC 6604: the code is that of the end of the chain."""
    upstream.zone = {"far.example.net.": {"CNAME": ["gone.example.net."]}}
    for rdtype in ("A", "AAAA", "TXT"):
        reply = ask(agent, f"outside.{SVC}", rdtype)
        assert reply.rcode() == dns.rcode.NXDOMAIN and [r[1] for r in shown(reply.answer)] == ["CNAME", "CNAME"]


def test_external_name_itself_is_ours(agent, upstream):
    upstream.asked.clear()
    for rdtype in ("CNAME", "ANY"):
        assert shown(ask(agent, f"outside.{SVC}", rdtype).answer) == [(f"outside.{SVC}.", "CNAME", ["far.example.net."])]
    assert not upstream.asked


@pytest.mark.parametrize("name", ["twice", "ring-a", "elsewhere"])
def test_external_name_that_the_mesh_does_not_hold_is_the_cluster_dns_business(agent, upstream, name):
    """istiod makes no alias of what leads to no service: to another alias, in a ring, out of the mesh."""
    upstream.zone = {f"{name}.{SVC}.": {"CNAME": ["www.example.net."]}, "www.example.net.": {"A": ["192.0.2.9"]}}
    upstream.asked.clear()
    reply = ask(agent, f"{name}.{SVC}")
    assert [r[1:] for r in shown(reply.answer)] == [("CNAME", ["www.example.net."]), ("A", ["192.0.2.9"])]
    assert upstream.asked == [(f"{name}.{SVC}.", "A")]


def test_external_name_fits_the_client(agent, upstream):
    upstream.zone = {"far.example.net.": {"A": [f"192.0.2.{i}" for i in range(1, 60)]}}
    small = ask(agent, f"outside.{SVC}", use_edns=False)
    assert small.flags & dns.flags.TC and 0 < len(small.answer[1]) < 59 and len(small.to_wire()) <= 512
    assert len(ask(agent, f"outside.{SVC}", payload=1232).answer[1]) == 59
    assert len(ask(agent, f"outside.{SVC}", tcp=True).answer[1]) == 59


def test_external_name_while_upstream_fails(agent, upstream):
    upstream.records.pop("far.example.net.", None)
    upstream.silent = True
    try:
        assert ask(agent, f"outside.{SVC}").rcode() == dns.rcode.SERVFAIL
    finally:
        upstream.silent = False
    check_negative(ask(agent, f"details.{SVC}", "AAAA"), dns.rcode.NOERROR)


def test_external_name_from_the_cache(tmp_path):
    with dnswire.serving(tmp_path, extra=mesh(), upstream=Upstream()) as (agent, upstream):
        upstream.zone = {"far.example.net.": {"A": ["192.0.2.1"]}}
        first, second = ask(agent, f"outside.{SVC}"), ask(agent, f"outside.{SVC}", tcp=True)
        assert shown(first.answer) == shown(second.answer) and second.rcode() == dns.rcode.NOERROR
        assert second.answer[0][0].target.to_text() == "far.example.net." and second.flags & dns.flags.AA
        assert ask(agent, "far.example.net").answer[0][0].address == "192.0.2.1"  # the same entry
        assert upstream.asked == [("far.example.net.", "A")]
        upstream.silent = True  # that nobody answers is remembered as well
        for _ in range(2):
            assert ask(agent, f"outside.{SVC}", "AAAA").rcode() == dns.rcode.SERVFAIL
        assert 'isthmus_dns_cache_hits_total 3' in agent.http("/metrics").body


# --- Switches -------------------------------------------------------------------------------------------------------


def test_service_that_nobody_serves_can_be_hidden(tmp_path):
    """The search list goes on behind it; with the first endpoint it is back."""
    name = f"idle.{SVC}"
    things = objects.dump(objects.service("idle", ip="10.96.7.7"))
    with dnswire.serving(tmp_path, "--dns-empty-service", "nxdomain", extra=things, upstream=Upstream()) as (agent, _):
        for asked in (name, f"_http._tcp.{name}"):
            for rdtype in ("A", "AAAA", "SRV", "TXT"):
                check_negative(ask(agent, asked, rdtype), dns.rcode.NXDOMAIN)
        assert ask(agent, f"details.{SVC}").answer
        slice_ = objects.endpoint_slice("idle", ["10.2.7.1"])
        (agent.mesh / "slice.yaml").write_text(objects.dump(slice_, objects.pod("idle", "10.2.7.1")))
        harness.wait_for(lambda: ask(agent, name).answer, "an endpoint")
        assert shown(ask(agent, name).answer) == [(f"{name}.", "A", ["10.96.7.7"])]
        check_negative(ask(agent, name, "AAAA"), dns.rcode.NOERROR)


def test_service_that_nobody_serves_has_its_address(tmp_path):
    """By default, as the specification has it (2.3.1)."""
    things = objects.dump(objects.service("idle", ip="10.96.7.7"))
    with dnswire.serving(tmp_path, extra=things) as (agent, _):
        assert shown(ask(agent, f"idle.{SVC}").answer) == [(f"idle.{SVC}.", "A", ["10.96.7.7"])]


def test_aaaa_can_be_switched_off_for_all_names(tmp_path):
    ips = ["10.96.7.8", "fd00:96::8"]
    things = mesh() + "---\n" + objects.dump(objects.service("both", ip=ips[0], ips=ips))
    with dnswire.serving(tmp_path, "--dns-aaaa", "off", extra=things, upstream=Upstream()) as (agent, upstream):
        upstream.zone = {"www.example.net.": {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]}}
        upstream.zone["far.example.net."] = {"A": ["192.0.2.2"]}
        check_negative(ask(agent, f"both.{SVC}", "AAAA"), dns.rcode.NOERROR)
        assert ask(agent, f"both.{SVC}").answer
        reply = ask(agent, "www.example.net", "AAAA")
        check_negative(reply, dns.rcode.NOERROR, "www.example.net.")
        assert not reply.flags & dns.flags.AA
        reply = ask(agent, f"outside.{SVC}", "AAAA")
        assert [r[1] for r in shown(reply.answer)] == ["CNAME"] and shown(reply.authority)[0][:2] == ("far.example.net.", "SOA")
        check_negative(ask(agent, f"www.details.{SVC}", "AAAA"), dns.rcode.NXDOMAIN)
        assert not upstream.asked
        assert ask(agent, "www.example.net").answer and ask(agent, f"outside.{SVC}").answer
        assert {rdtype for _, rdtype in upstream.asked} == {"A"}
