# SPDX-License-Identifier: Apache-2.0
"""Unmodified Nacos clients of Go, Python and Node before the Nacos door at its default ports: each lists, selects, subscribes,
registers and leaves, and chooses by the rules, where it is the client that chooses. The long form has older versions too."""

import contextlib
import math

import eureka_support
import harness
import nacos_languages
import nacos_support
import objects
import pytest
from eureka_support import ALIASES, ECHOES, OTHER_PORT, SHARES, near
from nacos_languages import KINDS, SELDOM, Refused, clients, place, usable, weights
from nacos_support import GROUP, SERVER

PICKS = 100000  # with ten thousand, one in twenty-five would be off by a point by mere chance
ORDERS = ("10.1.3.1", "10.1.3.2", "10.1.3.3")
OWN = ("10.1.0.9", 7070)
OWN_METADATA = {"version": "v7", "zone": "z 1&2=3%"}  # of each application
PORT = 8080  # of the mesh's endpoints
SHIFTED = dict(zip(ECHOES, (10, 20, 70)))


def orders(name, *addresses):
    """A service whose endpoints come and go, of an index for its address."""
    return objects.app(name, {"v1": list(addresses)}, ip=f"10.96.1.{1 + list(SERVICES).index(name)}")


# One for each test that changes it: a client keeps what it once knew of a service.
SERVICES = ("orders", "again")


def at(*addresses):
    """Whether what may be called is at exactly these."""
    return lambda instances: sorted(place(one) for one in usable(instances)) == [f"{ip}:{PORT}" for ip in addresses]


def by_shares(shares, port=PORT):
    """Whether weights are these, whatever their sum."""

    def holds(instances):
        found = weights(instances)
        total = sum(found.values())
        return {key: round(100 * weight / total, 6) for key, weight in found.items()} == {
            f"{address}:{port}": share for address, share in shares.items() if share}

    return holds


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    config = {"contexts": eureka_support.CONTEXTS, "names": eureka_support.NAMES}
    mesh = nacos_support.Mesh(tmp_path_factory.mktemp("mesh"), eureka_support.mesh(SHARES), config)
    for name in SERVICES:
        mesh.put(name, *orders(name, *ORDERS[:2]))
    yield mesh
    mesh.stop()


@pytest.fixture(scope="module")
def applications(request, mesh, tmp_path_factory):
    """One with each client of this form, short or long."""
    wanted = [name for name, kind in KINDS.items() if nacos_languages.is_long(request.config) or kind not in SELDOM]
    found = {name: KINDS[name].started(tmp_path_factory.mktemp(name)) for name in wanted}
    yield found
    for application in found.values():
        application.stop()


@pytest.fixture(params=clients())
def application(request, applications):
    return applications[request.param].wait_started()


@contextlib.contextmanager
def other(application, folder, namespace):
    """A second process with the same client."""
    process = application.kind.started(folder, namespace)
    try:
        yield process.wait_started()
    finally:
        process.stop()


# --- What it lists --------------------------------------------------------------------------------------------------


def check_interleaved(instances, shares):
    """Every beginning of the list has its part of everybody's copies, within two of them."""
    seen = dict.fromkeys(shares, 0)
    for count, one in enumerate(instances, 1):
        seen[one["ip"]] += 1
        assert all(abs(seen[ip] - count * share / 100) < 2 for ip, share in shares.items()), (count, seen)


def check_form(kind, instances, shares):
    """A weight where the client's balancer goes by it, else as many copies, under ids of their own."""
    ids = [one["id"] for one in instances]
    assert len(ids) == len(set(ids)), ids
    if kind.balances:
        assert len(instances) == len(shares)
        assert all(one["weight"] >= 1 and one["weight"] == math.floor(one["weight"]) for one in instances)
    else:
        assert {one["weight"] for one in instances} == {1}
        check_interleaved(instances, shares)


def test_lists_what_the_rules_give(application):
    for port, forms in ((PORT, ALIASES), (PORT + 1, OTHER_PORT)):
        for form, wanted in forms.items():
            found = application.list(form)
            assert by_shares(wanted, port)(found), (form, found)
            assert application.select(form) == found
            check_form(application.kind, found, wanted)
            for one in found:
                assert (one["healthy"], one["enabled"], one["cluster"]) == (True, True, "DEFAULT")
                assert one["service"] == f"{GROUP}@@{form}"
    assert application.list("nobody") == []


def test_slots_are_those_of_every_door(mesh, application):
    endpoints = mesh.agent.endpoints("reviews")["endpoints"]
    assert weights(application.list("reviews")) == {f"{e['address']}:{e['port']}": e["slots"] for e in endpoints}


@pytest.mark.parametrize("application", clients(lambda kind: kind.balances), indirect=True)
def test_chooses_by_the_rules(application):
    counts = application.ask("pick", "reviews", "-", PICKS)
    assert near({where.split(":")[0]: count for where, count in counts.items()}, SHARES), counts


@pytest.mark.parametrize("application", clients(lambda kind: kind.lists_services), indirect=True)
def test_knows_the_services(application):
    names = sorted([*SERVICES, "ratings.shop", "reviews"])
    for group in ("-", "blue"):
        assert application.ask("services", "-", group) == {"count": len(names), "names": names}


def test_namespaces_and_groups_of_any_name(application, tmp_path):
    with other(application, tmp_path, "6f1c2d34-0d8a-4c7e-9b55-2f9a4e0c7d11") as one:
        for group in ("-", "blue", "team_7:web.x-1"):
            found = one.list("reviews", group)
            assert by_shares(SHARES)(found)
            assert {each["service"] for each in found} == {f"{GROUP if group == '-' else group}@@reviews"}


# --- What it is told ------------------------------------------------------------------------------------------------


def test_is_told_of_every_change(mesh, application):
    """More endpoints, none at all, and again some."""
    mesh.put("orders", *orders("orders", *ORDERS[:2]))
    application.do("subscribe", "orders")
    application.wait_told("orders", at(*ORDERS[:2]), "the first list")
    mesh.put("orders", *orders("orders", *ORDERS))
    application.wait_told("orders", at(*ORDERS), "one more")
    mesh.put("orders", *orders("orders"))
    application.wait_told("orders", at(), "none is left")
    harness.wait_for(lambda: application.select("orders") == [], "nobody to call", 60)
    if application.kind.balances:
        with pytest.raises(Refused, match="empty"):
            application.ask("pick", "orders", "-", 1)
    mesh.put("orders", *orders("orders", *ORDERS[1:]))
    application.wait_told("orders", at(*ORDERS[1:]), "some are back")
    application.do("unsubscribe", "orders")


def test_is_told_of_other_weights(mesh, application):
    application.do("subscribe", "reviews")
    try:
        mesh.put("mesh", *eureka_support.mesh(SHIFTED))
        application.wait_told("reviews", by_shares(SHIFTED), "the new weights")
        harness.wait_for(lambda: by_shares(SHIFTED)(application.list("reviews")), "the same of a list", 60)
    finally:
        mesh.put("mesh", *eureka_support.mesh(SHARES))
    application.wait_told("reviews", by_shares(SHARES), "the old weights")


# --- What it registers ----------------------------------------------------------------------------------------------


def own_name(application):
    return f"own-{application.kind.language}-{application.kind.version}".replace(".", "-")


def found_again(instances):
    return [(place(one), one["metadata"]) for one in usable(instances)]


def test_finds_itself(application):
    """Under a name that the mesh does not know, until it leaves."""
    name = own_name(application)
    wanted = ("{}:{}".format(*OWN), OWN_METADATA)
    application.do("register", name, "-", *OWN)
    harness.wait_for(lambda: wanted in found_again(application.select(name)), f"itself (log:\n{application.log()[-2000:]})", 60)
    application.do("deregister", name, "-", *OWN)
    harness.wait_for(lambda: application.select(name) == [], "an empty list", 60)


def test_registers_in_the_place_of_the_mesh(application):
    """With its own metadata, but the weight that the mesh gives it."""
    application.do("register", "reviews", "-", ECHOES[0], PORT)

    def own():
        found = application.list("reviews")
        return by_shares(SHARES)(found) and [one["metadata"] == OWN_METADATA for one in found] == [
            one["ip"] == ECHOES[0] for one in found]

    def own_no_more():
        return all(one["metadata"] != OWN_METADATA for one in application.list("reviews"))

    harness.wait_for(own, "its own instance", 60)
    application.do("deregister", "reviews", "-", ECHOES[0], PORT)
    harness.wait_for(own_no_more, "the mesh's again", 60)
    assert by_shares(SHARES)(application.list("reviews"))


# --- Life -----------------------------------------------------------------------------------------------------------


def follows(application, addresses, what):
    """By its subscription, or by the list that it asks for where that has ended: the timer of Python's client of HTTP does
    with the first request that fails."""
    if application.kind.subscribes_again:
        application.wait_told("again", at(*addresses), what)
    else:
        harness.wait_for(lambda: at(*addresses)(application.list("again")), what, 60)


def test_goes_on_after_a_restart_of_the_agent(mesh, applications):
    """All at once: subscriptions and registrations are there again without any doing of the application."""
    for name, application in applications.items():
        application.wait_started()
        application.do("subscribe", "again")
        application.wait_told("again", at(*ORDERS[:2]), f"the first list of {name}")
        application.do("register", f"back-{own_name(application)}", "-", *OWN)
    mesh.stop()
    mesh.put("again", *orders("again", *ORDERS[1:]))
    mesh.start(SERVER)
    for name, application in applications.items():
        follows(application, ORDERS[1:], f"what has changed meanwhile, by {name}")
    mesh.put("again", *orders("again", *ORDERS))
    for name, application in applications.items():
        follows(application, ORDERS, f"what changes afterwards, by {name}")
    for name, application in applications.items():
        back, wanted = f"back-{own_name(application)}", ("{}:{}".format(*OWN), OWN_METADATA)
        harness.wait_for(lambda: wanted in found_again(application.select(back)), f"the registration of {name}", 60)
        application.do("deregister", back, "-", *OWN)
