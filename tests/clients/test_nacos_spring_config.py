# SPDX-License-Identifier: Apache-2.0
"""Spring Cloud Alibaba whose configuration service is pointed at the agent, too: what each generation does where it is denied,
and where there is none."""

import demos
import nacos_spring
import nacos_support
import pytest

WORDS = "--nacos-config empty"  # of the door, to whoever is denied
GENERATIONS = {"alibaba-2.2.6": "127.0.87.1", "alibaba-2021": "127.0.87.3", "alibaba-2023": "127.0.87.4"}
OLDEST = "alibaba-2.2.6"  # with a bootstrap context, which goes on without what it could not get


def start(folder, jar):
    own = folder / jar
    own.mkdir()
    pointed = [f"--spring.cloud.nacos.server-addr={nacos_support.SERVER}", f"--spring.config.import=nacos:{jar}.yaml"]
    return nacos_spring.Application(own, jar, jar, GENERATIONS[jar], *pointed, told=False)


@pytest.fixture
def applications(request, tmp_path):
    """All of them, started at the same time, with an agent of this mode."""
    mesh = nacos_support.Mesh(tmp_path, options=("--nacos-config", request.param))
    found = {jar: start(tmp_path, jar) for jar in GENERATIONS}
    yield found
    demos.stop_all(found.values())
    mesh.stop()


@pytest.mark.parametrize("applications", ["deny"], indirect=True)
def test_denied_configuration_is_said_aloud(applications):
    """The words are in its log, or in that of its client; where its configuration is imported, it does not start."""
    for jar, one in applications.items():
        if jar == OLDEST:
            one.wait_started()
        else:
            assert one.child.wait(demos.START_S) == 1, jar
        assert any(WORDS in line for line in one.log_lines()), (jar, one.log())


@pytest.mark.long
@pytest.mark.parametrize("applications", ["empty"], indirect=True)
def test_none_is_no_hindrance(applications):
    for one in applications.values():
        one.wait_started()
        complaints = one.complaints()
        assert not complaints, complaints
