# SPDX-License-Identifier: Apache-2.0
"""What the Eureka door lists: names, instances and metadata of every kind of service (docs/eureka.md, "Names", "Instances")."""

import gzip
import json

import pytest
import yaml

import harness
import objects
from test_eureka import JAVA, JSON, Eureka

IDS = {**JSON, "User-Agent": "Steeltoe/4.1.0"}
FORBIDDEN = {"zone", "weight", "hint", "instanceId"}
CONFIG = {
    "contexts": {"beta": {"headers": {"x-beta": "1"}}},
    "names": {"order-service": "reviews", "till": "details.shop"},
    "search-namespaces": ["shop"],
    "services": {"reviews": {"metadata": {"team": "blue"}}},
}


def write_mesh(directory):
    """A split over three subsets and a context's route; one name in two namespaces; gRPC, TLS, TCP, two ports, no VIP, IPv6."""
    to_v3 = [{"destination": {"host": "reviews.default.svc.cluster.local", "subset": "v3"}}]
    split = [{"destination": {"host": "reviews.default.svc.cluster.local", "subset": s}, "weight": w} for s, w in
             (("v1", 80), ("v2", 20))]  # fmt: skip
    two_ports = ((80, 8080, "http"), (9090, 9091, "http-admin"))
    directory.mkdir()
    (directory / "mesh.yaml").write_text(
        objects.dump(
            *objects.app("reviews", {"v1": ["10.1.0.1"], "v2": ["10.1.0.2"], "v3": ["10.1.0.3"]}, ip="10.96.0.1"),
            objects.subsets("reviews.default.svc.cluster.local", "v1", "v2", "v3"),
            objects.istio("VirtualService", "reviews", {"hosts": ["reviews"], "http": [
                {"match": [{"headers": {"x-beta": {"exact": "1"}}}], "route": to_v3}, {"route": split}]}),
            *objects.app("details", {"v1": ["10.1.1.1"]}, ip="10.96.0.2"),
            *objects.app("details", {"v1": ["10.1.2.1"]}, "shop", "10.96.0.3"),
            *objects.app("stock", {"v1": ["10.1.3.1"]}, "shop", "10.96.0.4"),
            *objects.app("prices", {"v1": ["10.1.4.1"]}, ip="10.96.0.5", ports=((50051, 50052, "grpc"),)),
            *objects.app("vault", {"v1": ["10.1.5.1", "10.1.5.2"]}, ip="10.96.0.6", ports=((443, 8443, "https"),)),
            *objects.app("db", {"v1": ["10.1.6.1"]}, ip="10.96.0.7", ports=((5432, 5432, "tcp"),)),
            *objects.app("admin", {"v1": ["10.1.7.1"]}, ip="10.96.0.8", ports=two_ports),
            *objects.app("dns", {"v1": ["10.1.8.1"]}, "kube-system", "10.96.0.9"),
            objects.service("six", ip="fd00:96::1", ips=["fd00:96::1"]),
            objects.endpoint_slice("six", ["fd00::5"]),
            objects.pod("six", "fd00::5"),
            objects.external_name("old-reviews", "reviews.default.svc.cluster.local"),
        )
    )
    return directory


@pytest.fixture(scope="module")
def module_mesh(tmp_path_factory):
    return write_mesh(tmp_path_factory.mktemp("names") / "mesh")


@pytest.fixture
def start(start_agent, module_mesh, tmp_path):
    def start_with(**content):
        config = tmp_path / "isthmus.yaml"
        config.write_text(yaml.safe_dump(content))
        return start_agent("--source", f"dir:{module_mesh}", "--config", str(config), "--eureka-listen", "127.0.0.1:0")

    return start_with


@pytest.fixture(scope="module")
def eureka(module_mesh, tmp_path_factory):
    config = tmp_path_factory.mktemp("config") / "isthmus.yaml"
    config.write_text(yaml.safe_dump(CONFIG))
    agent = harness.Agent("--source", f"dir:{module_mesh}", "--config", str(config), "--eureka-listen", "127.0.0.1:0")
    yield Eureka(agent)
    assert agent.stop() == 0, agent.log()


def instances(apps):
    return [instance for app in apps.values() for instance in app.values()]


def test_each_service_is_one_application_of_its_canonical_name(eureka):
    """Neither an alias nor an ExternalName, neither TCP alone nor a namespace of the system has one."""
    assert set(eureka.apps()) == {"REVIEWS", "DETAILS", "DETAILS.SHOP", "STOCK.SHOP", "PRICES", "VAULT", "ADMIN", "ADMIN--P9090",
                                  "SIX"} | {"REVIEWS--V3"}  # fmt: skip
    assert [i["hostName"] for i in eureka.apps()["REVIEWS--V3"].values()] == ["10.1.0.3"]  # no share, so no place in REVIEWS
    everywhere = [i["ipAddr"] + str(i["port"]["$"]) for i in instances(eureka.apps())]
    assert len(everywhere) == len(set(everywhere))


@pytest.mark.parametrize("name", ["reviews", "reviews.default", "reviews.default.svc.cluster.local", "order-service"])
def test_every_name_of_a_service_has_its_slots_in_vip_addresses(eureka, name):
    assert eureka.shares(name) == pytest.approx({"10.1.0.1": 0.8, "10.1.0.2": 0.2})
    assert eureka.shares(f"{name}--beta") == {"10.1.0.3": 1} or name.count(".") != 0
    listed = eureka.get(f"/eureka/vips/{name}")["applications"]["application"]
    assert {i["ipAddr"]: i["vipAddress"].count(name) for a in listed for i in a["instance"]} == {"10.1.0.1": 4, "10.1.0.2": 1}


@pytest.mark.parametrize(
    "name,addresses",
    [
        ("reviews--v1", ["10.1.0.1"]),
        ("reviews--v2", ["10.1.0.2"]),
        ("reviews--v3", ["10.1.0.3"]),
        ("reviews--beta", ["10.1.0.3"]),
        ("order-service--v2", ["10.1.0.2"]),
        ("details", ["10.1.1.1"]),
        ("details.shop", ["10.1.2.1"]),
        ("till", ["10.1.2.1"]),
        ("stock", ["10.1.3.1"]),
        ("stock.shop", ["10.1.3.1"]),
        ("admin--p9090", ["10.1.7.1"]),
    ],
)
def test_subsets_contexts_ports_and_namespaces_have_slots_of_their_own(eureka, name, addresses):
    assert eureka.shares(name) == {a: 1 / len(addresses) for a in addresses}
    assert {i["ipAddr"] for i in instances(eureka.apps(IDS)) if i["vipAddress"] == name} == set(addresses)


@pytest.mark.parametrize("name", ["db", "dns.kube-system", "old-reviews", "REVIEWS--V1.default", "admin--p80"])
def test_names_that_lists_do_not_show_are_found(eureka, name):
    assert name.upper() not in eureka.apps()
    (app,) = eureka.get(f"/eureka/vips/{name}")["applications"]["application"]
    assert app["name"] == name.upper() and {n for i in app["instance"] for n in i["vipAddress"].split(",")} == {name.lower()}


def test_a_name_of_the_configuration_lists_a_service_of_any_kind(start):
    apps = Eureka(start(names={"main-db": "db"})).apps()
    assert "db,main-db," in next(iter(apps["DB"].values()))["vipAddress"]


def test_names_are_lower_case_in_vips_and_upper_case_in_applications(eureka):
    for headers in (JAVA, IDS):
        for name, app in eureka.apps(headers).items():
            assert name == name.upper()
            for instance in app.values():
                assert instance["app"] == name and instance["vipAddress"] == instance["vipAddress"].lower()
                assert " " not in instance["vipAddress"]  # Java does not trim


def test_hosts_are_addresses_that_need_no_look_up(eureka):
    apps = eureka.apps()
    for instance in instances({n: a for n, a in apps.items() if n not in ("VAULT", "SIX")}):
        assert instance["hostName"] == instance["ipAddr"]
    (six,) = apps["SIX"].values()
    assert (six["ipAddr"], six["hostName"]) == ("fd00::5", "[fd00::5]")
    assert six["homePageUrl"] == "http://[fd00::5]:8080/"


def test_tls_is_one_instance_of_the_service(eureka):
    """Its host for the certificate, its virtual IP, both ports equal, only the secure one enabled."""
    (vault,) = eureka.apps()["VAULT"].values()
    assert (vault["hostName"], vault["ipAddr"]) == ("vault.default.svc.cluster.local", "10.96.0.6")
    assert (vault["port"], vault["securePort"]) == ({"$": 443, "@enabled": "false"}, {"$": 443, "@enabled": "true"})
    assert vault["secureVipAddress"] == vault["vipAddress"] and vault["vipAddress"].startswith("vault,vault.default,")
    assert vault["homePageUrl"] == "https://vault.default.svc.cluster.local:443/"
    assert vault["secureHealthCheckUrl"] == vault["healthCheckUrl"] == f"{vault['homePageUrl']}actuator/health"
    assert vault["instanceId"] == "10.96.0.6:vault:443"


def test_every_instance_has_its_pages(eureka):
    """Spring Boot Admin throws without a health URL."""
    for instance in instances(eureka.apps()):
        home = instance["homePageUrl"]
        assert home.endswith("/") and instance["statusPageUrl"] == f"{home}actuator/info"
        assert instance["healthCheckUrl"] == f"{home}actuator/health"


def test_metadata_is_what_is_known_and_never_what_balancers_act_on(eureka):
    apps = eureka.apps()
    known = {"version", "workload", "namespace", "locality", "gRPC_port", "team"}
    for instance in instances(apps) + instances(eureka.apps(IDS)):
        keys = set(instance["metadata"]) - {"@class"}  # JSON names the class of an empty map
        assert keys <= known and not keys & FORBIDDEN
        assert all(isinstance(value, str) and value for value in instance["metadata"].values())
    (prices,) = apps["PRICES"].values()
    assert prices["metadata"]["gRPC_port"] == "50052" and prices["port"]["$"] == 50052
    assert [i for i in instances(apps) if "gRPC_port" in i["metadata"]] == [prices]
    for address, version in (("10.1.0.1", "v1"), ("10.1.0.2", "v2")):
        metadata = apps["REVIEWS"][f"{address}:reviews:8080"]["metadata"]
        assert metadata["version"] == version and metadata["namespace"] == "default" and metadata["team"] == "blue"
    assert "team" not in next(iter(apps["DETAILS"].values()))["metadata"]


def test_instance_ids_are_the_same_after_a_restart(start):
    def ids(agent):
        eureka = Eureka(agent)
        return {form: sorted((i["instanceId"], i["app"]) for i in instances(eureka.apps(headers))) for form, headers in
                (("vips", JAVA), ("ids", IDS))}  # fmt: skip

    first = start(**CONFIG)
    before = ids(first)
    assert ("10.1.0.1:reviews:8080", "REVIEWS") in before["vips"]
    assert ("10.1.0.1:reviews:8080~4", "REVIEWS") in before["ids"]
    assert ("10.1.2.1:details.shop:8080", "TILL") in before["ids"]
    assert all(len(app) == len(set(app)) for app in before.values())
    first.stop()
    assert ids(start(**CONFIG)) == before


def test_names_of_other_services_are_reported(start):
    """The pod's own namespace hides the one of a searched namespace; the report says so."""
    agent = start(**CONFIG)
    report = agent.get("/v1/report?finding=name-conflict")
    (service,) = report["services"]
    assert service["host"] == "details.shop.svc.cluster.local"
    assert service["findings"][0]["detail"] == "details leads to details.default.svc.cluster.local"
    assert service["findings"][0]["doors"] == ["rest", "eureka"]
    assert agent.endpoints("stock")["host"] == "stock.shop.svc.cluster.local"  # REST has these names too


SERVICES, EACH = 1000, 5
WHOLE_MAX_BYTES, PACKED_MAX_BYTES = 4_700_000, 141_000


def deployed(app, address, version):
    """A pod of a Deployment, as nearly all are: its workload is the Deployment."""
    pod = objects.pod(app, address, version=version, labels={"pod-template-hash": "5b7f9"})
    pod["metadata"]["generateName"] = f"{app}-{version}-5b7f9-"
    pod["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": f"{app}-{version}-5b7f9", "controller": True}]
    return pod


def write_large_mesh(directory):
    directory.mkdir()
    for block in range(10):
        apps = []
        for n in range(block * SERVICES // 10, (block + 1) * SERVICES // 10):
            addresses = [f"10.{n // 250 + 1}.{n % 250}.{i + 1}" for i in range(EACH)]
            name = f"service-{n:04d}"
            pods = [deployed(name, a, "v1" if i < 3 else "v2") for i, a in enumerate(addresses)]
            apps += [objects.service(name, ip=f"10.200.{n // 250}.{n % 250}"), objects.endpoint_slice(name, addresses), *pods]
        (directory / f"{block}.yaml").write_text("\n---\n".join(map(json.dumps, apps)))  # is YAML, and quick to write
    return directory


def test_a_thousand_services_are_no_more_than_they_need(start_agent, tmp_path):
    mesh = write_large_mesh(tmp_path / "large")
    eureka = Eureka(start_agent("--source", f"dir:{mesh}", "--eureka-listen", "127.0.0.1:0"))
    _, headers, packed = eureka.ask("GET", "/eureka/apps", {**JAVA, "Accept-Encoding": "gzip"})
    assert headers["Content-Encoding"] == "gzip"
    whole = gzip.decompress(packed)
    listed = json.loads(whole)["applications"]
    assert listed["apps__hashcode"] == f"UP_{SERVICES * EACH}_" and len(listed["application"]) == SERVICES
    assert {i["vipAddress"].count(",") for a in listed["application"] for i in a["instance"]} == {2}
    assert listed["application"][0]["instance"][0]["metadata"]["workload"] == "service-0000-v1"
    assert len(whole) <= WHOLE_MAX_BYTES and len(packed) <= PACKED_MAX_BYTES, (len(whole), len(packed))
