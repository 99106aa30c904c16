# SPDX-License-Identifier: Apache-2.0
"""Routes: for generated rules and requests, the route and the clusters of the agent's answer are those of Envoy.

Environment: ENVOY_SEED=N repeats a run; the long form prints the seed that it has thrown.
"""

import math
import os
import random

import pytest

import envoy_proxy
import generate_routes

pytestmark = pytest.mark.envoy

SETS = 40  # of one round
ROUNDS_SHORT, ROUNDS_LONG = 2, 10
SEED = int(os.environ.get("ENVOY_SEED", 1))
FRESH = int(os.environ.get("ENVOY_SEED", random.SystemRandom().randrange(1_000_000)))
AS_ENVOY = ("--unmatched", "strict", "--empty-subset", "strict")  # without the named differences
SHOWN = 60
NO_CLUSTER, NO_HOST = "cluster_not_found", "no_healthy_upstream"


@pytest.fixture
def court(start_istiod, start_agent, tmp_path, upstream):
    upstream.records[f"{generate_routes.NAME}."] = ["127.0.0.1"]
    made = envoy_proxy.Court(start_istiod, start_agent, tmp_path, generate_routes.PORTS, AS_ENVOY, upstream.address)
    yield made
    made.stop()


class Case:
    """One request, and what the two say of it."""

    def __init__(self, court, request):
        self.court, self.request = court, request
        name = request.authority.lower().partition(":")[0].rstrip(".")
        self.answer = court.ask(
            name,
            request.port,
            path=request.target,
            method=request.method,
            headers=request.headers,
            authority=request.authority,
        )
        self.clusters = {}  # cluster -> its share of the calls
        for endpoint in self.answer["endpoints"]:
            self.clusters[endpoint["cluster"]] = self.clusters.get(endpoint["cluster"], 0) + endpoint["share"]
        self.addresses = {(e["cluster"], f"{e['address']}:{e['port']}") for e in self.answer["endpoints"]}
        self.reply = self.call()

    def call(self):
        request = self.request
        return self.court.envoy.call(
            request.port,
            authority=request.authority,
            path=request.target,
            method=request.method,
            headers=request.headers,
        )

    def route(self):
        return (self.answer["route"] or {}).get("name") or None

    def disagreement(self, reply):
        """What is wrong with Envoy's reply by the agent's answer; None if nothing is."""
        basis = self.answer["basis"]
        if basis == "unmatched":
            return None if reply.details == "route_not_found" else "the agent finds no route"
        if self.route() != reply.route:
            return f"the agent takes route {self.route()}"
        if basis == "response":
            return None if reply.details == "direct_response" else "the agent says that the route answers by itself"
        if basis != "route":
            return f"the agent's basis is {basis}"
        if reply.details in (NO_CLUSTER, NO_HOST):
            lost = self.answer["lost_share"] > 0 and reply.cluster not in self.clusters
            return None if lost else f"the agent expects {sorted(self.clusters)}"
        if reply.details != "via_upstream" or reply.status != 200:
            return "Envoy's reply is unexpected"
        told = (reply.cluster, reply.upstream)
        return None if told in self.addresses else f"the agent expects one of {sorted(self.addresses)}"

    def unseen(self):
        """Calls until every destination of a split has had one. What has not come in 25 times its turn never comes."""
        wanted = {cluster for cluster, share in self.clusters.items() if share > 0}
        wanted |= {None} if self.answer["lost_share"] > 0 else set()
        parts = [*self.clusters.values(), self.answer["lost_share"]]
        least = min((part for part in parts if part > 1e-9), default=1)
        for _ in range(math.ceil(25 / least) if len(wanted) > 1 else 1):
            reply = self.call()
            wrong = self.disagreement(reply)
            if wrong:
                return wrong
            wanted.discard(reply.cluster if reply.details == "via_upstream" else None)
            if not wanted:
                return None
        return f"Envoy never went to {sorted(map(str, wanted))}"


def judge(court, sets, tally):
    """Lines about what the two disagree on."""
    wrong, splits = [], set()
    for one in sets:
        for request in one.requests():
            case = Case(court, request)
            tally[case.answer["basis"]] = tally.get(case.answer["basis"], 0) + 1
            problem = case.disagreement(case.reply)
            if not problem and case.answer["basis"] == "route" and case.route() not in splits:
                splits.add(case.route())
                problem = case.unseen()
            if problem:
                wrong.append(f"{request}\n    Envoy: {case.reply[:5]}\n    {problem}")
    return wrong


def run(court, seed, rounds):
    wrong, tally = [], {}
    for i in range(rounds):
        sets = generate_routes.round_of(seed + i, SETS, court.echo.port)
        court.apply([thing for one in sets for thing in one.objects])
        wrong += [f"seed {seed + i}: {line}" for line in judge(court, sets, tally)]
    print(f"ENVOY_SEED={seed}: {rounds * SETS} sets, requests by the basis of the answer: {tally}")
    assert not wrong, f"{len(wrong)} of {sum(tally.values())} requests:\n" + "\n".join(wrong[:SHOWN])
    for basis in ("route", "response", "unmatched"):
        assert tally[basis] >= rounds * SETS // 4, f"too few cases of {basis}: {tally}"


def test_routes_of_generated_rules_are_envoys(court):
    run(court, SEED, ROUNDS_SHORT)


@pytest.mark.long
def test_routes_of_many_generated_rules_are_envoys(court):
    run(court, FRESH, ROUNDS_LONG)
