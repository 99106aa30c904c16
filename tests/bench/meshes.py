# SPDX-License-Identifier: Apache-2.0
"""Meshes as YAML: the harness' synthetic mesh as a directory, and one with a listener for each TCP port."""
import json
import pathlib

NAMESPACES = 20
FILES = 50

SERVICE = """---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {namespace}, labels: {{app: {name}}}}}
spec:
  clusterIP: {vip}
  selector: {{app: {name}}}
  ports:
{ports}"""
PORT = "  - {{name: {name}, port: {port}, targetPort: {target}, protocol: TCP}}\n"
SLICE = """---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}, namespace: {namespace}, labels: {{app: {name}, kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports:
{ports}endpoints:
{endpoints}"""
SLICE_PORT = "- {{name: {name}, port: {target}, protocol: TCP}}\n"
ENDPOINT = "- {{addresses: [{address}], conditions: {{ready: true, serving: true, terminating: false}}}}\n"


def dotted(first, number):
    return f"{first}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def namespace_of(i):
    return f"ns-{i % NAMESPACES}"


def slice_text(i, addresses, ports=(("http", 80, 8080),)):
    return SLICE.format(name=f"svc-{i}", namespace=namespace_of(i),
                        ports="".join(SLICE_PORT.format(name=n, target=t) for n, _, t in ports),
                        endpoints="".join(ENDPOINT.format(address=a) for a in addresses))


def service_text(i, ports=(("http", 80, 8080),)):
    return SERVICE.format(name=f"svc-{i}", namespace=namespace_of(i), vip=f"172.{16 + (i >> 16)}.{i >> 8 & 255}.{i & 255}",
                          ports="".join(PORT.format(name=n, port=p, target=t) for n, p, t in ports))


def write(folder, texts):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for part in range(FILES):
        (folder / f"mesh-{part}.yaml").write_text("".join(texts[part::FILES]))
    return folder


def write_directory(folder, services, endpoints):
    """svc-0, svc-1, ... in ns-0 to ns-19: port 80 to 8080 on `endpoints` addresses each, as `--synthetic` has them."""
    return write(folder, [service_text(i) + slice_text(i, [dotted(10, i * endpoints + e + 1) for e in range(endpoints)])
                          for i in range(services)])


def write_tcp_mesh(folder, services, endpoints):
    """Services with one TCP port each: istiod makes a listener for every VIP and port of them."""
    ports = (("tcp", 9000, 19000),)
    return write(folder, [service_text(i, ports) +
                          slice_text(i, [dotted(10, i * endpoints + e + 1) for e in range(endpoints)], ports)
                          for i in range(services)])


# What makes listeners large in practice: an access log with many fields, and metrics, in each of them.
LOGGED = """START_TIME DURATION PROTOCOL RESPONSE_CODE RESPONSE_FLAGS RESPONSE_CODE_DETAILS CONNECTION_TERMINATION_DETAILS
UPSTREAM_TRANSPORT_FAILURE_REASON BYTES_RECEIVED BYTES_SENT UPSTREAM_WIRE_BYTES_SENT UPSTREAM_WIRE_BYTES_RECEIVED
UPSTREAM_HOST UPSTREAM_CLUSTER UPSTREAM_LOCAL_ADDRESS UPSTREAM_REMOTE_ADDRESS DOWNSTREAM_LOCAL_ADDRESS
DOWNSTREAM_REMOTE_ADDRESS DOWNSTREAM_DIRECT_REMOTE_ADDRESS REQUESTED_SERVER_NAME ROUTE_NAME CONNECTION_ID
FILTER_CHAIN_NAME HOSTNAME DOWNSTREAM_TLS_VERSION DOWNSTREAM_TLS_CIPHER DOWNSTREAM_PEER_URI_SAN DOWNSTREAM_LOCAL_URI_SAN
DOWNSTREAM_PEER_SUBJECT DOWNSTREAM_TLS_SESSION_ID UPSTREAM_TLS_VERSION UPSTREAM_TLS_CIPHER UPSTREAM_TLS_SESSION_ID
UPSTREAM_PEER_SUBJECT UPSTREAM_LOCAL_SUBJECT UPSTREAM_REQUEST_ATTEMPT_COUNT""".split()


def write_logging_mesh_config(path):
    text = json.dumps({name.lower(): f"%{name}%" for name in LOGGED})
    path = pathlib.Path(path)
    path.write_text(json.dumps({"accessLogFile": "/dev/stdout", "accessLogEncoding": "JSON", "accessLogFormat": text,
                                "defaultProviders": {"metrics": ["prometheus"]}}))
    return path
