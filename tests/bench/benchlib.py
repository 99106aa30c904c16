# SPDX-License-Identifier: Apache-2.0
"""What the benches share: where things are, agents and Envoys on the real istiod, memory and CPU of a process, results.

Each bench writes one JSON file into $BENCH_RESULTS; table.py prints them. CPU is the kernel's clock of the whole
process, ended threads included; memory is /proc/PID/status and smaps_rollup. Everything runs on loopback."""
import argparse
import json
import os
import pathlib
import re
import statistics
import sys
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))
import harness  # noqa: E402

RESULTS = pathlib.Path(os.environ.get("BENCH_RESULTS", ROOT / "build/bench"))
POD = ("--pod-name", "bench", "--pod-namespace", "ns-0", "--pod-ip", "10.250.0.1")
ENVOY_READY_S = 120


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--long", action="store_true", help="the real sizes; without it small ones, a test of the bench")
    return parser.parse_args()


def program(name):
    """A program of tests/bench/CMakeLists.txt: run.sh says where they are."""
    return str(pathlib.Path(os.environ["BENCH_PROGRAMS"]) / name)


def save(name, figures, long_form):
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"bench": name, "long": long_form, "figures": figures}, indent=1)
    (RESULTS / f"{name}.json").write_text(text + "\n")


def median_of(rows):
    """Rows of equal keys: the median of each figure."""
    return {key: round(statistics.median(row[key] for row in rows), 4) for key in rows[0]}


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


# --- Processes ------------------------------------------------------------------------------------------------------

def cpu_s(pid):
    """User and system time of a process so far, in seconds, to the nanosecond (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


def memory_mb(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()

    def field(text, key):
        return round(int(re.search(rf"^{key}:\s+(\d+) kB", text, re.M).group(1)) / 1024, 2)

    return {"rss": field(status, "VmRSS"), "pss": field(rollup, "Pss"), "anonymous": field(status, "RssAnon"),
            "peak": field(status, "VmHWM")}


def wait_quiet(pid, quiet_s=1.0, deadline_s=60):
    """Until the process has used less than 1 % of a core for a while."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        before = cpu_s(pid)
        time.sleep(quiet_s)
        if cpu_s(pid) - before < quiet_s / 100:
            return
    raise AssertionError(f"process {pid} is still busy after {deadline_s} s")


class Running:
    """A context that ends a process of the harness."""

    def __init__(self, process):
        self.process = process

    def __enter__(self):
        return self.process

    def __exit__(self, *unused):
        self.process.stop()


def istiod(*args, certificates=None, for_envoy=False):
    """The real control plane as it is shipped, or in the smaller form that a stock Envoy, which lacks Istio's own filters,
    understands too. `certificates`: a folder; TLS is on."""
    args = [*args, *(("--tls", "127.0.0.1:0", "--cert-dir", str(certificates)) if certificates else ())]
    if not for_envoy:
        return Running(harness.Istiod(*args))
    RESULTS.mkdir(parents=True, exist_ok=True)
    mesh_config = RESULTS / "mesh-config.yaml"
    mesh_config.write_text("enableAutoMtls: false\n")
    return Running(harness.Istiod("--mesh-config", str(mesh_config), *args, env={"PILOT_ENABLE_METADATA_EXCHANGE": "false"}))


def plaintext(address, *args):
    return ("--source", "istiod", "--xds-address", address, "--xds-tls", "off", *POD, *args)


def tls(server, folder, *args):
    token = pathlib.Path(folder) / "token"
    token.write_text(server.token(namespace="ns-0"))
    return (*server.tls_options(token), *POD, *args)


def agent(*args, wait="ready"):
    return Running(harness.Agent(*args, wait=wait))


# --- Envoy, the peer ------------------------------------------------------------------------------------------------

ENVOY_BOOTSTRAP = """
node: {id: sidecar~10.250.0.2~envoy.ns-0~ns-0.svc.cluster.local, cluster: bench, metadata: {NAMESPACE: ns-0}}
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
dynamic_resources:
  ads_config:
    api_type: DELTA_GRPC
    transport_api_version: V3
    grpc_services: [{envoy_grpc: {cluster_name: istiod}}]
  cds_config: {ads: {}, resource_api_version: V3, initial_fetch_timeout: 0s}
static_resources:
  clusters:
  - name: istiod
    type: STATIC
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
    load_assignment:
      cluster_name: istiod
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: HOST, port_value: PORT}}}}]}]
  listeners:
  - name: "80"
    address: {socket_address: {address: 127.0.0.1, port_value: 0}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: bench
          rds: {route_config_name: "80", config_source: {ads: {}, resource_api_version: V3, initial_fetch_timeout: 0s}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
"""


class Envoy(harness.Process):
    """A stock Envoy that takes clusters, endpoints and the routes of port 80 from istiod by delta ADS."""

    def __init__(self, address, folder):
        self.admin_file = pathlib.Path(folder) / "envoy-admin"
        bootstrap = pathlib.Path(folder) / "envoy.yaml"
        host, port = address.rsplit(":", 1)
        bootstrap.write_text(ENVOY_BOOTSTRAP.replace("HOST", host).replace("PORT", port))
        self.admin_file.unlink(missing_ok=True)
        super().__init__([str(pathlib.Path(sys.executable).parent / "envoy"), "-c", str(bootstrap), "--concurrency", "2",
                          "--use-dynamic-base-id", "--admin-address-path", str(self.admin_file), "-l", "error"])

    def ask(self, path):
        url = f"http://{self.admin_file.read_text().strip()}{path}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read().decode()

    def stat(self, name):
        found = re.search(rf"^{re.escape(name)}: (\d+)$", self.ask(f"/stats?filter=^{name}$"), re.M)
        return int(found.group(1)) if found else 0

    def wait_ready(self):
        """Every cluster has its endpoints and the listener its routes: Envoy says LIVE."""
        def live():
            try:
                return self.ask("/ready").strip() == "LIVE"
            except (FileNotFoundError, urllib.error.HTTPError):
                return False
        harness.wait_for(live, f"a live Envoy (log:\n{self.log()})", ENVOY_READY_S)


def envoy(address, folder):
    return Running(Envoy(address, folder))
