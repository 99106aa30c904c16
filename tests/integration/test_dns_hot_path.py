# SPDX-License-Identifier: Apache-2.0
"""What a plain local answer costs besides itself: no allocation, no lock, no system call but receiving, sending and waiting;
an idle agent sleeps; a question that is sent again gets the card that it had."""
import array
import mmap
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

import dns.message
import dns.rdatatype
import harness
import pytest

DOMAIN = "default.svc.cluster.local"
QUESTIONS = [f"{name}.{DOMAIN} {rdtype}" for name in ("reviews", "productpage", "ratings", "details") for rdtype in ("A", "AAAA")]
MANY = 100_000
WINDOW_S = 10
POD = ("--pod-namespace", "default", "--pod-ip", "10.250.0.1")


@pytest.fixture(scope="module")
def ask_many(tmp_path_factory):
    """ask_many(agent, count): plain questions, all answered."""
    folder = tmp_path_factory.mktemp("load")
    program = harness.compile_c("tests/bench/dnsload.c", folder / "dnsload")
    questions = folder / "questions"
    questions.write_text("\n".join(QUESTIONS) + "\n")

    def ask(agent, count=MANY):
        done = subprocess.run([program, "-p", str(agent.ports["dns"]), "-q", questions, "-n", str(count), "-t", "200"],
                              capture_output=True, text=True, check=True, timeout=250)
        found = {key: int(value) for key, value in re.findall(r'"(\w+)": (\d+)[,}]', done.stdout)}
        assert found["data"] == found["nodata"] == count / 2 and found["lost"] == found["other"] == 0, done.stdout

    return ask


def thread_named(pid, name):
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == name:
            return int(task.name)
    raise AssertionError(f"process {pid} has no thread {name}")


def move_an_endpoint(mesh):
    path = mesh / "ratings.yaml"
    text = path.read_text()
    found = re.search(r"addresses: \[\"?(\d+\.\d+\.\d+)\.(\d+)", text)
    path.write_text(text.replace(f"{found[1]}.{found[2]}", f"{found[1]}.{int(found[2]) + 100}"))


# --- Allocations and locks -------------------------------------------------------------------------------------------

@pytest.fixture
def counted_agent(start_agent, tmp_path, bookinfo):
    if b"__asan_init" in pathlib.Path(harness.binary()).read_bytes():
        pytest.skip("the sanitizer has an allocator of its own: counted in the release build")
    library = harness.compile_c("tests/support/hot_calls.c", tmp_path / "hot_calls.so", "-shared", "-fPIC")
    table = tmp_path / "counts"
    agent = start_agent("--source", f"dir:{bookinfo}", *POD,
                        env={"LD_PRELOAD": str(library), "HOT_CALLS_FILE": str(table)})
    dns_thread = thread_named(agent.pid, "ist-dns")
    with table.open("rb") as file:
        view = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)

    def counts():
        """Allocations and locks of the DNS thread so far."""
        numbers = array.array("Q", view[:])
        rows = [tuple(numbers[i + 1:i + 3]) for i in range(0, len(numbers), 3) if numbers[i] == dns_thread]
        return rows[0] if rows else (0, 0)

    yield agent, counts
    view.close()


def test_plain_answers_allocate_nothing_and_take_no_lock(counted_agent, ask_many):
    agent, counts = counted_agent
    ask_many(agent, 1000)  # the series of the metrics are made
    before = counts()
    ask_many(agent)
    assert counts() == before


def test_the_counters_of_allocations_and_locks_count(counted_agent, bookinfo):
    """Else the test above could not fail."""
    agent, counts = counted_agent
    agent.query(f"ratings.{DOMAIN}")
    before = counts()
    agent.query(f"v1._subset.reviews.{DOMAIN}")  # the first directive makes its scratch
    allocations = counts()[0]
    assert allocations > before[0]
    move_an_endpoint(bookinfo)  # a view is taken over under the store's lock
    harness.wait_for(lambda: counts()[1] > before[1], "the DNS thread to take a lock for a new view")


# --- System calls ----------------------------------------------------------------------------------------------------

@pytest.fixture
def traced_agent(start_agent, tmp_path, bookinfo, monkeypatch):
    """An agent under strace, which stops it in other calls than those of the plain path only; and its lines."""
    trace, wrapper = tmp_path / "trace", tmp_path / "traced"
    wrapper.write_text(f"""#!/bin/sh
exec {shutil.which("strace")} -D -f --seccomp-bpf -ttt -o {trace} \
  -e 'trace=!recvmmsg,sendmmsg,epoll_wait,clock_gettime' {harness.binary()} "$@"
""")
    wrapper.chmod(0o755)
    monkeypatch.setenv("ISTHMUS_BIN", str(wrapper))
    options = os.environ.get("ASAN_OPTIONS", "")
    agent = start_agent("--source", f"dir:{bookinfo}", *POD, env={"ASAN_OPTIONS": f"{options}:detect_leaks=0"})
    dns_thread = thread_named(agent.pid, "ist-dns")

    def calls(since_s):
        """What the DNS thread called since then (time.time())."""
        lines = [line.split(None, 2) for line in trace.read_text().splitlines()]
        return [line[2] for line in lines if line[0] == str(dns_thread) and float(line[1]) >= since_s]

    return agent, calls


def test_plain_answers_make_no_other_system_call(traced_agent, ask_many):
    agent, calls = traced_agent
    ask_many(agent, 1000)
    started_s = time.time()
    ask_many(agent)
    assert calls(started_s) == []


def test_the_trace_shows_other_system_calls(traced_agent):
    """Else the test above could not fail."""
    agent, calls = traced_agent
    started_s = time.time()
    agent.query(f"ratings.{DOMAIN}", tcp=True)
    harness.wait_for(lambda: any(call.startswith("accept4") for call in calls(started_s)), "the accept of a connection")


# --- Wake-ups --------------------------------------------------------------------------------------------------------

def switches(pid):
    """How often each thread has gone to sleep."""
    found = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        text = (task / "status").read_text()
        found[int(task.name)] = int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.M).group(1))
    return found


def wait_asleep(agent):
    """Until there is a window in which the DNS thread has slept and the process has hardly woken up."""
    dns_thread = thread_named(agent.pid, "ist-dns")
    seen = []
    for _ in range(6):
        before = switches(agent.pid)
        time.sleep(WINDOW_S)
        after = switches(agent.pid)
        dns_woke = after[dns_thread] - before[dns_thread]
        all_woke = sum(count - before.get(thread, 0) for thread, count in after.items())
        seen.append((dns_woke, all_woke))
        if dns_woke == 0 and all_woke <= 5 * WINDOW_S:
            return
    raise AssertionError(f"wake-ups of the DNS thread and of the process in {WINDOW_S} s, again and again: {seen}")


def test_idle_agent_sleeps(start_agent, bookinfo, ask_many):
    agent = start_agent("--source", f"dir:{bookinfo}", *POD)
    ask_many(agent, 1000)
    wait_asleep(agent)


@pytest.mark.istiod
def test_idle_agent_sleeps_beside_its_stream(start_istiod, start_agent, bookinfo):
    istiod = start_istiod("--dir", str(bookinfo))
    agent = start_agent(*istiod.plaintext_options(), *POD, "--pod-name", "idle")
    assert agent.addresses(f"ratings.{DOMAIN}")
    wait_asleep(agent)


# --- Questions that are sent again -----------------------------------------------------------------------------------

def first_of(client, question, id):
    question.id = id
    client.send(question.to_wire())
    reply = dns.message.from_wire(client.recv(4096))
    assert reply.id == id
    return reply.answer[0][0].address


def test_question_that_is_sent_again_gets_the_same_card(start_agent, bookinfo):
    agent = start_agent("--source", f"dir:{bookinfo}", *POD)
    question = dns.message.make_query(f"reviews.{DOMAIN}", dns.rdatatype.A)
    expected = {key.rpartition(":")[0]: share for key, share in agent.shares(f"reviews.{DOMAIN}").items()}
    seen = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.connect(("127.0.0.1", agent.ports["dns"]))
        for id in range(200):
            started = time.monotonic()
            first, again = first_of(client, question, id), first_of(client, question, id)
            assert first == again or time.monotonic() - started >= 1
            seen.append(first)
    shares = {address: seen.count(address) / len(seen) for address in expected}
    assert shares == pytest.approx(expected, abs=0.03)  # what was sent again has taken no cards from the others
