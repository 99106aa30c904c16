# SPDX-License-Identifier: Apache-2.0
"""Contexts, settings per service and names of the configuration file (docs/configuration.md), and their reload."""

import signal
import threading

import dns.exception
import dns.rcode
import pytest
import yaml

import harness
import objects

ROUTER = "router.default.svc.cluster.local"
STABLE, CANARY = "10.1.1.1", "10.1.1.2"
VIP = "10.96.3.1"


def write_mesh(directory):
    """A service whose only route asks for a header and a path, and one with two ports, an empty subset and a split."""
    header_and_path = [{"headers": {"version": {"exact": "v1"}}, "uri": {"exact": "/router"}}]
    to_v1 = [{"destination": {"host": ROUTER, "subset": "v1"}}]
    two_ports = ((8001, 8001, "http-admin"), (8002, 8002, "http-web"))
    directory.mkdir()
    (directory / "router.yaml").write_text(
        objects.dump(
            *objects.app("router", {"v1": [CANARY], "v2": [STABLE]}, ip=VIP, ports=((8080, 8080, "http"),)),
            objects.subsets(ROUTER, "v1", "v2"),
            objects.istio(
                "VirtualService",
                "router",
                {"hosts": [ROUTER], "http": [{"name": "canary", "match": header_and_path, "route": to_v1}]},
            ),
        )
    )
    (directory / "orders.yaml").write_text(
        objects.dump(
            *objects.app("orders", {"v1": ["10.2.1.1"], "v9": ["10.2.1.2"]}, "prod", "10.96.3.2", two_ports),
            objects.subsets("orders.prod.svc.cluster.local", "v1", "gone", namespace="prod"),
            objects.split("orders.prod.svc.cluster.local", "prod", v1=50, gone=50),
        )
    )
    return directory


@pytest.fixture
def mesh(tmp_path):
    return write_mesh(tmp_path / "mesh")


CONTEXTS = {"canary": {"path": "/router", "headers": {"version": ["v0", "v1"]}}, "other": {"headers": {"version": "v1"}}}


@pytest.fixture
def start(start_agent, mesh, tmp_path):
    """Starts the agent with a configuration file of this content."""

    def start_with(*args, **content):
        config = tmp_path / "isthmus.yaml"
        config.write_text(yaml.safe_dump(content))
        agent = start_agent("--source", f"dir:{mesh}", "--config", str(config), *args)
        agent.config = config
        return agent

    return start_with


def listed(agent, host, **params):
    return sorted(e["address"] for e in agent.endpoints(host, **params)["endpoints"])


def reload(agent, **content):
    before = len(agent.stderr)
    agent.config.write_text(yaml.safe_dump(content))
    agent.child.send_signal(signal.SIGHUP)
    harness.wait_for(lambda: any("reloaded" in line for line in agent.stderr[before:]), "the reload")
    return "\n".join(agent.stderr[before:])


def test_context_supplies_what_the_route_asks_for(start):
    agent = start(contexts=CONTEXTS)
    assert listed(agent, ROUTER) == [STABLE, CANARY]
    assert listed(agent, ROUTER, context="canary") == [CANARY]
    assert listed(agent, ROUTER, context="other") == [STABLE, CANARY]  # its path is /
    assert listed(agent, ROUTER, context="other", path="/router") == [CANARY]
    assert listed(agent, ROUTER, context="canary", **{"header.version": "v2"}) == [STABLE, CANARY]
    assert agent.http(f"/v1/endpoints/{ROUTER}?context=nope").status == 400


@pytest.mark.parametrize("host", [ROUTER, "router", "router.default", "Router.default.svc"])
def test_own_context_of_a_service_shapes_every_door(start, host):
    agent = start(contexts=CONTEXTS, services={host: {"context": "canary"}})
    assert listed(agent, "router") == [CANARY]
    assert agent.addresses(ROUTER) == [CANARY]
    assert listed(agent, "router", context="default") == [STABLE, CANARY]


def test_default_context_may_be_configured(start):
    agent = start(contexts={"default": CONTEXTS["canary"]})
    assert listed(agent, ROUTER) == [CANARY]
    assert agent.addresses(ROUTER) == [CANARY]


def test_settings_of_a_service_differ_from_those_for_all(start):
    agent = start(
        "--unmatched",
        "strict",
        services={
            "orders.prod": {"dns-answer": "vip", "primary-port": 8002, "empty-subset": "strict"},
            "unknown.example.com": {"unmatched": "service"},
        },
    )
    assert listed(agent, ROUTER) == []
    orders = agent.endpoints("orders.prod")
    assert [(e["address"], e["port"]) for e in orders["endpoints"]] == [("10.2.1.1", 8002)]
    assert orders["endpoints"][0]["share"] == pytest.approx(0.5)
    assert agent.addresses("orders.prod.svc.cluster.local") == ["10.96.3.2"]


def test_unmatched_and_empty_subset_of_one_service(start):
    agent = start(services={"router": {"unmatched": "strict"}, "orders.prod": {"empty-subset": "service"}})
    assert listed(agent, ROUTER) == []
    endpoints = agent.endpoints("orders.prod")["endpoints"]  # v1, then the whole service for the subset that is gone
    assert [(e["address"], e["share"]) for e in endpoints] == [("10.2.1.1", 0.5), ("10.2.1.1", 0.25), ("10.2.1.2", 0.25)]


def test_strict_service_that_answers_with_endpoints_has_none(start):
    agent = start(services={"router": {"unmatched": "strict", "dns-answer": "endpoint"}})
    reply = agent.query(ROUTER)
    assert reply.rcode() == dns.rcode.NOERROR and not reply.answer
    assert "context=default answer=none" in agent.dig("+short", "TXT", f"_why.{ROUTER}")


def test_names_of_applications_lead_to_services(start):
    agent = start(names={"Order-Service": "orders.prod", "way": "router", "later": "nothing.example.com"})
    assert agent.endpoints("order-service")["host"] == "orders.prod.svc.cluster.local"
    assert agent.endpoints("WAY")["host"] == ROUTER
    assert agent.http("/v1/endpoints/later").status == 404


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("contexts:\n  a: {pth: /}\n", ":2: context a: unknown key \"pth\"; did you mean path?"),
        ("services:\n  router: {context: canary}\n", ":2: service router: no context \"canary\""),
        ("services:\n  router: {}\n  router.default: {}\n", ":3: service router.default.svc.cluster.local already stands"),
        ("services:\n  'a b': {}\n", ":2: \"a b\" is no host of a service"),
        ("names:\n  a: b c\n", ":2: \"b c\" is no host"),
    ],
)
def test_errors_name_file_and_line_in_both_commands(mesh, tmp_path, text, told):
    config = tmp_path / "c.yaml"
    config.write_text(text)
    for command in ("check", "agent"):
        done = harness.run(command, "--source", f"dir:{mesh}", "--config", str(config))
        assert done.returncode != 0
        assert f"{config}{told}" in done.stderr


def test_broken_file_keeps_the_old_configuration(start):
    agent = start(contexts=CONTEXTS, services={"router": {"context": "canary"}})
    for content, told in (
        ({"services": {"router": {"context": "nope"}}}, ":2: service router: no context"),
        ({"services": {"router": {}, "router.default": {}}}, "already stands in line 2"),
    ):
        log = reload(agent, **content)
        assert f"{agent.config}:" in log and told in log and "the old one stays" in log
        assert listed(agent, "router") == [CANARY]


def test_context_names_of_dns(start):
    agent = start(contexts=CONTEXTS)
    assert agent.dig("+short", f"canary._ctx.{ROUTER}").split() == [CANARY]
    assert agent.dig("+short", "canary._ctx.router").split() == [CANARY]
    assert agent.addresses(f"other._ctx.{ROUTER}") == [STABLE, CANARY]  # unmatched, so all
    srv = agent.dig("+short", "SRV", f"_http._tcp.canary._ctx.{ROUTER}")
    assert srv.split() == ["0", "1", "8080", f"10-1-1-2.{ROUTER}."]
    assert agent.query(f"nope._ctx.{ROUTER}").rcode() == dns.rcode.NXDOMAIN
    parent = agent.query(f"_ctx.{ROUTER}")
    assert parent.rcode() == dns.rcode.NOERROR and not parent.answer


def test_why_tells_what_dns_did(start):
    agent = start(contexts=CONTEXTS, services={"orders.prod": {"empty-subset": "strict", "unmatched": "strict"}})
    revision = agent.status()["revision"]

    def why(name):
        return [line.strip('"') for line in agent.dig("+short", "TXT", f"_why.{name}").splitlines()]

    canary = why(f"canary._ctx.{ROUTER}")
    assert canary[0] == f"revision={revision} host={ROUTER} port=8080 context=canary answer=endpoints"
    assert canary[1] == f"route={ROUTER}:8080 index=0 name=canary"
    assert canary[2] == f"cluster=outbound|8080|v1|{ROUTER} share=1 endpoints=1/1"
    assert canary[3].startswith("total_slots=1 ")
    plain = why("router")
    assert plain[0].endswith(" context=default answer=endpoints")
    assert plain[1] == f"basis=unmatched unmatched=service route={ROUTER}:8080"
    orders = why("orders.prod.svc.cluster.local")
    assert any("|gone|orders.prod.svc.cluster.local share=0 endpoints=" in line for line in orders)
    assert any("lost_share=0.5 " in line and "empty_destinations=1 " in line for line in orders)
    assert agent.query(f"_why.{ROUTER}", "A").rcode() == dns.rcode.NOERROR


def test_why_of_aliases_and_of_names_that_upstream_knows(start, mesh):
    entry = {"hosts": ["none.example.com"], "resolution": "NONE", "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]}
    (mesh / "more.yaml").write_text(
        objects.dump(objects.external_name("old", ROUTER), objects.istio("ServiceEntry", "none", entry))
    )
    agent = start()
    revision = agent.status()["revision"]
    for name, answer in (
        ("old.default.svc.cluster.local", f"alias target={ROUTER}"),
        ("none.example.com", "forward asked=upstream"),
    ):
        text = agent.dig("+short", "TXT", f"_why.{name}")
        assert text == f'"revision={revision} name={name} host={name} answer={answer}"\n'


def test_why_of_foreign_names_is_asked_upstream(start_agent, mesh, upstream):
    agent = start_agent("--source", f"dir:{mesh}", upstream=upstream.address)
    assert agent.query("_why.www.example.com", "TXT").rcode() == dns.rcode.NXDOMAIN
    assert ("_why.www.example.com.", "TXT") in upstream.asked


class Stream(threading.Thread):
    """Asks again and again until told to stop, and keeps every distinct answer and every failure."""

    def __init__(self, ask):
        super().__init__(daemon=True)
        self.ask, self.running, self.count = ask, True, 0
        self.answers, self.failures = set(), []

    def run(self):
        while self.running:
            try:
                self.answers.add(self.ask())
            except (OSError, AssertionError, dns.exception.DNSException) as error:
                self.failures.append(repr(error))
            self.count += 1

    def stop(self):
        self.running = False
        self.join(30)


def test_reload_loses_no_question(start):
    settings = [
        {"contexts": CONTEXTS, "services": {"router": {"context": "canary"}}},
        {"services": {"router": {"dns-answer": "vip"}}},
    ]
    agent = start(**settings[0])

    def ask_dns():
        reply = agent.query(ROUTER)
        assert reply.rcode() == dns.rcode.NOERROR, reply
        return tuple(sorted(item.address for rrset in reply.answer for item in rrset))

    streams = [Stream(ask_dns), Stream(lambda: tuple(listed(agent, "router")))]
    for stream in streams:
        stream.start()
    for turn in range(1, 5):
        seen = [stream.count for stream in streams]
        log = reload(agent, **settings[turn % 2])
        assert "configuration reloaded " in log and "takes effect at the next start" not in log
        wanted = (VIP,) if turn % 2 else (CANARY,)
        assert ask_dns() == wanted  # what is asked after the reload has the new configuration
        harness.wait_for(lambda: all(s.count > n + 200 for s, n in zip(streams, seen)), "a steady stream")
    for stream in streams:
        stream.stop()
        assert stream.failures == []
    assert streams[0].answers == {(VIP,), (CANARY,)}
    assert streams[1].answers == {(CANARY,), tuple([STABLE, CANARY])}
