# SPDX-License-Identifier: Apache-2.0
"""Which route holds: every condition that a VirtualService can set, through istiod and from files.

Each case is a service of its own with a VirtualService that leads to subsets of `app`; what is asked are attributes of a
request, what is expected is the basis of the answer and the subsets (`own`: the endpoints of the service itself).
"""

import pytest

import harness
import objects
from world import SOURCES, World

pytestmark = pytest.mark.istiod

SUBSETS = ("v1", "v2", "v3", "v4")


def to(*subsets, **fields):
    """An HTTP route to subsets of `app`, in equal parts."""
    weight = 100 // len(subsets)
    return {
        "route": [{"destination": {"host": "app", "subset": subset}, "weight": weight} for subset in subsets],
        **fields,
    }


def when(*matches, then="v1"):
    return to(then, match=list(matches))


def path(value, **more):
    return {"path": value, **more}


def headers(**values):
    return {f"header.{name.replace('_', '-')}": value for name, value in values.items()}


ELSE = to("v4")

# name: the http routes, and pairs of a request and what is expected.
CASES = {
    "uri exact": (
        [when({"uri": {"exact": "/a"}}), ELSE],
        [
            (path("/a"), "route v1"),
            (path("/a?x=1"), "route v1"),
            (path("/a#part"), "route v1"),
            (path("/a/"), "route v4"),
            (path("/A"), "route v4"),
            ({}, "route v4"),
        ],
    ),
    "uri prefix": (
        [when({"uri": {"prefix": "/api"}}), ELSE],
        [
            (path("/api"), "route v1"),
            (path("/api/b"), "route v1"),
            (path("/apis"), "route v1"),  # a prefix of bytes, not of segments
            (path("/ap"), "route v4"),
            (path("/x?/api"), "route v4"),
        ],
    ),
    "uri regex": (
        [when({"uri": {"regex": "/v[0-9]+/(a|b)"}}), ELSE],
        [
            (path("/v12/a"), "route v1"),
            (path("/v12/a?q=1"), "route v1"),
            (path("/v12/ab"), "route v4"),  # the whole path
            (path("/x/v12/a"), "route v4"),
        ],
    ),
    "ignoreUriCase": (
        [
            when({"uri": {"exact": "/Exact"}, "ignoreUriCase": True}),
            when({"uri": {"prefix": "/Pre"}, "ignoreUriCase": True}, then="v2"),
            when({"uri": {"regex": "/reg.x"}, "ignoreUriCase": True}, then="v3"),
            ELSE,
        ],
        [
            (path("/eXACT"), "route v1"),
            (path("/pREfix"), "route v2"),
            (path("/regex"), "route v3"),
            (path("/REGEX"), "route v4"),  # says nothing about regular expressions
        ],
    ),
    "headers": (
        [
            when({"headers": {"x-exact": {"exact": "Yes"}}}),
            when({"headers": {"x-prefix": {"prefix": "ab"}}}, then="v2"),
            when({"headers": {"x-regex": {"regex": "a+"}}}, then="v3"),
            when({"headers": {"x-there": {}}}),
            when({"headers": {"x-empty": {"exact": ""}}}, then="v2"),
            ELSE,
        ],
        [
            (headers(x_exact="Yes"), "route v1"),
            (headers(X_Exact="Yes"), "route v1"),
            (headers(x_exact="yes"), "route v4"),
            (headers(x_exact="Yes!"), "route v4"),
            (headers(x_prefix="abc"), "route v2"),
            (headers(x_prefix="a"), "route v4"),
            (headers(x_regex="aaa"), "route v3"),
            (headers(x_regex="aab"), "route v4"),
            (headers(x_there="anything"), "route v1"),
            (headers(x_there=""), "route v1"),
            ({}, "route v4"),
        ],
    ),
    "withoutHeaders": (
        [
            when({"withoutHeaders": {"x-none": {}}, "headers": {"which": {"exact": "1"}}}),
            when({"withoutHeaders": {"x-other": {"exact": "a"}}, "headers": {"which": {"exact": "2"}}}, then="v2"),
            when({"withoutHeaders": {"x-re": {"regex": "b.*"}}, "headers": {"which": {"exact": "3"}}}, then="v3"),
            ELSE,
        ],
        [
            (headers(which="1"), "route v1"),
            (headers(which="1", x_none=""), "route v4"),
            (headers(which="2"), "route v2"),  # missing counts as empty
            (headers(which="2", x_other="b"), "route v2"),
            (headers(which="2", x_other="a"), "route v4"),
            (headers(which="3", x_re="bc"), "route v4"),
            (headers(which="3", x_re="cb"), "route v3"),
            (headers(which="3"), "route v3"),
        ],
    ),
    "queryParams": (
        [
            when({"queryParams": {"e": {"exact": "1"}}}),
            when({"queryParams": {"p": {"prefix": "ab"}}}, then="v2"),
            when({"queryParams": {"r": {"regex": "a+"}}}, then="v3"),
            when({"queryParams": {"t": {}}}),
            ELSE,
        ],
        [
            (path("/?e=1"), "route v1"),
            (path("/?x=2&e=1"), "route v1"),
            (path("/?e=12"), "route v4"),
            (path("/?e=%31"), "route v4"),  # nothing is decoded
            (path("/?e=2&e=1"), "route v4"),  # the first of a name counts
            (path("/?p=abc"), "route v2"),
            (path("/?r=aa"), "route v3"),
            (path("/?r=ab"), "route v4"),
            (path("/?t"), "route v1"),
            (path("/?t="), "route v1"),
            (path("/e=1"), "route v4"),
        ],
    ),
    "method, scheme, authority": (
        [
            when({"method": {"exact": "POST"}}),
            when({"scheme": {"exact": "https"}}, then="v2"),
            when({"authority": {"prefix": "shop."}}, then="v3"),
            ELSE,
        ],
        [
            ({"method": "POST"}, "route v1"),
            ({"method": "post"}, "route v4"),
            ({"scheme": "https"}, "route v2"),
            ({"authority": "shop.example.com"}, "route v3"),
            ({}, "route v4"),
        ],
    ),
    "or between blocks, and inside one": (
        [
            when(
                {"uri": {"prefix": "/a"}, "headers": {"x": {"exact": "1"}}, "method": {"exact": "GET"}},
                {"uri": {"prefix": "/b"}},
            ),
            ELSE,
        ],
        [
            (path("/a", **headers(x="1")), "route v1"),
            (path("/a", **headers(x="2")), "route v4"),
            (path("/a", method="PUT", **headers(x="1")), "route v4"),
            (path("/b"), "route v1"),
            (path("/b", method="PUT"), "route v1"),
        ],
    ),
    "the first that holds": (
        [when({"uri": {"prefix": "/"}, "headers": {"x": {}}}), when({"uri": {"prefix": "/a"}}, then="v2"), to("v3"), ELSE],
        [
            (path("/a", **headers(x="1")), "route v1"),
            (path("/a"), "route v2"),
            ({}, "route v3"),
        ],
    ),
    "no default route": (
        [when({"uri": {"exact": "/only"}})],
        [(path("/only"), "route v1"), ({}, "unmatched own")],
    ),
    "gateways of a match": (
        [
            when({"gateways": ["somewhere/gateway"]}),
            when({"gateways": ["mesh"], "headers": {"x": {}}}, then="v2"),
            ELSE,
        ],
        [({}, "route v4"), (headers(x="1"), "route v2")],
    ),
    "weights": (
        [to("v1", "v2", match=[{"headers": {"x": {}}}]), ELSE],
        [(headers(x="1"), "route v1 v2"), ({}, "route v4")],
    ),
    "redirect and direct response": (
        [
            {
                "match": [{"uri": {"prefix": "/old"}}],
                "redirect": {"uri": "/new", "authority": "new.example.com", "redirectCode": 308},
            },
            {"match": [{"uri": {"prefix": "/gone"}}], "directResponse": {"status": 410}},
            ELSE,
        ],
        [(path("/old/a"), "response"), (path("/gone"), "response"), ({}, "route v4")],
    ),
    "rewrite, mirror, fault, timeout and retries change nothing": (
        [
            to(
                "v1",
                match=[{"uri": {"prefix": "/a"}}],
                rewrite={"uri": "/b", "authority": "b.example.com"},
                mirror={"host": "app", "subset": "v2"},
                mirrorPercentage={"value": 50},
                fault={"abort": {"httpStatus": 503, "percentage": {"value": 100}}, "delay": {"fixedDelay": "1s"}},
                timeout="1s",
                retries={"attempts": 2, "perTryTimeout": "1s"},
                corsPolicy={"allowOrigins": [{"exact": "*"}]},
                headers={"request": {"set": {"x-by": "mesh"}}},
            ),
            ELSE,
        ],
        [(path("/a"), "route v1"), ({}, "route v4")],
    ),
}


def service_of(number):
    ports = ((80, 8080, "http"), (81, 8081, "http-more"))
    return objects.app(f"case{number}", {"v1": [f"10.3.0.{number}"]}, ip=f"10.96.1.{number}", ports=ports)


def rule(host, http, name=None, namespace="default", **more):
    return objects.istio("VirtualService", name or host, {"hosts": [host], "http": http, **more}, namespace)


def special_cases():
    """What takes more than one VirtualService, or one that is not ours alone."""
    return [
        # by port; without a port a destination means the one that is listened on
        rule("case50", [
            {"match": [{"port": 81}], "route": [{"destination": {"host": "app", "subset": "v1", "port": {"number": 80}}}]},
            ELSE,
        ]),
        # by who asks
        rule(
            "case51",
            [
                when({"sourceLabels": {"tier": "front"}}),
                when({"sourceNamespace": "other"}, then="v2"),
                when({"sourceLabels": {"tier": "back", "zone": "a"}, "sourceNamespace": "default"}, then="v3"),
                ELSE,
            ],
        ),
        # delegates, their conditions joined with those of the root
        rule("case52", [
            {"match": [{"uri": {"prefix": "/api"}}], "delegate": {"name": "part", "namespace": "default"}},
            {"match": [{"uri": {"prefix": "/gone"}}], "delegate": {"name": "nobody", "namespace": "default"}},
            ELSE,
        ]),
        objects.istio("VirtualService", "part", {"http": [
            when({"uri": {"prefix": "/api/one"}}, then="v1"),
            when({"headers": {"x": {"exact": "1"}}}, then="v2"),
            when({"uri": {"prefix": "/elsewhere"}}, then="v3"),
            to("v3"),
        ]}),
        # for a gateway only: not ours; of both: ours
        rule("case53", [to("v1")], gateways=["somewhere/gateway"]),
        rule("case54", [to("v2")], gateways=["somewhere/gateway", "mesh"]),
        # short name, full name and wildcard: the same service
        rule("case55.default.svc.cluster.local", [to("v1")], name="case55"),
        rule("*.wild.example.com", [when({"uri": {"prefix": "/a"}}), ELSE], name="wild"),
        objects.istio("ServiceEntry", "wild", {
            "hosts": ["*.wild.example.com"], "resolution": "NONE", "location": "MESH_EXTERNAL",
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        }),
        # a destination of another namespace by its full name, and one that is nobody
        rule("case56", [{"route": [{"destination": {"host": "far.other.svc.cluster.local"}}]}]),
        rule("case57", [{"route": [{"destination": {"host": "nobody.default.svc.cluster.local"}}]}]),
    ]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    things = [
        *objects.app("app", {version: [f"10.2.0.{i}"] for i, version in enumerate(SUBSETS, 1)}, ip="10.96.0.1"),
        objects.subsets("app", *SUBSETS),
        *objects.app("far", {"v1": ["10.4.0.1"]}, namespace="other", ip="10.97.0.1"),
        *special_cases(),
    ]
    for number in (*range(1, len(CASES) + 1), *range(50, 58)):
        things += service_of(number)
    for number, (http, _) in enumerate(CASES.values(), 1):
        things.append(rule(f"case{number}", http))
    things.append(objects.pod("registered", "10.9.0.7", labels={"tier": "front"}))
    world = World(tmp_path_factory.mktemp("matching"), *things)
    yield world
    world.stop()


def told(agent, host, **request):
    """The basis of the answer and the subsets, `own` for an endpoint of the service itself."""
    answer = agent.endpoints(host, **request)
    names = [
        (end["subset"] or "own") if answer["host"] in end["cluster"] or end["subset"] else end["address"]
        for end in answer["endpoints"]
    ]
    return " ".join([answer["basis"], *sorted(names)])


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("case", CASES)
def test_route_that_holds(world, source, case):
    number = list(CASES).index(case) + 1
    agent = world.agent(source)
    asked = CASES[case][1]
    assert [(request, told(agent, f"case{number}", **request)) for request, _ in asked] == asked


@pytest.mark.parametrize("source", SOURCES)
def test_conditions_on_the_port_count_for_that_port(world, source):
    agent = world.agent(source)
    assert told(agent, "case50:80") == "route v4" and told(agent, "case50:81") == "route v1"


@pytest.mark.parametrize("source", SOURCES)
def test_conditions_on_who_asks_are_decided_for_our_identity(world, source):
    """Labels and namespace reach istiod: the same VirtualService gives each client a route of its own."""
    registered = world.agent(source, "--pod-name", "registered-10-9-0-7", "--pod-ip", "10.9.0.7")
    seen = {
        "nobody": told(world.agent(source), "case51"),
        "by label": told(world.agent(source, "--labels", "app=x,tier=front"), "case51"),
        "by namespace": told(world.agent(source, "--pod-namespace", "other"), "case51.default"),
        "by both": told(world.agent(source, "--labels", "tier=back,zone=a"), "case51"),
        "one label of two": told(world.agent(source, "--labels", "tier=back"), "case51"),
        "the Pod of our address": told(registered, "case51"),
    }
    assert seen == {
        "nobody": "route v4",
        "by label": "route v1",
        "by namespace": "route v2",
        "by both": "route v3",
        "one label of two": "route v4",
        "the Pod of our address": "route v1",
    }


@pytest.mark.parametrize("source", SOURCES)
def test_delegates_are_joined_with_their_root(world, source):
    agent = world.agent(source)
    seen = {
        "/api/one/x": told(agent, "case52", path="/api/one/x"),
        "/api": told(agent, "case52", path="/api"),
        "/api with x": told(agent, "case52", path="/api", **headers(x="1")),
        "/elsewhere": told(agent, "case52", path="/elsewhere"),  # contradicts its root: never
        "/gone": told(agent, "case52", path="/gone"),  # a delegate that is nobody
        "/x with x": told(agent, "case52", path="/x", **headers(x="1")),
    }
    assert seen == {
        "/api/one/x": "route v1",
        "/api": "route v3",
        "/api with x": "route v2",
        "/elsewhere": "route v4",
        "/gone": "route v4",
        "/x with x": "route v4",
    }


@pytest.mark.parametrize("source", SOURCES)
def test_rules_for_gateways_are_not_ours(world, source):
    agent = world.agent(source)
    assert told(agent, "case53") == "route own" and told(agent, "case54") == "route v2"


@pytest.mark.parametrize("source", SOURCES)
def test_hosts_in_every_spelling(world, source):
    agent = world.agent(source)
    assert told(agent, "case55") == "route v1"
    assert told(agent, "any.wild.example.com", path="/a") == "route v1"
    assert told(agent, "deep.any.wild.example.com") == "route v4"


@pytest.mark.parametrize("source", SOURCES)
def test_destinations_elsewhere_and_nowhere(world, source):
    agent = world.agent(source)
    assert told(agent, "case56") == "route 10.4.0.1"
    answer = agent.endpoints("case57")
    assert answer["basis"] == "route" and answer["endpoints"] == [] and answer["empty_destinations"] == 1


@pytest.mark.parametrize("source", SOURCES)
def test_nothing_holds_and_the_policy_is_strict(world, source):
    number = list(CASES).index("no default route") + 1
    agent = world.agent(source, "--unmatched", "strict")
    assert told(agent, f"case{number}") == "unmatched"
    assert told(agent, f"case{number}", path="/only") == "route v1"


def test_older_rule_of_a_host_counts_and_the_younger_one_follows(world):
    """Rules of one host are not merged for the mesh."""

    def made(name, year, subset):
        thing = rule("case57", [to(subset)], name=name)
        thing["metadata"]["creationTimestamp"] = f"{year}-01-01T00:00:00Z"
        return thing

    world.delete("VirtualService", "case57")
    world.apply(made("younger", 2022, "v2"), made("z-older", 2021, "v3"))
    for agent in world.both():
        harness.wait_for(lambda: told(agent, "case57") == "route v3", "the older one")
    world.delete("VirtualService", "z-older")
    for agent in world.both():
        harness.wait_for(lambda: told(agent, "case57") == "route v2", "the younger one")


def routes_of(agent, host):
    (service,) = (s for s in agent.view()["services"] if s["host"] == f"{host}.default.svc.cluster.local")
    (port,) = (p for p in service["ports"] if p["number"] == 80)
    return port["virtual_host"]["routes"]


@pytest.mark.parametrize("source", SOURCES)
def test_answers_of_the_proxy_itself_keep_their_status(world, source):
    number = list(CASES).index("redirect and direct response") + 1
    actions = [(r["action"], r["response_status"]) for r in routes_of(world.agent(source), f"case{number}")]
    assert actions == [("redirect", 308), ("direct_response", 410), ("forward", 0)]
    host = f"case{number}.default"
    agent = world.agent(source)
    redirect = {"status": 308, "redirect": True, "host": "new.example.com", "path": "/new"}
    assert agent.endpoints(host, path="/old/a")["response"] == redirect
    response = agent.endpoints(host, path="/gone")["response"]
    assert (response["status"], response["redirect"]) == (410, False)
    assert agent.endpoints(host)["response"] is None


def test_both_sources_hold_the_same_routes(world):
    istiod, files = world.both()
    for number in (*range(1, len(CASES) + 1), *range(50, 58)):
        mine, theirs = ([canonical(r) for r in routes_of(agent, f"case{number}")] for agent in (files, istiod))
        assert mine == theirs, number


def canonical(route):
    """The conditions of a route hold together: their order says nothing."""
    return {**route, **{key: sorted(map(repr, route[key])) for key in ("headers", "queries")}}
