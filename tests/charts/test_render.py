# SPDX-License-Identifier: Apache-2.0
"""What the chart renders, with Helm 3 and 4: valid, the same, refused where it cannot work, and as the files beside it say."""

import json

import charts
import harness
import pytest
import render
import yaml

EVERYTHING = charts.merged(
    charts.DNS,
    {"podMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "namespaces": ["shop"]},
     "prometheusRule": {"enabled": True}, "dashboard": {"enabled": True},
     "networkPolicy": {"enabled": True, "namespaces": ["shop", "pay"]}},
)  # fmt: skip
JOB = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "bill"}, "spec": {"template": {
    "metadata": {"annotations": {"isthmus.dev/registry": "none"}},
    "spec": {"restartPolicy": "Never", "containers": [{"name": "bill", "image": "bill:1"}]}}}}  # fmt: skip


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_lint(helm, values):
    done = charts.run(charts.tool(helm), "lint", "--strict", charts.CHART, "-f", "-", text=json.dumps(values))
    assert "0 chart(s) failed" in done.stdout


def test_both_helms_make_the_same():
    made = [charts.documents(charts.template(helm, EVERYTHING)) for helm in charts.HELMS]
    assert made[0] == made[1]
    assert sorted(each["kind"] for each in made[0]) == ["ConfigMap", "ConfigMap", "NetworkPolicy", "NetworkPolicy", "PodMonitor",
                                                        "PrometheusRule"]  # fmt: skip


def test_all_of_it_is_valid(helm):
    verdicts = charts.judged(*charts.documents(charts.template(helm, EVERYTHING)))
    assert len(verdicts) == 6
    assert [verdict["errors"] for verdict in verdicts] == [[]] * 6


def test_monitoring_and_network_policy_fit_the_pod(helm, injector):
    """They choose what the template makes: its label, and its port by number and name."""
    made = {each["kind"]: each for each in charts.documents(charts.template(helm, EVERYTHING))}
    (answer,) = injector.ask(charts.pod("isthmus"))
    (port,) = charts.agent(answer["pod"])["ports"]
    for kind, selector in (("PodMonitor", "selector"), ("NetworkPolicy", "podSelector")):
        for key, value in made[kind]["spec"][selector]["matchLabels"].items():
            assert answer["pod"]["metadata"]["labels"][key] == value
    assert made["PodMonitor"]["spec"]["podMetricsEndpoints"][0]["port"] == port["name"]
    policy = made["NetworkPolicy"]["spec"]
    assert [each["port"] for rule in policy["ingress"] for each in rule["ports"]] == [port["containerPort"]]
    address = charts.env(charts.agent(answer["pod"]))["XDS_ADDRESS"]
    assert [each["port"] for rule in policy["egress"] for each in rule["ports"]] == [int(address.rpartition(":")[2]), 53, 53]


def test_the_files_that_are_made_of_the_chart_are_of_now(helm):
    for path, text in render.everything(helm).items():
        assert path.read_text() == text, f"{path}: run tests/charts/render.py"


def keys(schema, prefix=""):
    """The keys that a schema knows, as paths; of what Helm and the library bring nothing."""
    for key, node in schema.get("properties", {}).items():
        if prefix + key not in ("global", "isthmus"):
            yield prefix + key
            yield from keys(node, f"{prefix}{key}.")


@pytest.mark.parametrize("folder", [charts.CHART, charts.LIBRARY], ids=["chart", "library"])
def test_each_value_is_described_and_in_the_schema(folder):
    known = set(keys(json.loads((folder / "values.schema.json").read_text())))
    told = {key for key, _ in render.described((folder / "values.yaml").read_text())}
    assert told - known == set()
    groups = {key.rpartition(".")[0] for key in known} | {""}
    assert {key for key in known - told - groups if not any(key.startswith(f"{above}.") for above in told)} == set()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"isthmus": {"registry": "consul"}}, "registry"),
        ({"isthmus": {"dns": {"clusterAddress": "kube-dns"}}}, "clusterAddress"),
        ({"isthmus": {"nativeSidecars": True}}, "nativeSidecars"),
        ({"isthmus": {"runAsUser": 0}}, "runAsUser"),
        ({"isthmus": {"extraArgs": ["dns-mode=forward"]}}, "extraArgs"),
        ({"isthmus": {"image": {"digest": "sha256:1"}}}, "digest"),
        ({"podmonitor": {"enabled": True}}, "podmonitor"),
        ({"injectionTemplate": {"name": "sidecar"}}, "injectionTemplate"),
    ],
)
def test_what_the_schema_does_not_know_is_refused(helm, values, words):
    assert words in charts.refusal(helm, values)


def test_a_network_policy_needs_its_namespaces(helm):
    words = charts.refusal(helm, charts.merged(charts.DNS, {"networkPolicy": {"enabled": True}}))
    assert "networkPolicy.enabled needs networkPolicy.namespaces" in words


def test_notes_say_the_next_step():
    """With Helm 4: that of Helm 3 wants a cluster for it."""
    done = charts.run(charts.tool("helm4"), "install", "mine", charts.CHART, "-n", "isthmus", "--dry-run=client", "-f", "-",
                      text=json.dumps(EVERYTHING))  # fmt: skip
    notes = done.stdout.partition("NOTES:")[2]
    assert "kubectl -n isthmus get configmap mine-istiod-values" in notes and "helm upgrade istiod" in notes
    assert "inject.istio.io/templates: sidecar,isthmus" in notes and "WARNING: the NetworkPolicy" in notes


def test_a_teams_chart(helm, team):
    (made,) = charts.documents(charts.template(helm, chart=team.chart))
    (verdict,) = charts.judged(made)
    assert verdict["errors"] == []
    spec = made["spec"]["template"]["spec"]
    assert charts.containers({"spec": spec}) == (["isthmus", "migrate"], ["orders"])
    assert set(charts.env(spec["containers"][0])) == {"JAVA_TOOL_OPTIONS", "SPRING_APPLICATION_JSON"}
    assert charts.env(charts.agent({"spec": spec}))["XDS_ADDRESS"] == "istiod.istio-system.svc:15012"


def test_a_teams_chart_and_the_injector_make_the_same_agent(helm, team, injector):
    (made,) = charts.documents(charts.template(helm, chart=team.chart))
    template = made["spec"]["template"]
    (answer,) = injector.ask(charts.pod("isthmus", containers=template["spec"]["containers"]))
    ours, theirs = charts.agent({"spec": template["spec"]}), charts.agent(answer["pod"])
    for agent in (ours, theirs):
        agent["env"] = [each for each in agent["env"] if each["name"] not in ("ISTIO_META_WORKLOAD_NAME", "ISTIO_REVISION")]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        for agent in (ours, theirs):
            agent[probe]["httpGet"].pop("scheme", None)
    assert ours == {key: value for key, value in theirs.items() if key in ours}
    assert template["spec"]["dnsConfig"] == answer["pod"]["spec"]["dnsConfig"]


def test_other_workloads_of_a_team(helm, team):
    team.workload(JOB)
    (made,) = charts.documents(charts.template(helm, chart=team.chart))
    assert charts.containers(made["spec"]["template"]) == (["isthmus"], ["bill"])
    assert "env" not in made["spec"]["template"]["spec"]["containers"][0]
    cron = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "bill"},
            "spec": {"schedule": "@daily", "jobTemplate": {"spec": JOB["spec"]}}}  # fmt: skip
    team.workload(cron)
    (made,) = charts.documents(charts.template(helm, chart=team.chart))
    assert charts.containers(made["spec"]["jobTemplate"]["spec"]["template"]) == (["isthmus"], ["bill"])
    assert charts.judged(made)[0]["errors"] == []


@pytest.mark.parametrize(
    ("spec", "settings", "words"),
    [
        ({"hostNetwork": True}, {}, "the pod has hostNetwork"),
        ({"dnsPolicy": "Default"}, {}, "dnsPolicy Default"),
        ({}, {"dns": {"clusterAddress": ""}}, "set dns.clusterAddress"),
        ({}, {"dns": {"fallback": False}}, "Istio's proxy could not find istiod"),
        ({}, {"nativeSidecar": False}, "this Job would never end"),
    ],
)
def test_what_cannot_work_is_refused_in_a_teams_chart(helm, team, spec, settings, words):
    team.workload(charts.merged(JOB, {"spec": {"template": {"spec": spec}}}))
    assert words in charts.refusal(helm, {"isthmus": settings}, team.chart)


@pytest.mark.parametrize("label", [("sidecar.istio.io/inject", "false"), ("istio.io/dataplane-mode", "ambient")])
def test_a_single_name_server_where_no_proxy_can_be(helm, team, label):
    team.workload(charts.merged(JOB, {"spec": {"template": {"metadata": {"labels": dict([label])}}}}))
    (made,) = charts.documents(charts.template(helm, {"isthmus": {"dns": {"fallback": False}}}, team.chart))
    assert made["spec"]["template"]["spec"]["dnsConfig"]["nameservers"] == ["127.0.0.1"]


def test_the_plain_manifests_are_valid():
    made = [path.read_text() for path in (render.PLAIN / "deployment.yaml", render.PLAIN / "component/patch.yaml")]
    assert charts.judged(made[0])[0]["errors"] == []
    text = yaml.safe_load((render.PLAIN / "istiod-values.yaml").read_text())
    assert "isthmus" in text["sidecarInjectorWebhook"]["templates"]


def test_the_program_prints_what_the_chart_makes(helm):
    """So that neither Helm nor the chart is needed to get the template into istiod."""
    settings = {"isthmus": {"image": {"repository": "registry.example/isthmus", "tag": "9.9"}, "clusterDomain": "k8s.example"}}
    done = harness.run("inject", "template", "--cluster-dns", "10.96.0.10", "--image", "registry.example/isthmus:9.9",
                       "--cluster-domain", "k8s.example")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == render.MADE + charts.istiod_values(helm, settings)


def test_the_kustomize_component(tmp_path):
    deployment = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "orders"},
        "spec": {"selector": {"matchLabels": {"app": "orders"}}, "template": {
            "metadata": {"labels": {"app": "orders"}},
            "spec": {"initContainers": [{"name": "migrate", "image": "m"}], "containers": [{"name": "orders", "image": "o"}]}}},
    }  # fmt: skip
    (tmp_path / "deployment.yaml").write_text(yaml.safe_dump(deployment))
    harness.copy_tree(render.PLAIN / "component", tmp_path / "component")
    (tmp_path / "kustomization.yaml").write_text("resources: [deployment.yaml]\ncomponents: [component]\n")
    (made,) = charts.documents(charts.run(charts.tool("kubectl"), "kustomize", tmp_path).stdout)
    assert charts.containers(made["spec"]["template"]) == (["isthmus", "migrate"], ["orders"])
    assert charts.judged(made)[0]["errors"] == []
