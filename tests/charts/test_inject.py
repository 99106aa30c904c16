# SPDX-License-Identifier: Apache-2.0
"""Istio's own injector runs our template over all kinds of pods: what it makes works, what cannot work is refused in words."""

import json

import charts
import pytest

SPRING = "SPRING_APPLICATION_JSON"
PORT_53 = {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}


def inject(injector, *args, **kwargs):
    (answer,) = injector.ask(charts.pod(*args, **kwargs))
    assert answer["allowed"], answer["message"]
    return answer["pod"]


def refusal(injector, *args, **kwargs):
    (answer,) = injector.ask(charts.pod(*args, **kwargs))
    assert not answer["allowed"], answer["pod"]
    return answer["message"]


def test_beside_istios_proxy(injector):
    made = inject(injector, initContainers=[{"name": "migrate", "image": "m"}])
    assert charts.containers(made) == (["istio-init", "istio-proxy", "isthmus", "migrate"], ["orders"])
    assert made["spec"]["dnsPolicy"] == "None"
    assert made["spec"]["dnsConfig"] == {
        "nameservers": ["127.0.0.1", "10.96.0.10"],
        "searches": ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local"],
        "options": [{"name": "ndots", "value": "5"}],
    }
    assert made["spec"]["securityContext"]["sysctls"] == [PORT_53]
    agent = charts.agent(made)
    assert agent["restartPolicy"] == "Always" and agent["image"] == "isthmus:0.1.0"
    assert agent["securityContext"] == {
        "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True,
        "runAsGroup": 65532, "runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    assert made["metadata"]["labels"]["isthmus.dev/injected"] == "true"
    assert "isthmus" in json.loads(made["metadata"]["annotations"]["sidecar.istio.io/status"])["initContainers"]
    assert made["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"] == "orders"


def test_alone(injector):
    made = inject(injector, templates="isthmus")
    assert charts.containers(made) == (["isthmus"], ["orders"])
    assert charts.agent(made)["startupProbe"]["httpGet"]["path"] == "/healthz/ready"


def test_the_agent_knows_who_it_is_and_where_istiod_is(tmp_path):
    istio = {"global": {"multiCluster": {"clusterName": "east"}, "network": "net-1", "meshID": "mesh-1"},
             "meshConfig": {"defaultConfig": {"discoveryAddress": "istiod-canary.istio-system.svc:15012"}}}  # fmt: skip
    made = inject(charts.Injector(tmp_path, istio=istio))
    known = charts.env(charts.agent(made))
    assert known["XDS_ADDRESS"] == "istiod-canary.istio-system.svc:15012"
    assert known["ISTIO_META_CLUSTER_ID"] == "east" and known["ISTIO_META_MESH_ID"] == "mesh-1"
    assert known["ISTIO_META_NETWORK"] == "net-1" and known["ISTIO_REVISION"] == "default"
    sources = {each["name"]: each["valueFrom"] for each in charts.agent(made)["env"] if "valueFrom" in each}
    fields = {name: source["fieldRef"]["fieldPath"] for name, source in sources.items()}
    assert fields == {"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace", "INSTANCE_IP": "status.podIPs",
                      "SERVICE_ACCOUNT": "spec.serviceAccountName", "NODE_NAME": "spec.nodeName"}  # fmt: skip


def test_the_network_of_the_pods_label_goes_before_that_of_the_mesh(injector):
    made = inject(injector, labels={"topology.istio.io/network": "net-9"})
    assert charts.env(charts.agent(made))["ISTIO_META_NETWORK"] == "net-9"


def test_identity_is_a_token_for_istiod_alone_and_its_root(injector):
    volumes = {each["name"]: each for each in inject(injector)["spec"]["volumes"]}
    (token,) = volumes["isthmus-token"]["projected"]["sources"]
    assert token["serviceAccountToken"] == {"audience": "istio-ca", "expirationSeconds": 43200, "path": "istio-token"}
    assert volumes["isthmus-root-ca"]["configMap"]["name"] == "istio-ca-root-cert"
    paths = {each["path"]: each["fieldRef"]["fieldPath"] for each in volumes["isthmus-podinfo"]["downwardAPI"]["items"]}
    assert paths == {"labels": "metadata.labels", "annotations": "metadata.annotations"}


def test_each_container_of_the_application_is_pointed_at_one_registry(injector):
    made = inject(injector, containers=[{"name": "orders", "image": "a"}, {"name": "worker", "image": "b"}])
    for container in made["spec"]["containers"]:
        assert json.loads(charts.env(container)[SPRING]) == {
            "eureka": {"client": {"serviceUrl": {"defaultZone": "http://127.0.0.1:8761/eureka/"}}}
        }
    assert SPRING not in charts.env(charts.agent(made))


def test_a_pod_chooses_its_registry(injector):
    made = inject(injector, annotations={"isthmus.dev/registry": "nacos"})
    assert json.loads(charts.env(made["spec"]["containers"][0])[SPRING]) == {
        "spring": {"cloud": {"nacos": {"discovery": {"server-addr": "127.0.0.1:8848"}}}}
    }
    made = inject(injector, annotations={"isthmus.dev/registry": "none"})
    assert "env" not in made["spec"]["containers"][0]
    assert 'isthmus.dev/registry is "consul": give one of eureka, nacos, none' in refusal(
        injector, annotations={"isthmus.dev/registry": "consul"})  # fmt: skip


def test_what_the_application_sets_itself_stays(injector):
    own = [{"name": SPRING, "value": "{}"}, {"name": "JAVA_TOOL_OPTIONS", "value": "-Xmx1g"}]
    made = inject(injector, containers=[{"name": "orders", "image": "a", "env": own}])
    assert made["spec"]["containers"][0]["env"] == own


def test_own_search_domains_and_options_are_kept(injector):
    options = [{"name": "ndots", "value": "2"}, {"name": "single-request"}]
    own = {"searches": ["corp.example", "cluster.local"], "options": options}
    config = inject(injector, dnsConfig=own)["spec"]["dnsConfig"]
    assert config["searches"] == ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.example"]
    assert config["options"] == options


def test_own_name_servers_stay_behind_isthmus(injector):
    made = inject(injector, dnsConfig={"nameservers": ["192.0.2.53"]})
    assert made["spec"]["dnsConfig"]["nameservers"] == ["127.0.0.1", "10.96.0.10", "192.0.2.53"]
    own = {"nameservers": ["192.0.2.53", "192.0.2.54"], "searches": ["corp.example"]}
    made = inject(injector, dnsPolicy="None", dnsConfig=own)
    assert made["spec"]["dnsConfig"] == {"nameservers": ["127.0.0.1", *own["nameservers"]], "searches": own["searches"]}
    assert "a pod may have 3 nameservers, and with Isthmus in front this one has 4" in refusal(
        injector, dnsPolicy="None", dnsConfig={"nameservers": ["192.0.2.1", "192.0.2.2", "192.0.2.3"]})  # fmt: skip


def test_the_resolver_of_the_node_is_refused(injector):
    assert "dnsPolicy Default, so its name servers are the node's" in refusal(injector, dnsPolicy="Default")
    made = inject(injector, dnsPolicy="Default", annotations={"isthmus.dev/dns": "off"})
    assert made["spec"]["dnsPolicy"] == "Default" and "dnsConfig" not in made["spec"]
    assert "--dns-listen=off" in charts.agent(made)["args"]
    assert "sysctls" not in made["spec"].get("securityContext", {})


def test_host_network_is_left_alone(injector):
    made = inject(injector, hostNetwork=True)
    assert charts.containers(made) == ([], ["orders"])


@pytest.mark.parametrize("captured", ["mesh", "pod"])
def test_istios_dns_capture_is_refused_unless_it_is_meant(tmp_path, injector, captured):
    on = {"proxyMetadata": {"ISTIO_META_DNS_CAPTURE": "true"}}
    notes = {"proxy.istio.io/config": json.dumps(on)} if captured == "pod" else {}
    if captured == "mesh":
        injector = charts.Injector(tmp_path, istio={"meshConfig": {"defaultConfig": on}})
    assert "takes every query before Isthmus sees it" in refusal(injector, annotations=notes)
    assert inject(injector, annotations={**notes, "isthmus.dev/dns": "behind-istio"})["spec"]["dnsPolicy"] == "None"
    assert inject(injector, templates="isthmus", annotations=notes)["spec"]["dnsPolicy"] == "None"  # no proxy, no capture


def test_capture_of_the_mesh_is_switched_off_by_the_pod(tmp_path):
    on = {"proxyMetadata": {"ISTIO_META_DNS_CAPTURE": "true"}}
    injector = charts.Injector(tmp_path, istio={"meshConfig": {"defaultConfig": on}})
    off = json.dumps({"proxyMetadata": {"ISTIO_META_DNS_CAPTURE": "false"}})
    assert inject(injector, annotations={"proxy.istio.io/config": off})["spec"]["dnsPolicy"] == "None"


def test_alpine_without_a_second_name_server(injector):
    """musl takes the first answer of all servers, so that there may be one only; it must then be there before all else."""
    alone = {"isthmus.dev/dns-fallback": "false"}
    made = inject(injector, templates="isthmus", annotations=alone, initContainers=[{"name": "migrate", "image": "alpine"}])
    assert made["spec"]["dnsConfig"]["nameservers"] == ["127.0.0.1"]
    assert "--dns-upstream=10.96.0.10" in charts.agent(made)["args"]
    assert charts.containers(made) == (["isthmus", "migrate"], ["orders"])
    assert "Istio's proxy could not find istiod" in refusal(injector, annotations=alone)


def test_an_ambient_pod_is_not_for_the_injector(injector):
    """istio-cni takes every pod with the annotation sidecar.istio.io/status for one with a sidecar."""
    ambient = {"istio.io/dataplane-mode": "ambient"}
    assert "out of the ambient mesh" in refusal(injector, templates="isthmus", labels=ambient)
    assert charts.containers(inject(injector, labels=ambient))[0] == ["istio-init", "istio-proxy", "isthmus"]


def test_an_ordinary_container_for_old_clusters(tmp_path):
    injector = charts.Injector(tmp_path, settings={"isthmus": {"nativeSidecar": False}}, native=False)
    made = inject(injector, terminationGracePeriodSeconds=60)
    init, containers = charts.containers(made)
    assert init == ["istio-init"] and set(containers) == {"orders", "isthmus", "istio-proxy"}
    agent = charts.agent(made)
    assert "restartPolicy" not in agent
    assert "--drain-time=55s" in agent["args"]  # it answers while the application, which is told to stop with it, may need it
    assert json.loads(charts.env(next(each for each in made["spec"]["containers"] if each["name"] == "orders"))[SPRING])
    assert "this Job would never end" in refusal(injector, restartPolicy="OnFailure")
    assert "which only a native sidecar does" in refusal(
        injector, templates="isthmus", annotations={"isthmus.dev/dns-fallback": "false"})  # fmt: skip


def test_a_native_sidecar_stops_after_the_application_without_delay(injector):
    made = inject(injector, restartPolicy="Never")
    assert "--drain-time=0s" in charts.agent(made)["args"]


def test_a_pod_brings_its_own_settings(injector):
    made = inject(injector, annotations={"isthmus.dev/config": "orders-isthmus"})
    volumes = {each["name"]: each for each in made["spec"]["volumes"]}
    assert volumes["isthmus-config"]["configMap"]["name"] == "orders-isthmus"
    assert "--config=/etc/isthmus/config/isthmus.yaml" in charts.agent(made)["args"]


def test_start_does_not_wait_for_a_registration_that_comes_after_it(tmp_path):
    made = inject(charts.Injector(tmp_path, settings={"isthmus": {"readyWhen": "registered"}}), templates="isthmus")
    agent = charts.agent(made)
    assert "--ready-when=registered" in agent["args"]
    assert agent["startupProbe"]["httpGet"]["path"] == "/healthz/live"


def test_probes_survive_strict_mtls(injector):
    """Istio leads probes of all containers through its agent, ours included."""
    agent = charts.agent(inject(injector))
    assert agent["readinessProbe"]["httpGet"] == {"path": "/app-health/isthmus/readyz", "port": 15020}
    proxy = next(each for each in inject(injector)["spec"]["initContainers"] if each["name"] == "istio-proxy")
    assert "/healthz/ready" in charts.env(proxy)["ISTIO_KUBE_APP_PROBERS"]


def test_a_second_run_of_the_injector_changes_nothing(injector):
    once = inject(injector)
    (again,) = injector.ask(once)
    assert again["allowed"], again["message"]
    assert charts.agent(again["pod"]) == charts.agent(once)
    assert again["pod"]["spec"]["dnsConfig"] == once["spec"]["dnsConfig"]
    assert again["pod"]["spec"]["containers"] == once["spec"]["containers"]
    assert again["pod"]["spec"]["securityContext"] == once["spec"]["securityContext"]


def test_settings_of_the_pod_stay(injector):
    own = {"fsGroup": 2000, "sysctls": [{"name": "net.core.somaxconn", "value": "1024"}]}
    made = inject(injector, securityContext=own)["spec"]["securityContext"]
    assert made["fsGroup"] == 2000 and made["sysctls"] == [*own["sysctls"], PORT_53]


def test_the_capability_in_place_of_the_sysctl(tmp_path):
    made = inject(charts.Injector(tmp_path, settings={"isthmus": {"dns": {"port": "capability"}}}))
    assert charts.agent(made)["securityContext"]["capabilities"] == {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}
    assert "sysctls" not in made["spec"].get("securityContext", {})


def test_what_the_injector_makes_is_valid_and_restricted(injector):
    """The API server's own validation; and the standard `restricted` has nothing to object to in what is ours."""
    shapes = [
        charts.pod(),
        charts.pod("isthmus"),
        charts.pod("isthmus", {"isthmus.dev/dns-fallback": "false", "isthmus.dev/config": "mine"}),
        charts.pod(annotations={"isthmus.dev/dns": "off"}),
        charts.pod("isthmus", {"isthmus.dev/dns": "behind-istio", "isthmus.dev/registry": "nacos"}),
        charts.pod(initContainers=[{"name": "migrate", "image": "m"}], restartPolicy="Never"),
        charts.pod(securityContext={"sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]}),
    ]
    for verdict in charts.judged(*[answer["pod"] for answer in injector.ask(*shapes)]):
        assert verdict["errors"] == []
        assert verdict["restricted"], "the application's own container meets the standard?"
        assert not any('"isthmus"' in each or "sysctl" in each for each in verdict["restricted"])


def test_the_root_of_istiod_by_a_trust_bundle(tmp_path):
    made = inject(charts.Injector(tmp_path, settings={"isthmus": {"istiod": {"rootCA": "clusterTrustBundle"}}}))
    (source,) = next(each for each in made["spec"]["volumes"] if each["name"] == "isthmus-root-ca")["projected"]["sources"]
    assert source == {"clusterTrustBundle": {"name": "istio.io:istiod-ca:root-cert", "path": "root-cert.pem"}}


def test_the_judge_sees_what_is_wrong(injector):
    made = inject(injector)
    charts.agent(made)["securityContext"]["capabilities"]["add"] = ["NET_ADMIN"]
    made["spec"]["dnsConfig"]["nameservers"] += ["192.0.2.1", "192.0.2.2"]
    made["spec"]["volumes"][0]["nosuch"] = 1
    (verdict,) = charts.judged(made)
    assert any("nosuch" in each for each in verdict["errors"])
    del made["spec"]["volumes"][0]["nosuch"]
    (verdict,) = charts.judged(made)
    assert any("must not have more than 3 nameservers" in each for each in verdict["errors"])
    assert any('"isthmus"' in each and "NET_ADMIN" in each for each in verdict["restricted"])
