# SPDX-License-Identifier: Apache-2.0
"""Which addresses registries give, by what of Istio is in the pod (--mesh-proxy) and by what endpoints can do."""

import json

import harness
import objects
import pytest
import world

pytestmark = pytest.mark.istiod

JSON = {"Accept": "application/json", "User-Agent": "Java-EurekaClient/v1"}
SIDECAR = {"security.istio.io/tlsMode": "istio"}
PODS = {"10.1.0.1": ("v1", SIDECAR), "10.1.0.2": ("v1", SIDECAR), "10.1.0.3": ("v2", {})}
HOST = "reviews.default.svc.cluster.local"
ENDPOINTS = {f"{address}:8080" for address in PODS}


def injected(containers, inits=("istio-init",)):
    status = {"initContainers": list(inits), "containers": list(containers), "volumes": ["istio-envoy"], "revision": "default"}
    return f"sidecar.istio.io/status={json.dumps(json.dumps(status))}\n"


def service(name, ip, endpoints, labels=None, **more):
    pods = [objects.pod(name, address, labels=labels) for address in endpoints]
    return [objects.service(name, ip=ip, **more), objects.endpoint_slice(name, endpoints), *pods]


def entry(host, port, protocol):
    return {"hosts": [host], "location": "MESH_EXTERNAL", "resolution": "STATIC", "endpoints": [{"address": "10.1.5.1"}],
            "ports": [{"number": port, "name": protocol.lower(), "protocol": protocol}]}  # fmt: skip


def mesh():
    reviews = [objects.pod("reviews", address, version=version, labels=labels) for address, (version, labels) in PODS.items()]
    return [
        objects.service("reviews", ip="10.96.0.1"),
        objects.endpoint_slice("reviews", list(PODS)),
        *reviews,
        objects.subsets(HOST, "v1", "v2"),
        objects.split(HOST, v1=90, v2=10),
        *service("peers", "None", ["10.1.1.1"], SIDECAR, headless=True),
        *service("forced", "10.96.0.3", ["10.1.2.1"]),
        *service("waypoint", "10.96.0.4", ["10.1.3.1"]),
        *service("empty", "10.96.0.5", []),
        objects.istio("ServiceEntry", "legacy", entry("legacy.example.com", 80, "HTTP")),
        objects.istio("ServiceEntry", "pay", entry("pay.example.com", 443, "TLS")),
    ]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    made = world.World(tmp_path_factory.mktemp("mesh"), *mesh())
    yield made
    made.stop()


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    file = tmp_path_factory.mktemp("config") / "isthmus.yaml"
    file.write_text(json.dumps({
        "services": {"forced": {"registry-address": "endpoint"}, "waypoint": {"registry-address": "vip"}},
        "contexts": {"canary": {"path": "/canary"}},
    }))  # fmt: skip
    return file


def start(both, source, config, *flags):
    return both.agent(source, "--eureka-listen", "127.0.0.1:0", "--config", str(config), *flags)


def places(agent, name, secure=False):
    """HOST:PORT of all instances that a client finds under this name, with the address behind a host name."""
    answer = agent.http(f"/eureka/{'s' if secure else ''}vips/{name}", port="eureka", headers=JSON).json()
    found = set()
    for application in answer["applications"]["application"]:
        for instance in application["instance"]:
            port = instance["securePort" if instance["securePort"]["@enabled"] == "true" else "port"]["$"]
            found.add(f"{instance['hostName']}:{port}")
    return found


ALWAYS = {
    "forced": {"10.1.2.1:8080"},  # the configuration wants endpoints
    "waypoint": {"10.96.0.4:80"},  # the configuration wants the virtual IP
    "peers": {"10.1.1.1:8080"},  # headless: only its endpoints are known by anybody
    "empty": set(),
    "pay.example.com": {"pay.example.com:443"},  # TLS: its certificate names the host
}
WITHOUT = {
    "reviews": ENDPOINTS,
    "reviews--v1": {"10.1.0.1:8080", "10.1.0.2:8080"},
    "reviews--v2": {"10.1.0.3:8080"},
    "reviews--canary": ENDPOINTS,
    "legacy.example.com": {"10.1.5.1:80"},
}
WITH_ENVOY = {
    "reviews": {"10.96.0.1:80"},
    "reviews.default.svc.cluster.local": {"10.96.0.1:80"},
    "reviews--v1": set(),  # withheld: Envoy would send the call in plain text
    "reviews--v2": {"10.1.0.3:8080"},  # nobody asks for mTLS there
    "reviews--canary": {"10.1.0.3:8080"},
    "legacy.example.com": {"legacy.example.com:80"},  # no address that the proxy would know
}


@pytest.mark.parametrize("source", world.SOURCES)
@pytest.mark.parametrize("proxy,wanted", [("none", WITHOUT), ("ambient", WITHOUT), ("envoy", WITH_ENVOY)])
def test_addresses_by_proxy(both, config, source, proxy, wanted):
    agent = start(both, source, config, "--mesh-proxy", proxy)
    for name, expected in {**ALWAYS, **wanted}.items():
        assert places(agent, name, name == "pay.example.com") == expected, name
    assert agent.status()["mesh_proxy"] == proxy
    assert f"mesh proxy in this pod: {proxy} (--mesh-proxy)" in agent.log()


@pytest.mark.parametrize("source", world.SOURCES)
def test_withheld_endpoints_are_reported(both, config, source):
    def findings(agent):
        found = [f for s in agent.get("/v1/report")["services"] if s["host"] == HOST for f in s["findings"]]
        return {f["finding"]: f["detail"] for f in found}

    assert findings(start(both, source, config, "--mesh-proxy", "envoy"))["withheld"] == "2 of 3 endpoints"
    assert "withheld" not in findings(start(both, source, config, "--mesh-proxy", "none"))
    assert "mtls" in findings(start(both, source, config, "--mesh-proxy", "none"))


@pytest.mark.parametrize("source", world.SOURCES)
def test_virtual_ip_goes_with_the_last_usable_endpoint(both, config, source):
    agent = start(both, source, config, "--mesh-proxy", "envoy")
    late = service("late", "10.96.0.9", ["10.1.7.1"])
    both.apply(*late)
    harness.wait_for(lambda: places(agent, "late") == {"10.96.0.9:80"}, "the service")
    both.apply(objects.endpoint_slice("late", ["10.1.7.1"], ready={"10.1.7.1": False}))
    harness.wait_for(lambda: places(agent, "late") == set(), "nobody left")
    both.apply(*late)
    harness.wait_for(lambda: places(agent, "late") == {"10.96.0.9:80"}, "it is back")
    both.delete("Service", "late")
    both.delete("EndpointSlice", "late-1")
    both.delete("Pod", objects.pod_name("late", "10.1.7.1"))
    harness.wait_for(lambda: places(agent, "late") == set(), "the service gone")


def test_global_setting_goes_before_the_proxy(both, config):
    agent = start(both, "files", config, "--mesh-proxy", "envoy", "--registry-address", "endpoint")
    assert places(agent, "reviews") == ENDPOINTS and places(agent, "reviews--v1") == WITHOUT["reviews--v1"]
    assert places(agent, "waypoint") == {"10.96.0.4:80"}


def test_annotations_decide_and_are_followed(both, tmp_path, config):
    """As the kubelet writes them: a link to a folder that is replaced."""
    (tmp_path / "1").mkdir()
    (tmp_path / "1/annotations").write_text('kubernetes.io/config.seen="2026-01-01"\n')
    (tmp_path / "..data").symlink_to("1")
    (tmp_path / "annotations").symlink_to("..data/annotations")

    def put(generation, text):
        folder = tmp_path / str(generation)
        folder.mkdir()
        (folder / "annotations").write_text(text)
        (tmp_path / "..data_tmp").symlink_to(str(generation))
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")

    def follow(proxy, expected):
        harness.wait_for(lambda: agent.status()["mesh_proxy"] == proxy, proxy)
        assert places(agent, "reviews") == expected

    agent = start(both, "files", config, "--annotations-file", str(tmp_path / "annotations"))
    follow("none", ENDPOINTS)
    put(2, 'ambient.istio.io/redirection="enabled"\n')
    follow("ambient", ENDPOINTS)
    put(3, injected(["istio-proxy"]))
    follow("envoy", {"10.96.0.1:80"})
    put(4, injected(["isthmus"]))  # another template of the injector
    follow("none", ENDPOINTS)
    put(5, injected([], ["istio-init", "istio-proxy"]))  # a native sidecar
    follow("envoy", {"10.96.0.1:80"})
    put(6, 'broken="')
    agent.wait_line(agent.stderr, 'is not of the form KEY="VALUE"; going on with envoy')
    follow("envoy", {"10.96.0.1:80"})


def test_file_that_cannot_be_read_is_refused(bookinfo):
    done = harness.run("agent", "--source", f"dir:{bookinfo}", "--dns-listen", "off", "--admin-listen", "127.0.0.1:0",
                       "--health-listen", "off", *harness.REGISTRIES_OFF, "--annotations-file", "/nonexistent/x")  # fmt: skip
    assert done.returncode == 1
    assert "--annotations-file: cannot read" in done.stderr and "/nonexistent/x" in done.stderr
