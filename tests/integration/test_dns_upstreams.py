# SPDX-License-Identifier: Apache-2.0
"""Which upstreams there are: resolv.conf is followed, in whatever way it is written, and the options by a reload."""

import concurrent.futures
import pathlib
import re
import signal
import time

import dns.message
import dns.query
import pytest

import harness
import pod_network

in_a_pod = pytest.mark.skipif(not pod_network.POSSIBLE, reason="needs root for namespaces")
SEARCH = "search default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n"


def servers(*addresses):
    return "".join(f"nameserver {each}\n" for each in addresses) + SEARCH


class World:
    """A pod whose agent follows resolv.conf, and three name servers that can be told apart by what they answer."""

    def __init__(self, folder, mesh, *args):
        self.folder = folder
        self.pod = pod_network.Pod(folder, mesh, ["10.99.1.2/24"], ["10.99.1.1"], *args)
        self.upstreams = [harness.Upstream(self.pod.bind_udp(f"127.0.0.{11 + i}")) for i in range(3)]
        for i, upstream in enumerate(self.upstreams):
            upstream.records["far.example."] = [f"192.0.2.{11 + i}"]
        self.asked = 0

    def who(self):
        """The last number of the upstream that answers now; None: there is none."""
        self.asked += 1
        name = f"n{self.asked}.far.example."  # nothing that the cache knows
        for upstream in self.upstreams:
            upstream.records[name] = upstream.records["far.example."]
        with self.pod.bind_udp("127.0.0.1", 0) as client:
            client.setblocking(False)
            reply = dns.query.udp(dns.message.make_query(name, "A"), "127.0.0.53", 6, sock=client)
        return int(reply.answer[0][0].address.rpartition(".")[2]) if reply.answer else None

    def log(self, pattern, after=0):
        """Waits for a line of the agent's log behind the first `after` ones."""
        def find():
            lines = self.pod.agent.stderr
            return next((i for i in range(after, len(lines)) if re.search(pattern, lines[i])), -1) + 1
        return harness.wait_for(find, f"{pattern!r} in\n{self.pod.agent.log()}")

    def mark(self):
        return len(self.pod.agent.stderr)

    def stop(self):
        for upstream in self.upstreams:
            upstream.stop()
        self.pod.stop()


@pytest.fixture
def world(tmp_path, bookinfo):
    made = []

    def make(*args):
        made.append(World(tmp_path, bookinfo, *args))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@in_a_pod
def test_file_that_is_a_mount_of_its_own_is_written_in_place(world, tmp_path):
    w = world()
    conf = tmp_path / "resolv.conf"  # mounted over /etc/resolv.conf; names the agent alone
    assert w.who() is None
    conf.write_text(servers("127.0.0.53", "127.0.0.11"))
    w.log(r"/etc/resolv.conf has changed: upstreams 127.0.0.53:53 -> 127.0.0.53:53 127.0.0.11:53$")
    assert w.who() == 11
    conf.write_text(servers("127.0.0.12"))
    w.log(r"upstreams 127.0.0.53:53 127.0.0.11:53 -> 127.0.0.12:53$")
    assert w.who() == 12
    for broken, why in (
        ("", "names no name server by its address"),
        ("nameserver nonsense\n", "names no name server by its address"),
        ("x" * 70000, "at most 65536 bytes"),
        (servers("127.0.0.53"), "names nobody but ourselves"),
    ):
        mark = w.mark()
        conf.write_text(broken)
        w.log(rf"(?i)warn.*{why}.*, keeping the upstreams 127.0.0.12:53$", mark)
        assert w.who() == 12
    conf.write_text(servers("127.0.0.13", "127.0.0.12"))
    w.log(r"upstreams 127.0.0.12:53 -> 127.0.0.13:53 127.0.0.12:53$")
    assert w.who() == 13
    mark = w.mark()
    conf.write_text(servers("127.0.0.13", "127.0.0.12").replace("ndots:5", "ndots:2"))
    w.log(r"search default.svc.cluster.local .* -> .*, ndots 5 -> 2$", mark)
    assert not [line for line in w.pod.agent.stderr[mark:] if "upstreams" in line]


@in_a_pod
def test_file_of_a_config_map_moves_by_its_link(world, tmp_path):
    volume = tmp_path / "volume"
    (volume / "..1").mkdir(parents=True)
    (volume / "..1/resolv.conf").write_text(servers("127.0.0.11"))
    (volume / "..data").symlink_to("..1")
    (volume / "resolv.conf").symlink_to("..data/resolv.conf")
    w = world("--dns-resolv-conf", str(volume / "resolv.conf"))
    assert w.who() == 11
    for number, address in (("2", 12), ("3", 13), ("4", 11)):
        (volume / f"..{number}").mkdir()
        (volume / f"..{number}/resolv.conf").write_text(servers(f"127.0.0.{address}"))
        (volume / "..new").symlink_to(f"..{number}")
        mark = w.mark()
        (volume / "..new").rename(volume / "..data")
        w.log(rf"has changed: upstreams .* -> 127.0.0.{address}:53$", mark)
        assert w.who() == address


@in_a_pod
def test_file_is_renamed_missing_at_the_start_and_read_at_a_reload(world, tmp_path):
    folder = tmp_path / "etc"
    conf = folder / "resolv.conf"
    w = world("--dns-resolv-conf", str(conf))
    w.log(r"cannot open .*etc/resolv.conf.*without --dns-upstream other names cannot be forwarded")
    w.log(r"cannot watch .*: changes of .*etc/resolv.conf are followed at a reload \(SIGHUP\) only")
    assert w.who() is None
    folder.mkdir()
    conf.write_text(servers("127.0.0.11"))
    w.pod.agent.child.send_signal(signal.SIGHUP)
    w.log(r"upstreams none -> 127.0.0.11:53$")
    assert w.who() == 11
    (folder / "new").write_text(servers("127.0.0.12"))
    (folder / "new").rename(conf)  # the directory is there now, and watched
    w.log(r"upstreams 127.0.0.11:53 -> 127.0.0.12:53$")
    assert w.who() == 12
    mark = w.mark()
    conf.unlink()
    w.pod.agent.child.send_signal(signal.SIGHUP)
    w.log(r"cannot open .*keeping the upstreams 127.0.0.12:53$", mark)
    assert w.who() == 12


@pytest.fixture
def two():
    made = [harness.Upstream(), harness.Upstream()]
    for i, each in enumerate(made):
        each.records["far.example."] = [f"192.0.2.{i}"]
    yield made
    for each in made:
        each.stop()


def test_reload_takes_other_upstreams_and_status_shows_them(start_agent, bookinfo, tmp_path, two):
    config = tmp_path / "c.yaml"
    config.write_text(f"dns-upstream: {two[0].address}\n")
    missing = str(tmp_path / "no-resolv.conf")
    agent = start_agent("--source", f"dir:{bookinfo}", "--config", str(config), "--dns-cache-size", "off",
                        "--dns-resolv-conf", missing, upstream=None)
    assert agent.status()["upstreams"] == [two[0].address]
    assert agent.addresses("far.example") == ["192.0.2.0"]
    config.write_text(f"dns-upstream: [{two[1].address}]\n")
    agent.child.send_signal(signal.SIGHUP)
    agent.wait_line(agent.stderr, f"--dns-upstream has changed: upstreams {two[0].address} -> {two[1].address}$")
    assert agent.status()["upstreams"] == [two[1].address]
    assert agent.addresses("far.example") == ["192.0.2.1"]
    config.write_text("dns-upstream: " + ",".join(f"127.0.0.{i}" for i in range(1, 11)) + "\n")
    agent.child.send_signal(signal.SIGHUP)
    agent.wait_line(agent.stderr, "configuration not reloaded: --dns-upstream: at most 8 addresses; the old one stays")
    assert agent.addresses("far.example") == ["192.0.2.1"]


def test_question_under_way_is_answered_by_the_old_upstream(start_agent, bookinfo, tmp_path, two):
    config = tmp_path / "c.yaml"
    config.write_text(f"dns-upstream: {two[0].address}\n")
    agent = start_agent("--source", f"dir:{bookinfo}", "--config", str(config), upstream=None)
    two[0].silent = True
    with concurrent.futures.ThreadPoolExecutor() as pool:
        reply = pool.submit(agent.addresses, "far.example")
        harness.wait_for(lambda: two[0].asked, "the question at the old upstream")
        config.write_text(f"dns-upstream: {two[1].address}\n")
        agent.child.send_signal(signal.SIGHUP)
        agent.wait_line(agent.stderr, "--dns-upstream has changed")
        two[0].silent = False  # the question is repeated there within its 4 s
        assert reply.result() == ["192.0.2.0"]
    assert not two[1].asked


def routed(agent, two, name):
    """Which of the two is asked for the name: its number."""
    for i, each in enumerate(two):
        each.records[name + "."] = [f"192.0.2.{i}"]
    return int(agent.addresses(name)[0].rpartition(".")[2])


def test_route_sends_a_domain_to_upstreams_of_its_own(start_agent, bookinfo, tmp_path, two):
    config = tmp_path / "c.yaml"
    config.write_text(f"dns-route:\n  corp.example: {two[1].address}\n  open.corp.example: [{two[0].address}]\n")
    agent = start_agent("--source", f"dir:{bookinfo}", "--config", str(config), upstream=two[0].address)
    agent.wait_line(agent.stderr, f"upstreams: {two[0].address}; for corp.example {two[1].address}; open.corp.example "
                                  f"{two[0].address}$")
    assert agent.status()["upstream_routes"] == {"corp.example": [two[1].address], "open.corp.example": [two[0].address]}
    assert [routed(agent, two, name) for name in
            ("a.example", "a.corp.example", "a.CORP.Example", "corp.example", "acorp.example", "b.open.corp.example")] \
        == [0, 1, 1, 1, 0, 0]
    assert agent.addresses("reviews.default.svc.cluster.local")  # names of the mesh are not routed
    config.write_text(f"dns-route: {{corp.example: {two[0].address}}}\n")
    agent.child.send_signal(signal.SIGHUP)
    agent.wait_line(agent.stderr, r"--dns-route has changed: corp.example .* -> .*; the cache begins anew")
    assert agent.addresses("corp.example") == ["192.0.2.0"]  # not what the cache had
    assert agent.status()["upstream_routes"] == {"corp.example": [two[0].address]}
    config.write_text("{}\n")
    agent.child.send_signal(signal.SIGHUP)
    agent.wait_line(agent.stderr, r"--dns-route has changed: corp.example .* -> none; the cache begins anew")


def test_route_fails_over_among_its_own_upstreams_only(start_agent, bookinfo, two):
    agent = start_agent("--source", f"dir:{bookinfo}", "--dns-route", f"a.example=127.0.0.1:9,{two[1].address}",
                        "--dns-route", "b.example=127.0.0.1:9", upstream=two[0].address)
    assert routed(agent, two, "x.a.example") == 1
    assert agent.query("x.b.example").rcode() == 2 and not any("b.example" in name for each in two for name, _ in each.asked)


def test_route_for_all_domains_and_to_ourselves(start_agent, bookinfo, two, tmp_path):
    agent = start_agent("--source", f"dir:{bookinfo}", "--dns-route", f".={two[0].address}", upstream=None)
    assert agent.status()["upstreams"] == [two[0].address] and agent.status()["upstream_routes"] == {}
    assert routed(agent, two, "a.example") == 0
    config = tmp_path / "c.yaml"
    config.write_text(f"dns-route: loop.example=127.0.0.1:{agent.ports['dns']}\n")
    again = start_agent("--source", f"dir:{bookinfo}", "--config", str(config), upstream=two[0].address)
    assert routed(again, two, "b.loop.example") == 0  # by way of the other agent
    config.write_text(f"dns-route: loop.example=127.0.0.1:{again.ports['dns']}\n")
    again.child.send_signal(signal.SIGHUP)
    again.wait_line(again.stderr, "--dns-route has changed")
    assert again.query("c.loop.example").rcode() == 2
    assert not any("c.loop.example" in name for each in two for name, _ in each.asked)


@pytest.mark.parametrize(("args", "text"), [
    (("--dns-route", "a.example=ns"), 'route a.example: --dns-route: "ns" is no IP address'),
    (("--dns-route", "a.example=1.1.1.1", "--dns-route", "A.example.=1.1.1.2"), "two routes for a.example"),
    (("--dns-route", ".=1.1.1.1", "--dns-upstream", "1.1.1.2"), "leave one out"),
    (("--dns-route", "a=" + ",".join(["1.1.1.1"] * 9)), "route a: --dns-route: at most 8 addresses"),
    (("--dns-route", ";".join(f"d{i}=1.1.1.1" for i in range(33))), "--dns-route: at most 32 routes"),
])
def test_route_that_is_wrong_is_named(bookinfo, args, text):
    done = harness.run("agent", "--source", f"dir:{bookinfo}", "--dns-listen", "off", "--health-listen", "off",
                       "--admin-listen", "127.0.0.1:0", *args)
    assert done.returncode != 0 and text in done.stderr, done.stderr


def test_watching_costs_no_wake_ups(start_agent, bookinfo, tmp_path):
    (tmp_path / "resolv.conf").write_text(servers("127.0.0.11"))
    agent = start_agent("--source", f"dir:{bookinfo}", "--dns-resolv-conf", str(tmp_path / "resolv.conf"))
    tasks = pathlib.Path(f"/proc/{agent.pid}/task").iterdir()
    threads = {(task / "comm").read_text().strip(): task for task in tasks}

    def switches():
        return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", (threads["ist-dns"] / "status").read_text(), re.M)[1])

    def calm():
        before = switches()
        time.sleep(0.5)
        return switches() == before

    harness.wait_for(calm, "a DNS thread that sleeps")
