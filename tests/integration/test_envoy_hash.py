# SPDX-License-Identifier: Apache-2.0
"""Consistent hashing: the endpoint that /v1/resolve picks is the one that Envoy calls for the same request.

Environment: ENVOY_SEED=N repeats a run of the long form, which prints the seed that it has thrown.
"""

import collections
import os
import random

import pytest

import envoy_proxy
import generate_shares
import objects
from generate_shares import Endpoint, ShareSet, distribute

pytestmark = pytest.mark.envoy

FRESH = int(os.environ.get("ENVOY_SEED", random.SystemRandom().randrange(1_000_000)))
REQUESTS = 100  # of one case
REQUESTS_LONG, SETS_LONG = 1000, 40
EACH_WAY = 20  # of REQUESTS that are split in halves; fewer once in a thousand million runs
HERE, NEAR, FAR, BEFORE = "r1/z1/a", "r1/z1/b", "r2/z1/a", "r1/z0/a"  # BEFORE by name alone
FLAT = {"localityLbSetting": {"enabled": False}}


@pytest.fixture
def court(start_istiod, start_agent, tmp_path):
    made = envoy_proxy.Court(start_istiod, start_agent, tmp_path, (80,))
    yield made
    made.stop()


class Request:
    """`source` is the address that it comes from, the rest what is asked with it."""

    def __init__(self, source="127.0.0.1", **attributes):
        self.source, self.attributes = source, attributes

    def ask_envoy(self, court, host):
        if self.source == "127.0.0.1":
            return court.envoy.call(80, authority=host, **self.attributes)
        return court.envoy.call_from(self.source, 80, authority=host, **self.attributes)

    def ask_agent(self, court, host):
        return court.resolve(host, 80, source=self.source, **self.attributes)


def users(name):
    """Requests with one, two or three values of the header, or an empty one."""

    def make(i):
        values = [f"user-{i}"] if i % 4 else [f"u{i}", f"v{i}", f"a{i}"][: 1 + i // 4 % 3]
        return Request(headers=[(name, value if i % 16 else "") for value in values])

    return make


def forwarded(i):
    """Envoy believes the last address of all."""
    values = [f"127.0.0.9, 10.0.{i // 250}.{i % 250}", f"fd00::{i}"][i % 2 :]
    return Request(headers=[("x-forwarded-for", value) for value in values])


HASHED = {
    "header": ({"httpHeaderName": "x-user"}, users("x-user")),
    # Envoy keeps one value of these, joined.
    "joined header": ({"httpHeaderName": "User-Agent"}, users("user-agent")),
    "pseudo header": ({"httpHeaderName": ":path"}, lambda i: Request(path=f"/{i}?k=v")),
    "query": ({"httpQueryParameterName": "user"}, lambda i: Request(path=f"/?a=1&user=u%20{i}&user=other")),
    "cookie": (
        {"httpCookie": {"name": "sid", "ttl": "60s"}},
        lambda i: Request(headers=[("cookie", f"a=1; sid=s{i}")]),
    ),
    "source": ({"useSourceIp": True}, lambda i: Request(source=f"127.88.{i // 250}.{i % 250 + 1}")),
    "forwarded": ({"useSourceIp": True}, forwarded),
}
TABLES = {
    "default": {},
    "ring": {"ringHash": {"minimumRingSize": 4096}},
    "maglev": {"maglev": {"tableSize": 1009}},
}


def balancer(hashed, table, **places):
    return {"consistentHash": {**HASHED[hashed][0], **TABLES[table]}, **places}


def points(number, *places_and_weights):
    """127.64.NUMBER.1 and so on."""
    return [Endpoint(f"127.64.{number}.{i}", *one) for i, one in enumerate(places_and_weights, 1)]


def weights(number, lb):
    return ShareSet(number, "entry", points(number, (HERE, 1), (HERE, 1), (HERE, 2), (HERE, 4)), lb | FLAT)


def two_places(number, lb):
    return ShareSet(number, "entry", points(number, (HERE, 1), (NEAR, 3), (HERE, 2), (NEAR, 2)), lb | FLAT)


def distributed(number, lb):
    places = points(number, (HERE, 1), (NEAR, 1), (HERE, 3), (NEAR, 1))
    return ShareSet(number, "entry", places, lb | distribute(r1_z1_a=50, r1_z1_b=50))


def priorities(number, lb):
    """70 of 100 here, 30 there."""
    places = points(number, (HERE,), (HERE,), (HERE,), (HERE,), (FAR,), (FAR,))
    places[0].ready = places[2].ready = False
    return ShareSet(number, "service", places, lb)


def uneven(number, lb):
    places = points(number, (BEFORE, 3), (HERE, 5), (BEFORE, 7), (HERE, 11), (HERE, 13))
    return ShareSet(number, "entry", places, lb | distribute(r1_z1_a=37, r1_z0_a=63))


LAYOUTS = (weights, two_places, distributed, priorities, uneven)
CASES = [(layout, "header", table) for layout in LAYOUTS for table in TABLES]
CASES += [(layout, hashed, "default") for layout in (weights, priorities) for hashed in HASHED if hashed != "header"]


def compare(court, host, make, count):
    """(calls of each endpoint, [lines about requests for which the agent picks another])"""
    called, wrong = collections.Counter(), []
    for i in range(count):
        request = make(i)
        reply, answer = request.ask_envoy(court, host), request.ask_agent(court, host)
        assert reply.details == "via_upstream" and answer["hash"] == "hashed", (request.attributes, reply, answer)
        called[reply.upstream] += 1
        if picked(answer) != (reply.cluster, reply.upstream):
            wrong.append(f"    {request.source} {request.attributes}: {reply.upstream}, the agent {picked(answer)}")
    return called, wrong


def picked(answer):
    pick = answer["pick"]
    return pick["cluster"], f"{pick['address']}:{pick['port']}"


def judge(court, one, make, count):
    called, wrong = compare(court, one.host, make, count)
    print(f"{count - len(wrong)} of {count} alike, {len(called)} endpoints called: {one}")
    assert len(called) > 1, f"{one}: all requests went to {called}"
    return [f"{one}: {len(wrong)} of {count} differ", *wrong] if wrong else []


def apply(court, sets):
    things = [thing for one in sets for thing in one.build(court.echo.port)]
    court.apply([*generate_shares.nodes(), *things])
    court.envoy.wait_for_merges()


def test_endpoints_of_hashes_are_envoys(court):
    sets = [layout(i, balancer(hashed, table)) for i, (layout, hashed, table) in enumerate(CASES, 1)]
    apply(court, sets)
    wrong = []
    for one, (_, hashed, _) in zip(sets, CASES):
        wrong += judge(court, one, HASHED[hashed][1], REQUESTS)
    assert not wrong, "\n".join(wrong)


def random_set(rng, number):
    """(set, maker of requests)"""
    hashed = rng.choice(list(HASHED))
    table = rng.choice(({}, {"ringHash": {"minimumRingSize": rng.randint(1024, 9999)}}, *MAGLEVS))
    here = rng.randint(1, 99)
    places = rng.choice((FLAT, distribute(r1_z1_a=here, r1_z0_a=100 - here)))
    made = points(number, (HERE, 3), (BEFORE, 5), *((rng.choice((HERE, BEFORE)), rng.randint(1, 9)) for _ in range(6)))
    one = ShareSet(number, "entry", made, {"consistentHash": {**HASHED[hashed][0], **table}, **places})
    return one, HASHED[hashed][1]


MAGLEVS = [{"maglev": {"tableSize": size}} for size in (11, 1009, 65537)]


@pytest.mark.long
def test_endpoints_of_many_generated_hashes_are_envoys(court):
    rng = random.Random(FRESH)
    print(f"ENVOY_SEED={FRESH}")
    made = [random_set(rng, number) for number in range(1, SETS_LONG + 1)]
    apply(court, [one for one, _ in made])
    wrong = [line for one, make in made for line in judge(court, one, make, REQUESTS_LONG)]
    assert not wrong, "\n".join(wrong)


# --- Splits and subsets ---------------------------------------------------------------------------------------------

HOST = "shop.default.svc.cluster.local"
VERSIONS = {"v1": ["127.65.1.1", "127.65.1.2"], "v2": ["127.65.2.1", "127.65.2.2", "127.65.2.3"]}


def shop(echo_port):
    """v2 has a rule of its own. Requests are split, except those for /v1 and /v2."""
    own = {"consistentHash": {"httpQueryParameterName": "k", "maglev": {"tableSize": 1009}}}
    labels = {version: {"version": version} for version in VERSIONS}
    rule = {
        "host": HOST,
        "trafficPolicy": {"loadBalancer": balancer("header", "ring")},
        "subsets": [
            {"name": "v1", "labels": labels["v1"]},
            {"name": "v2", "labels": labels["v2"], "trafficPolicy": {"loadBalancer": own}},
        ],
    }
    to = {version: {"destination": {"host": HOST, "subset": version}} for version in VERSIONS}
    routes = [{"match": [{"uri": {"prefix": f"/{version}"}}], "route": [to[version]]} for version in VERSIONS]
    routes.append({"route": [{**to[version], "weight": 50} for version in VERSIONS]})
    return [
        *objects.app("shop", VERSIONS, ports=((80, echo_port, "http"),)),
        objects.istio("DestinationRule", "shop", rule),
        objects.istio("VirtualService", "shop", {"hosts": [HOST], "http": routes}),
    ]


def both(prefix):
    """Requests with something to hash for v1, for v2, or for both."""

    def make(i):
        path = f"{prefix}?k={i}" if i % 3 else prefix
        return Request(path=path, headers=[("x-user", f"user-{i}")] if i % 3 != 1 else [])

    return make


def answer_within(court, request, cluster):
    """The agent deals the two sides of a split in turns: its answer for that side."""
    for _ in range(4 * request.ask_agent(court, HOST)["total_slots"]):
        answer = request.ask_agent(court, HOST)
        if answer["pick"]["cluster"] == cluster:
            return answer
    raise AssertionError(f"the agent never goes to {cluster}")


def differences_of_split(court):
    """Each request is asked of the agent until it goes to the side that Envoy has taken."""
    sides, wrong = collections.Counter(), []
    for i in range(REQUESTS):
        request = both("/")(i)
        reply = request.ask_envoy(court, HOST)
        answer = answer_within(court, request, reply.cluster)
        sides[reply.cluster] += 1
        if (answer["hash"], *picked(answer)) != ("hashed", reply.cluster, reply.upstream):
            wrong.append(f"{request.attributes}: {reply.upstream}, the agent {answer['hash']} {picked(answer)}")
    print(f"{REQUESTS - len(wrong)} of {REQUESTS} alike: {dict(sides)}")
    assert len(sides) == 2 and min(sides.values()) >= EACH_WAY, sides
    return wrong


def test_sides_of_a_split_and_subsets_hash_by_their_rules(court):
    court.apply(shop(court.echo.port))
    wrong = differences_of_split(court)
    users_of_v1 = {"v1": lambda i: Request(path="/v1", headers=[("x-user", f"user-{i}")])}
    for version, make in (users_of_v1 | {"v2": lambda i: Request(path=f"/v2?k={i}")}).items():
        called, more = compare(court, HOST, make, REQUESTS)
        wrong += more
        assert {upstream.partition(":")[0] for upstream in called} == set(VERSIONS[version])
    assert not wrong, "\n".join(wrong)
    assert court.resolve(HOST, 80, path="/v2", headers=[("x-user", "anna")])["hash"] == "no_input"


# --- Nothing to hash ------------------------------------------------------------------------------------------------


def judge_without_input(court, one):
    """Both go to any endpoint."""
    addresses = {endpoint.address for endpoint in one.endpoints}
    called = {court.envoy.call(80, authority=one.host).headers["x-echo"] for _ in range(REQUESTS)}
    answers = [court.resolve(one.host, 80) for _ in range(REQUESTS)]
    assert {answer["hash"] for answer in answers} == {"no_input"}
    assert {answer["pick"]["address"] for answer in answers} == called == addresses


def judge_unsaid_source(court, one):
    """The agent takes the pod's address; Envoy is made to."""
    reply = Request(headers=[("x-forwarded-for", envoy_proxy.POD_IP)]).ask_envoy(court, one.host)
    answer = court.resolve(one.host, 80)
    assert (answer["hash"], picked(answer)[1]) == ("hashed", reply.upstream), one


def judge_made_cookies(court, one):
    """The cookie that Envoy has made leads both to the endpoint that it took."""
    called = collections.Counter()
    for i in range(REQUESTS):
        first = Request(source=f"127.88.0.{i + 1}")
        reply = first.ask_envoy(court, one.host)
        assert first.ask_agent(court, one.host)["hash"] == "cookie_would_be_made"
        cookie = reply.headers["set-cookie"].partition(";")[0]
        again = Request(headers=[("cookie", cookie)])
        answer = again.ask_agent(court, one.host)
        assert cookie.startswith("sid=") and answer["hash"] == "hashed"
        assert picked(answer)[1] == again.ask_envoy(court, one.host).upstream == reply.upstream
        called[reply.upstream] += 1
    assert len(called) == len(one.endpoints), called


def test_what_a_request_does_not_say_is_named_or_made_up(court):
    judges = {"header": judge_without_input, "query": judge_without_input, "cookie": judge_made_cookies}
    hashed = [*judges, *["source"] * 20]
    sets = [weights(i, balancer(one, "default")) for i, one in enumerate(hashed, 1)]
    apply(court, sets)
    for one, name in zip(sets, hashed):
        judges.get(name, judge_unsaid_source)(court, one)
