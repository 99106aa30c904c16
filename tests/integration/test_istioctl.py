# SPDX-License-Identifier: Apache-2.0
"""What istioctl proxy-config prints, by its own code, of an agent's /config_dump and /clusters, under the real istiod."""

import json
import subprocess

import harness
import pytest

pytestmark = pytest.mark.istiod


@pytest.fixture
def printed(start_agent, start_istiod, tmp_path):
    istiod = start_istiod("--dir", str(harness.ROOT / "docs/examples/bookinfo"))
    agent = start_agent(*istiod.plaintext_options(), "--pod-namespace", "default")

    def of(part):
        path = "/clusters?format=json" if part == "endpoints" else "/config_dump"
        file = tmp_path / f"{part}.json"
        file.write_text(json.dumps(agent.get(path)))
        done = subprocess.run([harness.go_program("istioprint"), part, str(file)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return [line.split() for line in done.stdout.splitlines()] if part != "bootstrap" else json.loads(done.stdout)

    return of


def test_clusters_with_their_destination_rules(printed):
    rows = printed("clusters")
    assert rows[0][:2] == ["SERVICE", "FQDN"]
    assert ["reviews.default.svc.cluster.local", "9080", "v2", "outbound", "EDS", "reviews.default"] in rows
    assert ["ratings.default.svc.cluster.local", "9080", "-", "outbound", "EDS"] in rows


def test_routes_with_their_virtual_services(printed):
    rows = printed("routes")
    host = "reviews.default.svc.cluster.local"
    assert ["9080", f"{host}:9080", host, "/*", "reviews.default"] in rows


def test_endpoints_with_their_health(printed):
    rows = printed("endpoints")
    assert any(row[1:] == ["HEALTHY", "OK", "outbound|9080|v2|reviews.default.svc.cluster.local"] for row in rows)


def test_bootstrap_says_who_we_are(printed):
    node = printed("bootstrap")["bootstrap"]["node"]
    assert node["id"].startswith("sidecar~") and node["id"].endswith("~default.svc.cluster.local")
    assert node["userAgentName"] == "isthmus"


def test_endpoint_section_only_where_asked_for(start_agent, bookinfo):
    agent = start_agent("--source", f"dir:{bookinfo}")
    kinds = [section["@type"].rsplit(".", 1)[1] for section in agent.get("/config_dump")["configs"]]
    assert kinds == ["BootstrapConfigDump", "ClustersConfigDump", "ListenersConfigDump", "RoutesConfigDump", "SecretsConfigDump"]
    assert "EndpointsConfigDump" in json.dumps(agent.get("/config_dump?include_eds"))
