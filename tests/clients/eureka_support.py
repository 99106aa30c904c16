# SPDX-License-Identifier: Apache-2.0
"""The stage of the Eureka clients: a mesh whose rules give 80/15/5 over three addresses of loopback, the agent with its
Eureka door on it, an echo server that says which of the addresses was called, and a wire that shows what a client asks."""

import json
import re
import threading

import envoy_proxy
import harness
import objects
import yaml

ECHOES = ("127.0.81.1", "127.0.81.2", "127.0.81.3")  # of v1, v2, v3
SHARES = dict(zip(ECHOES, (80, 15, 5)))  # what the rules say, in per cent
HOST = "reviews.default.svc.cluster.local"
OTHER_HOST = "ratings.shop.svc.cluster.local"
CONTEXTS = {"canary": {"headers": {"x-canary": "yes"}}}
NAMES = {"review-service": HOST}
DEFAULT_PORT = 8761  # where clients that are told nothing look for Eureka
MORE_PORT = 9090  # the service's other port: no primary one
CALLS = 2000
POINT = 1.0  # by which a share may differ, in per cent

# Every form of the name, with the shares that it must get. The other port leads to another echo server.
ALIASES = {
    "reviews": SHARES,
    "reviews.default": SHARES,
    HOST: SHARES,
    "review-service": SHARES,
    "reviews--v2": {ECHOES[1]: 100},
    "reviews--canary": {ECHOES[2]: 100},
    "ratings.shop": {ECHOES[0]: 100},
}
OTHER_PORT = {"reviews--p9090": SHARES, "reviews--v3--p9090": {ECHOES[2]: 100}}

# What an application's environment says to see changes within a second or two, for every generation of Spring.
LEVERS = {
    "EUREKA_CLIENT_REGISTRYFETCHINTERVALSECONDS": "1",
    "RIBBON_SERVERLISTREFRESHINTERVAL": "500",
    "SPRING_CLOUD_LOADBALANCER_CACHE_TTL": "1s",
}


def spring_environment(url=None, **more):
    """Of an unmodified application: where the registry is, as JSON, since the name of the map's key has capitals. Without a
    URL it is told nothing, and looks at the port where the door is by default."""
    place = {"SPRING_APPLICATION_JSON": json.dumps({"eureka": {"client": {"serviceUrl": {"defaultZone": url}}}})} if url else {}
    return {**place, "EUREKA_INSTANCE_LEASERENEWALINTERVALINSECONDS": "1", **more}


def route(shares):
    weights = [{"destination": {"host": HOST, "subset": f"v{i}"}, "weight": w} for i, w in enumerate(shares.values(), 1)]
    canary = {"match": [{"headers": {"x-canary": {"exact": "yes"}}}],
              "route": [{"destination": {"host": HOST, "subset": "v3"}}]}
    return objects.istio("VirtualService", "reviews", {"hosts": [HOST], "http": [canary, {"route": weights}]})


def mesh(shares, port=8080, more_port=8081):
    """`reviews` in the pod's namespace, a version on each address, and `ratings` in another namespace."""
    groups = {f"v{i}": [address] for i, address in enumerate(shares, 1)}
    first = next(iter(shares))
    return [
        *objects.app("reviews", groups, ports=((80, port, "http"), (MORE_PORT, more_port, "http-more"))),
        objects.subsets(HOST, *groups),
        route(shares),
        *objects.app("ratings", {"v1": [first]}, namespace="shop", ip="10.96.0.2", ports=((80, port, "http"),)),
    ]


def metric(agent, series):
    found = re.search(rf"^{re.escape(series)} (\d+)", agent.http("/metrics").body, re.MULTILINE)
    return int(found[1])


class Mesh:
    """A directory that the agent follows, and the agent with its Eureka door."""

    DOOR, PATH, LISTEN = "eureka", "/eureka/", "127.0.0.1:0"

    def __init__(self, folder, things=None, config=None, options=()):
        self.folder = folder / "mesh"
        self.folder.mkdir()
        self.options = options
        if config:
            (folder / "isthmus.yaml").write_text(yaml.safe_dump(config))
            self.options = (*options, "--config", str(folder / "isthmus.yaml"))
        self.put("mesh", *(things or mesh(SHARES)))
        self.agent = None
        self.start(self.LISTEN)
        self.port = self.agent.ports[self.DOOR]
        self.url = f"http://127.0.0.1:{self.port}{self.PATH}"

    def start(self, listen):
        self.agent = harness.Agent(
            "--source", f"dir:{self.folder}", f"--{self.DOOR}-listen", listen, "--pod-ip", "10.1.0.9", *self.options)

    def stop(self):
        assert self.agent.stop() == 0, self.agent.log()

    def restart(self):
        self.stop()
        self.start(f"127.0.0.1:{self.port}")

    def put(self, name, *things):
        hidden = self.folder / f".{name}"
        hidden.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": things}))
        hidden.rename(self.folder / f"{name}.json")

    def fulls(self):
        """Whole lists that were sent."""
        return self.metric('isthmus_eureka_lists_total{extent="full"}')

    def registrations(self):
        return self.metric("isthmus_eureka_registrations")

    def metric(self, series):
        return metric(self.agent, series)

    def ask(self, path, **headers):
        """What the door answers, in JSON where no `Accept` says otherwise."""
        return self.agent.http(f"/eureka/{path}", port="eureka", headers={"Accept": "application/json", **headers})


class Wire(harness.Relay):
    """Between clients and the door: keeps the requests that have passed."""

    HEAD = re.compile(rb"(GET|PUT|POST|DELETE) (\S+) HTTP/1\.[01]\r\n((?:[^\r\n]+\r\n)*)\r\n")  # after a body, too

    def __init__(self, port, listen=0):
        self.lock, self.flows = threading.Lock(), {}  # what each socket has sent; answers look like no request
        super().__init__(f"127.0.0.1:{port}", 65536, listen)
        self.url = f"http://{self.address}/eureka/"

    def seen(self, source, data):
        with self.lock:
            self.flows.setdefault(source, bytearray()).extend(data)

    def requests(self):
        """(method, path, headers by their names in lower case) of each, those of one connection in order."""
        with self.lock:
            flows = [bytes(flow) for flow in self.flows.values()]
        return [self._request(*found.groups()) for flow in flows for found in self.HEAD.finditer(flow)]

    @staticmethod
    def _request(method, path, lines):
        pairs = (line.split(": ", 1) for line in lines.decode("latin-1").splitlines())
        return method.decode(), path.decode(), {name.lower(): value for name, value in pairs}

    def matching(self, method, path):
        """Headers of the requests whose path is this expression's whole match."""
        return [headers for m, p, headers in self.requests() if m == method and re.fullmatch(path, p)]


class Echoes:
    """Two echo servers, and the mesh that leads to them. `options` of the agent, and more keys of its file."""

    MESH = Mesh

    def __init__(self, folder, options=(), **config):
        self.echo, self.more_echo = envoy_proxy.Echo(), envoy_proxy.Echo()
        self.mesh = self.MESH(folder, self.things(SHARES), {"contexts": CONTEXTS, "names": NAMES, **config}, options)

    def things(self, shares):
        return mesh(shares, self.echo.port, self.more_echo.port)

    def shift(self, shares):
        """Other weights for the same addresses."""
        self.mesh.put("mesh", *self.things(shares))

    def stop(self):
        self.mesh.stop()
        self.echo.stop()
        self.more_echo.stop()


class Stage(Echoes):
    """Everything that a caller needs: with the wire to the door."""

    def __init__(self, folder, options=(), **config):
        super().__init__(folder, options, **config)
        self.wire = Wire(self.mesh.port)

    def stop(self):
        self.wire.stop()
        super().stop()


def by_address(counts, port):
    """Address -> calls; all of them must have gone to this port."""
    pairs = {place: place.rpartition(":") for place in counts}
    assert all(found[2] == str(port) for found in pairs.values()), (counts, port)
    return {found[0]: counts[place] for place, found in pairs.items()}


def near(counts, shares, within=POINT):
    """Whether calls are distributed by the shares, within a point; what has no share must not have been called."""
    total = sum(counts.values())
    wanted = {address: share for address, share in shares.items() if share}
    return counts.keys() == wanted.keys() and all(
        abs(100 * counts[address] / total - share) <= within for address, share in wanted.items())
