# SPDX-License-Identifier: Apache-2.0
"""The REST API and the commands of docs/rest.md against the real agent."""

import json
import re
import socket
import subprocess
import time

import pytest
import yaml

import harness


@pytest.fixture
def agent(start_agent, bookinfo):
    return start_agent("--source", f"dir:{bookinfo}", "--pod-namespace", "default")


def command(agent, *words, **kwargs):
    return harness.run(*words, "--admin", f"127.0.0.1:{agent.ports['admin']}", **kwargs)


def change_weights(bookinfo):
    rules = bookinfo / "reviews-rules.yaml"
    rules.write_text(rules.read_text().replace("weight: 90", "weight: 50").replace("weight: 10", "weight: 50"))


def connect(agent, request):
    client = socket.create_connection(("127.0.0.1", agent.ports["admin"]), timeout=30)
    client.sendall(request.encode())
    return client


def read_until(client, wanted):
    got = b""
    while wanted not in got:
        piece = client.recv(4096)
        assert piece, got
        got += piece
    return got


def documented_paths():
    text = (harness.ROOT / "docs/rest.md").read_text()
    return set(re.findall(r"`(?:GET )?(/v1/[a-z.]+)", text))


def test_documented_paths_are_those_of_openapi(agent):
    served = {re.sub(r"/\{.*", "", path) for path in agent.get("/v1/openapi.json")["paths"]}
    assert served == documented_paths()


def test_every_answer_names_its_revision(agent):
    revision = agent.status()["revision"]
    for path in ("/v1/services", "/v1/services/reviews", "/v1/endpoints/reviews", "/healthz/live", "/v1/nothing"):
        answer = agent.http(path)
        assert answer.headers["X-Isthmus-Revision"] == str(revision), path
        assert answer.headers["X-Isthmus-Stale"] == "false", path


def test_problems_say_what_to_do(agent):
    for path, status in (("/v1/services/nobody", 404), ("/v1/endpoints/reviews?x=y", 400), ("/v1/watch?timeout=x", 400)):
        answer = agent.http(path)
        assert answer.status == status
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert set(answer.json()) == {"type", "title", "status", "detail"}


def test_a_page_of_another_site_cannot_drain(agent):
    assert agent.http("/drain", method="POST", headers={"Origin": "https://evil.example"}).status == 403
    assert agent.http("/healthz/ready").status == 200


def test_event_stream_follows_the_mesh(agent, bookinfo):
    revision = agent.status()["revision"]
    request = f"GET /v1/watch?revision={revision} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
    with connect(agent, request) as client:
        assert b"text/event-stream" in read_until(client, b": still here\n\n")
        change_weights(bookinfo)
        event = read_until(client, b"\n\n\r\n").decode()
        assert f"id: {revision + 1}\n" in event and "reviews.default.svc.cluster.local" in event


def test_long_polls_that_went_away_do_not_fill_the_port(agent):
    request = "GET /v1/watch?revision=1&timeout=600 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for _ in range(4):
        clients = [connect(agent, request) for _ in range(200)]  # the port takes 512 at a time
        for client in clients:
            client.close()
    assert agent.get("/v1/services")["services"]


def test_json_and_yaml_are_the_answer(agent):
    for words, path in (
        (["services"], "/v1/services"),
        (["endpoints", "reviews:9080", "--header", "end-user=jason"], "/v1/endpoints/reviews:9080?header.end-user=jason"),
    ):
        wanted = agent.get(path)
        assert json.loads(command(agent, *words, "-o", "json").stdout) == wanted
        assert yaml.safe_load(command(agent, *words, "-o", "yaml").stdout) == wanted


def test_watch_prints_each_change(agent, bookinfo):
    admin = f"127.0.0.1:{agent.ports['admin']}"
    watching = subprocess.Popen(
        [harness.binary(), "watch", "--once", "--timeout", "30s", "--admin", admin], stdout=subprocess.PIPE, text=True
    )
    time.sleep(0.3)
    change_weights(bookinfo)
    out, _ = watching.communicate(timeout=30)
    assert watching.returncode == 0
    assert re.search(r"^\S+Z +2 +no +reviews\.default\.svc\.cluster\.local$", out, re.M), out


def test_exit_codes_are_those_of_the_page(agent):
    assert command(agent, "endpoints", "reviews", "--subset", "v9").returncode == 1
    assert command(agent, "endpoints", "reviews", "--context", "canary").returncode == 2
    assert command(agent, "watch", "--once", "--timeout", "0").returncode == 1
    for wrong in (["services", "-x"], ["endpoints"], ["sevices"]):
        assert harness.run(*wrong).returncode == 2
    health = f"127.0.0.1:{agent.ports['health']}"
    assert harness.run("services", "--admin", health).returncode == 1
    assert harness.run("services", env={"ISTHMUS_ADMIN": "127.0.0.1:1"}).returncode == 3


def test_agent_without_view_is_unhealthy(start_agent):
    agent = start_agent(
        "--xds-address", "127.0.0.1:1", "--xds-tls", "off", wait="listening"
    )
    done = command(agent, "services")
    assert done.returncode == 4 and "no view of the mesh yet" in done.stderr
    assert command(agent, "status").returncode == 4
