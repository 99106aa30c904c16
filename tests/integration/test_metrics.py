# SPDX-License-Identifier: Apache-2.0
"""What the agent exports after all sorts of work: readable by Prometheus' own checker, and true."""

import re
import signal
import socket
import subprocess

import dns.message
import dns.query
import harness
import pytest

DOMAIN = "default.svc.cluster.local"


@pytest.fixture
def agent(start_agent, bookinfo, upstream):
    upstream.records["far.example."] = ["192.0.2.1"]
    return start_agent("--source", f"dir:{bookinfo}", upstream=upstream.address)


def metrics(agent, **kwargs):
    """{series as it is written: value}"""
    lines = agent.http("/metrics", port="health", **kwargs).body.splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


def connect(agent):
    return socket.create_connection(("127.0.0.1", agent.ports["dns"]), timeout=10)


def keep_busy(agent):
    """Something of everything that is counted."""
    for name in (f"reviews.{DOMAIN}", "far.example", "far.example", "nobody.example", f"_why.reviews.{DOMAIN}"):
        for rdtype in ("A", "AAAA", "TXT", "HTTPS"):
            agent.query(name, rdtype)
            agent.query(name, rdtype, tcp=True)
    agent.http("/dns?mode=observe", method="POST")
    agent.query(f"reviews.{DOMAIN}")
    agent.http("/dns?mode=serve", method="POST")
    agent.get(f"/v1/endpoints/reviews.{DOMAIN}")
    agent.http("/v1/endpoints/nobody")
    with connect(agent) as client:
        client.sendall(b"\0\0")
        assert client.recv(1) == b""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"no DNS", ("127.0.0.1", agent.ports["dns"]))
    agent.child.send_signal(signal.SIGHUP)
    harness.wait_for(lambda: metrics(agent)['isthmus_config_reloads_total{result="success"}'] == 1, "the reload")
    harness.wait_for(lambda: metrics(agent)["isthmus_dns_ignored_total"] == 1, "the fragment to be read")


def test_prometheus_own_checker_has_nothing_to_say(agent):
    keep_busy(agent)
    done = subprocess.run(["promtool", "check", "metrics"], input=agent.http("/metrics").body,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not (done.stdout + done.stderr).strip(), done.stdout + done.stderr
    # And it would have said something.
    done = subprocess.run(["promtool", "check", "metrics"], input="# TYPE queries counter\nqueries 1\n",
                          capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "queries" in done.stdout + done.stderr


def test_open_metrics_has_the_same_series(agent):
    keep_busy(agent)
    accept = {"Accept": "application/openmetrics-text"}
    assert agent.http("/metrics", headers=accept).body.endswith("# EOF\n")
    plain, open_metrics = metrics(agent), metrics(agent, headers=accept)
    ignored = re.compile(r"le=")  # bounds are spelt otherwise
    assert {key for key in plain if not ignored.search(key)} == {key for key in open_metrics if not ignored.search(key)}


def test_dns_metrics_are_true(agent):
    keep_busy(agent)
    found = metrics(agent)
    assert found["isthmus_dns_ignored_total"] == 1
    assert found["isthmus_dns_tcp_connections"] == found["isthmus_dns_pending_queries"] == 0
    assert found["isthmus_dns_tcp_connections_accepted_total"] == 21
    assert found['isthmus_dns_tcp_connections_closed_total{reason="client"}'] == 20
    assert found['isthmus_dns_tcp_connections_closed_total{reason="protocol"}'] == 1
    assert found['isthmus_dns_mode{mode="serve"}'] == 1 and found['isthmus_dns_mode{mode="observe"}'] == 0
    assert found["isthmus_view_names"] == agent.status()["counts"]["names"] > 0
    with connect(agent):
        harness.wait_for(lambda: metrics(agent)["isthmus_dns_tcp_connections"] == 1, "the connection to be counted")
    harness.wait_for(lambda: metrics(agent)["isthmus_dns_tcp_connections"] == 0, "its end to be counted")


def test_truncated_replies_are_counted(start_agent, upstream, tmp_path):
    pods = "".join(f"  - {{addresses: [10.5.0.{n}], conditions: {{ready: true}}}}\n" for n in range(1, 60))
    (tmp_path / "many.yaml").write_text(f"""\
apiVersion: v1
kind: Service
metadata: {{name: many, namespace: default}}
spec: {{clusterIP: None, ports: [{{name: http, port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: many-1, namespace: default, labels: {{kubernetes.io/service-name: many}}}}
addressType: IPv4
ports: [{{name: http, port: 80}}]
endpoints:
{pods}""")
    agent = start_agent("--source", f"dir:{tmp_path}", upstream=upstream.address)
    name = f"_http._tcp.many.{DOMAIN}"
    agent.query(f"many.{DOMAIN}")  # addresses are never cut with the mark
    assert len(agent.query(name, "SRV", tcp=True).answer[0]) == 59
    assert metrics(agent)["isthmus_dns_truncated_total"] == 0
    reply = agent.query(name, "SRV")
    assert reply.flags & dns.flags.TC
    assert metrics(agent)["isthmus_dns_truncated_total"] == 1


def test_queries_that_the_kernel_drops_are_counted(agent):
    """A stopped agent reads nothing: what its buffer does not hold is lost, and that is told when it goes on."""
    query = dns.message.make_query(f"details.{DOMAIN}", "A").to_wire() + bytes(1200)  # what follows a query is ignored
    listener = f'{{listener="127.0.0.1:{agent.ports["dns"]}"}}'
    series = "isthmus_dns_receive_drops_total" + listener
    assert metrics(agent)[series] == 0
    agent.child.send_signal(signal.SIGSTOP)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            for _ in range(20_000):  # 46 MB of the kernel's memory
                client.sendto(query, ("127.0.0.1", agent.ports["dns"]))
    finally:
        agent.child.send_signal(signal.SIGCONT)
    harness.wait_for(lambda: metrics(agent)[series] > 0, "the drops to be told")
    harness.wait_for(lambda: metrics(agent)["isthmus_dns_receive_queue_bytes" + listener] == 0, "the rest to be read")
    assert agent.addresses(f"details.{DOMAIN}") == ["10.96.0.11"]


def written_out(text):
    """a_{b,c}_total -> a_b_total a_c_total"""
    def spell(found):
        return " ".join(found[1] + each + found[3] for each in found[2].split(","))

    return re.sub(r"(\w+_)\{(\w+(?:,\w+)*)\}(\w*)", spell, text)


def test_docs_name_every_metric_of_dns(agent):
    keep_busy(agent)
    exported = set(re.findall(r"^# HELP (isthmus_dns_\w+) ", agent.http("/metrics").body, re.M))
    section = (harness.ROOT / "docs/dns.md").read_text().partition("\n## Metrics\n")[2]
    documented = set(re.findall(r"\bisthmus_dns_\w+", written_out(section)))
    assert exported == documented
