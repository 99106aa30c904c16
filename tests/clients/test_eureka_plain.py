# SPDX-License-Identifier: Apache-2.0
"""Netflix's own client without Spring, as old and as new as it is used: it chooses by the rules, registers and leaves."""

import re

import eureka_support
import harness
import plain
import pytest
from eureka_support import ALIASES, OTHER_PORT, SHARES, by_address, near

PROGRAMS = {"eureka-client-1.7": "1.7.2", "eureka-client": "1.10.18", "eureka-client-2.0": "2.0.6"}
AGENTS = {"1.7.2": "Java-EurekaClient/v1.7.2", "1.10.18": "Java-EurekaClient/v1.10.18", "2.0.6": "Jersey/3.0.5 .*"}
# Settings, what they make it ask, and with which headers.
MODES = {
    "compact": ({"eureka.clientDataAccept": "compact"}, "/eureka/apps/delta", {"x-eureka-accept": "compact"}),
    "single-vip": ({"eureka.registryRefreshSingleVipAddress": "reviews"}, "/eureka/vips/reviews", {}),
    "no-delta": ({"eureka.disableDelta": "true"}, "/eureka/apps/", {}),
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    stage = eureka_support.Stage(tmp_path_factory.mktemp("mesh"))
    yield stage
    stage.stop()


@pytest.fixture(scope="module")
def applications(stage):
    """One of each version, each with a name of its own."""
    found = {program: plain.Client(program, stage.wire.url, program.replace(".", "-")) for program in PROGRAMS}
    yield found
    for application in found.values():
        application.stop()


@pytest.fixture(params=PROGRAMS, ids=PROGRAMS.get)
def application(request, applications):
    application = applications[request.param].wait_started()
    application.version, application.name = PROGRAMS[request.param], request.param.replace(".", "-")
    return application


def test_client_itself_chooses_by_the_rules(stage, application):
    for forms, echo in ((ALIASES, stage.echo), (OTHER_PORT, stage.more_echo)):
        for form, shares in forms.items():
            places = application.places("next", form)
            assert near(by_address(places, echo.port), shares), (form, places)


@pytest.mark.parametrize("mode", MODES)
def test_modes_of_the_client(stage, mode):
    """Other lists than the usual one, and what is asked for them again and again."""
    settings, path, headers = MODES[mode]
    wire = eureka_support.Wire(stage.mesh.port)
    application = plain.Client("eureka-client", wire.url, mode, **settings).wait_started()
    places = application.places("next", "reviews")
    assert near(by_address(places, stage.echo.port), SHARES), places
    harness.wait_for(lambda: len(wire.matching("GET", path)) >= 3, "the same question again")
    for asked in wire.matching("GET", path):
        assert asked.items() >= headers.items()
    assert application.leave() == 0
    wire.stop()


CODECS = {"LegacyJacksonJson": True, "JacksonJson": True, "JacksonJsonMini": True, "XStreamJson": True, "XStreamXml": False}


@pytest.mark.parametrize("codec", CODECS)
def test_every_body_is_decoded(bodies, application, codec, tmp_path):
    """The first is what the client uses, the third for the compact form; the others can be configured, or were once."""
    results = tmp_path / "results"
    assert application.ask("decode", codec, bodies.lists[CODECS[codec]], results) == "ok"
    assert bodies.differences(CODECS[codec], results) == []


def test_application_finds_itself_and_leaves(stage, application):
    def own():
        return [line for line in application.list() if line.startswith(f"{application.name.upper()}/")]

    assert "/UP/" in harness.wait_for(own, "its own entry")[0]
    assert harness.wait_for(lambda: application.ask("remote") == "UP", "its remote status")
    path = f"/eureka/apps/{application.name.upper()}/.*"
    harness.wait_for(lambda: len(stage.wire.matching("PUT", path)) >= 2, "heartbeats")
    for heartbeat in stage.wire.matching("PUT", path):
        assert re.fullmatch(AGENTS[application.version], heartbeat["user-agent"])
    before = stage.mesh.registrations()
    assert application.leave() == 0
    assert len(stage.wire.matching("DELETE", path)) == 1
    assert stage.mesh.registrations() == before - 1
