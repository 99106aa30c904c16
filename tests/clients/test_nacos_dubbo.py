# SPDX-License-Identifier: Apache-2.0
"""Dubbo 3.3 with Nacos as its registry, unmodified: provider and consumer start, and find each other in one pod. What the mesh
knows of others is no provider to Dubbo, which wants metadata that only a provider of Dubbo registers."""

import subprocess

import demos
import harness
import nacos_support
import plain
import pytest

JVM = ("-Xmx160m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
REGISTRY = {"dubbo.registry.address": f"nacos://{nacos_support.SERVER}"}
# Else it takes its registry for its configuration centre and for the store of its metadata, too.
REGISTRY_ONLY = {"dubbo.registry.use-as-config-center": "false", "dubbo.registry.use-as-metadata-center": "false",
                 "dubbo.application.register-mode": "interface"}
LINK = """
ip link add pod0 type veth peer name node0
ip link set node0 up
ip link set pod0 up
ip address add 10.244.3.1/32 dev pod0
"""


class Application(plain.Lines):
    """A program of tests/clients/java/dubbo, with its client's files in a folder of its own."""

    def __init__(self, folder, name, *role, **properties):
        files = {"user.home": folder / name, "JM.SNAPSHOT.PATH": folder / name}
        settings = [f"-D{key}={value}" for key, value in {**files, **REGISTRY, **properties}.items()]
        super().__init__(["java", *JVM, *settings, "-cp", demos.class_path("dubbo"), "isthmus.dubbo.DubboApplication", name,
                          *role])  # fmt: skip

    def complaints(self):
        """But for a connection that takes longer than the client likes, which says how busy this machine is."""
        return [line for line in self.stderr if " ERROR " in line and "Server check fail" not in line]


@pytest.fixture(scope="module", autouse=True)
def interface():
    """As any pod has one: Dubbo looks for an interface that is not loopback."""
    subprocess.run(["sh", "-ec", LINK], check=True, timeout=30)
    yield
    subprocess.run(["ip", "link", "delete", "pod0"], check=True, timeout=30)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    mesh = nacos_support.Mesh(tmp_path_factory.mktemp("mesh"))
    yield mesh
    mesh.stop()


@pytest.fixture(scope="module")
def applications(mesh, tmp_path_factory):
    """The provider, its consumer, and one that is told to take `reviews` of the mesh for its provider, and nobody else."""
    folder = tmp_path_factory.mktemp("dubbo")
    roles = {"provider": ("provider",), "consumer": ("consumer", ""), "asker": ("consumer", "reviews")}
    asker = {"dubbo.application.service-discovery.migration": "FORCE_APPLICATION"}
    found = {name: Application(folder, name, *role, **REGISTRY_ONLY, **(asker if name == "asker" else {}))
             for name, role in roles.items()}
    try:
        for one in found.values():
            one.wait_started()
        yield found
    finally:
        demos.stop_all(found.values())


def test_provider_and_consumer_start_cleanly(applications):
    for name, one in applications.items():
        complaints = one.complaints()
        assert not complaints, (name, complaints)


def test_provider_is_found_in_its_own_pod(mesh, applications):
    harness.wait_for(lambda: applications["consumer"].ask("you") == "hello you from provider", "an answer of the provider", 60)
    (host,) = mesh.hosts("providers:isthmus.dubbo.Greeting::")
    assert host["metadata"]["interface"] == "isthmus.dubbo.Greeting"


def test_endpoints_of_the_mesh_are_no_providers(applications):
    assert "No provider available" in applications["asker"].ask("you")


@pytest.mark.long
def test_without_its_levers_it_says_what_is_missing(mesh, tmp_path):
    """It asks ten times for its configuration centre, and ends with what the door says."""
    one = Application(tmp_path, "bare", "provider")
    assert one.child.wait(120) == 1
    one.stop()
    assert any("--nacos-config" in line for line in one.complaints()), one.log()
