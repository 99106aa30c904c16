# SPDX-License-Identifier: Apache-2.0
"""What Envoy knows and istiod does not write for sidecars today, from a scripted control plane: conditions, virtual hosts,
health and panic."""

import urllib.parse

import pytest

import harness
import scripted_ads as ads

SUBSETS = ("", "v1", "v2", "v3")


def cluster_of(host, subset):
    return f"outbound|80|{subset}|{host}"


def case_route(host, match, subset):
    return ads.route(match, cluster_of(host, subset))


ANY = ads.path_match("prefix", "/")
FRACTION_NEVER = ads.field(9, ads.field(1, b""))
FRACTION_SOME = ads.field(9, ads.field(1, ads.field(1, 1) + ads.field(2, 2)))  # one of a million
CONNECT = ads.field(12, b"")
METADATA = ads.field(13, b"")  # dynamic_metadata

# host: the conditions of a route to v1, and pairs of a query string and whether they hold
CASES = {
    "separated": (
        ads.path_match("separated", "/a/b"),
        [("path=/a/b", 1), ("path=/a/b/c", 1), ("path=/a/b?x", 1), ("path=/a/bc", 0), ("path=/a", 0), ("path=/A/b", 0)],
    ),
    "separated-any-case": (
        ads.path_match("separated", "/a/b", ads.field(4, b"")),  # case_sensitive: false
        [("path=/A/B/c", 1), ("path=/A/Bc", 0)],
    ),
    "suffix": (
        ads.path_match("prefix", "/", ads.header("x", ads.string_match("suffix", "end"))),
        [("header.x=the%20end", 1), ("header.x=ends", 0), ("header.x=End", 0), ("", 0)],
    ),
    "contains": (
        ads.path_match("prefix", "/", ads.header("x", ads.string_match("contains", "mid"))),
        [("header.x=amidst", 1), ("header.x=m-id", 0)],
    ),
    "any-case": (
        ads.path_match("prefix", "/", ads.header("x", ads.string_match("exact", "Yes", ignore_case=True))),
        [("header.x=yES", 1), ("header.x=yes!", 0)],
    ),
    "range": (
        ads.path_match("prefix", "/", ads.header("x", span=(-5, 10))),
        [
            *(("header.x=" + good, 1) for good in ("-5", "0", "9", "%205%20")),  # spaces around are no matter
            *(("header.x=" + bad, 0) for bad in ("10", "-6", "5.0", "5a", "a", "", "99999999999999999999")),
            ("", 0),
        ],
    ),
    "range-inverted": (
        ads.path_match("prefix", "/", ads.header("x", span=(0, 10), invert=True)),
        [("header.x=10", 1), ("header.x=5", 0), ("", 0)],  # a missing header fails even then
    ),
    "absent": (
        ads.path_match("prefix", "/", ads.header("x", present=False)),
        [("", 1), ("header.x=1", 0), ("header.x=", 0)],
    ),
    "present-inverted": (
        ads.path_match("prefix", "/", ads.header("x", present=True, invert=True)),
        [("", 1), ("header.x=1", 0)],
    ),
    "inverted": (
        ads.path_match("prefix", "/", ads.header("x", ads.string_match("exact", "a"), invert=True)),
        [("header.x=b", 1), ("header.x=a", 0), ("", 0)],
    ),
    "missing-as-empty": (
        ads.path_match("prefix", "/", ads.header("x", ads.string_match("exact", "a"), invert=True, missing_as_empty=True)),
        [("header.x=b", 1), ("header.x=a", 0), ("", 1)],
    ),
    "missing-is-empty-text": (
        ads.path_match("prefix", "/", ads.header("x", ads.string_match("exact", ""), missing_as_empty=True)),
        [("", 1), ("header.x=", 1), ("header.x=a", 0)],
    ),
    "repeated": (
        ads.path_match("prefix", "/", ads.header("x", ads.string_match("exact", "b"))),
        [("header.x=a&header.x=b", 1), ("header.x=a&header.x=c", 0), ("header.x=a,b", 0)],
    ),
    "pseudo-headers": (
        ads.path_match(
            "prefix",
            "/",
            ads.header(":path", ads.string_match("prefix", "/a?")) + ads.header(":authority", ads.string_match("suffix", ".org")),
        ),
        [("path=/a%3Fb&authority=x.org", 1), ("path=/a&authority=x.org", 0), ("path=/a%3Fb&authority=x.com", 0)],
    ),
    "query-suffix": (
        ads.path_match("prefix", "/", ads.query("q", ads.string_match("suffix", "z")) + ads.query("p")),
        [("path=/%3Fq%3Dyz%26p", 1), ("path=/%3Fq%3Dyz", 0), ("path=/%3Fp%26q%3Dzy", 0)],
    ),
    "never-by-fraction": (ANY + FRACTION_NEVER, [("", 0)]),
    "some-by-fraction": (ANY + FRACTION_SOME, [("", 1)]),
    "connect": (CONNECT, [("", 0), ("method=CONNECT", 0)]),
    "metadata": (ANY + METADATA, [("", 0)]),
}

# A service's virtual host: the exact domain, then the longest `*.x`, then the longest `x.*`; `*` never.
DOMAINS = {
    "exact.a.domains.test": "exact",
    "other.a.domains.test": "suffix-long",
    "other.b.domains.test": "suffix-short",
    "front.b.nowhere.example": "prefix-long",
    "front.c.nowhere.example": "prefix-short",
    "else.nowhere.example": None,
}
VIRTUAL_HOSTS = {
    "everything": ["*"],
    "suffix-short": ["*.domains.test"],
    "suffix-long": ["*.a.domains.test"],
    "exact": ["exact.a.domains.test", "exact.a.domains.test:80"],
    "prefix-short": ["front.*"],
    "prefix-long": ["front.b.*"],
}


def places(*groups, **more):
    """Localities a, b, ...: per group a text of health, one letter an endpoint, 10.N.0.M being the M-th of the N-th."""
    states = {"h": "healthy", "u": "unknown", "s": "unhealthy", "d": "draining", "t": "timeout", "l": "degraded"}
    out = []
    for n, (zone, group) in enumerate(zip("abc", groups), 1):
        ends = [ads.endpoint(f"10.{n}.0.{m}", states[state]) for m, state in enumerate(group, 1)]
        out.append(ads.locality(zone, *ends, **more.get(zone, {})))
    return out


SECOND = {"b": {"priority": 1}}
HALVES = {"a": {"weight": 50}, "b": {"weight": 50}}
# name: the cluster's own fields, the localities, and address -> share in per cent. Measured on Envoy, or worked out by its rules.
HEALTHS = {
    "healthy": (ads.common_lb(0), places("hu"), {"10.1.0.1": 50, "10.1.0.2": 50}),
    "out of service": (ads.common_lb(0), places("hsdt"), {"10.1.0.1": 100}),
    "half of the first priority": (ads.common_lb(0), places("hs", "h", **SECOND), {"10.1.0.1": 70, "10.2.0.1": 30}),
    "most of the first priority": (
        ads.common_lb(0),
        places("hsss", "hh", **SECOND),
        {"10.1.0.1": 35, "10.2.0.1": 32.5, "10.2.0.2": 32.5},
    ),
    "both short": (ads.common_lb(0), places("hsss", "hsss", **SECOND), {"10.1.0.1": 50, "10.2.0.1": 50}),
    "nobody": (ads.common_lb(0), places("ss", "s", **SECOND), {}),
    "degraded take what is left": (ads.common_lb(0), places("hl"), {"10.1.0.1": 70, "10.1.0.2": 30}),
    "degraded alone": (ads.common_lb(0), places("sl"), {"10.1.0.2": 100}),
    "panic": (ads.common_lb(50), places("hsss"), {f"10.1.0.{i}": 25 for i in (1, 2, 3, 4)}),
    "no panic by half": (ads.common_lb(50), places("hs"), {"10.1.0.1": 100}),
    "threshold absent": (b"", places("hsss"), {f"10.1.0.{i}": 25 for i in (1, 2, 3, 4)}),
    "threshold below": (ads.common_lb(20), places("hsss"), {"10.1.0.1": 100}),
    "panic everywhere": (
        ads.common_lb(50),
        places("ss", "ss", **SECOND),
        {"10.1.0.1": 25, "10.1.0.2": 25, "10.2.0.1": 25, "10.2.0.2": 25},
    ),
    "localities by weight": (
        ads.common_lb(0, locality_weighted=True),
        places("hs", "hh", **HALVES),
        {"10.1.0.1": 100 * 35 / 85, "10.2.0.1": 50 * 50 / 85, "10.2.0.2": 50 * 50 / 85},
    ),
    "weights of localities, not asked for": (
        ads.common_lb(0),
        places("h", "h", a={"weight": 90}, b={"weight": 10}),
        {"10.1.0.1": 50, "10.2.0.1": 50},
    ),
    "locality without a weight": (
        ads.common_lb(0, locality_weighted=True),
        places("h", "h", a={"weight": 3}),
        {"10.1.0.1": 100},
    ),
    "panic ignores weights of localities": (
        ads.common_lb(50, locality_weighted=True),
        places("hsss", "s", a={"weight": 90}, b={"weight": 10}),
        {**{f"10.1.0.{i}": 20 for i in (1, 2, 3, 4)}, "10.2.0.1": 20},
    ),
    "weights of endpoints": (
        ads.common_lb(0),
        [ads.locality("a", ads.endpoint("10.1.0.1", weight=9), ads.endpoint("10.1.0.2", weight=1), ads.endpoint("10.1.0.3"))],
        {"10.1.0.1": 900 / 11, "10.1.0.2": 100 / 11, "10.1.0.3": 100 / 11},
    ),
    "random ignores them": (
        ads.common_lb(0) + ads.field(6, 3),
        [ads.locality("a", ads.endpoint("10.1.0.1", weight=9), ads.endpoint("10.1.0.2", weight=1))],
        {"10.1.0.1": 50, "10.1.0.2": 50},
    ),
}


def host_of(case):
    return case.replace(" ", "-").replace(",", "") + ".health.test"


@pytest.fixture(scope="module")
def agent():
    plane = ads.ScriptedAds()
    hosts = [f"{name}.cases.test" for name in CASES]
    clusters = [cluster_of(host, subset) for host in (*hosts, *DOMAINS) for subset in SUBSETS]
    plane.resources["cds"] = {name: ads.cluster(name) for name in clusters}
    plane.resources["eds"] = {
        name: ads.assignment(name, (f"10.0.{i // 200}.{i % 200 + 1}", 8080)) for i, name in enumerate(clusters)
    }
    for case, (own, groups, _) in HEALTHS.items():
        name = cluster_of(host_of(case), "")
        plane.resources["cds"][name] = ads.cluster(name, raw=own)
        plane.resources["eds"][name] = ads.field(1, name) + ads.field(2, groups)
    of_cases = [
        ads.virtual_host_of(f"{host}:80", [host], case_route(host, match, "v1"), case_route(host, ANY, "v2"))
        for host, (match, _) in zip(hosts, CASES.values())
    ]
    of_domains = [
        ads.virtual_host_of(name, domains, ads.route(ANY, cluster_of("exact.a.domains.test", "v3"), name))
        for name, domains in VIRTUAL_HOSTS.items()
    ]
    plane.resources["rds"] = {"80": ads.route_configuration("80", *of_cases, *of_domains)}
    agent = harness.Agent("--source", "istiod", "--xds-address", plane.address, "--xds-tls", "off")
    yield agent
    assert agent.stop() == 0, agent.log()
    plane.stop()


@pytest.mark.parametrize("case", CASES)
def test_condition_holds_as_in_envoy(agent, case):
    for query, holds in CASES[case][1]:
        query = query if "%" in query else urllib.parse.quote(query, safe="=&.,-")
        answer = agent.get(f"/v1/endpoints/{case}.cases.test?{query}")
        subsets = [end["subset"] for end in answer["endpoints"]]
        assert (answer["basis"], subsets) == ("route", ["v1" if holds else "v2"]), query


@pytest.mark.parametrize("host", DOMAINS)
def test_most_specific_domain_counts(agent, host):
    answer = agent.endpoints(host)
    assert (answer["route"] or {}).get("virtual_host") == DOMAINS[host]
    assert answer["basis"] == ("route" if DOMAINS[host] else "service")


@pytest.mark.parametrize("case", HEALTHS)
def test_health_and_panic_share_as_in_envoy(agent, case):
    answer = agent.endpoints(host_of(case))
    assert {end["address"]: 100 * end["share"] for end in answer["endpoints"]} == pytest.approx(HEALTHS[case][2])
