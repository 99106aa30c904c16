# SPDX-License-Identifier: Apache-2.0
"""The tests of unmodified clients share the harness of the integration tests, and run in a pod's network of their own."""

import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]
import demos  # noqa: E402
import eureka_bodies  # noqa: E402
import harness  # noqa: E402
import nacos_languages  # noqa: E402
import routing  # noqa: E402
import spring  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def pod_network(request, tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("needs root, to make a pod's network and resolv.conf")
    demos.jars()  # built while there is still a way to the registries
    demos.go_clients()
    demos.node_clients()
    demos.nacos_python()
    for version in ["", *(nacos_languages.OLD_GO if nacos_languages.is_long(request.config) else [])]:
        demos.nacos_go(version)
    harness.go_program("istiod-harness")
    demos.enter_pod_network(tmp_path_factory.mktemp("etc"))


@pytest.fixture(scope="session")
def bodies(tmp_path_factory):
    """What the Eureka door sends, for decoders."""
    return eureka_bodies.Bodies(tmp_path_factory.mktemp("bodies"))


@pytest.fixture(scope="session")
def server_logs(tmp_path_factory):
    """Of the servers of the routing demo."""
    return demos.AccessLogs(tmp_path_factory.mktemp("logs"))


@pytest.fixture(scope="session")
def routing_client(server_logs):
    """The client of the routing demo; its servers run as well."""
    client = routing.start_client()
    servers = routing.start_servers(server_logs)
    yield client.wait_started()
    demos.stop_all([*servers, client])


@pytest.fixture(scope="module", params=["plaintext", "tls"])
def routing_world(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    world = demos.World(folder, request.param == "tls", demos.ROUTING_CLIENT_IP, routing.mesh())
    yield world
    world.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Of Spring applications."""
    world = spring.World(tmp_path_factory.mktemp("mesh"))
    yield world
    world.stop()


@pytest.fixture(scope="module")
def stage(world):
    return world.stage
