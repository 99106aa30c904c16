# SPDX-License-Identifier: Apache-2.0
"""Readiness of the pod that hangs on what a real client says of itself (--ready-when registered)."""

import pathlib
import sys

import harness

SCRIPT = pathlib.Path(__file__).parent / "python/eureka_application.py"


def ready(agent):
    answer = agent.http("/healthz/ready")
    return answer.status == 200, answer.body


def wait_ready(agent, wanted, words):
    return harness.wait_for(lambda: ready(agent)[0] == wanted and words in ready(agent)[1], f"{wanted}: {words}")


def test_python_client_makes_the_pod_ready_and_drains_it():
    mesh = harness.ROOT / "docs/examples/bookinfo"
    agent = harness.Agent("--source", f"dir:{mesh}", "--eureka-listen", "127.0.0.1:0", "--pod-ip", "10.1.0.9", "--ready-when",
                          "registered", wait="listening")  # fmt: skip
    wait_ready(agent, False, "the application has not registered with eureka yet")
    application = harness.Process([sys.executable, str(SCRIPT), f"http://127.0.0.1:{agent.ports['eureka']}/eureka/"])

    def say(command):
        application.child.stdin.write(f"{command}\n")
        application.child.stdin.flush()

    agent.wait_ready()
    wait_ready(agent, True, "ORDERS (10.1.0.9:orders:7070) has registered with eureka and is UP")
    say("status OUT_OF_SERVICE")
    wait_ready(agent, False, "as OUT_OF_SERVICE")
    say("clear")  # it is unknown now: the next heartbeat brings a registration
    wait_ready(agent, True, "is UP")
    say("stop")
    wait_ready(agent, False, "has cancelled its registration")
    application.child.stdin.close()
    assert application.child.wait(30) == 0, application.log()
    application.stop()
    assert agent.stop() == 0
