# SPDX-License-Identifier: Apache-2.0
"""Spring Boot 1.5 with Edgware, unmodified: the oldest Ribbon and client that are met, and Spring's mapper of then."""

import demos
import plain
import pytest
import spring
from eureka_support import SHARES, by_address, near

pytestmark = pytest.mark.long
JVM = ("-Xmx128m", *plain.OPENED)
# Words of a property are apart in the variables that Boot 1.5 takes.
LEVERS = {"EUREKA_CLIENT_REGISTRY_FETCH_INTERVAL_SECONDS": "1", "EUREKA_INSTANCE_LEASE_RENEWAL_INTERVAL_IN_SECONDS": "1"}


@pytest.fixture(scope="module")
def caller(world):
    caller = world.start(("spring-1.5", "SpringCaller"), "edgware", "127.0.85.1", jvm=JVM, env=LEVERS)
    yield caller.wait_started()
    demos.stop_all([caller])


def test_calls_have_the_shares(world, caller):
    counts = by_address(caller.calls("template", "reviews"), world.stage.echo.port)
    assert near(counts, SHARES), counts


def test_every_form_of_the_name(world, caller):
    spring.check_every_form(world.stage, caller, "template")


def test_application_registers_and_finds_itself(caller):
    spring.check_registration(caller)
    spring.check_deltas_suffice(caller)


def test_every_body_is_decoded(bodies, caller, tmp_path):
    spring.check_decoding(bodies, caller, tmp_path)


def test_service_that_speaks_tls_is_called_by_its_host(world, caller):
    spring.check_tls(world, caller, "template", schemes=["https"])


def test_changes_arrive_by_deltas_alone(world, caller):
    spring.check_changes(world.stage, [(caller, "template")])


def test_restarted_agent_is_registered_with_again(world, caller):
    spring.check_restart(world.stage, [(caller, "template")])


def test_application_leaves(caller):
    """It says DOWN and takes its leave at the same time, on two connections: which comes first is not known."""
    demos.stop_all([caller])
    assert caller.asked("DELETE", "EDGWARE/.*") == 1
