# SPDX-License-Identifier: Apache-2.0
"""Random routing rules and requests that hit or narrowly miss them: the same seed gives the same ones.

A set is one host of its own (a Service, a ServiceEntry with addresses, a wildcard or a name to resolve, or a name that only
a VirtualService knows) with what VirtualServices, their delegates and a DestinationRule say about it. Sets of a round share
the mesh and may send requests to each other.
"""

import random

import objects

PORTS = (80, 8080)
VERSIONS = ("v1", "v2", "v3")  # v3 has no pods
SUBSETS = (*VERSIONS, "ghost")  # which no DestinationRule has
REQUESTS = 20
PATHS = ("/", "/api", "/api/v2", "/Api/", "/static/", "/a.b", "/x-y/z", "/api/v2/items")
PATH_REGEXES = (
    ("/v[0-9]+/.*", "/v12/x"),
    ("/api(/.*)?", "/api/z"),
    ("/item/[a-z]{2,4}", "/item/abc"),
    (r".*\.js", "/s/a.js"),
    ("/a.b", "/axb"),
    ("(?i)/users", "/USERS"),
)
HEADERS = ("end-user", "x-canary", "X-Number", "cookie", "User-Agent", "authorization")
QUERIES = ("q", "v", "Page", "a.b")
WORDS = ("jason", "a", "1", "beta", "Q", "a b", "x=y", "a,b")
WORD_REGEXES = (("[a-z]+", "abc"), ("v[0-9]", "v7"), ("j.*n", "jon"), ("(a|b)?", ""), ("a,.*", "a,z"))
NAME = "localhost"  # the only name that resolves without leaving the machine
METHODS = ("GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS")
WEIGHTS = ((90, 10), (50, 50), (1, 2, 3), (100, 0), (75, 25), (60, 20, 20))


def flip_case(text):
    return text.swapcase()


class Request:
    """Attributes of one request, in the form in which it is written."""

    def __init__(self, authority, port):
        self.authority, self.port = authority, port
        self.path, self.method, self.query, self.headers = "/", "GET", [], []

    @property
    def target(self):
        return self.path + ("?" + "&".join(self.query) if self.query else "")

    def __str__(self):
        return f"{self.method} {self.authority}:{self.port} {self.target} {self.headers}"


class RouteSet:
    def __init__(self, rng, number, echo_port, hosts):
        self.rng, self.number, self.echo_port = rng, number, echo_port
        self.hosts = hosts  # of the whole round: what a destination may name
        self.kind = rng.choice(("service",) * 8 + ("entry", "entry", "wildcard", "wildcard", "resolved", "route"))
        self.namespace = rng.choice(("default", "default", "other"))
        self.host = {
            "service": f"s{number}.{self.namespace}.svc.cluster.local",
            "entry": f"e{number}.example.com",
            "wildcard": f"*.w{number}.example.com",
            "resolved": f"n{number}.example.com",
            "route": f"v{number}.example.org",  # istiod writes these into port 80 only
        }[self.kind]
        self.ports = PORTS if self.kind != "route" else PORTS[:1]
        self.objects, self.blocks, self.serial = [], [], 0

    # --- Dice ---------------------------------------------------------------------------------------------------------

    def chance(self, likely):
        return self.rng.random() < likely

    def maybe(self, likely, make):
        return make() if self.chance(likely) else {}

    def next(self):
        self.serial += 1
        return f"s{self.number}-{self.serial}"

    # --- The host -----------------------------------------------------------------------------------------------------

    def build(self):
        if self.kind == "service":
            self.add_service()
        elif self.kind != "route":
            self.add_entry()
        if self.kind != "route" and self.chance(0.8):
            self.add_rule()
        self.add_routes()
        return self

    def address(self, i):
        return f"127.{10 + self.number // 250}.{self.number % 250}.{i}"

    def add_service(self):
        addresses = {"v1": [self.address(1), self.address(2)], "v2": [self.address(3)]}
        ip = f"10.96.{self.number // 250}.{self.number % 250}"
        ports = [(port, self.echo_port, f"http-{port}") for port in PORTS]
        self.objects += objects.app(f"s{self.number}", addresses, self.namespace, ip, ports)

    def add_entry(self):
        addresses = [(self.address(1), "v1"), (self.address(2), "v1"), (self.address(3), "v2")]
        if self.kind == "resolved":
            addresses = [(NAME, "v1")]
        endpoints = [
            {"address": address, "labels": {"version": version}, "ports": {f"http-{p}": self.echo_port for p in PORTS}}
            for address, version in addresses
        ]
        spec = {
            "hosts": [self.host],
            "location": "MESH_EXTERNAL",
            "resolution": "DNS" if self.kind == "resolved" else "STATIC",
            "ports": [{"number": port, "name": f"http-{port}", "protocol": "HTTP"} for port in PORTS],
            "endpoints": endpoints,
        }
        self.objects.append(objects.istio("ServiceEntry", f"e{self.number}", spec, self.namespace))

    def add_rule(self):
        subsets = [{"name": name, "labels": {"version": name}} for name in VERSIONS if self.chance(0.9)]
        spec = {"host": self.host, **({"subsets": subsets} if subsets else {})}
        self.objects.append(objects.istio("DestinationRule", f"d{self.number}", spec, self.namespace))

    # --- Rules ----------------------------------------------------------------------------------------------------------

    def text_match(self, words, regexes):
        kind = self.rng.choice(("exact", "prefix", "regex"))
        if kind == "regex":
            return {kind: self.rng.choice(regexes)[0]}
        return {kind: self.rng.choice(words)}

    def word_match(self):
        return {} if self.chance(0.2) else self.text_match(WORDS, WORD_REGEXES)

    def authority_match(self):
        name = self.host.replace("*.", "any.")
        values = (name, name.split(".")[0], name.upper())
        return self.rng.choice(({"exact": values[0]}, {"prefix": values[1]}, {"regex": ".*" + name[2:]}, {"exact": values[2]}))

    def block(self):
        """One match block: what holds together."""
        rng = self.rng
        names = rng.sample(HEADERS, 2)
        return {
            "name": self.next(),
            **self.maybe(0.7, lambda: {"uri": self.text_match(PATHS, PATH_REGEXES)}),
            **self.maybe(0.25, lambda: {"ignoreUriCase": True}),
            **self.maybe(0.4, lambda: {"headers": {n: self.word_match() for n in names[: rng.randint(1, 2)]}}),
            **self.maybe(0.2, lambda: {"withoutHeaders": {rng.choice(HEADERS): self.word_match()}}),
            **self.maybe(0.3, lambda: {"queryParams": {n: self.word_match() for n in rng.sample(QUERIES, rng.randint(1, 2))}}),
            **self.maybe(0.2, lambda: {"method": self.text_match(METHODS[:3], (("P.*", "POST"), ("GET|HEAD", "GET")))}),
            **self.maybe(0.1, lambda: {"scheme": rng.choice(({"exact": "http"}, {"exact": "https"}, {"prefix": "h"}))}),
            **self.maybe(0.15, lambda: {"authority": self.authority_match()}),
            **self.maybe(0.15, lambda: {"port": rng.choice(PORTS)}),
            **self.maybe(0.1, lambda: {"sourceLabels": rng.choice(({"app": "client"}, {"app": "web"}))}),
            **self.maybe(0.1, lambda: {"sourceNamespace": rng.choice(("default", "other"))}),
        }

    def destination(self):
        own = self.kind != "route" and (self.chance(0.75) or not self.hosts)
        host = self.host if own else self.rng.choice(self.hosts)
        subset = {"subset": self.rng.choice(SUBSETS)} if self.chance(0.6) else {}
        return {"host": host, "port": {"number": self.rng.choice(PORTS)}, **subset}

    def action(self):
        rng = self.rng
        dice = rng.random()
        if dice < 0.08:
            return {"redirect": {"uri": "/new", **self.maybe(0.5, lambda: {"redirectCode": 308})}}
        if dice < 0.15:
            return {"directResponse": {"status": rng.choice((418, 503)), "body": {"string": "no"}}}
        rewrite = self.maybe(0.15, lambda: {"rewrite": {"uri": "/rewritten"}})
        if self.chance(0.6):
            return {"route": [{"destination": self.destination()}], **rewrite}
        weights = rng.choice(WEIGHTS)
        return {"route": [{"destination": self.destination(), "weight": weight} for weight in weights], **rewrite}

    def http_route(self, last):
        route = {"name": self.next()}
        if not (last and self.chance(0.6)):
            route["match"] = [self.block() for _ in range(self.rng.choice((1, 1, 2, 3)))]
            self.blocks += route["match"]
        return route | self.action()

    def delegate(self):
        """A route whose rules stand in another VirtualService."""
        name, prefix = f"delegate-{self.next()}", self.rng.choice(("/api", "/static", "/"))
        inner = {"name": self.next(), "match": [{"name": self.next(), "uri": {"prefix": prefix + "/v2"}}], **self.action()}
        self.blocks += inner["match"]
        rest = {"name": self.next(), **self.action()}
        self.objects.append(objects.istio("VirtualService", name, {"http": [inner, rest]}, "other"))
        block = {"name": self.next(), "uri": {"prefix": prefix}}
        self.blocks.append(block)
        return {"name": self.next(), "match": [block], "delegate": {"name": name, "namespace": "other"}}

    def spellings(self):
        """The host as a VirtualService of the same namespace may write it, alone or beside others that nobody else has."""
        written = self.host.split(".")[0] if self.kind == "service" and self.chance(0.3) else self.host
        return [written, *([f"*.also{self.number}.example.org"] if self.chance(0.1) else [])]

    def add_routes(self):
        count = self.rng.randint(1, 5)
        routes = [self.http_route(i == count - 1) for i in range(count)]
        if self.chance(0.15):
            routes.insert(self.rng.randrange(len(routes)), self.delegate())
        cut = self.rng.randrange(1, count) if count > 1 and self.chance(0.1) else len(routes)
        for part in (routes[:cut], routes[cut:]):  # two VirtualServices of one host now and then
            if part:
                spec = {"hosts": self.spellings(), "http": part}
                self.objects.append(objects.istio("VirtualService", self.next(), spec, self.namespace))

    # --- Requests -------------------------------------------------------------------------------------------------------

    def satisfying(self, match, regexes):
        """A value for which the condition holds, or nearly does."""
        (kind, value) = next(iter(match.items()), ("present", self.rng.choice(WORDS)))
        if kind == "regex":
            return dict(regexes).get(value, value)
        return value + self.rng.choice(("", "x", "/x")) if kind == "prefix" else value

    def authority(self):
        rng = self.rng
        name = self.host.replace("*.", rng.choice(("any.", "a.b.")))
        spellings = [name, name, name, name.upper(), f"{name}:80"]
        if self.kind != "route":  # istiod writes no domain with a dot at the end for these, and the agent asks by host
            spellings.append(name + ".")
        if self.kind == "service":
            labels = name.split(".")
            spellings += [".".join(labels[:2]), ".".join(labels[:3])] + ([labels[0]] if self.namespace == "default" else [])
        return rng.choice(spellings)

    def meet(self, request, block):
        """Gives the request what the conditions of the block ask for."""
        if "uri" in block:
            path = self.satisfying(block["uri"], PATH_REGEXES)
            request.path = flip_case(path) if block.get("ignoreUriCase") and self.chance(0.5) else path
        for name, match in block.get("headers", {}).items():
            request.headers.append((name, self.satisfying(match, WORD_REGEXES)))
        for name, match in block.get("queryParams", {}).items():
            request.query.append(f"{name}={self.satisfying(match, WORD_REGEXES)}".replace(" ", "%20"))
        if "method" in block:
            method = self.satisfying(block["method"], (("P.*", "POST"), ("GET|HEAD", "HEAD")))
            request.method = method if method in METHODS else self.rng.choice(METHODS)
        for name, match in block.get("withoutHeaders", {}).items():
            if self.chance(0.3):
                request.headers.append((name, self.satisfying(match, WORD_REGEXES)))
        if block.get("port") in self.ports:
            request.port = block["port"]

    def spoil_path(self, request):
        path, rng = request.path, self.rng
        at = rng.randrange(len(path))
        request.path = rng.choice(
            (
                flip_case(path),
                path.rstrip("/") or "/",
                path + "/",
                path + "x",
                path.replace("/", "//", 1),
                path + "//y",
                path[: at + 1] + "./" + path[at + 1 :] if path[at] == "/" else path,
                path + "/../" + path.strip("/"),
                path[: at + 1] + f"%{ord(path[-1]):02x}" + path[at + 1 :],
                path[: at + 1] + f"%{ord(path[-1]):02X}" + path[at + 1 :],
                path + "%2Fz",
                path + "%2e",
                path + ";a=b",
                path + "/a+b",
                path + "/%e4%bd%a0",
                path + "\\z",
            )
        )

    def spoil_headers(self, request):
        rng = self.rng
        if not request.headers:
            request.headers.append((rng.choice(HEADERS), rng.choice(WORDS)))
            return
        at = rng.randrange(len(request.headers))
        name, value = request.headers[at]
        other = rng.choice(WORDS)
        request.headers[at : at + 1] = rng.choice(
            (
                [],
                [(name, flip_case(value))],
                [(name.upper(), value)],
                [(name, "")],
                [(name, value), (name, other)],
                [(name, other), (name, value)],
                [(name, ""), (name, value)],
                [(name, f"{value},{other}")],
                [(name, value + "x")],
            )
        )

    def spoil_query(self, request):
        rng = self.rng
        name = rng.choice(QUERIES)
        if not request.query:
            request.query.append(rng.choice((name, f"{name}=", f"{name}={rng.choice('aQ1')}", f"{name}=a%2Fb", "", "=", "?")))
            return
        at = rng.randrange(len(request.query))
        name, _, value = request.query[at].partition("=")
        request.query[at : at + 1] = rng.choice(
            (
                [name],
                [f"{name}="],
                [f"{flip_case(name)}={value}"],
                [f"{name}={flip_case(value)}"],
                [f"{name}={value}+"],
                [f"{name}=%{ord((value or 'a')[0]):02x}{value[1:]}"],
                [f"{name}=other", f"{name}={value}"],
                [f"{name}={value}", f"{name}=other"],
                ["", f"{name}={value}"],
                [f"z=1;{name}={value}"],
                [f"{name}={value}=2"],
                [f"{name.replace('.', '%2e')}={value}"],
            )
        )

    def request(self):
        request = Request(self.authority(), self.rng.choice(self.ports))
        if self.blocks and self.chance(0.85):
            self.meet(request, self.rng.choice(self.blocks))
        for spoil, likely in ((self.spoil_path, 0.3), (self.spoil_headers, 0.3), (self.spoil_query, 0.25)):
            if self.chance(likely):
                spoil(request)
        if self.chance(0.1):
            request.method = self.rng.choice(METHODS)
        return request

    def requests(self):
        return [self.request() for _ in range(REQUESTS)]


def round_of(seed, count, echo_port):
    """`count` sets that share a mesh."""
    rng = random.Random(seed)
    hosts = []
    sets = [RouteSet(rng, number, echo_port, hosts) for number in range(1, count + 1)]
    hosts += [one.host for one in sets if one.kind not in ("wildcard", "route")]
    return [one.build() for one in sets]
