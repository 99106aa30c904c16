# SPDX-License-Identifier: Apache-2.0
"""A stock Envoy that gets its clusters and routes from the same istiod as the agent, and a client that calls through it.

Envoy presents itself as the agent does (agent/xds/node.c), so that istiod sends both the same. For each service port there
is one listener, whose connection manager is set up as istiod sets up those of its sidecars and takes its routes from
istiod; the header_mutation filter tells in the answer what Envoy has decided.
"""

import collections
import contextlib
import importlib.util
import json
import pathlib
import re
import socket
import sys
import time
import urllib.parse
import urllib.request

import harness
import objects

MARKER = "marker.default.svc.cluster.local"
POD_IP = "10.9.0.1"
LABELS = {"app": "client", "tier": "front"}
LOCALITY = ("r1", "z1", "a")
# What a stock Envoy needs: without Istio's own filters and transport sockets.
ISTIOD_ENV = {"PILOT_ENABLE_METADATA_EXCHANGE": "false"}
MESH_CONFIG = {"enableAutoMtls": False}
TOLD = {
    "x-cluster": "%UPSTREAM_CLUSTER_RAW%",
    "x-upstream": "%UPSTREAM_HOST%",
    "x-route": "%ROUTE_NAME%",
    "x-details": "%RESPONSE_CODE_DETAILS%",
}
MERGE_WINDOW_S = 1.0  # Cluster.CommonLbConfig.update_merge_window, which istiod leaves at its default
TYPE = "type.googleapis.com/envoy.extensions."

Reply = collections.namedtuple("Reply", "status cluster upstream route details headers")


@contextlib.contextmanager
def ended_on_failure(process):
    """Who starts a process has nothing to stop where the start fails."""
    try:
        yield
    except BaseException:
        harness.Process.stop(process)
        raise


class Echo(harness.Process):
    """The upstream of every endpoint; `files`: certificate and key, for TLS."""

    def __init__(self, *files):
        super().__init__([sys.executable, str(pathlib.Path(__file__).with_name("echo.py")), *map(str, files)])
        with ended_on_failure(self):
            self.port = int(self.wait_line(self.stdout, r"^\d+$").group(0))

    def stop(self, **_kwargs):
        self.child.stdin.close()
        self.child.wait(20)


def agent_flags(istiod, *more):
    """The agent as the same pod."""
    identity = ["--pod-name", "client", "--pod-namespace", "default", "--pod-ip", POD_IP, "--cluster-id", "Kubernetes"]
    labels = ",".join(f"{key}={value}" for key, value in LABELS.items())
    place = ["--locality", "/".join(LOCALITY), "--labels", labels, "--network", "net1"]
    return ("--source", "istiod", "--xds-address", istiod.plaintext, "--xds-tls", "off", *identity, *place, *more)


def node():
    return {
        "id": f"sidecar~{POD_IP}~client.default~default.svc.cluster.local",
        "cluster": "client.default",
        "locality": dict(zip(("region", "zone", "sub_zone"), LOCALITY)),
        "metadata": {
            "INSTANCE_IPS": POD_IP,
            "NAMESPACE": "default",
            "CLUSTER_ID": "Kubernetes",
            "NETWORK": "net1",
            "ISTIO_VERSION": "1.30.0",
            "DISABLE_HBONE_SEND": "true",
            "PROXY_CONFIG": {},
            "LABELS": LABELS,
        },
    }


def loopback(port=0):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def tell_filter():
    mutations = [
        {"append": {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}
        for key, value in TOLD.items()
    ]
    config = {
        "@type": TYPE + "filters.http.header_mutation.v3.HeaderMutation",
        "mutations": {"response_mutations": mutations},
    }
    return {"name": "tell", "typed_config": config}


def listener(port):
    manager = {
        "@type": TYPE + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": f"port_{port}",
        "normalize_path": True,  # MeshConfig pathNormalization BASE, Istio's default
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "stream_idle_timeout": "0s",
        "rds": {"route_config_name": str(port), "config_source": {"ads": {}, "resource_api_version": "V3"}},
        "http_filters": [
            tell_filter(),
            {"name": "router", "typed_config": {"@type": TYPE + "filters.http.router.v3.Router"}},
        ],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    return {"name": f"port-{port}", "address": loopback(), "filter_chains": [chain]}


def bootstrap(istiod, ports):
    host, _, port = istiod.plaintext.rpartition(":")
    http2 = {"explicit_http_config": {"http2_protocol_options": {}}}
    xds = {
        "name": "istiod",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "istiod",
            "endpoints": [
                {
                    "lb_endpoints": [
                        {
                            "endpoint": {
                                "address": {"socket_address": {"address": host, "port_value": int(port)}},
                            }
                        }
                    ]
                }
            ],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": TYPE + "upstreams.http.v3.HttpProtocolOptions",
                **http2,
            }
        },
    }
    ads = {
        "api_type": "DELTA_GRPC",
        "transport_api_version": "V3",
        "grpc_services": [{"envoy_grpc": {"cluster_name": "istiod"}}],
    }
    return {
        "node": node(),
        "admin": {"address": loopback()},
        "dynamic_resources": {"ads_config": ads, "cds_config": {"ads": {}, "resource_api_version": "V3"}},
        "static_resources": {"listeners": [listener(port) for port in ports], "clusters": [xds]},
    }


def envoy_binary():
    """The binary itself, without the Python program in front of it, so that its pid is the child's."""
    return pathlib.Path(importlib.util.find_spec("envoy").origin).parent / "_bin/envoy"


class Envoy(harness.Process):
    """Envoy with one listener for each of `ports`."""

    def __init__(self, istiod, directory, ports):
        config = directory / "envoy.json"
        config.write_text(json.dumps(bootstrap(istiod, ports)))
        admin_file = directory / "admin"
        super().__init__(
            [str(envoy_binary()), "-c", str(config), "--admin-address-path", str(admin_file), "--concurrency", "1"]
            + ["--disable-hot-restart", "--log-level", "error"]
        )
        with ended_on_failure(self):
            self.admin = harness.wait_for(lambda: self.read_admin(admin_file), "Envoy's admin address")
            found = harness.wait_for(self.listeners, "Envoy's listeners")
            self.callers = {port: Caller(found[f"port-{port}"]) for port in ports}

    def read_admin(self, path):
        if self.child.poll() is not None:
            raise RuntimeError(f"Envoy ended with {self.child.returncode}:\n{self.log()}")
        return path.exists() and path.read_text()

    def ask(self, path):
        with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=20) as answer:
            return answer.read().decode()

    def listeners(self):
        found = json.loads(self.ask("/listeners?format=json")).get("listener_statuses", [])
        return {one["name"]: one["local_address"]["socket_address"]["port_value"] for one in found}

    def stat(self, name):
        """A counter or gauge; 0 where Envoy has none yet."""
        for line in self.ask(f"/stats?filter=^{re.escape(name)}$").splitlines():
            return int(line.rpartition(" ")[2])
        return 0

    def hosts(self):
        """cluster -> {(address, EDS health, priority, weight)}"""
        out = {}
        for one in json.loads(self.ask("/clusters?format=json")).get("cluster_statuses", []):
            out[one["name"]] = {
                (
                    host["address"]["socket_address"]["address"],
                    health(host["health_status"].get("eds_health_status", "UNKNOWN")),
                    host.get("priority", 0),
                    host.get("weight", 1),
                )
                for host in one.get("host_statuses", [])
                if "socket_address" in host["address"]
            }
        return out

    def wait_for_merges(self):
        """Changes of health and weight reach the workers when the merge window of their cluster ends, by the clock of the
        thread that answers the admin port; nothing else tells when."""
        time.sleep(1.1 * MERGE_WINDOW_S)
        self.hosts()

    def call(self, port, **request):
        return self.callers[port].call(**request)

    def call_from(self, source, port, **request):
        """A call from this address, over a connection of its own."""
        with contextlib.closing(Caller(self.callers[port].port, source)) as caller:
            return caller.call(**request)

    def stop(self, **kwargs):
        for caller in self.callers.values():
            caller.close()
        return super().stop(**kwargs)


class Caller:
    """HTTP/1.1 with one request in flight. What it sends is exactly what it is given: no path is tidied, no header added."""

    def __init__(self, port, source="127.0.0.1"):
        self.port, self.source, self.socket, self.rest = port, source, None, b""

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket, self.rest = None, b""

    def _read_head(self):
        while b"\r\n\r\n" not in self.rest:
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError("the peer has closed the connection")
            self.rest += more
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = (line.partition(":") for line in lines)
        return int(first.split(" ")[1]), {name.lower(): value.strip() for name, _, value in fields}

    def exchange(self, authority, path="/", method="GET", headers=()):
        """(status, headers, body)"""
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self.port), 20, source_address=(self.source, 0))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines = [f"{method} {path} HTTP/1.1", f"Host: {authority}", *(f"{name}: {value}" for name, value in headers)]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        status, found = self._read_head()
        length = 0 if method == "HEAD" else int(found.get("content-length", 0))
        while len(self.rest) < length:
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError("the peer has closed the connection in a body")
            self.rest += more
        body, self.rest = self.rest[:length], self.rest[length:]
        if found.get("connection", "").lower() == "close":
            self.close()
        return status, found, body

    def call(self, **request):
        status, headers, _ = self.exchange(**request)
        told = {key: headers.get(key) for key in TOLD}
        return Reply(
            status, told["x-cluster"], told["x-upstream"], told["x-route"], told["x-details"], headers
        )


class Court:
    """istiod, the agent and Envoy on the same mesh, and the upstream that all its endpoints lead to."""

    def __init__(self, start_istiod, start_agent, directory, ports, agent_args=(), upstream="127.0.0.1:9"):
        self.directory, self.round = directory, 0
        mesh_config = directory / "mesh-config.yaml"
        mesh_config.write_text(json.dumps(MESH_CONFIG))
        self.mesh = directory / "mesh"
        self.mesh.mkdir()
        with contextlib.ExitStack() as started:
            self.echo = Echo()
            started.callback(self.echo.stop)
            self.istiod = start_istiod("--mesh-config", str(mesh_config), env=ISTIOD_ENV)
            self.agent = start_agent(*agent_flags(self.istiod, *agent_args), upstream=upstream)
            self.agent_caller = Caller(self.agent.ports["admin"])
            self.envoy = Envoy(self.istiod, directory, ports)
            started.pop_all()  # from here on by stop()

    def stop(self):
        self.agent_caller.close()
        self.envoy.stop()
        self.echo.stop()

    def marker(self):
        """A host whose only route is named after the round, so that both can be asked which round they have."""
        self.round += 1
        answer = {"name": f"round-{self.round}", "directResponse": {"status": 200}}
        return [
            objects.service("marker", ip="10.97.0.1"),
            objects.istio("VirtualService", "marker", {"hosts": [MARKER], "http": [answer]}),
        ]

    def apply(self, things):
        """The mesh is these objects, for istiod, the agent and Envoy."""
        (self.mesh / "mesh.yaml").write_text(objects.dump(*things, *self.marker()))
        self.istiod.call(f"/replace-dir?dir={self.mesh}")
        self.istiod.quiesce(clients=2)
        wanted = f"round-{self.round}"
        harness.wait_for(lambda: self.envoy.call(80, authority=MARKER).route == wanted, f"{wanted} in Envoy")
        harness.wait_for(lambda: self.ask(MARKER, 80)["route"]["name"] == wanted, f"{wanted} in the agent")
        harness.wait_for(self.same_endpoints, "the same endpoints in Envoy and the agent")

    def same_endpoints(self):
        """Envoy has warmed all its clusters, and has the endpoints of the agent in those that the agent knows."""
        assert self.envoy.stat("cluster_manager.warming_clusters") == 0, "Envoy warms clusters"
        theirs = self.envoy.hosts()
        for cluster, known in resolved(self.agent.view()).items():
            assert known and theirs.get(cluster), f"{cluster} is not resolved"
        for cluster, ours in agent_hosts(self.agent.view()).items():
            assert theirs.get(cluster) == ours, (cluster, theirs.get(cluster), ours)
        return True

    def ask(self, host, port, **request):
        """The agent's endpoints for a request with these attributes."""
        return self.get(f"/v1/endpoints/{host}:{port}", **request)

    def resolve(self, host, port, **request):
        """The agent's one endpoint for a request with these attributes."""
        return self.get("/v1/resolve", host=host, port=port, **request)

    def get(self, route, headers=(), **attributes):
        query = [(key, value) for key, value in attributes.items() if value is not None]
        query += [(f"header.{name}", value) for name, value in headers]
        target = f"{route}?{urllib.parse.urlencode(query)}"
        status, _, body = self.agent_caller.exchange("localhost", target)
        assert status == 200, f"{target}: {status} {body}"
        return json.loads(body)


def health(said):
    """Envoy shows states that mean the same to it as one."""
    return {"UNKNOWN": "HEALTHY", "TIMEOUT": "UNHEALTHY"}.get(said, said)


def resolved(view):
    """cluster -> whether the agent has addresses, of those whose names are to be resolved."""
    return {
        to["cluster"]: bool(to["endpoints"])
        for service in view["services"]
        for port in service["ports"]
        for to in port["destinations"]
        if to["discovery"] == "STRICT_DNS"
    }


def agent_hosts(view):
    """What Envoy.hosts() says, from the agent's view, of the clusters whose endpoints are not resolved."""
    return {
        to["cluster"]: {(e["address"], health(e["health"]), e["priority"], e["weight"]) for e in to["endpoints"]}
        for service in view["services"]
        for port in service["ports"]
        for to in port["destinations"]
        if to["discovery"] in ("EDS", "STATIC")
    }
