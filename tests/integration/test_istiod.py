# SPDX-License-Identifier: Apache-2.0
"""The agent on the real istiod: first view, live changes, both protocol variants, identity, and everything that breaks."""

import re

import dns.rcode
import pytest

import harness
import objects

pytestmark = pytest.mark.istiod

REVIEWS = "reviews.default.svc.cluster.local"


def mesh(tmp_path, *more):
    directory = tmp_path / "istiod"
    directory.mkdir(exist_ok=True)
    things = [
        *objects.app("reviews", {"v1": ["10.2.0.1", "10.2.0.2"], "v2": ["10.2.0.3"]}, ip="10.96.0.13"),
        objects.subsets("reviews", "v1", "v2"),
        objects.split("reviews", v1=90, v2=10),
        *objects.app("details", {"v1": ["10.2.1.1"]}, ip="10.96.0.11"),
        *objects.app("details", {"v1": ["10.3.1.1"]}, namespace="other", ip="10.97.0.11"),
        objects.service("db", headless=True, ports=((5432, 5432, "tcp"),)),
        objects.endpoint_slice("db", ["10.2.2.1", "10.2.2.2"], ports=((5432, "tcp"),), hostnames=("db-0", "db-1")),
        objects.pod("db", "10.2.2.1", hostname="db-0", subdomain="db"),
        objects.pod("db", "10.2.2.2", hostname="db-1", subdomain="db"),
        objects.external_name("alias", "details.default.svc.cluster.local"),
        objects.istio(
            "ServiceEntry",
            "pay",
            {
                "hosts": ["pay.example.com"],
                "location": "MESH_EXTERNAL",
                "resolution": "STATIC",
                "ports": [{"number": 443, "name": "tls", "protocol": "TLS"}],
                "endpoints": [{"address": "203.0.113.1", "weight": 3}, {"address": "203.0.113.2", "weight": 1}],
            },
        ),
        *more,
    ]
    (directory / "mesh.yaml").write_text(objects.dump(*things))
    return directory


POD = ("--pod-name", "client-1", "--pod-namespace", "default", "--pod-ip", "10.9.0.1")


def plaintext(istiod, *more):
    return (*istiod.plaintext_options(), *POD, *more)


def tls(istiod, token_file, *more):
    return (*istiod.tls_options(token_file), *POD, *more)


@pytest.fixture
def istiod(start_istiod, tmp_path):
    return start_istiod("--dir", str(mesh(tmp_path)))


@pytest.fixture
def secure_istiod(start_istiod, tmp_path):
    return start_istiod("--dir", str(mesh(tmp_path)), "--tls", "127.0.0.1:0", "--cert-dir", str(tmp_path / "certs"))


def write_token(istiod, path, **kwargs):
    path.write_text(istiod.token(**kwargs))
    return path


@pytest.mark.parametrize("mode", ["delta", "sotw"])
def test_first_view_is_what_istiod_says(start_agent, istiod, mode):
    agent = start_agent(*plaintext(istiod, "--xds-mode", mode))
    assert agent.shares("reviews") == pytest.approx(
        {"10.2.0.1:8080": 0.45, "10.2.0.2:8080": 0.45, "10.2.0.3:8080": 0.1}
    )
    names = istiod.call("/debug/ndsz?proxyID=client-1.default", method="GET")["configs"][0]["table"]
    for host, info in names.items():
        if host.startswith("*"):
            continue
        reply = agent.query(host)
        assert reply.rcode() == dns.rcode.NOERROR, host
        found = {item.address for rrset in reply.answer for item in rrset}
        wanted = {ip for ip in info["ips"] if ":" not in ip}
        if host not in (REVIEWS, "pay.example.com"):
            assert found == wanted, host
    hosts = {service["host"] for service in agent.get("/v1/services")["services"]}
    assert {
        REVIEWS,
        "details.default.svc.cluster.local",
        "details.other.svc.cluster.local",
        "db.default.svc.cluster.local",
        "pay.example.com",
    } <= hosts


def test_both_protocol_variants_give_equal_views(start_agent, istiod):
    views = []
    for mode in ("delta", "sotw"):
        view = start_agent(*plaintext(istiod, "--xds-mode", mode)).view()
        view.pop("revision")
        views.append(view)
    assert views[0] == views[1]


def test_names_of_headless_pods_and_alias(start_agent, istiod):
    agent = start_agent(*plaintext(istiod))
    assert agent.addresses("db.default.svc.cluster.local") == ["10.2.2.1", "10.2.2.2"]
    assert agent.addresses("db-0.db.default.svc.cluster.local") == ["10.2.2.1"]
    reply = agent.query("alias.default.svc.cluster.local")
    assert str(reply.answer[0][0].target) == "details.default.svc.cluster.local."
    assert agent.addresses("alias.default.svc.cluster.local") == ["10.96.0.11"]
    assert agent.addresses("alias") == ["10.96.0.11"]
    hosts = [service["host"] for service in agent.get("/v1/services")["services"]]
    assert [host for host in hosts if host.startswith("alias")] == ["alias.default.svc.cluster.local"]


def test_same_name_in_two_namespaces(start_agent, istiod):
    agent = start_agent(*plaintext(istiod))
    assert agent.addresses("details") == ["10.96.0.11"]
    assert agent.addresses("details.other") == ["10.97.0.11"]
    assert agent.shares("details.other") == {"10.3.1.1:8080": 1.0}


@pytest.mark.parametrize("mode", ["delta", "sotw"])
def test_live_changes_arrive(start_agent, istiod, mode):
    agent = start_agent(*plaintext(istiod, "--xds-mode", mode))
    # scale up and down
    addresses = ["10.2.1.1", "10.2.1.2", "10.2.1.3"]
    istiod.apply(
        objects.dump(objects.endpoint_slice("details", addresses), *[objects.pod("details", a) for a in addresses])
    )
    harness.wait_for(lambda: len(agent.shares("details")) == 3, "three endpoints")
    istiod.apply(objects.dump(objects.endpoint_slice("details", addresses[:1])))
    harness.wait_for(lambda: len(agent.shares("details")) == 1, "one endpoint")
    # weights and subsets
    istiod.apply(objects.dump(objects.split("reviews", v1=25, v2=75)))
    harness.wait_for(lambda: agent.shares("reviews").get("10.2.0.3:8080") == pytest.approx(0.75), "the new split")
    istiod.apply(
        objects.dump(
            objects.subsets("reviews", "v1", "v2", "v3"),
            objects.pod("reviews", "10.2.0.4", version="v3"),
            objects.endpoint_slice("reviews", ["10.2.0.1", "10.2.0.2", "10.2.0.3", "10.2.0.4"]),
            objects.split("reviews", v1=25, v3=75),
        )
    )
    harness.wait_for(lambda: agent.shares("reviews").get("10.2.0.4:8080") == pytest.approx(0.75), "the new subset")
    # a service comes and goes
    istiod.apply(
        objects.dump(*objects.app("fresh", {"v1": ["10.2.9.1"]}, ip="10.96.0.99", ports=((7777, 7777, "http"),)))
    )
    harness.wait_for(lambda: agent.shares("fresh") == {"10.2.9.1:7777": 1.0}, "the new service")
    assert agent.addresses("fresh.default.svc.cluster.local") == ["10.96.0.99"]
    istiod.delete("Service", "default", "fresh")
    istiod.delete("EndpointSlice", "default", "fresh-1")
    harness.wait_for(lambda: agent.http("/v1/endpoints/fresh").status == 404, "the service to go")
    assert not [n for n in agent.view()["names"] if n["name"].startswith("fresh.")]
    # not ready
    istiod.apply(
        objects.dump(
            objects.endpoint_slice("reviews", ["10.2.0.1", "10.2.0.2", "10.2.0.4"], ready={"10.2.0.1": False})
        )
    )
    harness.wait_for(
        lambda: "10.2.0.1:8080" not in agent.shares("reviews", subset="v1"), "the unready endpoint to go"
    )


def test_several_ports_and_dual_stack(start_agent, start_istiod, tmp_path):
    directory = mesh(
        tmp_path,
        objects.service(
            "multi", ip="10.96.1.1", ports=((80, 8080, "http"), (9000, 9001, "grpc")), ips=["10.96.1.1", "fd00::1:1"]
        ),
        objects.endpoint_slice("multi", ["10.2.5.1"], ports=((8080, "http"), (9001, "grpc"))),
        objects.endpoint_slice(
            "multi",
            ["fd00::2:1"],
            ports=((8080, "http"), (9001, "grpc")),
            suffix="2",
            pods=[objects.pod_name("multi", "10.2.5.1")],
        ),
        objects.pod("multi", "10.2.5.1", also=["fd00::2:1"]),
    )
    istiod = start_istiod("--dir", str(directory), env={"ISTIO_DUAL_STACK": "true"})
    agent = start_agent(*plaintext(istiod, "--pod-ip", "10.9.0.1,fd00::9"))
    assert agent.addresses("multi.default.svc.cluster.local") == ["10.96.1.1"]
    assert agent.addresses("multi.default.svc.cluster.local", "AAAA") == ["fd00::1:1"]
    assert {p["number"] for p in agent.get("/v1/services/multi")["ports"]} == {80, 9000}
    assert agent.shares("multi:9000") == {"10.2.5.1:9001": 1.0}
    (endpoint,) = agent.endpoints("multi:80")["endpoints"]
    assert endpoint["alternate_address"] == "fd00::2:1"


def test_service_entry_with_dns_resolves_through_upstream(start_agent, start_istiod, tmp_path, upstream):
    upstream.records["origin.example.org."] = ["127.7.7.7"]
    directory = mesh(
        tmp_path,
        objects.istio(
            "ServiceEntry",
            "origin",
            {
                "hosts": ["api.example.com"],
                "location": "MESH_EXTERNAL",
                "resolution": "DNS",
                "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
                "endpoints": [{"address": "origin.example.org"}],
            },
        ),
    )
    istiod = start_istiod("--dir", str(directory))
    agent = start_agent(*plaintext(istiod), upstream=upstream.address)
    harness.wait_for(lambda: agent.shares("api.example.com") == {"127.7.7.7:80": 1.0}, "the resolved endpoint")
    assert agent.addresses("api.example.com") == ["127.7.7.7"]


def test_tcp_split_from_listeners(start_agent, start_istiod, tmp_path):
    directory = mesh(
        tmp_path,
        *objects.app("pg", {"v1": ["10.2.6.1"], "v2": ["10.2.6.2"]}, ip="10.96.6.1", ports=((5432, 5432, "tcp-pg"),)),
        objects.subsets("pg", "v1", "v2"),
        objects.istio(
            "VirtualService",
            "pg",
            {
                "hosts": ["pg"],
                "tcp": [
                    {
                        "route": [
                            {"destination": {"host": "pg", "subset": "v1"}, "weight": 90},
                            {"destination": {"host": "pg", "subset": "v2"}, "weight": 10},
                        ]
                    }
                ],
            },
        ),
    )
    istiod = start_istiod("--dir", str(directory))
    agent = start_agent(*plaintext(istiod))
    assert agent.shares("pg") == pytest.approx({"10.2.6.1:5432": 0.9, "10.2.6.2:5432": 0.1})


def test_tls_with_token_gives_the_view(start_agent, secure_istiod, tmp_path):
    token = write_token(secure_istiod, tmp_path / "token")
    agent = start_agent(*tls(secure_istiod, token))
    assert len(agent.shares("reviews")) == 3


@pytest.mark.parametrize(
    "fault, text",
    [
        ("root", r"certificate"),
        ("name", r"certificate|name|peer"),
        ("expired", r"(?i)unauthenticated|token"),
        ("audience", r"(?i)unauthenticated|token"),
        ("namespace", r"(?i)denied|namespace|identity"),
        ("missing", r"token"),
    ],
)
def test_wrong_identity_is_its_own_clear_error_and_no_data(start_agent, secure_istiod, tmp_path, fault, text):
    token = tmp_path / "token"
    if fault == "expired":
        write_token(secure_istiod, token, expires_in=-3600)
    elif fault == "audience":
        write_token(secure_istiod, token, audience="somebody-else")
    elif fault == "namespace":
        write_token(secure_istiod, token, namespace="other")
    elif fault != "missing":
        write_token(secure_istiod, token)
    more = {
        "root": ("--xds-root-ca", secure_istiod.info["wrong_root"]),
        "name": ("--xds-server-name", "istiod.elsewhere.svc"),
    }.get(fault, ())
    agent = start_agent(*tls(secure_istiod, token), *more, wait="listening")
    source = harness.wait_for(
        lambda: agent.status()["source"]["last_error"] and agent.status()["source"], "the error"
    )
    assert re.search(text, source["last_error"]), source["last_error"]
    assert agent.http("/healthz/ready", port="health").status == 503
    assert agent.status()["revision"] == 0 and agent.http("/v1/services").status == 503
    assert "Bearer" not in agent.log()


def test_token_is_read_again_for_every_stream(start_agent, secure_istiod, tmp_path):
    token = write_token(secure_istiod, tmp_path / "token", expires_in=-3600)
    agent = start_agent(*tls(secure_istiod, token), wait="listening")
    harness.wait_for(lambda: agent.status()["source"]["last_error"], "the refusal")
    write_token(secure_istiod, token)
    agent.wait_ready()
    assert len(agent.shares("reviews")) == 3


def test_restart_of_istiod_loses_nothing(start_agent, istiod):
    agent = start_agent(*plaintext(istiod))
    before = agent.view()
    istiod.call("/stop-xds")
    harness.wait_for(lambda: agent.status()["stale"], "staleness")
    assert agent.view() == before
    assert agent.http("/healthz/ready", port="health").status == 200
    assert agent.http("/v1/services").headers["X-Isthmus-Stale"] == "true"
    istiod.delete("Service", "other", "details")
    istiod.apply(objects.dump(objects.split("reviews", v1=50, v2=50)))
    istiod.call("/start-xds")
    harness.wait_for(lambda: not agent.status()["stale"], "the reconnection")
    harness.wait_for(
        lambda: agent.shares("reviews").get("10.2.0.3:8080") == pytest.approx(0.5), "what changed meanwhile"
    )
    harness.wait_for(lambda: agent.http("/v1/services/details.other").status == 404, "what vanished meanwhile")


@pytest.mark.parametrize("bytes_", [10, 2000, 20000])
def test_connection_cut_in_the_middle_of_a_push_loses_nothing(start_agent, istiod, bytes_):
    agent = start_agent(*plaintext(istiod))
    istiod.call(f"/cut?mid-push=1&bytes={bytes_}")
    for weight in (10, 20, 30, 40):
        istiod.apply(objects.dump(objects.split("reviews", v1=weight, v2=100 - weight)))
        assert len(agent.shares("reviews")) == 3
    harness.wait_for(lambda: agent.shares("reviews").get("10.2.0.3:8080") == pytest.approx(0.6), "the last split")


def test_istiod_that_never_answers_is_told_apart(start_agent, istiod):
    istiod.call("/pause")
    agent = start_agent(*plaintext(istiod), wait="listening")
    reason = harness.wait_for(lambda: agent.status()["source"]["last_error"], "a deadline", 45)
    assert reason
    istiod.call("/resume")
    agent.wait_ready(60)


def test_second_server_of_the_list_takes_over(start_agent, start_istiod, tmp_path):
    directory = mesh(tmp_path)
    first, second = start_istiod("--dir", str(directory)), start_istiod("--dir", str(directory))
    agent = start_agent(*plaintext(first, "--xds-address", f"{first.plaintext},{second.plaintext}"))
    assert agent.status()["source"]["server"] == first.plaintext
    first.stop()
    harness.wait_for(
        lambda: agent.status()["source"]["server"] == second.plaintext and not agent.status()["stale"], "take-over"
    )
    second.apply(objects.dump(objects.split("reviews", v1=1, v2=1)))
    harness.wait_for(
        lambda: agent.shares("reviews").get("10.2.0.3:8080") == pytest.approx(0.5), "a change by the second"
    )


def test_unchanged_things_are_not_rebuilt(start_agent, istiod):
    agent = start_agent(*plaintext(istiod))
    before = agent.get("/v1/services/details")["changed_in_revision"]
    istiod.apply(objects.dump(objects.split("reviews", v1=50, v2=50)))
    harness.wait_for(lambda: agent.shares("reviews").get("10.2.0.3:8080") == pytest.approx(0.5), "the change")
    assert agent.get("/v1/services/details")["changed_in_revision"] == before


def test_istiod_sees_every_push_acknowledged(start_agent, istiod):
    start_agent(*plaintext(istiod))
    istiod.apply(objects.dump(objects.split("reviews", v1=50, v2=50)))
    istiod.quiesce(clients=1)
    state = istiod.call("/state", method="GET")
    (connection,) = state["connections"]
    for name, kind in connection["types"].items():
        assert kind["nacks"] == 0, (name, kind)
        assert kind["sent_nonce"] == kind["answered_nonce"], (name, kind)


@pytest.mark.parametrize("mode", ["delta", "sotw"])
def test_answers_that_come_byte_by_byte_are_put_together(start_agent, istiod, mode):
    relay = harness.Relay(istiod.plaintext, 1)
    agent = start_agent(*plaintext(istiod, "--xds-mode", mode, "--xds-address", relay.address))
    assert len(agent.shares("reviews")) == 3
    istiod.apply(objects.dump(objects.split("reviews", v1=50, v2=50)))
    harness.wait_for(lambda: agent.shares("reviews").get("10.2.0.3:8080") == pytest.approx(0.5), "a change")
    agent.stop()
    relay.stop()
