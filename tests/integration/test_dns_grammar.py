# SPDX-License-Identifier: Apache-2.0
"""The table of names in docs/dns.md: each example is asked of the real agent, over the example meshes, from both sources."""

import itertools
import re

import dns.rcode
import dns.rdatatype
import pytest
import yaml

import harness
from dnswire import ask
from world import SOURCES, World

EXAMPLES = harness.ROOT / "docs/examples"
HEADER = "| form | example | answer | seconds | known from | follows |"
WORDS = ("no data", "no such name", "forwarded")


def rows():
    """(form, name, type, answer, seconds, source) of each example."""
    lines = iter((harness.ROOT / "docs/dns.md").read_text().splitlines())
    for line in itertools.takewhile(lambda line: line.startswith("|"), itertools.dropwhile(lambda line: line != HEADER, lines)):
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line == HEADER or set(line) == set("|-"):
            continue
        assert len(cells) == 6, line
        name, rdtype = cells[1].strip("`").split()
        yield cells[0], name, rdtype, cells[2], cells[3], cells[4]


ROWS = list(rows())


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    files = sorted(path for folder in ("bookinfo", "names") for path in (EXAMPLES / folder).glob("*.yaml"))
    documents = [thing for path in files for thing in yaml.safe_load_all(path.read_text())]
    upstream = harness.Upstream()
    world = World(tmp_path_factory.mktemp("names"), *(thing for thing in documents if "kind" in thing))
    yield world, upstream
    world.stop()
    upstream.stop()


def data(rrset):
    if rrset.rdtype == dns.rdatatype.SRV:
        return {f"{item.port} {item.target.to_text(omit_final_dot=True)}" for item in rrset}
    if rrset.rdtype == dns.rdatatype.HINFO:
        return {item.cpu.decode() for item in rrset}
    return {item.to_text().strip('"').rstrip(".") for item in rrset}


def said(agent, upstream, name, rdtype):
    """What the answer is in the words of the table, and its seconds."""
    upstream.asked.clear()
    reply = ask(agent, name, rdtype, tcp=True)
    if upstream.asked:
        return "forwarded", "as upstream says"
    if reply.answer:
        assert reply.answer[0].name.to_text(omit_final_dot=True) == name
        return set().union(*map(data, reply.answer)), str(reply.answer[-1].ttl)
    (soa,) = reply.authority
    return {dns.rcode.NOERROR: "no data", dns.rcode.NXDOMAIN: "no such name"}[reply.rcode()], str(soa.ttl)


@pytest.mark.istiod
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("form, name, rdtype, answer, seconds, known", ROWS, ids=[f"{row[1]}-{row[2]}" for row in ROWS])
def test_example_of_the_table(world, source, form, name, rdtype, answer, seconds, known):
    mesh, upstream = world
    flags = ("--pod-ip", "10.99.0.1", "--dns-prefix", "10.99.0.0/24", "--config", str(EXAMPLES / "names/isthmus.yaml"))
    agent = mesh.agent(source, *flags, upstream=upstream.address)
    agent.dns = [("127.0.0.1", agent.ports["dns"])]
    found, ttl = said(agent, upstream, name, rdtype)
    assert known in ("both", "files"), form
    if known == "files" and source == "istiod":
        assert found == "forwarded", form
        return
    wanted = set(re.findall(r"`([^`]+)`", answer)) or answer
    assert wanted in WORDS or isinstance(wanted, set), answer
    if rdtype == "TXT" and isinstance(found, set):
        assert all(any(part in text for text in found) for part in wanted), form
    else:
        assert found == wanted, form
    assert ttl == seconds, form


def test_every_form_has_an_example():
    """What the answerer knows: a form that is taken out of the table is missed."""
    asked = " ".join(f"{row[1]} {row[2]}" for row in ROWS)
    for part in ("v2._subset.", "._ctx.", ".pin._zone.", ".prefer._zone.", "_why.", "_http._tcp.", "--v2", "--beta", "--p80",
                 "in-addr.arpa", "ip6.arpa", "dns-version.", "AAAA", "HTTPS", "ANY", "CNAME"):
        assert part in asked, part
