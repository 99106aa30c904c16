# SPDX-License-Identifier: Apache-2.0
"""Fixtures: everything that a test starts is stopped again, and must have stopped cleanly."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import harness  # noqa: E402


@pytest.fixture
def start_agent():
    """A factory of agents. Each must end with code 0 on SIGTERM (the sanitizers' verdict included)."""
    agents = []

    def start(*args, **kwargs):
        agent = harness.Agent(*args, **kwargs)
        agents.append(agent)
        return agent

    yield start
    for agent in agents:
        print(agent.last_words())  # pytest shows it where the test failed
    codes = [(agent.stop(), agent.log()) for agent in agents]
    for code, log in codes:
        assert code == 0, f"the agent ended with {code}:\n{log}"


@pytest.fixture
def start_supervised():
    """As start_agent, under a supervisor: its code is the agent's."""
    supervisors = []

    def start(*args, **kwargs):
        supervisor = harness.Supervised(*args, **kwargs)
        supervisors.append(supervisor)
        return supervisor

    yield start
    codes = [(supervisor.stop(), supervisor.log()) for supervisor in supervisors]
    for code, log in codes:
        assert code == 0, f"the supervisor ended with {code}:\n{log}"


@pytest.fixture
def start_istiod():
    servers = []

    def start(*args, **kwargs):
        server = harness.Istiod(*args, **kwargs)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def bookinfo(tmp_path):
    """A private copy of the example mesh."""
    return harness.copy_tree(harness.ROOT / "docs/examples/bookinfo", tmp_path / "mesh")


@pytest.fixture
def upstream():
    """A scripted upstream name server on loopback."""
    server = harness.Upstream()
    yield server
    server.stop()
