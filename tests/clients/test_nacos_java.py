# SPDX-License-Identifier: Apache-2.0
"""Applications on Nacos's own Java client, as old and as new as it is used, before the Nacos door at its default ports: each
lists, selects, subscribes, registers and leaves. The long form has every version, the short one the oldest and the newest of
each generation of its transport."""

import contextlib
import subprocess

import datagrams
import demos
import eureka_support
import harness
import nacos_java
import nacos_support
import objects
import pytest
from eureka_support import ALIASES, ECHOES, OTHER_PORT, SHARES, near
from nacos_java import Refused, shares, weights
from nacos_support import GROUP, SERVER

SELDOM = ("nacos-2.2", "nacos-3.0")
PICKS = 100000  # with ten thousand, one in twenty-five would be off by a point by mere chance
ORDERS = ("10.1.3.1", "10.1.3.2", "10.1.3.3")
NAMESPACES = ("", "team-a", "6f1c2d34-0d8a-4c7e-9b55-2f9a4e0c7d11")
GROUPS = (GROUP, "blue", "team_7:web.x-1")
OWN = "10.1.0.9:7070"
OTHER = "127.0.0.2:8848"  # of another agent
OLD = ("nacos-1.1", "nacos-1.4")  # over HTTP
BATCHES = ("nacos-2.2", "nacos-2.5", "nacos-3.0", "nacos-3.2")  # since 2.1.2


def orders(*addresses):
    """A service whose endpoints come and go."""
    return objects.app("orders", {"v1": list(addresses)}, ip="10.96.0.3")


def places(*addresses):
    return {f"{address}:8080" for address in addresses}


def at(*addresses):
    """Whether instances that may be called are at exactly these."""
    return lambda instances: {one.place for one in instances if one.enabled and one.healthy} == places(*addresses)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    config = {"contexts": eureka_support.CONTEXTS, "names": eureka_support.NAMES}
    mesh = nacos_support.Mesh(tmp_path_factory.mktemp("mesh"), eureka_support.mesh(SHARES), config)
    mesh.put("orders", *orders(*ORDERS[:2]))
    yield mesh
    mesh.stop()


@pytest.fixture(scope="module")
def applications(request, mesh, tmp_path_factory):
    """One of each version that any of these tests wants, with a client at the door."""
    of_versions = [item for item in request.session.items if item.module is request.module and hasattr(item, "callspec")]
    wanted = {item.callspec.params["application"] for item in of_versions} or set(OLD)
    found = {module: nacos_java.Application(module, tmp_path_factory.mktemp(module)) for module in sorted(wanted)}
    for application in found.values():
        application.wait_started().client = application.connect(SERVER)
    yield found
    demos.stop_all(found.values())


def versions(modules):
    return [pytest.param(module, id=nacos_java.VERSIONS[module], marks=pytest.mark.long if module in SELDOM else ())
            for module in modules]  # fmt: skip


def of(*modules):
    """Marks a test that is of these alone."""
    return pytest.mark.parametrize("application", versions(modules), indirect=True)


@pytest.fixture(params=versions(nacos_java.VERSIONS))
def application(request, applications):
    return applications[request.param]


@pytest.fixture
def client(application):
    return application.client


@pytest.fixture
def fresh(application):
    """Its own: some are told nothing at first of what their client has known before (1.4)."""
    return application.connect(SERVER)


def listed(instances, place):
    return [one for one in instances if one.place == place]


def test_lists_what_the_rules_give(client):
    for port, forms in ((8080, ALIASES), (8081, OTHER_PORT)):
        for form, wanted in forms.items():
            found = client.all(form)
            assert shares(found) == {f"{address}:{port}": share for address, share in wanted.items()}, (form, found)
            assert client.select(form) == found
    for one in client.all("reviews"):
        assert (one.healthy, one.enabled, one.cluster, one.service) == (True, True, "DEFAULT", f"{GROUP}@@reviews")
        assert one.weight == 1  # as many copies as slots, for balancers that only go round
    ids = [one.id for one in client.all("reviews")]
    assert len(set(ids)) == len(ids) == 20


def test_chooses_by_the_rules(client):
    counts = client.pick("reviews", PICKS)
    assert near({place.split(":")[0]: count for place, count in counts.items()}, SHARES), counts


@pytest.mark.parametrize("subscribe", [True, False])
def test_asks_by_cluster_and_for_what_is_not_there(fresh, subscribe):
    found = fresh.all("reviews", subscribe=subscribe)
    assert len(weights(found)) == len(ECHOES)
    assert fresh.select("reviews", clusters="DEFAULT", subscribe=subscribe) == found
    assert fresh.select("reviews", healthy=False, subscribe=subscribe) == []
    assert fresh.all("nobody", subscribe=subscribe) == []
    assert fresh.all("reviews", clusters="elsewhere", subscribe=subscribe) == []  # last: 2.5 and 3.0 forget the rest for it


def test_knows_the_services_and_that_the_server_is_there(client):
    assert client.ask("status") == "UP"
    names = ["orders", "ratings.shop", "reviews"]
    for group in GROUPS:
        assert client.services(group=group) == (len(names), names)
    assert client.services(1, 2) == (len(names), names[:2])
    assert client.services(2, 2) == (len(names), names[2:])


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_namespaces_and_groups_of_any_name(application, namespace):
    named = application.connect(SERVER, **({"namespace": namespace} if namespace else {}))
    for group in GROUPS:
        found = named.all("reviews", group)
        assert shares(found) == {f"{address}:8080": share for address, share in SHARES.items()}
        assert {one.service for one in found} == {f"{group}@@reviews"}


def test_is_told_of_every_change(mesh, fresh):
    """More endpoints, none at all, and again some; then no word after the listener is gone."""
    mesh.put("orders", *orders(*ORDERS[:2]))
    listener = fresh.subscribe("orders")
    listener.wait(at(*ORDERS[:2]), "the first list")
    mesh.put("orders", *orders(*ORDERS))
    listener.wait(at(*ORDERS), "one more")
    mesh.put("orders", *orders())
    listener.wait(at(), "none is left")
    assert fresh.select("orders") == []
    with pytest.raises(Refused, match="no host to srv"):
        fresh.pick("orders", 1)
    mesh.put("orders", *orders(ORDERS[2]))
    told = listener.wait(at(ORDERS[2]), "one is back")
    assert told.service in ("orders", f"{GROUP}@@orders")
    assert "orders" in fresh.ask("subscribed")
    listener.stop()
    assert "orders" not in fresh.ask("subscribed")


def test_is_told_of_other_weights(mesh, fresh):
    shift = dict(zip(ECHOES, (10, 20, 70)))
    listener = fresh.subscribe("reviews")
    listener.wait(lambda found: len(weights(found)) == len(ECHOES), "the first list")
    mesh.put("mesh", *eureka_support.mesh(shift))
    listener.wait(lambda found: shares(found) == {f"{a}:8080": s for a, s in shift.items()}, "the new weights")
    mesh.put("mesh", *eureka_support.mesh(SHARES))
    listener.wait(lambda found: shares(found) == {f"{a}:8080": s for a, s in SHARES.items()}, "the old weights")
    listener.stop()


def test_registers_in_the_place_of_the_mesh(fresh):
    """With its own metadata, but the weight that the mesh gives it."""
    place = f"{ECHOES[0]}:8080"
    listener = fresh.subscribe("reviews")
    listener.wait(lambda found: listed(found, place), "the mesh's instance")
    before = weights(fresh.all("reviews"))
    fresh.register("reviews", place, weight=7.0, owner="application")
    told = listener.wait(lambda found: all("owner" in one.metadata for one in listed(found, place)), "its own instance")
    assert weights(told.instances) == before
    assert all("owner" not in one.metadata for one in told.instances if one.place != place)
    fresh.deregister("reviews", place)
    told = listener.wait(lambda found: all("owner" not in one.metadata for one in listed(found, place)), "the mesh's again")
    assert weights(told.instances) == before
    listener.stop()


@pytest.mark.parametrize("ephemeral", [True, False])
def test_finds_itself(application, fresh, ephemeral):
    """Under a name that the mesh does not know, where its listener is told of it, until it leaves."""
    name = f"own-{application.module}-{ephemeral}".lower()
    listener = fresh.subscribe(name)
    fresh.register(name, OWN, ephemeral=ephemeral, version="v7", cluster="zone-a")
    listener.wait(lambda found: listed(found, OWN), "itself")
    own = fresh.select(name)
    assert [(one.place, one.metadata.get("version")) for one in own] == [(OWN, "v7")]
    fresh.deregister(name, OWN, ephemeral=ephemeral, cluster="zone-a")
    listener.wait(at(), "it has left")
    assert fresh.select(name) == []
    listener.stop()


@of(*(module for module in nacos_java.VERSIONS if module not in OLD))
def test_leaves_with_its_connection(application):
    client, watcher = (application.connect(SERVER) for _ in range(2))
    client.register("leaving", OWN)
    harness.wait_for(lambda: weights(watcher.select("leaving", subscribe=False)) == {OWN: 1.0}, "its registration")
    client.close()
    harness.wait_for(lambda: watcher.select("leaving", subscribe=False) == [], "its end")


@of(*BATCHES)
def test_registers_several_at_once(fresh):
    places = [f"10.1.0.9:{port}" for port in (7071, 7072, 7073)]
    fresh.batch("several", *places)
    harness.wait_for(lambda: sorted(weights(fresh.select("several"))) == places, "all of them")
    fresh.unbatch("several", places[1])
    harness.wait_for(lambda: sorted(weights(fresh.select("several"))) == [places[0], places[2]], "those that are left")
    fresh.unbatch("several", places[0], places[2])
    harness.wait_for(lambda: fresh.select("several") == [], "none")


def test_says_who_it_is(application):
    """A user name makes it log in first, by HTTP, whatever its transport."""
    named = application.connect(SERVER, username="nacos", password="nacos")
    assert len(weights(named.all("reviews"))) == len(ECHOES)


@contextlib.contextmanager
def no_datagrams():
    """While it holds, none passes but those of name servers."""
    rule = ["OUTPUT", "-p", "udp", "!", "--dport", "53", "-j", "DROP"]
    subprocess.run(["iptables", "-w", "-A", *rule], check=True, timeout=30)
    try:
        yield
    finally:
        subprocess.run(["iptables", "-w", "-D", *rule], check=True, timeout=30)


@of(*OLD)
def test_old_ones_are_told_by_datagram(mesh, fresh):
    mesh.put("orders", *orders(*ORDERS[:2]))
    listener = fresh.subscribe("orders")
    listener.wait(at(*ORDERS[:2]), "the first list")
    with datagrams.Datagrams() as passed:
        mesh.put("orders", *orders(*ORDERS))
        listener.wait(at(*ORDERS), "one more")
        lists = harness.wait_for(passed.acknowledged, "a push that is acknowledged")
    assert lists[-1]["name"] == f"{GROUP}@@orders"
    assert {host["ip"] for host in lists[-1]["hosts"]} == set(ORDERS)
    listener.stop()


@of(*OLD)
def test_old_ones_poll_where_datagrams_are_lost(mesh, fresh):
    mesh.put("orders", *orders(*ORDERS[:2]))
    listener = fresh.subscribe("orders")
    listener.wait(at(*ORDERS[:2]), "the first list")
    with no_datagrams(), datagrams.Datagrams() as passed:
        mesh.put("orders", *orders(*ORDERS))
        listener.wait(at(*ORDERS), "one more")
        assert passed.of("dom") == []
    listener.stop()


@pytest.fixture(scope="module")
def istiod():
    """With an agent that says of the configuration that there is none."""
    istiod = harness.Istiod()
    istiod.apply(objects.dump(*orders(*ORDERS[:2])))
    agent = harness.Agent(*istiod.plaintext_options(), "--pod-name", "app", "--pod-namespace", "default", "--nacos-listen", OTHER,
                          "--nacos-grpc-listen", OTHER.replace("8848", "9848"), "--nacos-config", "empty")  # fmt: skip
    yield istiod
    assert agent.stop() == 0, agent.log()
    istiod.stop()


def test_follows_istiod(istiod, application):
    """What the real control plane says, each of its changes, down to none and up again."""
    listener = application.connect(OTHER).subscribe("orders")
    for addresses in (ORDERS[:2], ORDERS, ORDERS[2:], (), ORDERS[:2]):
        istiod.apply(objects.dump(*orders(*addresses)))
        listener.wait(at(*addresses), f"istiod says {addresses}")


def test_configuration_is_denied_in_words_that_reach_the_application(client):
    with pytest.raises(Refused, match="--nacos-config"):
        client.config("app.yaml")


def test_configuration_may_be_empty(istiod, application):
    assert application.connect(OTHER).config("app.yaml") == "null"


def test_goes_on_after_a_restart_of_the_agent(mesh, applications):
    """Of all at once: subscriptions and registrations are there again without any doing of the application."""
    mesh.put("orders", *orders(*ORDERS[:2]))
    clients = {module: application.connect(SERVER) for module, application in applications.items()}
    listeners = {module: client.subscribe("orders") for module, client in clients.items()}
    for module, client in clients.items():
        client.register(f"again-{module}", OWN)
        listeners[module].wait(at(*ORDERS[:2]), "the first list")
    mesh.stop()
    mesh.put("orders", *orders(ORDERS[2]))
    mesh.start(SERVER)
    for listener in listeners.values():
        listener.wait(at(ORDERS[2]), "what has changed meanwhile")
    mesh.put("orders", *orders(*ORDERS))
    for listener in listeners.values():
        listener.wait(at(*ORDERS), "what changes afterwards")
    for module, client in clients.items():
        harness.wait_for(lambda c=client, m=module: weights(c.select(f"again-{m}")) == {OWN: 1.0}, f"{module} again")
        client.deregister(f"again-{module}", OWN)
