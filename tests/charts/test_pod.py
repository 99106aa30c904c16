# SPDX-License-Identifier: Apache-2.0
"""The pod that Istio's injector makes with our template, run as a kubelet runs it, on the real istiod with TLS and a token."""

import json
import pathlib
import re
import socket

import charts
import harness
import kubelet
import objects
import pytest

pytestmark = pytest.mark.skipif(not kubelet.POSSIBLE, reason="needs root and unshare, to make namespaces")

CLUSTER_DNS, OUTSIDE = "10.96.0.10", "192.0.2.80"
ISTIOD = "127.96.0.20"  # of loopback, which is all that the harness serves on
REVIEWS = "reviews.shop.svc.cluster.local"
PODS = {"10.244.3.1": "v1", "10.244.3.2": "v2"}
EUREKA = "http://127.0.0.1:8761/eureka/"


def mesh():
    pods = [objects.pod("reviews", address, version=version, namespace="shop") for address, version in PODS.items()]
    return [
        objects.service("reviews", namespace="shop", ip="10.96.9.9", ports=((8080, 8080, "http"),)),
        objects.endpoint_slice("reviews", list(PODS), namespace="shop"),
        *pods,
        objects.subsets(REVIEWS, "v1", "v2", namespace="shop"),
        objects.split(REVIEWS, namespace="shop", v1=100, v2=0),
    ]


class Cluster:
    """What is around the pod: the cluster DNS and istiod, at their addresses."""

    def __init__(self, folder, injector, templates="isthmus", annotations=None):
        answer = injector.ask(charts.pod(templates, annotations))[0]
        assert answer["allowed"], answer["message"]
        self.manifest = answer["pod"]
        self.sandbox = kubelet.Sandbox(self.manifest["spec"], CLUSTER_DNS, OUTSIDE)
        self.dns = harness.Upstream(self.sandbox.inside(self._dns_socket))
        self.dns.records = {"istiod.istio-system.svc.cluster.local.": [ISTIOD], "shop.example.com.": [OUTSIDE]}
        (folder / "mesh").mkdir()
        (folder / "mesh/mesh.yaml").write_text(objects.dump(*mesh()))
        flags = ("--dir", str(folder / "mesh"), "--tls", f"{ISTIOD}:15012", "--cert-dir", str(folder / "certs"))
        self.istiod = self.sandbox.inside(lambda: harness.Istiod(*flags))
        token = self.sandbox.inside(lambda: self.istiod.token(namespace="shop"))
        root = pathlib.Path(self.istiod.info["root_cert"]).read_text()
        (folder / "pod").mkdir()
        self.pod = kubelet.Pod(folder / "pod", self.sandbox, self.manifest,
                               {"isthmus-token": {"istio-token": token}, "isthmus-root-ca": {"root-cert.pem": root}})  # fmt: skip

    @staticmethod
    def _dns_socket():
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((CLUSTER_DNS, 53))
        return made

    def start(self):
        agent = self.pod.start_agent()
        agent.wait_line(agent.stdout, "^ready ", 60)
        return agent

    def start_probed(self):
        agent = self.start()
        harness.wait_for(lambda: self.pod.probe("startupProbe") == "200", "the startup probe")
        return agent

    def stop(self):
        self.istiod.stop()
        self.dns.stop()
        self.sandbox.stop()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, injector):
    made = Cluster(tmp_path_factory.mktemp("pod"), injector)
    yield made
    made.stop()


def test_before_the_agent_the_pod_finds_istiod_by_its_second_name_server(cluster):
    """As Istio's proxy must, which starts earlier: nobody listens on 127.0.0.1 yet, and the C library goes on."""
    assert cluster.pod.look_up("istiod.istio-system.svc") == {ISTIOD}
    assert cluster.pod.probe("startupProbe") == "000"


@pytest.fixture(scope="module")
def agent(cluster):
    """Started by the first test that needs it, after the one above."""
    process = cluster.start_probed()
    yield process
    code = process.stop()
    assert code == 0, process.log()


def status(cluster):
    return json.loads(cluster.pod.run("curl", "-s", "http://127.0.0.1:15180/v1/status").stdout)


def test_it_runs_as_the_security_context_says(cluster, agent):
    tree = [agent.pid, *(int(pid) for pid in re.findall(r"agent started, pid (\d+)", agent.log()))]
    assert len(tree) == 2
    for pid in tree:
        facts = dict(re.findall(r"(\w+):\t(.*)", pathlib.Path(f"/proc/{pid}/status").read_text()))
        assert set(facts["Uid"].split()) == set(facts["Gid"].split()) == {"65532"}
        assert {int(facts[each], 16) for each in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
        assert facts["NoNewPrivs"] == "1"
        mounts = pathlib.Path(f"/proc/{pid}/mountinfo").read_text()
        assert re.search(r"^\S+ \S+ \S+ \S+ / ro[, ]", mounts, re.M), mounts


def test_it_listens_on_port_53_without_a_capability(cluster, agent):
    listeners = status(cluster)["listeners"]
    assert listeners["dns"] == ["127.0.0.1:53"]
    assert listeners["eureka"] == "127.0.0.1:8761" and listeners["admin"] == "127.0.0.1:15180"


def test_istiod_knows_the_pod(cluster, agent):
    """Over TLS with the projected token; identity, labels and place by the downward API."""
    now = status(cluster)
    assert now["source"]["server"] == "istiod.istio-system.svc:15012" and now["source"]["state"] == "synced"
    labels = cluster.manifest["metadata"]["labels"]
    assert now["identity"] == {"pod": "orders-1", "namespace": "shop", "ip": kubelet.POD_IP, "cluster": "Kubernetes",
                               "network": None, "labels": len(labels)}  # fmt: skip
    assert now["mesh_proxy"] == "none"
    synced = cluster.sandbox.inside(lambda: cluster.istiod.call("/debug/syncz", method="GET"))
    assert "orders-1.shop" in json.dumps(synced)


def test_the_application_resolves_names_of_the_mesh_and_others(cluster, agent):
    assert cluster.pod.look_up("reviews") == {"10.244.3.1"}  # all of the split goes to v1
    assert cluster.pod.look_up("shop.example.com") == {OUTSIDE}


def eureka(cluster, url=EUREKA):
    """(address, port) of the instances that Eureka gives for reviews."""
    body = cluster.pod.run("curl", "-s", "-H", "Accept: application/json", f"{url}vips/reviews").stdout
    (application,) = json.loads(body)["applications"]["application"]
    return {(each["ipAddr"], each["port"]["$"]) for each in application["instance"]}


def test_the_registry_that_the_application_is_pointed_at_answers(cluster, agent):
    environment = charts.env(cluster.manifest["spec"]["containers"][0])
    url = json.loads(environment["SPRING_APPLICATION_JSON"])["eureka"]["client"]["serviceUrl"]["defaultZone"]
    assert url == EUREKA
    assert eureka(cluster, url) == {("10.244.3.1", 8080)}


def test_the_nacos_door_is_where_the_other_setting_points(cluster, injector, agent):
    """A pod with isthmus.dev/registry: nacos is given this address; the agent serves all doors whatever the pod chooses."""
    (answer,) = injector.ask(charts.pod("isthmus", {"isthmus.dev/registry": "nacos"}))
    spring = json.loads(charts.env(answer["pod"]["spec"]["containers"][0])["SPRING_APPLICATION_JSON"])
    server = spring["spring"]["cloud"]["nacos"]["discovery"]["server-addr"]
    url = f"http://{server}/nacos/v1/ns/instance/list?serviceName=reviews"
    hosts = json.loads(cluster.pod.run("curl", "-s", url).stdout)["hosts"]
    assert {(each["ip"], each["port"]) for each in hosts} == {("10.244.3.1", 8080)}


def test_from_outside_the_pod_health_and_metrics_are_all_there_is(cluster, agent):
    assert cluster.pod.probe("readinessProbe") == cluster.pod.probe("livenessProbe") == "200"
    metrics = cluster.pod.run("curl", "-s", f"http://{kubelet.POD_IP}:15181/metrics").stdout
    assert "isthmus_xds_connected{" in metrics
    for port in (53, 8761, 8848, 9848, 15180):
        assert cluster.pod.run("curl", "-s", f"http://{kubelet.POD_IP}:{port}/", ok=False).returncode == 7  # refused


def test_changes_of_the_mesh_arrive(cluster, agent):
    more = objects.dump(objects.split(REVIEWS, namespace="shop", v1=0, v2=100))
    cluster.sandbox.inside(lambda: cluster.istiod.apply(more))
    harness.wait_for(lambda: cluster.pod.look_up("reviews") == {"10.244.3.2"}, "the other subset")


def test_its_memory_is_within_its_limit(cluster, agent):
    if "asan" in harness.binary():
        pytest.skip("the sanitizer's memory is not the program's")
    limit = charts.agent(cluster.manifest)["resources"]["limits"]["memory"]
    pids = [agent.pid, *re.findall(r"agent started, pid (\d+)", agent.log())]
    used = sum(int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) for pid in pids)
    assert limit == "96Mi" and used < 96 * 1024


def test_the_token_is_not_in_the_log(cluster, agent):
    token = (cluster.pod.folder / "volumes/isthmus-token/istio-token").read_text()
    assert token and token.strip() not in "\n".join(agent.stdout + agent.stderr)


def test_a_single_name_server(tmp_path, injector):
    """The pod of an Alpine application: Isthmus alone in resolv.conf, and it still finds istiod and the rest."""
    cluster = Cluster(tmp_path, injector, annotations={"isthmus.dev/dns-fallback": "false"})
    try:
        agent = cluster.start_probed()
        assert (tmp_path / "pod/resolv.conf").read_text().count("nameserver") == 1
        assert cluster.pod.look_up("reviews") == {"10.244.3.1"}
        assert cluster.pod.look_up("shop.example.com") == {OUTSIDE}
        assert agent.stop() == 0, agent.log()
    finally:
        cluster.stop()


def test_beside_istios_proxy_registries_give_what_the_proxy_can_route(tmp_path, injector):
    """The injector's own annotation, by the downward API, tells the agent that Envoy is in the pod: it gives the virtual IP."""
    cluster = Cluster(tmp_path, injector, "sidecar,isthmus")
    try:
        agent = cluster.start()
        assert status(cluster)["mesh_proxy"] == "envoy"
        assert eureka(cluster) == {("10.96.9.9", 8080)}
        assert agent.stop() == 0, agent.log()
    finally:
        cluster.stop()


def test_a_restarted_container_serves_while_istiod_is_away(tmp_path, injector):
    """From the snapshot in the pod's emptyDir, which is all that the new container has of the old one."""
    cluster = Cluster(tmp_path, injector)
    try:
        first = cluster.start_probed()
        harness.wait_for(lambda: status(cluster)["source"]["snapshot"]["resources"] > 0, "the snapshot to be written")
        assert first.stop() == 0, first.log()
        cluster.istiod.stop()
        second = cluster.start_probed()
        assert status(cluster)["stale"] and cluster.pod.look_up("reviews") == {"10.244.3.1"}
        assert second.stop() == 0, second.log()
    finally:
        cluster.stop()
