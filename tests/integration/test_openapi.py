# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document is valid, and what the running agent answers is what it says: every key described, every status."""

import copy
import re

import openapi_schema_validator
import openapi_spec_validator
import pytest

import harness


@pytest.fixture(scope="module")
def agent():
    agent = harness.Agent("--source", f"dir:{harness.ROOT}/docs/examples/bookinfo", "--pod-namespace", "default")
    yield agent
    assert agent.stop() == 0, agent.log()


@pytest.fixture(scope="module")
def document(agent):
    return agent.get("/v1/openapi.json")


def closed(schema):
    """The same schema without room for keys that it does not name."""
    if isinstance(schema, dict):
        schema = {key: closed(value) for key, value in schema.items()}
        if "properties" in schema and "allOf" not in schema:
            schema.setdefault("additionalProperties", False)
    return [closed(each) for each in schema] if isinstance(schema, list) else schema


def resolved(document, node):
    """References replaced by what they name, and the parts of allOf joined."""
    if isinstance(node, list):
        return [resolved(document, each) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = document
        for part in node["$ref"].lstrip("#/").split("/"):
            target = target[part]
        return resolved(document, target)
    node = {key: resolved(document, value) for key, value in node.items()}
    for part in node.pop("allOf", []):
        part = copy.deepcopy(part)
        node.setdefault("type", part.get("type", "object"))
        node["properties"] = {**part.get("properties", {}), **node.get("properties", {})}
        node["required"] = [*part.get("required", []), *node.get("required", [])]
    return node


def check(document, path, answer):
    operation = resolved(document, document["paths"][path]["get"])
    assert str(answer.status) in operation["responses"], (path, answer.status)
    content = operation["responses"][str(answer.status)]["content"]
    media_type = answer.headers["Content-Type"].split(";")[0]
    assert media_type in content, (path, media_type)
    schema = closed(content[media_type].get("schema", {}))
    errors = list(openapi_schema_validator.OAS30Validator(schema).iter_errors(answer.json()))
    assert not errors, (path, [f"{error.json_path}: {error.message}" for error in errors])


def test_document_is_valid(document):
    openapi_spec_validator.validate(document)


ASKED = [
    ("/v1/services", "/v1/services"),
    ("/v1/services", "/v1/services?namespace=default&q=re"),
    ("/v1/services", "/v1/services?nonsense=1"),
    ("/v1/services/{host}", "/v1/services/reviews"),
    ("/v1/services/{host}", "/v1/services/mongodb.default.svc.cluster.local"),
    ("/v1/services/{host}", "/v1/services/payments.example.com"),
    ("/v1/services/{host}", "/v1/services/nobody"),
    ("/v1/services/{host}", "/v1/services/reviews?nonsense=1"),
    ("/v1/endpoints/{host}", "/v1/endpoints/reviews"),
    ("/v1/endpoints/{host}", "/v1/endpoints/reviews:9080?subset=v3"),
    ("/v1/endpoints/{host}", "/v1/endpoints/mongodb"),
    ("/v1/endpoints/{host}", "/v1/endpoints/payments.example.com:443"),
    ("/v1/endpoints/{host}", "/v1/endpoints/reviews:9"),
    ("/v1/endpoints/{host}", "/v1/endpoints/reviews:99999"),
    ("/v1/resolve", "/v1/resolve?host=reviews&port=9080&header.end-user=jason"),
    ("/v1/resolve", "/v1/resolve?host=reviews:9080&brief"),
    ("/v1/resolve", "/v1/resolve?host=mongodb"),
    ("/v1/resolve", "/v1/resolve"),
    ("/v1/resolve", "/v1/resolve?host=nobody"),
    ("/v1/resolve", "/v1/resolve?host=reviews:9080&port=1"),
    ("/v1/resolve", "/v1/resolve?host=reviews&brief=perhaps"),
    ("/v1/resolve", "/v1/resolve?host=reviews&source=here"),
    ("/v1/explain", "/v1/explain?host=reviews&path=/x"),
    ("/v1/explain", "/v1/explain?host=reviews&subset=v2"),
    ("/v1/explain", "/v1/explain?host=reviews&context=nowhere"),
    ("/v1/explain", "/v1/explain?host=payments.example.com:443"),
    ("/v1/explain", "/v1/explain?host=mongodb"),
    ("/v1/explain", "/v1/explain?host=nobody"),
    ("/v1/routes/{host}", "/v1/routes/reviews"),
    ("/v1/routes/{host}", "/v1/routes/mongodb:27017"),
    ("/v1/routes/{host}", "/v1/routes/reviews:1"),
    ("/v1/routes/{host}", "/v1/routes/nobody"),
    ("/v1/report", "/v1/report"),
    ("/v1/report", "/v1/report?host=reviews"),
    ("/v1/report", "/v1/report?finding=timeout"),
    ("/v1/report", "/v1/report?finding=nonsense"),
    ("/v1/report", "/v1/report?host=nobody"),
    ("/v1/status", "/v1/status"),
    ("/v1/status", "/v1/status?nonsense=1"),
    ("/v1/watch", "/v1/watch?revision=0"),
    ("/v1/watch", "/v1/watch?revision=1&timeout=0"),
    ("/v1/watch", "/v1/watch?timeout=x"),
    ("/v1/openapi.json", "/v1/openapi.json"),
]


@pytest.mark.parametrize("path, target", ASKED, ids=[target for _, target in ASKED])
def test_answer_is_as_described(agent, document, path, target):
    answer = agent.http(target)
    check(document, path, answer)
    assert answer.headers["X-Isthmus-Revision"] == "1" and answer.headers["X-Isthmus-Stale"] == "false"
    assert answer.headers["Cache-Control"] == "no-store"


def test_every_path_and_parameter_is_tried_and_known(agent, document):
    assert {path for path, _ in ASKED} == set(document["paths"])
    for path, item in document["paths"].items():
        for parameter in resolved(document, item["get"].get("parameters", [])):
            if parameter["in"] == "query":
                name = parameter["name"].replace("header.NAME", "header.end-user")
                value = {"integer": "1", "boolean": "true", "string": "default"}.get(parameter.get("schema", {}).get("type"), "default")
                target = re.sub(r"\{host\}", "reviews", path)
                answer = agent.http(f"{target}?{name}={value}&timeout=0" if path == "/v1/watch" else f"{target}?{name}={value}")
                assert "unknown parameter" not in answer.body, (path, name)


def test_without_a_view_the_answers_are_as_described(start_agent, document):
    agent = start_agent("--xds-address", "127.0.0.1:1", "--xds-tls", "off", wait="listening")
    for path in document["paths"]:
        target = path.replace("{host}", "reviews") + ("?timeout=0" if path == "/v1/watch" else "")
        answer = agent.http(target)
        check(document, path, answer)
        assert answer.status in (200, 503) and answer.headers["X-Isthmus-Revision"] == "0", target


@pytest.mark.parametrize("path", ["/v1/services", "/v1/services/reviews", "/v1/endpoints/reviews", "/v1/status", "/metrics"])
def test_head_is_get_without_the_body(agent, path):
    head, get = agent.http(path, method="HEAD"), agent.http(path)
    assert head.status == get.status == 200 and head.body == ""
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    if path not in ("/v1/status", "/metrics"):  # these change by the moment
        assert head.headers["Content-Length"] == get.headers["Content-Length"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_told_which_there_are(agent, method):
    for path, allowed in (("/v1/services", "GET, HEAD"), ("/drain", "POST"), ("/logging", "GET, HEAD, POST")):
        if method in allowed:
            continue
        answer = agent.http(path, method=method)
        assert answer.status == 405 and answer.headers["Allow"] == allowed
        assert answer.headers["Content-Type"] == "application/problem+json" and answer.json()["status"] == 405
        assert answer.headers["X-Isthmus-Revision"] == "1"
