# SPDX-License-Identifier: Apache-2.0
"""Kubernetes' DNS specification 1.1.0, section by section, as the pod's resolver sees it: the mesh from a directory and from the
real istiod. Beside the answers, what a server for the whole cluster may not get wrong: what exists, for every type, and what
does not."""

import itertools

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.reversename
import dns.rrset
import objects
import pytest

import dnswire
import harness
from dnswire import TTL_VIP, ask, check_negative
from world import SOURCES, World

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


# --- 2.2 to 2.6, from both sources ----------------------------------------------------------------------------------

NODATA, NXDOMAIN, FORWARDED = "no data", "no such name", "forwarded"
HTTP = ((80, 8080, "http"),)
TWO_PORTS = ((80, 8080, "http"), (7000, 7000, "tcp-peer"))
BOTH_FAMILIES = {"clusterIPs": ["None"], "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack"}


def reverse(address):
    return dns.reversename.from_address(address).to_text(omit_final_dot=True)


def pods(name, addresses, sixes=(), hostnames=(), ports=((8080, "http"),), ready=None):
    """Pods, of both families where there are sixes, and their slices."""
    for i, (address, six) in enumerate(itertools.zip_longest(addresses, sixes)):
        hostname = {"hostname": hostnames[i], "subdomain": name} if hostnames else {}
        yield objects.pod(name, address, also=[six] if six else (), **hostname)
    names = [objects.pod_name(name, address) for address in addresses]
    for suffix, these in (("1", addresses), ("2", sixes)):
        if these:
            yield objects.endpoint_slice(name, these, ports=ports, suffix=suffix, hostnames=hostnames, ready=ready, pods=names)


def cluster():
    two = ((8080, "http"), (7000, "tcp-peer"))
    yield objects.service("both", ip="10.96.1.1", ips=["10.96.1.1", "fd00:96::1"], ports=TWO_PORTS)
    yield from pods("both", ["10.2.0.1"], ["fd00:2::1"], ports=two)
    yield objects.service("single", ip="10.96.1.2", ports=HTTP)
    yield from pods("single", ["10.2.0.2"])
    yield objects.service("unnamed", ip="10.96.1.4", ports=((80, 8080, ""),))
    yield from pods("unnamed", ["10.2.0.4"], ports=((8080, ""),))
    yield objects.service("idle", ip="10.96.1.3", ports=HTTP)
    yield objects.service("web", headless=True, ports=TWO_PORTS, **BOTH_FAMILIES)
    yield from pods("web", ["10.2.1.1", "10.2.1.2"], ["fd00:2:1::1", "fd00:2:1::2"], ["web-0", "web-1"], ports=two)
    yield objects.service("anon", headless=True, ports=HTTP)
    yield from pods("anon", ["10.2.2.1", "10.2.2.2"])
    yield objects.service("waiting", headless=True, ports=HTTP)
    yield from pods("waiting", ["10.2.3.1", "10.2.3.2"], ready={"10.2.3.2": False})
    yield objects.service("early", headless=True, ports=HTTP, publishNotReadyAddresses=True)
    yield from pods("early", ["10.2.4.1", "10.2.4.2"], ready={"10.2.4.2": False})
    yield objects.service("first", headless=True, ports=HTTP, publishNotReadyAddresses=True)
    yield from pods("first", ["10.2.6.1"], ready={"10.2.6.1": False})
    yield objects.service("nobody", headless=True, ports=HTTP)
    yield from pods("nobody", ["10.2.5.1"], ready={"10.2.5.1": False})
    yield objects.external_name("ext", f"both.{SVC}")


# Section, question, type, what must be said: data (of SRV port and target), or one of the above.
SECTIONS = [
    ("2.2", f"dns-version.{ZONE}", "TXT", ['"1.1.0"']),
    ("2.2", f"dns-version.{ZONE}", "A", NODATA),
    ("2.3.1", f"both.{SVC}", "A", ["10.96.1.1"]),
    ("2.3.1", f"both.{SVC}", "AAAA", ["fd00:96::1"]),
    ("2.3.1", f"BoTH.DeFault.SVC.{ZONE}", "A", ["10.96.1.1"]),
    ("2.3.1", f"single.{SVC}", "A", ["10.96.1.2"]),
    ("2.3.1", f"single.{SVC}", "AAAA", NODATA),
    ("2.3.1", f"idle.{SVC}", "A", ["10.96.1.3"]),
    ("2.3.1", SVC, "A", NODATA),
    ("2.3.1", f"svc.{ZONE}", "A", NODATA),
    ("2.3.1", f"www.single.{SVC}", "A", NXDOMAIN),
    ("2.3.1", f"nope.{SVC}", "A", FORWARDED),
    ("2.3.2", f"_http._tcp.both.{SVC}", "SRV", [f"80 both.{SVC}."]),
    ("2.3.2", f"_tcp-peer._tcp.both.{SVC}", "SRV", [f"7000 both.{SVC}."]),
    ("2.3.2", f"_http._tcp.both.{SVC}", "A", NODATA),
    ("2.3.2", f"_tcp.both.{SVC}", "SRV", NODATA),
    ("2.3.2", f"_http._udp.both.{SVC}", "SRV", FORWARDED),
    ("2.3.2", f"_tcp-peer._tcp.unnamed.{SVC}", "SRV", FORWARDED),
    ("2.3.3", reverse("10.96.1.1"), "PTR", [f"both.{SVC}."]),
    ("2.3.3", reverse("fd00:96::1"), "PTR", [f"both.{SVC}."]),
    ("2.3.3", reverse("10.96.9.9"), "PTR", FORWARDED),
    ("2.4.1", f"web.{SVC}", "A", ["10.2.1.1", "10.2.1.2"]),
    ("2.4.1", f"web.{SVC}", "AAAA", ["fd00:2:1::1", "fd00:2:1::2"]),
    ("2.4.1", f"anon.{SVC}", "A", ["10.2.2.1", "10.2.2.2"]),
    ("2.4.1", f"anon.{SVC}", "AAAA", NODATA),
    ("2.4.1", f"waiting.{SVC}", "A", ["10.2.3.1"]),
    ("2.4.1", f"early.{SVC}", "A", ["10.2.4.1", "10.2.4.2"]),
    ("2.4.1", f"first.{SVC}", "A", ["10.2.6.1"]),
    *(("2.4.1", f"nobody.{SVC}", rdtype, NXDOMAIN) for rdtype in ("A", "AAAA", "SRV", "TXT")),
    ("2.4.1", f"web-0.web.{SVC}", "A", ["10.2.1.1"]),
    ("2.4.1", f"web-1.web.{SVC}", "AAAA", ["fd00:2:1::2"]),
    ("2.4.1", f"web-0.web.{SVC}", "TXT", NODATA),
    ("2.4.1", f"web-7.web.{SVC}", "A", FORWARDED),
    ("2.4.1", f"10-2-2-1.anon.{SVC}", "A", ["10.2.2.1"]),
    ("2.4.2", f"_http._tcp.web.{SVC}", "SRV", [f"8080 web-0.web.{SVC}.", f"8080 web-1.web.{SVC}."]),
    ("2.4.2", f"_tcp-peer._tcp.web.{SVC}", "SRV", [f"7000 web-0.web.{SVC}.", f"7000 web-1.web.{SVC}."]),
    ("2.4.2", f"_http._tcp.anon.{SVC}", "SRV", [f"8080 10-2-2-1.anon.{SVC}.", f"8080 10-2-2-2.anon.{SVC}."]),
    ("2.4.2", f"_http._tcp.waiting.{SVC}", "SRV", [f"8080 10-2-3-1.waiting.{SVC}."]),
    ("2.4.2", f"_http._tcp.early.{SVC}", "SRV", [f"8080 10-2-4-1.early.{SVC}.", f"8080 10-2-4-2.early.{SVC}."]),
    ("2.4.2", f"_http._tcp.first.{SVC}", "SRV", [f"8080 10-2-6-1.first.{SVC}."]),
    ("2.4.2", f"_http._tcp.nobody.{SVC}", "SRV", NXDOMAIN),
    ("2.4.3", reverse("10.2.1.1"), "PTR", [f"web-0.web.{SVC}."]),
    ("2.4.3", reverse("fd00:2:1::2"), "PTR", [f"web-1.web.{SVC}."]),
    ("2.4.3", reverse("10.2.2.1"), "PTR", [f"10-2-2-1.anon.{SVC}."]),
    ("2.4.3", reverse("10.2.4.2"), "PTR", [f"10-2-4-2.early.{SVC}."]),
    ("2.4.3", reverse("10.2.3.2"), "PTR", FORWARDED),
    ("2.4.3", reverse("10.2.0.1"), "PTR", FORWARDED),
    ("2.5", f"ext.{SVC}", "CNAME", [f"both.{SVC}."]),
    ("2.5", f"www.ext.{SVC}", "A", NXDOMAIN),
    ("2.6", f"10-2-2-1.default.pod.{ZONE}", "A", FORWARDED),
]

NO_PORT_NAMES = "istiod sends no names of ports"
ONE_VIP = "virtual IPs are read as istiod without ISTIO_DUAL_STACK sends them: the first one"
# What a source does not know: (source, question, type) -> what is said instead, and why.
DIFFERENCES = {
    ("istiod", f"_tcp-peer._tcp.both.{SVC}", "SRV"): (FORWARDED, NO_PORT_NAMES),
    ("istiod", f"_tcp-peer._tcp.web.{SVC}", "SRV"): (FORWARDED, NO_PORT_NAMES),
    ("files", f"both.{SVC}", "AAAA"): (NODATA, ONE_VIP),
    ("files", reverse("fd00:96::1"), "PTR"): (FORWARDED, ONE_VIP),
}


@pytest.fixture(scope="module")
def kubernetes(tmp_path_factory):
    upstream = Upstream()
    world = World(tmp_path_factory.mktemp("both"), *cluster(), env={"ISTIO_DUAL_STACK": "true"})
    yield world, upstream
    world.stop()
    upstream.stop()


def texts(rrset):
    if rrset.rdtype == dns.rdatatype.SRV:
        return sorted(f"{item.port} {item.target.to_text()}" for item in rrset)
    return sorted(item.to_text() for item in rrset)


def seen(agent, upstream, name, rdtype):
    upstream.asked.clear()
    reply = ask(agent, name, rdtype)
    if upstream.asked:
        assert upstream.asked == [(f"{name.lower()}.", rdtype)]
        return FORWARDED
    assert reply.flags & dns.flags.AA
    if reply.answer:
        assert reply.answer[0].name.to_text() == f"{name}." and reply.rcode() == dns.rcode.NOERROR
        return texts(reply.answer[0])
    zone = f"{ZONE}." if name.lower().endswith(ZONE) else f"{name}."
    check_negative(reply, reply.rcode(), zone)
    return {dns.rcode.NOERROR: NODATA, dns.rcode.NXDOMAIN: NXDOMAIN}[reply.rcode()]


@pytest.mark.istiod
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("section, name, rdtype, wanted", SECTIONS, ids=lambda value: value if isinstance(value, str) else "")
def test_specification(kubernetes, source, section, name, rdtype, wanted):
    world, upstream = kubernetes
    agent = world.agent(source, "--pod-ip", "10.9.0.1,fd00:9::1", "--dns-cache-size", "off", upstream=upstream.address)
    agent.dns = [("127.0.0.1", agent.ports["dns"])]
    wanted, _ = DIFFERENCES.get((source, name, rdtype), (wanted, None))
    assert seen(agent, upstream, name, rdtype) == wanted, section


@pytest.mark.timeout(120)
def test_update_swaps_a_name_at_once(tmp_path):
    """A and SRV of a headless service say the old pods or the new ones, never none, and agree that it exists."""
    sets = (["10.2.8.1", "10.2.8.2"], ["10.2.8.3"])

    def put(mesh, addresses):
        hidden = mesh / ".pods.yaml.new"
        hidden.write_text(objects.dump(*pods("moving", addresses)))
        hidden.rename(mesh / "pods.yaml")

    with dnswire.serving(tmp_path, extra=objects.dump(objects.service("moving", headless=True, ports=HTTP))) as (agent, _):
        name, old = f"moving.{SVC}", sets[0]
        put(agent.mesh, old)
        harness.wait_for(lambda: ask(agent, name).answer, "the first pods")
        for new in (sets[1], sets[0]) * 5:
            put(agent.mesh, new)
            seen_codes, seen_answers = set(), []
            while not seen_answers or seen_answers[-1] != new:  # pytest's own time-out ends it
                replies = [ask(agent, name), ask(agent, name, "AAAA"), ask(agent, f"_http._tcp.{name}", "SRV")]
                seen_codes.update(reply.rcode() for reply in replies)
                seen_answers.append([text for rrset in replies[0].answer for text in texts(rrset)])
                assert [len(reply.answer) for reply in replies] == [1, 0, 1]
            assert seen_codes == {dns.rcode.NOERROR} and all(answer in (old, new) for answer in seen_answers)
            old = new


# --- 2.5 External names ---------------------------------------------------------------------------------------------


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
