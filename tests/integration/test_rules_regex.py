# SPDX-License-Identifier: Apache-2.0
"""Regular expressions of routes: what the agent (RE2) makes of them is what istiod's own engine (Go's regexp) does.

Both take the same few hundred patterns, each with several texts: refused or not, and the whole text matches or not. The
patterns come from a fixed seed. Where the two engines are known to differ stands in DIFFERENCES, with the side that takes it.
"""

import base64
import json
import random
import subprocess
import urllib.parse

import pytest

import harness
import scripted_ads as ads

SEED, COUNT = 20261127, 700
ATOMS = (
    *"abcAB09/-_=,",
    *(r"\.", ".", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\t", r"\n"),
    *(r"\/", r"\-", r"\\", r"\_", r"\a", r"\x41", r"\x{3b1}"),
    *("[a-c]", "[^a]", "[^a-c0-9]", "[a-]", "[]a]", r"[\d/]", r"[a\-z]", "[[:alpha:]]", "[[:^digit:]]", "[[:word:]-]", "[z-a]"),
    *("[[:nope:]]", "[[=a=]]", "[", "[a", "[]", "[^]"),
    *(r"\pL", r"\p{Greek}", r"\P{Lu}", r"\pN", r"\p{^Lu}", r"\p{Nope}", r"\p", "é", "α", "[α-ω]", "[^é]"),
    *("^", "$", r"\b", r"\B", r"\A", r"\z", r"\Z", r"\G", r"\1", r"\07", r"\8", r"\k"),
    *("(a|b)", "(?:ab|c)", "()", "(|a)", "(a*)*", "(a+)+b"),
    *("(?i:aB)", "(?i)b", "(?s:.)", "(?s).", "(?m:^a$)", "(?U)a+", "(?-s:.)"),
    *("(?P<n>a)", "(?P<n>", "(?P<1>a)", "(?P=n)", "(?=a)", "(?!a)", "(?<=a)", "(?>a)", "(?#x)", "(?i", "(?z)", "(", ")", "(?:"),
    *(r"\Qa.b\E", r"\Q*", r"\E"),
)
REPEATS = (
    *("",) * 8,
    *("*", "+", "?", "*?", "+?", "??", "{2}", "{0,2}", "{2,}", "{1,2}?", "{,2}", "{2,1}", "{1001}", "**", "+*", "{2}{3}"),
)
PIECES = ("a", "b", "c", "A", "B", "ab", "0", "9", "/", "-", "_", ".", "=", ",", " ", "é", "α", "\n", "*", "a.b", "\\", "\t", "n")
TEXTS = ("", "a", "ab", "a.b", "/a/b-c", "α0é")

# pattern, text, does the agent's engine take it, does Go's: None = refused, else whether the text matches.
DIFFERENCES = {
    "one byte (C of RE2)": (r"\C", "a", True, None),
    "names of groups without P": ("(?<n>a)", "a", None, True),
    "bytes that are no UTF-8": (".", "\udcff", False, True),
    "long names of Unicode classes": (r"\p{Letter}", "a", None, True),
}


def pattern_of(rng):
    def part():
        return "".join(rng.choice(ATOMS) + rng.choice(REPEATS) for _ in range(rng.randint(1, 4)))

    return "|".join(part() for _ in range(rng.choice((1, 1, 1, 2))))


def questions():
    rng = random.Random(SEED)
    patterns = [*ATOMS, *(pattern_of(rng) for _ in range(COUNT - len(ATOMS)))]
    return [
        (pattern, [*TEXTS, *("".join(rng.choices(PIECES, k=rng.randint(1, 4))) for _ in range(3))]) for pattern in patterns
    ]


def asked_of_go(asked):
    def line(pattern, texts):
        coded = [base64.b64encode(text.encode(errors="surrogateescape")).decode() for text in texts]
        return json.dumps({"pattern": pattern, "texts": coded}) + "\n"

    lines = "".join(line(*question) for question in asked)
    done = subprocess.run(
        [harness.go_program("goregexp")], input=lines, capture_output=True, text=True, check=True, timeout=60
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return [None if "error" in answer else answer["matches"] for answer in answers]


class Asker:
    """Gives each pattern a virtual host of its own, and asks the agent whether the route of it holds."""

    def __init__(self, start_agent, plane, asked):
        names = [f"p{i}.regex.test" for i in range(len(asked))]
        plane.resources["cds"] = {f"outbound|80||{name}": ads.cluster(f"outbound|80||{name}", kind=0) for name in names}
        hosts = [
            ads.virtual_host_of(
                f"{name}:80",
                [name],
                ads.route(
                    ads.path_match("prefix", "/", ads.header("x", ads.string_match("regex", pattern))), f"outbound|80||{name}"
                ),
            )
            for name, (pattern, _) in zip(names, asked)
        ]
        plane.resources["rds"] = {"80": ads.route_configuration("80", *hosts)}
        self.agent = start_agent("--source", "istiod", "--xds-address", plane.address, "--xds-tls", "off")
        self.answers = [self.answer(name, texts) for name, (_, texts) in zip(names, asked)]

    def answer(self, name, texts):
        (port,) = self.agent.get(f"/v1/services/{name}")["port_details"]
        if port["virtual_host"] is None:
            return None
        quoted = [urllib.parse.quote(text, errors="surrogateescape") for text in texts]
        found = [self.agent.get(f"/v1/endpoints/{name}?header.x={text}")["basis"] for text in quoted]
        assert set(found) <= {"route", "unmatched"}, found
        return [basis == "route" for basis in found]


@pytest.fixture
def plane():
    server = ads.ScriptedAds()
    yield server
    server.stop()


@pytest.mark.istiod
def test_patterns_mean_what_they_mean_to_go(start_agent, plane):
    asked = questions()
    ours, theirs = Asker(start_agent, plane, asked).answers, asked_of_go(asked)
    wrong = [
        f"{pattern!r} on {texts}: {mine} != {go}"
        for (pattern, texts), mine, go in zip(asked, ours, theirs)
        if mine != go
    ]
    assert not wrong, "agent != Go:\n" + "\n".join(wrong)
    # the sample says something: many of each outcome
    assert sum(go is None for go in theirs) > 80 and sum(go is not None for go in theirs) > 150
    matches = [match for go in theirs if go for match in go]
    assert sum(matches) > 150 and len(matches) - sum(matches) > 500


@pytest.mark.istiod
def test_known_differences_are_these(start_agent, plane):
    asked = [(pattern, [text]) for pattern, text, _, _ in DIFFERENCES.values()]
    ours, theirs = Asker(start_agent, plane, asked).answers, asked_of_go(asked)
    for name, mine, go in zip(DIFFERENCES, ours, theirs):
        _, _, our_outcome, go_outcome = DIFFERENCES[name]
        assert mine == (None if our_outcome is None else [our_outcome]), name
        assert go == (None if go_outcome is None else [go_outcome]), name


def test_pattern_that_is_refused_is_named_and_the_last_good_routes_serve(start_agent, plane):
    """The virtual host stays as it was, alone; nothing is guessed from the conditions that could be read."""
    names = ("bad.regex.test", "good.regex.test")

    def table(pattern, *versions):
        return {
            "80": ads.route_configuration(
                "80",
                *(
                    ads.virtual_host_of(
                        f"{name}:80",
                        [name],
                        ads.route(
                            ads.path_match("prefix", "/", ads.header("x", ads.string_match("regex", text))),
                            f"outbound|80|{version}|{name}",
                        ),
                    )
                    for name, text, version in zip(names, (pattern, "a+"), versions)
                ),
            )
        }

    clusters = [f"outbound|80|{subset}|{name}" for name in names for subset in ("", "v1", "v2")]
    plane.resources["cds"] = {cluster: ads.cluster(cluster) for cluster in clusters}
    plane.resources["eds"] = {c: ads.assignment(c, (f"10.0.0.{i}", 80)) for i, c in enumerate(clusters, 1)}
    plane.resources["rds"] = table("a+", "v1", "v1")
    agent = start_agent("--source", "istiod", "--xds-address", plane.address, "--xds-tls", "off")

    def chosen(name):
        return [end["subset"] for end in agent.endpoints(name, **{"header.x": "aa"})["endpoints"]]

    assert [chosen(name) for name in names] == [["v1"], ["v1"]]
    plane.push("rds", table("a(?=b)", "v2", "v2"))
    reason = plane.nack("rds")
    for part in ("bad.regex.test:80", "routes[0]", 'headers[0] "x"', "a(?=b)", "invalid perl operator"):
        assert part in reason, (part, reason)
    assert "good.regex.test" not in reason
    harness.wait_for(lambda: chosen("good.regex.test") == ["v2"], "the good neighbour")
    refused = [found for found in agent.get("/v1/report")["source"] if found["finding"] == "refused"]
    assert [found["subject"] for found in refused] == ["rds"] and "a(?=b)" in refused[0]["text"]
    assert chosen("bad.regex.test") == ["v1"]
    assert agent.endpoints("bad.regex.test", **{"header.x": "b"})["basis"] == "unmatched"
    plane.push("rds", table("a|aa", "v2", "v2"))
    harness.wait_for(lambda: chosen("bad.regex.test") == ["v2"], "the mended one")
