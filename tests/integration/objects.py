# SPDX-License-Identifier: Apache-2.0
"""Kubernetes and Istio objects as YAML text, for meshes that tests make up."""

import yaml


def dump(*objects):
    return yaml.safe_dump_all(objects, sort_keys=False)


def service(name, namespace="default", ip="10.96.0.1", ports=((80, 8080, "http"),), headless=False, **spec):
    families = spec.pop("ips", None)
    body = {
        "clusterIP": "None" if headless else ip,
        "selector": {"app": name},
        "ports": [{"name": n, "port": p, "targetPort": t, "protocol": "TCP"} for p, t, n in ports],
    }
    if families:
        body.update(
            clusterIPs=families,
            ipFamilies=["IPv6" if ":" in f else "IPv4" for f in families],
            ipFamilyPolicy="PreferDualStack" if len(families) > 1 else "SingleStack",
        )
    body.update(spec)
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": body}


def external_name(name, target, namespace="default", port=80):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"type": "ExternalName", "externalName": target, "ports": [{"name": "http", "port": port}]},
    }


def endpoint_slice(
    name,
    addresses,
    namespace="default",
    ports=((8080, "http"),),
    suffix="1",
    hostnames=(),
    ready=None,
    nodes=(),
    pods=(),
):
    ready = ready or {}
    endpoints = []
    for i, address in enumerate(addresses):
        fine = ready.get(address, True)
        endpoint = {
            "addresses": [address],
            "conditions": {"ready": fine, "serving": fine, "terminating": False},
            "targetRef": {
                "kind": "Pod",
                "name": pods[i] if i < len(pods) else pod_name(name, address),
                "namespace": namespace,
            },
        }
        if i < len(hostnames):
            endpoint["hostname"] = hostnames[i]
        if i < len(nodes):
            endpoint["nodeName"] = nodes[i]
        endpoints.append(endpoint)
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-{suffix}",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv6" if addresses and ":" in addresses[0] else "IPv4",
        "ports": [{"name": n, "port": p, "protocol": "TCP"} for p, n in ports],
        "endpoints": endpoints,
    }


def pod_name(app, address):
    return f"{app}-" + address.replace(".", "-").replace(":", "-").strip("-")


def pod(
    app,
    address,
    namespace="default",
    version="v1",
    labels=None,
    node="node-a",
    hostname=None,
    subdomain=None,
    also=(),
):
    spec = {"nodeName": node, "containers": [{"name": "app", "image": "app"}]}
    if hostname:
        spec.update(hostname=hostname, subdomain=subdomain)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod_name(app, address),
            "namespace": namespace,
            "labels": {"app": app, "version": version, **(labels or {})},
        },
        "spec": spec,
        "status": {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": ip} for ip in (address, *also)],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def node(name, region="r1", zone="z1"):
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"topology.kubernetes.io/region": region, "topology.kubernetes.io/zone": zone},
        },
    }


def istio(kind, name, spec, namespace="default"):
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def subsets(host, *names, namespace="default", **policy):
    return istio(
        "DestinationRule",
        host.split(".")[0],
        {"host": host, "subsets": [{"name": n, "labels": {"version": n}} for n in names], **policy},
        namespace,
    )


def split(host, namespace="default", **weights):
    return istio(
        "VirtualService",
        host.split(".")[0],
        {
            "hosts": [host],
            "http": [
                {"route": [{"destination": {"host": host, "subset": s}, "weight": w} for s, w in weights.items()]}
            ],
        },
        namespace,
    )


def app(name, addresses_by_version, namespace="default", ip="10.96.0.1", ports=((80, 8080, "http"),)):
    """A service with its slice and pods."""
    addresses = [a for group in addresses_by_version.values() for a in group]
    pods = [pod(name, a, namespace, version) for version, group in addresses_by_version.items() for a in group]
    return [
        service(name, namespace, ip, ports),
        endpoint_slice(name, addresses, namespace, [(t, n) for _, t, n in ports]),
        *pods,
    ]
