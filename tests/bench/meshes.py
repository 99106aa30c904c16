# SPDX-License-Identifier: Apache-2.0
"""Meshes as YAML: the harness' synthetic mesh as a directory, and one with a listener for each TCP port."""
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


def write_tcp_mesh(folder, services, ports, endpoints):
    """Services with TCP ports only: istiod makes one listener for each VIP and port of them."""
    names = [(f"tcp-{p}", 9000 + p, 19000 + p) for p in range(ports)]
    return write(folder, [service_text(i, names) +
                          slice_text(i, [dotted(10, i * endpoints + e + 1) for e in range(endpoints)], names)
                          for i in range(services)])
