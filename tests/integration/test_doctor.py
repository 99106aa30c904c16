# SPDX-License-Identifier: Apache-2.0
"""`isthmus doctor`: what it says of agents, resolv.conf files and upstreams that are well, and of those that are not."""

import contextlib
import http.server
import json
import socket
import subprocess
import threading
import time

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

import harness
import pod_network

OK, WARN, FAIL = "OK", "WARN", "FAIL"


def doctor(port, resolv_conf, code, *flags):
    """{check: [(result, text)]}"""
    words = ("doctor", "--admin", f"127.0.0.1:{port}", "--resolv-conf", str(resolv_conf), "-o", "json", *flags)
    done = harness.run(*words)
    assert done.returncode == code, done.stdout + done.stderr
    return by_check(done.stdout)


def by_check(text):
    answer = json.loads(text)
    found = {}
    for check in answer["checks"]:
        found.setdefault(check["check"], []).append((check["result"], check["text"]))
    for key in (OK, WARN, FAIL):
        assert answer[key.lower()] == sum(check["result"] == key for check in answer["checks"])
    return found


@contextlib.contextmanager
def retold(agent, **changes):
    """The admin port of an agent that tells other facts of itself: where packets to it really go, how old it is."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer = agent.http(self.path)
            body = json.dumps({**answer.json(), **changes} if self.path == "/v1/status" else answer.json()).encode()
            self.send_response(answer.status)
            self.send_header("X-Isthmus-Revision", "1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class WholeUpstream(harness.Upstream):
    """As that, by TCP too."""

    def __init__(self):
        udp, self.listener = harness.bind_udp_and_tcp()
        self.listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        super().__init__(udp)

    def _accept(self):
        with contextlib.suppress(OSError):  # until it is closed
            while True:
                with self.listener.accept()[0] as client:
                    length = int.from_bytes(client.recv(2), "big")
                    query = dns.message.from_wire(client.recv(length))
                    question = query.question[0]
                    reply = self._reply(query, question.name.to_text().lower(), question.rdtype).to_wire()
                    client.sendall(len(reply).to_bytes(2, "big") + reply)

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        super().stop()


@pytest.fixture
def upstream():
    server = WholeUpstream()
    yield server
    server.stop()


@pytest.fixture
def alone(tmp_path):
    """A resolv.conf that names the agent and nobody else."""
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 127.0.0.1\nsearch default.svc.cluster.local svc.cluster.local\noptions ndots:5\n")
    return path


@pytest.fixture
def deaf():
    """A port of loopback where nobody listens, and nobody can."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def agent(start_agent, bookinfo, upstream):
    return start_agent("--source", f"dir:{bookinfo}", upstream=upstream.address)


def test_all_is_well(agent, upstream, alone):
    found = doctor(agent.ports["admin"], alone, 0)
    assert not [check for check, results in found.items() if FAIL in dict(results)]
    assert found["agent"][0][0] == found["view"][0][0] == found["dns-mode"][0][0] == OK
    assert found["resolv-conf"] == [(OK, f"{alone} names the agent alone")]
    assert found["search"] == [(OK, "ndots 5, search default.svc.cluster.local svc.cluster.local")]
    assert found["capture"][0][0] == OK and "answers itself, by UDP" in found["capture"][0][1]
    assert found["upstream"][0][0] == OK and upstream.address in found["upstream"][0][1]
    assert ("isthmus-doctor.invalid.", "A") in upstream.asked
    assert found["report"] == [(OK, "3 findings; `isthmus report` lists what a door cannot honour")]
    # Tests have no port 53, and that is told.
    assert found["dns-door"][0][0] == WARN and "only name port 53" in found["dns-door"][0][1]


def test_table_and_help(agent, alone):
    words = ("doctor", "--admin", f"127.0.0.1:{agent.ports['admin']}", "--resolv-conf", str(alone))
    lines = harness.run(*words).stdout.splitlines()
    assert lines[0].split() == ["RESULT", "CHECK", "FINDING"]
    assert {line.split()[0] for line in lines[1:]} == {OK, WARN}
    done = harness.run("doctor", "--help")
    assert done.returncode == 0 and "--resolv-conf" in done.stdout and "FAIL (doctor)" in done.stdout
    assert "isthmus doctor " in harness.run("--help").stdout


@pytest.mark.parametrize(
    "servers, result, words",
    [
        (["127.0.0.1", "10.96.0.10"], WARN, "musl"),
        (["10.96.0.10"], FAIL, "write `nameserver 127.0.0.1`"),
        (["10.96.0.10", "127.0.0.1"], FAIL, "make `nameserver 127.0.0.1` the first"),
        ([], FAIL, "write `nameserver 127.0.0.1`"),
        (["127.0.0.53"], FAIL, "resolvectl dns"),
    ],
)
def test_order_of_resolv_conf(agent, tmp_path, servers, result, words):
    path = tmp_path / "resolv.conf"
    path.write_text("".join(f"nameserver {server}\n" for server in servers))
    found = doctor(agent.ports["admin"], path, 4 if result == FAIL else 0)
    assert found["resolv-conf"][0][0] == result and words in found["resolv-conf"][0][1]
    assert found["search"][0][0] == WARN and found["search"][0][1].startswith("ndots 1, search nothing")


def test_resolv_conf_that_is_missing(agent, tmp_path):
    found = doctor(agent.ports["admin"], tmp_path / "nothing", 4)
    assert found["resolv-conf"][0][0] == FAIL and "--resolv-conf" in found["resolv-conf"][0][1]


def test_door_on_every_address(start_agent, bookinfo, upstream, alone, tmp_path):
    agent = start_agent("--source", f"dir:{bookinfo}", "--dns-listen", "0.0.0.0:0", upstream=upstream.address)
    found = doctor(agent.ports["admin"], alone, 0)
    assert found["resolv-conf"][0][0] == found["capture"][0][0] == OK
    other = tmp_path / "other"
    other.write_text("nameserver 192.0.2.1\n")  # of no machine (RFC 5737)
    found = doctor(agent.ports["admin"], other, 4)
    assert found["resolv-conf"][0][0] == FAIL and "write `nameserver 127.0.0.1`" in found["resolv-conf"][0][1]


def test_no_agent(alone, deaf):
    done = harness.run("doctor", "--admin", f"127.0.0.1:{deaf}", "--resolv-conf", str(alone))
    assert done.returncode == 3 and "no agent at" in done.stderr
    assert "FAIL" in done.stdout and "ndots 5" in done.stdout


def test_agent_of_another_version(agent, alone):
    with retold(agent, version="9.9.9") as port:
        found = doctor(port, alone, 0)
    assert found["agent"][0][0] == WARN and "9.9.9" in found["agent"][0][1]


def test_stale_view_and_errors_of_the_source(agent, alone):
    types = {"CDS": {"last_error": "no such cluster"}, "EDS": {"last_error": None}}
    with retold(agent, stale=True, source={"kind": "istiod", "last_error": "reset", "types": types}) as port:
        found = doctor(port, alone, 0)
    assert found["view"][0][0] == WARN and "stale" in found["view"][0][1]
    assert [text for _, text in found["source"]] == ["the last error of the stream: reset", "CDS: refused last: no such cluster"]


def test_view_that_never_came(alone, deaf, start_agent, upstream):
    agent = start_agent(
        *("--xds-address", f"127.0.0.1:{deaf}", "--xds-tls", "off"), upstream=upstream.address, wait="listening"
    )
    found = doctor(agent.ports["admin"], alone, 4)
    assert found["view"][0][0] == FAIL and "never been synchronised" in found["view"][0][1]
    assert found["capture"][0][0] == WARN


def test_door_that_is_off(start_agent, bookinfo, upstream, alone):
    agent = start_agent("--source", f"dir:{bookinfo}", "--dns-listen", "off", upstream=upstream.address)
    found = doctor(agent.ports["admin"], alone, 4)
    assert found["dns-door"][0][0] == FAIL and "--dns-listen" in found["dns-door"][0][1]
    assert "capture" not in found and "resolv-conf" not in found


def test_mode_that_does_not_serve(agent, alone):
    assert agent.http("/dns?mode=forward", method="POST").status == 200
    found = doctor(agent.ports["admin"], alone, 0)
    assert found["dns-mode"][0][0] == WARN and "isthmus dns-mode serve" in found["dns-mode"][0][1]
    assert found["capture"][0][0] == WARN


def test_capture_by_another_name_server(agent, upstream, alone):
    with retold(agent, listeners={"dns": [upstream.address]}, upstreams=[]) as port:
        found = doctor(port, alone, 4)
    assert found["capture"][0][0] == FAIL and "ISTIO_META_DNS_CAPTURE" in found["capture"][0][1]
    assert ("_why.details.default.svc.cluster.local.", "TXT") in upstream.asked


class ToAgent(harness.Upstream):
    """Hands what comes by UDP to the agent, and nobody is there by TCP."""

    def __init__(self, agent):
        self.agent = agent
        super().__init__()

    def _reply(self, query, name, rdtype):
        return dns.query.udp(query, "127.0.0.1", port=self.agent.ports["dns"], timeout=10)


def test_door_that_is_closed_by_tcp(agent, alone):
    door = ToAgent(agent)
    try:
        with retold(agent, listeners={"dns": [door.address]}, upstreams=[]) as port:
            found = doctor(port, alone, 4)["capture"]
    finally:
        door.stop()
    assert [result for result, _ in found] == [FAIL] and " by TCP: " in found[0][1]


def test_no_upstream(agent, alone):
    with retold(agent, upstreams=[]) as port:
        assert doctor(port, alone, 0)["upstream"][0][0] == WARN


def test_upstream_that_is_silent(agent, upstream, alone):
    upstream.silent = True
    other = WholeUpstream()
    start = time.monotonic()
    try:
        with retold(agent, upstreams=[upstream.address, other.address]) as port:
            assert [result for result, _ in doctor(port, alone, 0)["upstream"]] == [WARN, OK]
    finally:
        other.stop()
    found = doctor(agent.ports["admin"], alone, 4)
    assert [result for result, _ in found["upstream"]] == [WARN, FAIL] and "no answer within 2 s" in found["upstream"][0][1]
    assert time.monotonic() - start < harness.DEADLINE_S


def test_upstreams_of_routes(start_agent, bookinfo, upstream, alone, deaf):
    """Each is asked a name of its domain."""
    asked = WholeUpstream()
    try:
        routed = ("--dns-route", f"corp.example={asked.address}")
        agent = start_agent("--source", f"dir:{bookinfo}", *routed, upstream=upstream.address)
        found = doctor(agent.ports["admin"], alone, 0)["upstream"]
        assert [result for result, _ in found] == [OK, OK] and "(for corp.example) answers" in found[1][1]
        names = {name for name, _ in asked.asked if not name.startswith("_why.")}  # that looks for a loop
        assert names == {"isthmus-doctor.corp.example."}
    finally:
        asked.stop()
    with retold(agent, upstream_routes={"corp.example": [f"127.0.0.1:{deaf}"]}) as port:
        found = doctor(port, alone, 4)["upstream"]
    assert [result for result, _ in found] == [OK, WARN, FAIL] and "names below it fail; look at --dns-route" in found[2][1]


def test_upstream_that_loops(agent, alone):
    itself = f"127.0.0.1:{agent.ports['dns']}"
    with retold(agent, upstreams=[itself, "127.0.0.53:53"]) as port:
        found = doctor(port, alone, 4)
    assert [result for result, _ in found["upstream"]] == [FAIL, FAIL]
    assert "the agent itself" in found["upstream"][0][1] and "systemd-resolved" in found["upstream"][1][1]


# --- resolv.conf and what else resolves ------------------------------------------------------------------------------

@pytest.fixture
def root(tmp_path):
    """The files of an application's container where all is well: glibc, the agent alone."""
    for folder in ("etc/istio/pod", "lib", "run/nscd", "run/systemd/resolve"):
        (tmp_path / "root" / folder).mkdir(parents=True)
    files = tmp_path / "root"
    (files / "etc/resolv.conf").write_text("nameserver 127.0.0.1\nsearch default.svc.cluster.local svc.cluster.local\n"
                                           "options ndots:5\n")
    (files / "etc/nsswitch.conf").write_text("passwd: files\nhosts:\t files dns # both\n")
    (files / "etc/istio/pod/annotations").write_text('sidecar.istio.io/status="{}"\n')
    return files


def doctor_of(agent, root, code, *flags):
    done = harness.run("doctor", "--admin", f"127.0.0.1:{agent.ports['admin']}", "--root", str(root), "-o", "json", *flags)
    assert done.returncode == code, done.stdout + done.stderr
    return by_check(done.stdout)


def test_container_where_all_is_well(agent, root):
    found = doctor_of(agent, root, 0)
    assert found["resolv-conf"] == [(OK, f"{root}/etc/resolv.conf names the agent alone")]
    assert found["nsswitch"] == [(OK, "hosts: files dns")]
    assert found["istio-dns"][0][0] == OK and "nscd" not in found


@pytest.mark.parametrize("flags, result, words", [
    ((), WARN, "--libc glibc"),
    (("--libc", "glibc"), OK, "which glibc asks where it is silent"),
    (("--libc", "musl"), WARN, "the C library is musl"),
])
def test_others_behind_the_agent_by_c_library(agent, root, flags, result, words):
    with (root / "etc/resolv.conf").open("a") as file:
        file.write("nameserver 10.96.0.10\n")
    found = doctor_of(agent, root, 0, *flags)
    assert [each[0] for each in found["resolv-conf"]] == [result] and words in found["resolv-conf"][0][1]


def test_musl_is_found_by_its_loader(agent, root):
    with (root / "etc/resolv.conf").open("a") as file:
        file.write("nameserver 10.96.0.10\n")
    (root / "lib/ld-musl-x86_64.so.1").touch()
    assert "the C library is musl" in doctor_of(agent, root, 0)["resolv-conf"][0][1]
    assert doctor_of(agent, root, 0, "--libc", "glibc")["resolv-conf"][0][0] == OK


def test_rotation_and_too_many_servers(agent, root):
    with (root / "etc/resolv.conf").open("a") as file:
        file.write("".join(f"nameserver 10.96.0.{n}\n" for n in range(10, 13)) + "options timeout:1 rotate\n")
    found = doctor_of(agent, root, 4, "--libc", "glibc")["resolv-conf"]
    assert [result for result, _ in found] == [OK, WARN, FAIL]
    assert "libraries read the first 3" in found[1][1] and "options rotate" in found[2][1]


@pytest.mark.parametrize("lines, words", [
    ("search prod.svc.cluster.local svc.cluster.local\noptions ndots:5", "begin with default.svc.DOMAIN"),
    ("search default.svc.cluster.local", "options ndots:5"),
    ("options ndots:5", "found in full only"),
])
def test_search_list(agent, root, lines, words):
    (root / "etc/resolv.conf").write_text(f"nameserver 127.0.0.1\n{lines}\n")
    found = doctor_of(agent, root, 0)["search"]
    assert found[0][0] == WARN and words in found[0][1]


def test_glibc_that_asks_others_or_nobody(agent, root):
    (root / "etc/nsswitch.conf").write_text("hosts: files resolve [!UNAVAIL=return] dns\n")
    assert doctor_of(agent, root, 0)["nsswitch"][0][0] == OK  # nobody is there: glibc goes on to DNS
    (root / "run/systemd/resolve/io.systemd.Resolve").touch()
    found = doctor_of(agent, root, 4)["nsswitch"]
    assert found[0][0] == FAIL and "take `resolve` out" in found[0][1]
    (root / "etc/nsswitch.conf").write_text("hosts: files mdns4_minimal\n")
    found = doctor_of(agent, root, 4)["nsswitch"]
    assert found[0][0] == FAIL and "add `dns`" in found[0][1]
    (root / "etc/nsswitch.conf").unlink()
    assert "nsswitch" not in doctor_of(agent, root, 0)


def test_nscd(agent, root):
    (root / "run/nscd/socket").touch()
    found = doctor_of(agent, root, 0)["nscd"]
    assert found[0][0] == WARN and "enable-cache hosts no" in found[0][1]


@pytest.mark.parametrize("value, result", [("true", WARN), ("false", OK)])
def test_annotation_that_asks_for_capture(agent, root, value, result):
    inner = json.dumps({"proxyMetadata": {"ISTIO_META_DNS_CAPTURE": value}})
    (root / "etc/istio/pod/annotations").write_text(f"proxy.istio.io/config={json.dumps(inner)}\n")
    assert doctor_of(agent, root, 0)["istio-dns"][0][0] == result


# --- Upstreams -------------------------------------------------------------------------------------------------------

class Picky(harness.Upstream):
    """A name server with a fault: `ignores(query)` is what it never answers, `rcode` what it says else."""

    def __init__(self, ignores=lambda query: False, rcode=dns.rcode.NXDOMAIN):
        self.ignores, self.rcode = ignores, rcode
        super().__init__()

    def _reply(self, query, name, rdtype):
        reply = dns.message.make_response(query, recursion_available=True)
        reply.set_rcode(self.rcode)
        return reply

    def _ignores(self, query):
        return self.ignores(query)


def judged(agent, alone, upstream, code=0):
    try:
        with retold(agent, upstreams=[upstream.address]) as port:
            return doctor(port, alone, code)["upstream"]
    finally:
        upstream.stop()


def test_upstream_that_refuses(agent, alone):
    found = judged(agent, alone, Picky(rcode=dns.rcode.REFUSED))
    assert found[0][0] == WARN and "allow recursion" in found[0][1]


def test_upstream_that_fails(agent, alone):
    found = judged(agent, alone, Picky(rcode=dns.rcode.SERVFAIL))
    assert found[0][0] == WARN and "answers SERVFAIL" in found[0][1]


def test_upstream_that_ignores_aaaa(agent, alone):
    found = judged(agent, alone, Picky(lambda query: query.question[0].rdtype == dns.rdatatype.AAAA))
    assert [result for result, _ in found] == [OK, WARN, WARN] and "of AAAA: no answer within 2 s" in found[1][1]


def test_upstream_without_tcp(agent, alone):
    found = judged(agent, alone, Picky())
    assert [result for result, _ in found] == [OK, WARN] and "by TCP: " in found[1][1] and "open TCP port" in found[1][1]


def test_upstream_behind_a_firewall_that_drops_edns(agent, alone):
    found = judged(agent, alone, Picky(lambda query: query.edns >= 0))
    assert [result for result, _ in found] == [WARN] and "only questions without EDNS" in found[0][1]


def test_upstream_that_asks_the_agent(agent, start_agent, bookinfo, alone):
    """A loop of two: the upstream hands all that it is asked to the agent."""
    other = start_agent("--source", f"dir:{bookinfo}", "--dns-mode", "forward", upstream=f"127.0.0.1:{agent.ports['dns']}")
    with retold(agent, upstreams=[f"127.0.0.1:{other.ports['dns']}"]) as port:
        found = doctor(port, alone, 4)["upstream"]
    assert [result for result, _ in found] == [FAIL] and "asks this agent: what we forward comes back" in found[0][1]


# --- In a pod of its own: port 53, packet filters, Istio's real DNS proxy ---------------------------------------------

in_a_pod = pytest.mark.skipif(not pod_network.POSSIBLE, reason="needs root and unshare")


class Pod(pod_network.Pod):
    def doctor(self, code, *flags):
        words = [*self.inside, harness.binary(), "doctor", "-o", "json", *flags]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60, env=harness.environment())
        assert done.returncode == code, done.stdout + done.stderr
        return by_check(done.stdout)


@pytest.fixture
def start_pod(tmp_path, bookinfo):
    pods = []

    def start(*args, setup=""):
        pods.append(Pod(tmp_path, bookinfo, ["10.244.1.5/24"], ["10.244.1.1"], *args, setup=setup))
        return pods[-1]

    yield start
    for pod in pods:
        pod.stop()


@in_a_pod
def test_pod_where_all_is_well(start_pod):
    pod = start_pod("--dns-upstream", "10.244.1.5:5300")
    found = pod.doctor(4)
    assert found["dns-door"] == [(OK, "listens on 127.0.0.53:53")]
    assert found["resolv-conf"][0][0] == found["search"][0][0] == found["nsswitch"][0][0] == found["capture"][0][0] == OK
    assert found["upstream"][-1][0] == FAIL  # there is none in this pod
    assert "istio-dns" not in found


@in_a_pod
def test_port_53_that_another_has(start_pod):
    taker = "import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); " \
            "s.bind((\"127.0.0.1\", 53)); time.sleep(600)"
    pod = start_pod("--dns-listen", "127.0.0.1:53",
                    setup=f"setpriv --pdeathsig KILL python3 -c '{taker}' &\n"  # ends with the pod
                          "until grep -q 0100007F:0035 /proc/net/udp; do sleep 0.05; done")
    found = pod.doctor(4)["dns-door"]
    assert found[0][0] == FAIL and "another program has port 53" in found[0][1]


@in_a_pod
def test_port_53_that_may_not_be_bound(start_pod):
    pod = start_pod("--dns-listen", "off")
    words = [*pod.inside, "setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-all", "--reuid=65534", "--clear-groups",
             harness.binary(), "doctor", "-o", "json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60, env=harness.environment())
    found = by_check(done.stdout)["dns-door"]
    assert done.returncode == 4 and found[0][0] == FAIL and "NET_BIND_SERVICE" in found[0][1]


REDIRECT = "\n".join(
    f"iptables -t nat -A OUTPUT -p {proto} --dport 53 -d 127.0.0.53/32 -m owner ! --gid-owner 1337 -j REDIRECT --to-ports 15053"
    for proto in ("udp", "tcp"))


@in_a_pod
@pytest.mark.istiod
def test_capture_by_istio(start_pod, tmp_path):
    """istio-agent's own DNS proxy answers addresses of the services that it knows and hands the rest to the agent, as in a pod
    with DNS capture: only the form of the answers gives it away."""
    (tmp_path / "names").write_text("details.default.svc.cluster.local 10.96.0.11\n")
    proxy = [harness.go_program("istiodns"), "127.0.0.1:15053", "default", str(tmp_path / "names")]
    pod = start_pod("--dns-upstream", "10.244.1.5:5300", setup=REDIRECT)
    child = subprocess.Popen([*pod.inside, "setpriv", "--regid=1337", "--clear-groups", *proxy],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        harness.wait_for(lambda: "3ACD" in pod.run("cat /proc/net/udp /proc/net/udp6"), "Istio's DNS proxy")
        found = pod.doctor(4)
        assert found["istio-dns"][0][0] == WARN and "port 15053" in found["istio-dns"][0][1]
        assert found["capture"][-1][0] == FAIL and "ISTIO_META_DNS_CAPTURE" in found["capture"][-1][1]
        assert "passes only what it does not know on to us" in found["capture"][-1][1]
    finally:
        child.terminate()
        child.wait(10)
