# SPDX-License-Identifier: Apache-2.0
"""--ready-when registered: the pod is ready while its application is registered at a registry door and UP, and not otherwise."""

import json
import signal
import socket

import harness
import pytest

OWN = "/eureka/apps/ORDERS/me:orders:7070"
WANTED = "--ready-when registered waits until the application is UP"


def register(agent, status="UP", lease=90, dirty=1000):
    """As an application does; the status of the answer."""
    instance = {
        "instanceId": "me:orders:7070", "hostName": "me", "app": "ORDERS", "ipAddr": "10.9.9.9", "vipAddress": "orders",
        "status": status, "port": {"$": 7070, "@enabled": "true"}, "lastDirtyTimestamp": dirty,
        "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"},
        "leaseInfo": {"durationInSecs": lease},
    }  # fmt: skip
    body = json.dumps({"instance": instance}).encode()
    return agent.http("/eureka/apps/ORDERS", "POST", {"Content-Type": "application/json"}, "eureka", body).status


class Pod:
    """An agent that waits for its application, which the test plays."""

    def __init__(self, start_agent, mesh, *more):
        self.agent = start_agent("--source", f"dir:{mesh}", "--eureka-listen", "127.0.0.1:0", "--ready-when", "registered",
                                 *more, wait="listening")  # fmt: skip
        self.agent.wait_line(self.agent.stderr, "not ready yet: .*")

    def ask(self, method, path, body=None):
        return self.agent.http(path, method, {"Content-Type": "application/json"}, "eureka", body).status

    def register(self, status="UP", lease=90, dirty=1000):
        return register(self.agent, status, lease, dirty)

    def ready(self):
        """Status and reason, on which probes and /v1/status must agree."""
        answers = [self.agent.http(path, port=port) for path in ("/healthz/ready", "/ready") for port in ("admin", "health")]
        assert len({(a.status, a.body) for a in answers}) == 1
        state = self.agent.status()
        reason = answers[0].body.rstrip("\n")
        assert (state["ready"], state["ready_reason"]) == (answers[0].status == 200, reason)
        return answers[0].status, reason

    def ready_lines(self):
        return [line for line in self.agent.stdout if line.startswith("ready ")]


@pytest.fixture
def pod(start_agent, bookinfo):
    return Pod(start_agent, bookinfo)


def test_nobody_has_registered(pod):
    status, reason = pod.ready()
    assert status == 503 and reason == f"the application has not registered with eureka yet; {WANTED}"
    assert pod.ready_lines() == []
    assert pod.agent.http("/healthz/live").status == 200
    assert pod.agent.endpoints("reviews")["endpoints"]  # it serves all the same


def test_registration_that_is_up_makes_it_ready(pod):
    assert pod.register() == 204
    assert pod.ready() == (200, "ready: ORDERS (me:orders:7070) has registered with eureka and is UP")
    pod.agent.wait_ready()
    assert pod.register("DOWN", dirty=2000) == 204 and pod.register("UP", dirty=3000) == 204
    assert len(pod.ready_lines()) == 1


@pytest.mark.parametrize("status", ["STARTING", "DOWN", "OUT_OF_SERVICE", "UNKNOWN"])
def test_another_status_is_not_enough(pod, status):
    assert pod.register(status) == 204
    assert pod.ready() == (503, f"ORDERS (me:orders:7070) has registered with eureka as {status}; {WANTED}")
    assert pod.ready_lines() == []


def test_out_of_service_drains_and_comes_back(pod):
    pod.register()
    assert pod.ready()[0] == 200
    assert pod.ask("PUT", f"{OWN}/status?value=OUT_OF_SERVICE") == 200
    status, reason = pod.ready()
    assert status == 503 and "as OUT_OF_SERVICE" in reason
    assert f"not ready: {reason}" in pod.agent.log()
    assert pod.ask("PUT", f"{OWN}?status=UP") == 200  # a heartbeat does not undo it
    assert pod.ready()[0] == 503
    assert pod.ask("DELETE", f"{OWN}/status?value=UP") == 200
    assert pod.ready()[0] == 200


def test_down_drains(pod):
    """Spring clients say so when they stop, three seconds before they cancel."""
    pod.register()
    assert pod.ready()[0] == 200
    pod.register("DOWN", dirty=2000)
    assert pod.ready()[0] == 503


def test_cancel_drains(pod):
    pod.register()
    assert pod.ask("DELETE", OWN) == 200
    assert pod.ready() == (503, f"ORDERS (me:orders:7070) has cancelled its registration with eureka; {WANTED}")


def test_expiry_drains_without_any_request(pod):
    pod.register(lease=1)
    status, reason = harness.wait_for(lambda: (now := pod.ready())[0] == 503 and now, "the end of the lease")
    assert reason == f"the registration of ORDERS (me:orders:7070) with eureka has expired, no heartbeat came in time; {WANTED}"
    assert pod.ask("PUT", f"{OWN}?status=UP") == 404  # upon which clients register again
    pod.register(dirty=2000)
    assert pod.ready()[0] == 200


def test_registration_does_not_replace_the_view(start_agent):
    agent = start_agent("--source", "istiod", "--xds-address", "127.0.0.1:9", "--xds-tls", "off", "--eureka-listen",
                        "127.0.0.1:0", "--ready-when", "registered", wait="listening")  # fmt: skip
    assert register(agent) == 204
    answer = agent.http("/healthz/ready")
    assert answer.status == 503 and answer.body.startswith("no stream to istiod yet")


@pytest.mark.istiod
def test_registration_that_came_first_counts_with_the_view(start_agent, start_istiod):
    """The ready line comes with the later of the two."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    agent = start_agent("--source", "istiod", "--xds-address", f"127.0.0.1:{port}", "--xds-tls", "off", "--eureka-listen",
                        "127.0.0.1:0", "--ready-when", "registered", wait="listening")  # fmt: skip
    assert register(agent) == 204
    start_istiod("--plaintext", f"127.0.0.1:{port}")
    agent.wait_ready()
    assert agent.http("/healthz/ready").status == 200


def test_one_of_several_is_enough(pod):
    pod.register("DOWN")
    body = {"instance": {"instanceId": "b", "hostName": "b", "app": "OTHER", "ipAddr": "10.9.9.9", "status": "UP",
                         "dataCenterInfo": {"name": "MyOwn"}}}  # fmt: skip
    assert pod.ask("POST", "/eureka/apps/OTHER", json.dumps(body).encode()) == 204
    assert pod.ready() == (200, "ready: OTHER (b) has registered with eureka and is UP")


def test_view_alone_is_enough_by_default(start_agent, bookinfo):
    agent = start_agent("--source", f"dir:{bookinfo}", "--eureka-listen", "127.0.0.1:0")
    assert agent.status()["ready_reason"] == "ready"


def test_drain_goes_first(start_agent, bookinfo):
    pod = Pod(start_agent, bookinfo, "--drain-time", "60s")
    pod.register()
    pod.agent.child.send_signal(signal.SIGTERM)
    assert harness.wait_for(lambda: (now := pod.ready())[0] == 503 and now, "the drain") == (503, "draining")
    pod.agent.child.send_signal(signal.SIGTERM)  # a second one hurries


def test_door_that_is_off_is_refused(bookinfo):
    done = harness.run("agent", "--source", f"dir:{bookinfo}", *harness.REGISTRIES_OFF, "--ready-when", "registered")
    assert done.returncode == 2
    assert "every registry door is off: set --eureka-listen or --nacos-listen, or leave --ready-when at view" in done.stderr


def test_door_that_stays_closed_is_named(start_agent, bookinfo):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        agent = start_agent("--source", f"dir:{bookinfo}", "--ready-when", "registered", "--eureka-listen",
                            "127.0.0.1:{}".format(taken.getsockname()[1]), wait="listening")  # fmt: skip
        agent.wait_line(agent.stderr, "not ready yet: no registry door is open, so that the application cannot register")
        assert agent.http("/healthz/ready").status == 503
