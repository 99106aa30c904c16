# SPDX-License-Identifier: Apache-2.0
"""Random meshes for the differential test: the same seed gives the same objects. Valid ones only, as the API server has them."""

import random

import objects

NAMESPACES = ("app", "backend", "shared")
NODES = {
    "n1": ("r1", "z1", "a"),
    "n2": ("r1", "z1", "b"),
    "n3": ("r1", "z2", "a"),
    "n4": ("r2", "z1", "a"),
    "n5": ("r3", "z9", ""),
}
LOCALITIES = ["/".join(part for part in place if part) for place in NODES.values()] + ["r1", "r2/z1", "r1/z1"]
VERSIONS = ("v1", "v2", "v3")
PORTS = (
    (80, 8080, "http"),
    (8080, 8080, "http-admin"),
    (9090, 9090, "grpc-api"),
    (5432, 5432, "tcp-db"),
    (443, 8443, "https"),
    (7000, 7001, "other"),
    (6379, 6379, "redis"),
)
ENTRY_PORTS = (
    (80, "http", "HTTP"),
    (443, "tls", "TLS"),
    (9443, "https", "HTTPS"),
    (9090, "grpc", "GRPC"),
    (3306, "tcp-db", "TCP"),
    (8080, "http2", "HTTP2"),
)
PATHS = ("/", "/api", "/api/v2", "/static/", "/a.b")
HEADERS = ("end-user", "x-canary", "cookie", "user-agent")
WORDS = ("jason", "a", "1", "beta", "Q")


class Scenario:
    """One mesh and one client of it."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.serial = 0
        self.hosts = {}  # full host -> (namespace, port numbers, kind)
        self.objects = [self.node(name, *place) for name, place in NODES.items()]
        self.namespace = self.rng.choice(NAMESPACES)
        # A Sidecar comes without routes and aliases: istiod imports what they lead to port by port, and past its hosts.
        self.scoped = self.chance(0.2)
        for _ in range(self.rng.randint(1, 4)):
            self.add_service()
        for _ in range(self.rng.randint(0, 3)):
            self.add_entry()
        for _ in range(self.rng.randint(0, 4)):
            self.add_rule()
        if self.scoped:
            self.add_sidecar()
        else:
            for _ in range(self.rng.randint(0, 4)):
                self.add_routes()
        if self.chance(0.4):
            self.add_mesh_config()

    def yaml(self):
        return objects.dump(*self.objects)

    def client(self):
        """Flags that differ from those of the fixed scenarios."""
        rng = self.rng
        labels = ",".join(f"{key}={value}" for key, value in rng.choice(({"app": "client"}, {"app": "web", "tier": "b"})).items())
        return (
            f"--pod-namespace {self.namespace} --locality {rng.choice(LOCALITIES)} --labels {labels} "
            f"--network {rng.choice(('net1', 'net2'))}"
        )

    # --- Dice -----------------------------------------------------------------------------------------------------

    def chance(self, likely):
        return self.rng.random() < likely

    def some(self, items, least=1, most=3):
        items = list(items)
        return self.rng.sample(items, min(len(items), self.rng.randint(least, most)))

    def next(self):
        self.serial += 1
        return self.serial

    def maybe(self, likely, **fields):
        return fields if self.chance(likely) else {}

    def visibility(self, owner):
        """Always to the owner too: what is hidden from its own namespace but routed to is imported half by istiod."""
        others = [namespace for namespace in NAMESPACES if namespace != owner]
        return self.rng.choice((["*"], ["."], [".", self.rng.choice(others)]))

    # --- Kubernetes -----------------------------------------------------------------------------------------------

    @staticmethod
    def node(name, region, zone, subzone):
        labels = {"topology.kubernetes.io/region": region, "topology.kubernetes.io/zone": zone}
        if subzone:
            labels["topology.istio.io/subzone"] = subzone
        return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}

    def add_service(self):
        number, rng = self.next(), self.rng
        name, namespace = f"s{number}", rng.choice(NAMESPACES)
        host = f"{name}.{namespace}.svc.cluster.local"
        if self.hosts and not self.scoped and self.chance(0.08):
            self.objects.append(objects.external_name(name, rng.choice(sorted(self.hosts)), namespace))
            return
        ports = self.some(PORTS)
        headless = self.chance(0.2)
        service = objects.service(
            name,
            namespace,
            f"10.96.{number}.1",
            ports,
            headless,
            **self.maybe(0.1, publishNotReadyAddresses=True),
            **self.maybe(0.15, trafficDistribution="PreferClose"),
        )
        if self.chance(0.15):
            service["metadata"]["annotations"] = {"networking.istio.io/exportTo": ",".join(self.visibility(namespace))}
        self.objects.append(service)
        self.hosts[host] = (namespace, [port for port, _, _ in ports], "headless" if headless else "vip")
        for part in range(rng.choice((1, 1, 1, 2))):
            self.add_slice(name, namespace, ports, number, part)

    def add_slice(self, name, namespace, ports, number, part):
        count, rng = self.rng.randint(0, 4), self.rng
        addresses = [f"10.{number}.{part}.{i}" for i in range(1, count + 1)]
        ready = {address: self.chance(0.8) for address in addresses}
        target_ports = [(target, port_name) for _, target, port_name in ports]
        self.objects.append(
            objects.endpoint_slice(name, addresses, namespace, target_ports, suffix=f"part{part}", ready=ready)
        )
        for address in addresses:
            labels = {
                **self.maybe(0.3, **{"topology.istio.io/network": rng.choice(("net1", "net2"))}),
                **self.maybe(0.3, **{"security.istio.io/tlsMode": "istio"}),
                **self.maybe(0.2, zone=rng.choice("ab")),
            }
            self.objects.append(
                objects.pod(name, address, namespace, rng.choice(VERSIONS), labels, rng.choice(sorted(NODES)))
            )

    # --- ServiceEntry ---------------------------------------------------------------------------------------------

    def workload(self, address):
        rng = self.rng
        return {
            "address": address,
            "labels": {"version": rng.choice(VERSIONS), **self.maybe(0.3, zone=rng.choice("ab"))},
            **self.maybe(0.4, weight=rng.randint(1, 9)),
            **self.maybe(0.4, locality=rng.choice(LOCALITIES)),
            **self.maybe(0.15, network=rng.choice(("net1", "net2"))),
        }

    def add_entry(self):
        number, rng = self.next(), self.rng
        name, namespace = f"e{number}", rng.choice(NAMESPACES)
        resolution = rng.choice(("STATIC", "STATIC", "DNS", "DNS_ROUND_ROBIN", "NONE"))
        ports = self.some(ENTRY_PORTS, 1, 2)
        hosts = [f"{name}.example.com"]
        if resolution in ("STATIC", "NONE") and self.chance(0.2):
            hosts = [f"*.{name}.example.com"]
        elif self.chance(0.2) and not any(proto == "TCP" for _, _, proto in ports):
            hosts.append(f"also-{name}.example.com")
        spec = {
            "hosts": hosts,
            "resolution": resolution,
            "ports": [{"number": port, "name": port_name, "protocol": proto} for port, port_name, proto in ports],
            **self.maybe(0.5, location=rng.choice(("MESH_INTERNAL", "MESH_EXTERNAL"))),
            **self.maybe(0.2, exportTo=self.visibility(namespace)),
        }
        shared = len(hosts) > 1 and any(port in (443, 9443) for port, _, _ in ports)  # istiod gives the address to one host
        if self.chance(0.5) and hosts[0][0] != "*" and not shared:
            spec["addresses"] = [f"10.50.{number}.{i}" for i in range(1, rng.randint(2, 3))]
        self.add_entry_endpoints(spec, name, namespace, number)
        self.objects.append(objects.istio("ServiceEntry", name, spec, namespace))
        for host in hosts:
            self.hosts[host] = (namespace, [port for port, _, _ in ports], resolution)

    def add_entry_endpoints(self, spec, name, namespace, number):
        count, resolution, rng = self.rng.randint(0, 4), spec["resolution"], self.rng
        if resolution == "NONE":
            return
        if resolution == "STATIC":
            addresses = [f"10.40.{number}.{i}" for i in range(count)]
        else:
            addresses = [f"n{i}.{name}.example.net" for i in range(min(count, 1 if "ROUND" in resolution else 3))]
        if resolution == "STATIC" and self.chance(0.3):
            spec["workloadSelector"] = {"labels": {"app": name}}
            for i, address in enumerate(addresses):
                workload = self.workload(address)
                workload["labels"]["app"] = name
                self.objects.append(objects.istio("WorkloadEntry", f"{name}-{i}", workload, namespace))
            return
        spec["endpoints"] = [self.workload(address) for address in addresses]
        for endpoint in spec["endpoints"]:
            endpoint.update(self.maybe(0.3, ports={rng.choice(spec["ports"])["name"]: 9000 + number}))

    # --- DestinationRule ------------------------------------------------------------------------------------------

    def load_balancer(self):
        rng = self.rng
        if self.chance(0.25):
            keys = (
                {"httpHeaderName": "x-user"},
                {"useSourceIp": True},
                {"httpQueryParameterName": "q"},
                {"httpCookie": {"name": "c", "ttl": "60s"}},
            )
            out = {"consistentHash": rng.choice(keys) | self.maybe(0.3, maglev={"tableSize": 1009})}
        else:
            out = {"simple": rng.choice(("ROUND_ROBIN", "LEAST_REQUEST", "RANDOM", "PASSTHROUGH", "UNSPECIFIED"))}
            out |= self.maybe(0.2, warmup={"duration": "30s"})
        return out | self.maybe(0.4, localityLbSetting=self.locality_setting())

    def locality_setting(self):
        rng = self.rng
        regions, shares = ("r1/*", "r2/*", "r3/*"), rng.choice(((100,), (70, 30), (50, 30, 20)))
        return rng.choice(
            (
                {"enabled": False},
                {"enabled": True},
                {"failover": [{"from": "r1", "to": "r2"}, {"from": "r2", "to": "r3"}]},
                {"failoverPriority": ["topology.kubernetes.io/region", "topology.kubernetes.io/zone"]},
                {"failoverPriority": ["topology.istio.io/network", "topology.kubernetes.io/region"]},
                {"failoverPriority": ["version", "zone=a"]},
                {"distribute": [{"from": rng.choice(("r1/*", "r1/z1/*", "*", "r2/z1/a")), "to": dict(zip(regions, shares))}]},
            )
        )

    def outlier(self):
        return {
            "interval": "5s",
            **self.maybe(0.8, consecutive5xxErrors=self.rng.choice((0, 3))),
            **self.maybe(0.3, consecutiveGatewayErrors=self.rng.choice((0, 2))),
            **self.maybe(0.3, baseEjectionTime="1.5s"),
            **self.maybe(0.3, maxEjectionPercent=self.rng.choice((0, 60))),
            **self.maybe(0.4, minHealthPercent=self.rng.choice((10, 50))),
        }

    def pool(self):
        rng = self.rng
        tcp = {**self.maybe(0.5, maxConnections=rng.choice((0, 9))), **self.maybe(0.5, connectTimeout="250ms")}
        http = {
            **self.maybe(0.4, h2UpgradePolicy=rng.choice(("UPGRADE", "DO_NOT_UPGRADE"))),
            **self.maybe(0.4, http1MaxPendingRequests=rng.choice((0, 5))),
            **self.maybe(0.4, http2MaxRequests=7),
            **self.maybe(0.4, maxRetries=rng.choice((0, 1))),
        }
        return {**({"tcp": tcp} if tcp else {}), **({"http": http} if http else {})} or {"tcp": {"maxConnections": 1}}

    def tls(self):
        mode = self.rng.choice(("DISABLE", "ISTIO_MUTUAL", "SIMPLE", "MUTUAL"))
        if mode == "MUTUAL":
            return {"mode": mode, "clientCertificate": "/etc/c.pem", "privateKey": "/etc/k.pem"}
        secret = self.maybe(0.3, credentialName="secret") if mode == "SIMPLE" else {}
        return {"mode": mode, **secret}

    def policy(self, ports=()):
        rng = self.rng
        out = {
            **self.maybe(0.6, loadBalancer=self.load_balancer()),
            **self.maybe(0.5, outlierDetection=self.outlier()),
            **self.maybe(0.25, tls=self.tls()),
            **self.maybe(0.3, connectionPool=self.pool()),
        }
        if ports and self.chance(0.3):
            out["portLevelSettings"] = [{"port": {"number": rng.choice(ports)}, **self.policy()}]
        return out or {"loadBalancer": {"simple": "ROUND_ROBIN"}}

    def spelling(self, host, namespace):
        """The host as an object of `namespace` may write it."""
        owner, _, kind = self.hosts[host]
        short = kind in ("vip", "headless") and owner == namespace and self.chance(0.4)
        return host.split(".")[0] if short else host

    def add_rule(self):
        if not self.hosts:
            return
        rng = self.rng
        host = rng.choice(sorted(self.hosts))
        owner, ports, _ = self.hosts[host]
        namespace = rng.choice((owner, owner, self.namespace, "istio-system"))
        written = self.spelling(host, namespace)
        if self.chance(0.1):
            written = f"*.{owner}.svc.cluster.local"
        subsets = [
            {"name": version, "labels": {"version": version}, **self.maybe(0.3, trafficPolicy=self.policy(ports))}
            for version in self.some(VERSIONS, 0, 3)
        ]
        spec = {
            "host": written,
            **({"subsets": subsets} if subsets else {}),
            **self.maybe(0.7, trafficPolicy=self.policy(ports)),
            **self.maybe(0.2, exportTo=self.visibility(namespace)),
        }
        self.objects.append(objects.istio("DestinationRule", f"d{self.next()}", spec, namespace))

    # --- VirtualService -------------------------------------------------------------------------------------------

    def destination(self, namespace):
        rng = self.rng
        host = rng.choice(sorted(self.hosts))
        _, ports, _ = self.hosts[host]
        return {
            "host": self.spelling(host, namespace),
            **self.maybe(0.4, subset=rng.choice(VERSIONS)),
            **({"port": {"number": rng.choice(ports)}} if len(ports) > 1 or self.chance(0.3) else {}),
        }

    def destinations(self, namespace):
        count = self.rng.choice((1, 1, 2, 3))
        if count == 1:
            return [{"destination": self.destination(namespace)}]
        weights = {2: (90, 10), 3: (50, 50, 0)}[count]
        return [{"destination": self.destination(namespace), "weight": weight} for weight in weights]

    def text_match(self, values=WORDS):
        rng = self.rng
        kind = rng.choice(("exact", "prefix", "regex"))
        value = rng.choice(values)
        return {kind: value + ".*" if kind == "regex" else value}

    def http_match(self):
        rng = self.rng
        return {
            **self.maybe(0.5, uri=self.text_match(PATHS)),
            **self.maybe(0.1, ignoreUriCase=True),
            **self.maybe(0.4, headers={name: rng.choice((self.text_match(), {})) for name in self.some(HEADERS, 1, 2)}),
            **self.maybe(0.2, withoutHeaders={"x-without": self.text_match()}),
            **self.maybe(0.2, queryParams={"q": rng.choice(({"exact": "1"}, {"prefix": "p"}, {"regex": "r+"}))}),
            **self.maybe(0.2, method={"exact": rng.choice(("GET", "POST"))}),
            **self.maybe(0.1, authority=self.text_match(("a.example.com",))),
            **self.maybe(0.1, scheme={"exact": "http"}),
            **self.maybe(0.2, port=rng.choice((80, 8080, 9090))),
            **self.maybe(0.15, sourceLabels=rng.choice(({"app": "client"}, {"app": "web"}))),
            **self.maybe(0.15, sourceNamespace=rng.choice(NAMESPACES)),
            **self.maybe(0.1, gateways=rng.choice((["mesh"], ["app/edge"], ["mesh", "app/edge"]))),
        }

    def http_route(self, namespace, last):
        rng = self.rng
        matches = [match for match in (self.http_match() for _ in range(rng.randint(1, 2))) if match]
        out = {**self.maybe(0.6, name=f"route-{self.next()}")}
        if matches and not (last and self.chance(0.7)):
            out["match"] = matches
        dice = rng.random()
        if dice < 0.08:
            return out | {"redirect": {"uri": "/new", **self.maybe(0.5, redirectCode=308)}}
        if dice < 0.14:
            return out | {"directResponse": {"status": rng.choice((418, 503)), "body": {"string": "no"}}}
        return (
            out
            | {"route": self.destinations(namespace)}
            | self.maybe(0.2, timeout="3s")
            | self.maybe(0.15, rewrite={"uri": "/rewritten"})
            | self.maybe(0.15, retries={"attempts": 2, "perTryTimeout": "1s"})
            | self.maybe(0.1, fault={"delay": {"percentage": {"value": 10}, "fixedDelay": "1s"}})
            | self.maybe(0.1, mirror=self.destination(namespace))
        )

    def l4_routes(self, namespace):
        rng = self.rng
        routes = []
        for _ in range(rng.randint(1, 2)):
            match = {
                **self.maybe(0.5, port=rng.choice((5432, 3306, 6379))),
                **self.maybe(0.2, destinationSubnets=[f"10.{rng.randint(1, 99)}.0.0/16"]),
                **self.maybe(0.2, sourceLabels={"app": rng.choice(("client", "web"))}),
            }
            routes.append({"route": self.destinations(namespace)} | ({"match": [match]} if match else {}))
        return routes

    def add_routes(self):
        if not self.hosts:
            return
        rng = self.rng
        host = rng.choice(sorted(self.hosts))
        owner, ports, _ = self.hosts[host]
        namespace = rng.choice((owner, owner, self.namespace))
        written = rng.choice((self.spelling(host, namespace), host, f"v{self.next()}.example.org"))
        if self.chance(0.06):
            written = "*.example.com"
        count = rng.randint(1, 4)
        spec = {
            "hosts": [written],
            "http": [self.http_route(namespace, i == count - 1) for i in range(count)],
            **self.maybe(0.15, exportTo=self.visibility(namespace)),
            **self.maybe(0.1, gateways=rng.choice((["mesh", "app/edge"], ["app/edge"]))),
        }
        if self.chance(0.3):
            spec["tcp"] = self.l4_routes(namespace)
        if self.chance(0.2) and "*" not in host and written == host:
            sni = {"sniHosts": [host], **self.maybe(0.5, port=rng.choice(ports))}
            spec["tls"] = [{"match": [sni], "route": self.destinations(namespace)}]
        self.objects.append(objects.istio("VirtualService", f"v{self.next()}", spec, namespace))

    # --- Scope and mesh -------------------------------------------------------------------------------------------

    def add_sidecar(self):
        rng = self.rng
        hosts = self.some(("./*", "*/*", "backend/*", "shared/*", "app/*", "~/*", "*/*.example.com"), 1, 3)
        for host in self.some(sorted(self.hosts), 0, 2):
            hosts.append(f"{rng.choice(('*', '.', self.hosts[host][0]))}/{host}")
        spec = {"egress": [{"hosts": hosts}]}
        if self.chance(0.3):
            spec["workloadSelector"] = {"labels": {"app": rng.choice(("client", "web"))}}
        namespace = "istio-system" if self.chance(0.3) and "workloadSelector" not in spec else self.namespace
        self.objects.append(objects.istio("Sidecar", "default", spec, namespace))

    def default_policy(self):
        return {**self.maybe(0.6, outlierDetection=self.outlier())} or {"connectionPool": self.pool()}

    def add_mesh_config(self):
        mesh = {
            **self.maybe(0.3, defaultServiceExportTo=self.rng.choice((["*"], ["."]))),
            **self.maybe(0.2, defaultVirtualServiceExportTo=self.rng.choice((["*"], ["."]))),
            **self.maybe(0.2, defaultDestinationRuleExportTo=self.rng.choice((["*"], ["."]))),
            **self.maybe(0.5, localityLbSetting=self.locality_setting()),
            **self.maybe(0.2, outboundTrafficPolicy={"mode": "REGISTRY_ONLY"}),
            **self.maybe(0.2, enableAutoMtls=False),
            **self.maybe(0.2, connectTimeout="4s"),
            **self.maybe(0.3, defaultTrafficPolicy=self.default_policy()),
        }
        networks = {
            "networks": {
                "net2": {
                    "endpoints": [{"fromCidr": "10.2.0.0/16"}],
                    "gateways": [{"address": "203.0.113.7", "port": 15443}],
                }
            }
        }
        data = {"mesh": objects.dump(mesh)} | ({"meshNetworks": objects.dump(networks)} if self.chance(0.5) else {})
        metadata = {"name": "istio", "namespace": "istio-system"}
        self.objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
