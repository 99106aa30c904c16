# SPDX-License-Identifier: Apache-2.0
"""Alerts and dashboard speak of metrics that an agent has; alerts are raised by what they are for and lead to a runbook."""

import json
import re
import shutil

import charts
import harness
import pytest
import yaml

ALERTS = charts.CHART / "files/alerts.yaml"
DASHBOARD = charts.CHART / "files/dashboard.json"
RUNBOOKS = harness.ROOT / "docs/runbooks.md"
OURS = re.compile(r"\b(isthmus_\w+|process_\w+)")


def rules():
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def expressions():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [rule["expr"] for rule in rules()] + [target["expr"] for panel in panels for target in panel.get("targets", [])]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Metric -> type, of an agent that has a stream to an istiod and has been asked; and the names of all its labels."""
    istiod = harness.Istiod()
    upstream = harness.Upstream()
    doors = [f"--{door}-listen=127.0.0.1:0" for door in ("eureka", "nacos", "nacos-grpc")]
    snapshot = tmp_path_factory.mktemp("state") / "snapshot"
    agent = harness.Agent(*istiod.plaintext_options(), *doors, f"--snapshot={snapshot}", upstream=upstream.address)
    agent.query("nobody.example.com")
    agent.http("/v1/services")
    agent.child.send_signal(1)  # SIGHUP: a reload has its metric then
    harness.wait_for(lambda: "isthmus_config_reloads_total" in agent.http("/metrics").body, "the reload")
    text = agent.http("/metrics").body
    for each in (agent, upstream, istiod):
        each.stop()
    labels = set(re.findall(r'[{,](\w+)="', text)) | {"namespace", "pod", "container"}  # the last from Prometheus
    return dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M)), labels


def test_alerts_and_panels_speak_of_metrics_that_exist(exported):
    types, _ = exported
    for expression in expressions():
        for name in OURS.findall(expression):
            base = name if name in types else re.sub(r"_(bucket|sum|count)$", "", name)
            assert base in types, f"{name} in {expression}"
            grows = types[base] == "counter"
            sensible = re.search(rf"(rate|increase)\({name}\b|{name} > 0", expression)
            assert not grows or sensible, f"{name} only grows: {expression}"


def test_they_group_by_labels_that_exist(exported):
    _, labels = exported
    for expression in expressions():
        grouped = {each.strip() for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression) for each in group.split(",")}
        assert grouped <= labels | {"le"}, expression


def test_rules_do_what_they_are_for(tmp_path):
    (tmp_path / "alerts.yaml").write_text(ALERTS.read_text())
    shutil.copy(harness.ROOT / "tests/charts/alerts_test.yaml", tmp_path / "test.yaml")
    charts.run("promtool", "test", "rules", tmp_path / "test.yaml")
    assert f"{len(rules())} rules found" in charts.run("promtool", "check", "rules", tmp_path / "alerts.yaml").stdout


def test_each_rule_has_a_case_and_a_runbook():
    """Raised once, silent once, and explained."""
    cases = yaml.safe_load((harness.ROOT / "tests/charts/alerts_test.yaml").read_text())["tests"]
    silent = {each["alertname"] for each in cases[0]["alert_rule_test"]}
    raised = set(re.findall(r'alertname="(\w+)"', "".join(str(case.get("promql_expr_test", "")) for case in cases)))
    headings = {re.sub(r"\W", "", each).lower() for each in re.findall(r"^## (.*)$", RUNBOOKS.read_text(), re.M)}
    for rule in rules():
        assert rule["alert"] in silent and rule["alert"] in raised, rule["alert"]
        assert rule["annotations"]["runbook_url"] == f"RUNBOOKS#{rule['alert'].lower()}"
        assert rule["alert"].lower() in headings
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"} and rule["labels"]["severity"]


def test_the_runbooks_url_is_the_users(helm):
    values = {"prometheusRule": {"enabled": True, "runbookUrl": "https://wiki.corp.example/isthmus"}}
    (made,) = charts.documents(charts.template(helm, values, args=("--show-only", "templates/prometheusrule.yaml")))
    for rule in made["spec"]["groups"][0]["rules"]:
        assert rule["annotations"]["runbook_url"].startswith("https://wiki.corp.example/isthmus#isthmus")


def test_the_dashboard_is_whole():
    dashboard = json.loads(DASHBOARD.read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["type"] == "row" or panel["targets"]
    variables = {each["name"] for each in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", DASHBOARD.read_text()))
    assert used == variables
