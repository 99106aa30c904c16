# SPDX-License-Identifier: Apache-2.0
"""The commands that ask a running agent: what they print and what a shell gets for an exit code."""

import collections
import json

import pytest
import yaml

import harness
import objects

LOSING = harness.ROOT / "tests/scenarios/024-routes-matches"
ANSWERING = harness.ROOT / "tests/scenarios/026-routes-redirect-respond"
REQUEST_FLAGS = (
    "--subset",
    "--context",
    "--path",
    "--method",
    "--header",
    "--authority",
    "--scheme",
    "--source",
)


def command(agent, *words, code=0):
    done = harness.run(*words, env={"ISTHMUS_ADMIN": f"127.0.0.1:{agent.ports['admin']}"})
    assert done.returncode == code, done.stdout + done.stderr
    return done


def lines(agent, *words):
    """What a command prints, each line with its runs of blanks as one."""
    out = command(agent, *words).stdout
    assert not [line for line in out.splitlines() if line.endswith(" ")]
    return [" ".join(line.split()) for line in out.splitlines()]


@pytest.mark.parametrize(
    "name, flags",
    [
        ("endpoints", REQUEST_FLAGS),
        ("resolve", (*REQUEST_FLAGS, "table|wide|json|yaml|address")),
        ("explain", REQUEST_FLAGS),
        ("routes", ()),
        ("report", ("--finding",)),
    ],
)
def test_help_names_the_flags(name, flags):
    done = harness.run(name, "--help")
    assert done.returncode == 0 and f"Usage: isthmus {name} " in done.stdout
    assert f"isthmus {name} " in harness.run("--help").stdout
    for flag in ("--admin", "--output", "--no-headers", *flags):
        assert flag in done.stdout, flag


def test_resolve_deals_addresses_by_slots(start_agent, bookinfo):
    agent = start_agent("--source", f"dir:{bookinfo}")
    listed = agent.endpoints("reviews")
    slots = {f"{e['address']}:{e['port']}": e["slots"] for e in listed["endpoints"]}
    got = collections.Counter(
        command(agent, "resolve", "reviews:9080", "-o", "address").stdout for _ in range(2 * listed["total_slots"])
    )
    assert got == {f"{address}\n": 2 * count for address, count in slots.items()}
    header, row = lines(agent, "resolve", "reviews", "--subset", "v3")
    assert header == "ENDPOINT STATUS SHARE SUBSET LOCALITY HASH DECIDED BY"
    assert row == "10.244.2.15:9080 HEALTHY 100.0% v3 region-1/zone-b - subset v3, asked for by name"
    whole = json.loads(command(agent, "resolve", "reviews", "-o", "json").stdout)
    assert whole["pick"] in whole["endpoints"]


def test_explain_of_the_example(start_agent, bookinfo):
    agent = start_agent("--source", f"dir:{bookinfo}")
    told = lines(agent, "explain", "reviews")
    for line in (
        "service reviews.default.svc.cluster.local, port 9080",
        "Routes of virtual host reviews.default.svc.cluster.local:9080",
        "0 split yes every condition holds",
        "=> route 0 (split) of VirtualService default/reviews",
        "outbound|9080|v1|reviews.default.svc.cluster.local 90 90.0% 90.0% used",
        "0 2 2 0 0 100.0% 0.0% no",
        "10.244.1.13:9080 0 HEALTHY region-1/zone-a 1 45.0% 5 listed",
        "total 11, endpoints listed 3, remaining error 0.91 points",
        "dns yes reviews.default.svc.cluster.local -",
    ):
        assert line in told, line
    assert agent.get("/v1/explain?host=reviews") == json.loads(command(agent, "explain", "reviews", "-o", "json").stdout)
    assert agent.get("/v1/explain?host=reviews") == yaml.safe_load(command(agent, "explain", "reviews", "-o", "yaml").stdout)


def test_explain_says_why_each_earlier_route_was_lost(start_agent):
    agent = start_agent("--source", f"dir:{LOSING}")
    told = lines(agent, "explain", "reviews.app", "--path", "/r7?q=1", "--header", "end-user=jason")
    start = told.index("ROUTE NAME MATCHED WHY")
    assert told[start + 1 : start + 5] == [
        '0 all-kinds.first no it wants: path starts with "/api", in any case; it is "/r7"',
        '1 all-kinds no it wants: path is "/exact"; it is "/r7"',
        "2 all-kinds yes every condition holds",
        "=> route 2 (all-kinds) of VirtualService app/reviews",
    ]
    assert "dns no - no context of the configuration leads to this route" in told
    told = lines(agent, "explain", "reviews.app", "--path", "/api", "-H", "end-user=nobody")
    assert '0 all-kinds.first no it wants: header "end-user" is "jason"; it is "nobody"' in told
    assert any(line.startswith("mirror route 3 ") for line in told)


def test_explain_with_a_context_names_the_door_to_it(start_agent, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump({"contexts": {"exact": {"path": "/exact"}}}))
    agent = start_agent("--source", f"dir:{LOSING}", "--config", str(config))
    told = lines(agent, "explain", "reviews.app", "--context", "exact")
    assert "context exact" in told and "1 all-kinds yes every condition holds" in told
    name = "exact._ctx.reviews.app.svc.cluster.local"
    assert f"dns yes {name} -" in told
    assert agent.addresses(name) == ["10.2.0.3"]  # what the door says is what was explained
    error = command(agent, "explain", "reviews.app", "--context", "exat", code=2).stderr
    assert 'no context "exat"; the configuration has default, exact' in error


def test_routes_print_conditions_and_destinations(start_agent, bookinfo):
    agent = start_agent("--source", f"dir:{bookinfo}")
    assert lines(agent, "routes", "reviews:9080") == [
        "Port 9080 (http), virtual host reviews.default.svc.cluster.local:9080",
        "INDEX NAME WHEN THEN",
        "0 split always 90.0% outbound|9080|v1|reviews.default.svc.cluster.local",
        "10.0% outbound|9080|v2|reviews.default.svc.cluster.local",
    ]
    agent = start_agent("--source", f"dir:{LOSING}")
    told = lines(agent, "routes", "reviews.app", "-o", "wide")
    assert 'and header "end-user" is "jason"' in told
    assert "mirror outbound|80|v3|reviews.app.svc.cluster.local" in told
    assert "no port 81" in command(agent, "routes", "reviews.app:81", code=1).stderr


def test_what_answers_by_itself_is_said_in_words(start_agent):
    agent = start_agent("--source", f"dir:{ANSWERING}")
    words = "answers by itself: status 308, redirect to host new.example.com, path /new"
    done = command(agent, "resolve", "web.app", "--path", "/old", "-o", "address", code=1)
    assert words in done.stderr and done.stdout == ""
    assert f"=> route 0 of VirtualService app/web {words}" in lines(agent, "explain", "web.app", "--path", "/old")
    assert '1 - path is "/teapot" answer 418' in lines(agent, "routes", "web.app")


def test_report_lists_and_sums_up(start_agent):
    agent = start_agent("--source", f"dir:{LOSING}")
    told = lines(agent, "report")
    assert told[0] == "SERVICE PORT FINDING ABOUT DETAIL DOORS"
    assert "reviews.app.svc.cluster.local 80 timeout route 3 2000 ms dns,rest,eureka" in told
    report = agent.get("/v1/report")
    counts = report["summary"]["findings"]
    assert told[-1] == f"{sum(counts.values())} findings in 1 service: " + ", ".join(
        f"{count} {name}" for name, count in counts.items()
    )
    only = lines(agent, "report", "reviews.app", "--finding", "conditional-route", "--no-headers")
    assert len(only) == counts["conditional-route"] and all(" conditional-route route " in line for line in only)
    assert "known are unmatched" in command(agent, "report", "--finding", "x", code=2).stderr
    command(agent, "report", "nobody", code=1)


def test_a_thousand_endpoints_are_explained_in_a_few_lines(start_agent, tmp_path):
    addresses = [f"10.9.{i // 250}.{i % 250 + 1}" for i in range(1000)]
    pods = [objects.pod("big", a, node="near" if i < 400 else "far") for i, a in enumerate(addresses)]
    mesh = tmp_path / "mesh"
    mesh.mkdir()
    (mesh / "big.yaml").write_text(
        objects.dump(
            objects.service("big"),
            objects.endpoint_slice("big", addresses),
            *pods,
            objects.node("near", "r1", "z1"),
            objects.node("far", "r2", "z1"),
            objects.istio("DestinationRule", "big", {"host": "big", "trafficPolicy": {"outlierDetection": {}}}),
        )
    )
    agent = start_agent("--source", f"dir:{mesh}", "--locality", "r1/z1")
    told = lines(agent, "explain", "big")
    assert len(told) < 60, told
    at = told.index("and 380 more, listed")
    assert told[at + 1 : at + 3] == [
        "and 600 more, dropped: better priorities carry all the load",
        "(-o wide lists each of the 1000)",
    ]
    wide = lines(agent, "explain", "big", "-o", "wide")
    assert sum(line.startswith("10.9.") for line in wide) == 1000
