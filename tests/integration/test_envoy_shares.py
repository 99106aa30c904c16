# SPDX-License-Identifier: Apache-2.0
"""Shares: what real calls through Envoy get, one in flight, lies within sampling error of the agent's exact shares.

Environment: ENVOY_SEED=N repeats a run; the long form prints the seed that it has thrown.
"""

import collections
import math
import os
import random

import pytest

import envoy_proxy
import generate_shares
import objects
from generate_shares import Endpoint, ShareSet, WrittenSet, distribute, maglev, ring, simple

pytestmark = pytest.mark.envoy

SEED = int(os.environ.get("ENVOY_SEED", 1))
FRESH = int(os.environ.get("ENVOY_SEED", random.SystemRandom().randrange(1_000_000)))
SETS_SHORT, CALLS_SHORT = 8, 600
SETS_LONG, CALLS_LONG, ROUNDS_LONG = 10, 2000, 7  # of each kind
SIGMAS = 5  # one of two million comparisons fails by chance
HERE, NEAR, FAR = "r1/z1/a", "r1/z1/b", "r2/z1/a"


@pytest.fixture
def court(start_istiod, start_agent, tmp_path):
    made = envoy_proxy.Court(start_istiod, start_agent, tmp_path, (80,))
    yield made
    made.stop()


def count_calls(court, calls, **request):
    """address -> calls; None stands for "no healthy upstream". Each call is made with what the functions in `request` give."""
    counts = collections.Counter()
    for i in range(calls):
        reply = court.envoy.call(80, **{key: make(i) for key, make in request.items()})
        if reply.status == 503 and reply.details == "no_healthy_upstream":
            counts[None] += 1
        else:
            assert reply.status == 200, reply
            counts[reply.headers["x-echo"]] += 1
    return counts


def tolerance(share, calls, ring_size):
    """Sampling error, the two calls by which a schedule may be off its turn, and the chance placement of a ring."""
    spread = share * (1 - share)
    by_ring = SIGMAS * math.sqrt(spread / (ring_size + 1)) if ring_size else 0
    return SIGMAS * math.sqrt(spread / calls) + 2 / calls + by_ring


def differences(answer, counts, ring_size=None):
    """Lines about addresses that had too many calls or too few, by the agent's answer."""
    shares = collections.Counter()
    for endpoint in answer["endpoints"] or [{"address": None, "share": 1.0}]:
        shares[endpoint["address"]] += endpoint["share"]
    calls = counts.total()
    return [
        f"{address}: {counts[address] / calls:.4f} of the calls, share {shares[address]:.4f}"
        for address in {*shares, *counts}
        if abs(counts[address] / calls - shares[address])
        > (tolerance(shares[address], calls, ring_size) if shares[address] else 0)
    ]


def judge_one(court, one, calls, rng):
    """Hashing balancers get a new key with each call, or none at all."""

    def headers(i):
        return [("x-user", str(rng.getrandbits(64)))] if one.hashed and i % 4 else []

    counts = count_calls(court, calls, authority=lambda _: one.host, headers=headers)
    wrong = differences(court.ask(one.host, 80), counts, one.ring_size)
    return [f"{one}\n    " + "\n    ".join(wrong)] if wrong else []


def judge(court, sets, calls, rng):
    things = [thing for one in sets for thing in one.build(court.echo.port)]
    court.apply([*generate_shares.nodes(), *things])
    court.envoy.wait_for_merges()
    return [line for one in sets for line in judge_one(court, one, calls, rng)]


def run(court, seed, sets, calls):
    rng, made = generate_shares.round_of(seed, sets)
    print(f"ENVOY_SEED={seed}: {sets} sets")
    wrong = []
    for step in range(generate_shares.STEPS):
        wrong += [f"step {step}: {line}" for line in judge(court, made, calls, rng)]
        for one in made:
            one.lose_some(rng)
    assert not wrong, "\n".join(wrong)


def test_shares_of_generated_endpoints_are_envoys(court):
    run(court, SEED, SETS_SHORT, CALLS_SHORT)


@pytest.mark.long
@pytest.mark.parametrize("part", range(ROUNDS_LONG))
def test_shares_of_many_generated_endpoints_are_envoys(court, part):
    run(court, FRESH + part, SETS_LONG, CALLS_LONG)


WEIGHTS = ((1, 2, 3), (97, 2, 1), (50, 50, 0), (33, 33, 34), (1000, 10, 1), (0, 0, 7), (1, 1, 1))


def test_weights_of_routes_are_envoys(court):
    host, versions = "shop.default.svc.cluster.local", {f"v{i}": [f"127.63.0.{i}"] for i in (1, 2, 3)}
    routes = [
        {
            "match": [{"uri": {"prefix": f"/{i}/"}}],
            "route": [{"destination": {"host": host, "subset": v}, "weight": w} for v, w in zip(versions, weights)],
        }
        for i, weights in enumerate(WEIGHTS)
    ]
    court.apply(
        [
            *objects.app("shop", versions, ports=((80, court.echo.port, "http"),)),
            objects.subsets("shop", *versions),
            objects.istio("VirtualService", "shop", {"hosts": [host], "http": routes}),
        ]
    )
    for i, weights in enumerate(WEIGHTS):
        answer = court.ask(host, 80, path=f"/{i}/")
        shares = {endpoint["address"]: endpoint["share"] for endpoint in answer["endpoints"]}
        wanted = {f"127.63.0.{k}": w / sum(weights) for k, w in enumerate(weights, 1) if w}
        assert shares == pytest.approx(wanted), weights
        counts = count_calls(court, CALLS_LONG, authority=lambda _: host, path=lambda _, i=i: f"/{i}/")
        assert not differences(answer, counts), weights


def endpoints(number, *places, unready=()):
    """127.61.NUMBER.1 and so on, one for each place."""
    made = [Endpoint(f"127.61.{number}.{i}", place) for i, place in enumerate(places, 1)]
    for i in unready:
        made[i - 1].ready = False
    return made


HALVES = distribute(r1_z1_a=50, r1_z1_b=50)
TWO_PLACES = (HERE, HERE, NEAR, NEAR)
TWO_PRIORITIES = (HERE, HERE, FAR, FAR)
WORKED = {
    "localities half and half, half of one unready": (
        lambda n: ShareSet(n, "service", endpoints(n, *TWO_PLACES, unready=(2,)), simple("ROUND_ROBIN", **HALVES)),
        {1: 0.7 / 1.7, 3: 0.5 / 1.7, 4: 0.5 / 1.7},
    ),
    "priority 0 half unready": (
        lambda n: ShareSet(n, "service", endpoints(n, *TWO_PRIORITIES, unready=(2,)), simple("ROUND_ROBIN")),
        {1: 0.70, 3: 0.15, 4: 0.15},
    ),
    "all unready, threshold 0": (
        lambda n: ShareSet(n, "service", endpoints(n, *TWO_PRIORITIES, unready=(1, 2, 3, 4)), simple("ROUND_ROBIN")),
        {},
    ),
    "all priorities in panic": (
        lambda n: ShareSet(
            n, "service", endpoints(n, *TWO_PRIORITIES, unready=(1, 2, 3, 4)), simple("LEAST_REQUEST"), panic=50
        ),
        {1: 0.25, 2: 0.25, 3: 0.25, 4: 0.25},
    ),
    "one priority in panic": (
        lambda n: ShareSet(
            n, "service", endpoints(n, HERE, HERE, HERE, FAR, FAR, FAR, FAR, unready=(1, 2, 3, 5, 6)), simple("RANDOM"), 40
        ),
        {4: 0.5, 7: 0.5},
    ),
    "panic ignores locality weights": (
        lambda n: ShareSet(
            n,
            "service",
            endpoints(n, HERE, NEAR, NEAR, NEAR, unready=(1, 2, 3)),
            simple("ROUND_ROBIN", **distribute(r1_z1_a=90, r1_z1_b=10)),
            panic=50,
        ),
        {1: 0.25, 2: 0.25, 3: 0.25, 4: 0.25},
    ),
    "weights under RANDOM": (
        lambda n: ShareSet(n, "entry", weighted(n, 9, 1), simple("RANDOM")),
        {1: 0.5, 2: 0.5},
    ),
    "weights under LEAST_REQUEST": (
        lambda n: ShareSet(n, "entry", weighted(n, 9, 1), simple("LEAST_REQUEST")),
        {1: 0.9, 2: 0.1},
    ),
    "weights on a ring": (
        lambda n: ShareSet(n, "entry", weighted(n, 3, 1), ring()),
        {1: 0.75, 2: 0.25},
    ),
    "hashing does not adjust locality weights": (
        lambda n: ShareSet(n, "service", endpoints(n, *TWO_PLACES, unready=(2,)), maglev(**HALVES)),
        {1: 0.5, 3: 0.25, 4: 0.25},
    ),
    "hashing gives the load for degraded hosts to healthy ones": (
        lambda n: WrittenSet(n, "MAGLEV", written(n, "HDX", "HXXXXXXXXXXXXXXXXX"), panic=0),
        {1: 0.93, 4: 0.07},
    ),
    "draining hosts are no part of the total": (
        lambda n: WrittenSet(n, "RANDOM", written(n, "RRTXD", "UXRH"), panic=50),
        {5: 0.07, 6: 0.465, 9: 0.465},
    ),
    "hashing keeps locality weights in panic": (
        lambda n: ShareSet(
            n,
            "service",
            endpoints(n, HERE, NEAR, NEAR, NEAR, unready=(1, 2, 3)),
            maglev(**distribute(r1_z1_a=90, r1_z1_b=10)),
            panic=50,
        ),
        {1: 0.9, 2: 0.1 / 3, 3: 0.1 / 3, 4: 0.1 / 3},
    ),
}


def weighted(number, *weights):
    return [Endpoint(f"127.61.{number}.{i}", HERE, weight) for i, weight in enumerate(weights, 1)]


LETTERS = {"H": "HEALTHY", "X": "UNHEALTHY", "D": "DEGRADED", "R": "DRAINING", "T": "TIMEOUT", "U": "UNKNOWN"}


def written(number, *priorities):
    """A letter for each endpoint."""
    names = (f"127.61.{number}.{i}" for i in range(1, 250))
    return [
        (priority, None, [(next(names), LETTERS[letter], 1) for letter in letters])
        for priority, letters in enumerate(priorities)
    ]


def test_worked_cases_hold_in_envoy_and_agent(court):
    sets = {name: make(i) for i, (name, (make, _)) in enumerate(WORKED.items(), 1)}
    wrong = judge(court, list(sets.values()), CALLS_LONG, random.Random(SEED))
    for name, one in sets.items():
        wanted = {f"127.61.{one.number}.{i}": pytest.approx(share) for i, share in WORKED[name][1].items()}
        found = {endpoint["address"]: endpoint["share"] for endpoint in court.ask(one.host, 80)["endpoints"]}
        if found != wanted:
            wrong.append(f"{name}: the agent says {found}")
    assert not wrong, "\n".join(wrong)
