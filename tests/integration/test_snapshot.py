# SPDX-License-Identifier: Apache-2.0
"""The snapshot: what a restart answers while istiod is down, and what becomes of files that it cannot use."""

import os
import random
import signal
import subprocess
import threading

import dns.rcode
import pytest

import harness
import objects

POD = ("--pod-name", "client-1", "--pod-namespace", "default", "--pod-ip", "10.9.0.1")
REVIEWS = "reviews.default.svc.cluster.local"
NOBODY = ("--source", "istiod", "--xds-address", "127.0.0.1:9", "--xds-tls", "off", *POD)


def mesh(tmp_path):
    directory = tmp_path / "istiod"
    directory.mkdir()
    things = [
        *objects.app("reviews", {"v1": ["10.2.0.1", "10.2.0.2"], "v2": ["10.2.0.3"]}, ip="10.96.0.13"),
        objects.subsets("reviews", "v1", "v2"),
        objects.split("reviews", v1=90, v2=10),
        *objects.app("details", {"v1": ["10.2.1.1"]}, ip="10.96.0.11"),
        objects.service("db", headless=True, ports=((5432, 5432, "tcp"),)),
        objects.endpoint_slice("db", ["10.2.2.1", "10.2.2.2"], ports=((5432, "tcp"),)),
        objects.pod("db", "10.2.2.1"),
        objects.pod("db", "10.2.2.2"),
    ]
    (directory / "mesh.yaml").write_text(objects.dump(*things))
    return directory


@pytest.fixture
def launch():
    """As start_agent, but an agent may also have been killed."""
    agents = []

    def start(*args, **kwargs):
        agents.append(harness.Agent(*args, **kwargs))
        return agents[-1]

    yield start
    for agent in agents:
        code = agent.stop()
        assert code in (0, -signal.SIGKILL), agent.log()


@pytest.fixture
def istiod(start_istiod, tmp_path):
    return start_istiod("--dir", str(mesh(tmp_path)))


def snapshot_of(agent):
    return agent.status()["source"]["snapshot"]


def view(agent):
    seen = agent.view()
    seen.pop("revision")
    return seen


def is_stale(agent):
    return agent.http("/v1/status").headers["X-Isthmus-Stale"] == "true"


def wait_recorded(agent):
    """Until the snapshot holds the view that is shown."""
    harness.wait_for(
        lambda: not is_stale(agent) and snapshot_of(agent)["commits"] and snapshot_of(agent)["resources"],
        "a recorded view",
    )


def wait_recorded_or_held(agent):
    """Where all was held already nothing is written."""
    harness.wait_for(lambda: snapshot_of(agent)["resources"] and snapshot_of(agent)["revision"], "a recorded view")


def metric(agent, name):
    for line in agent.http("/metrics").body.splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise KeyError(name)


@pytest.mark.istiod
@pytest.mark.parametrize("mode", ["delta", "sotw"])
def test_restart_without_istiod_shows_the_last_view(launch, istiod, tmp_path, mode):
    file = tmp_path / "snapshot"
    keep = ("--snapshot", str(file), "--xds-mode", mode)
    first = launch(*istiod.plaintext_options(), *POD, *keep)
    wait_recorded(first)
    before, revision = view(first), first.view()["revision"]
    assert first.get("/v1/status")["source"]["snapshot"]["serving"] is False
    first.stop(signal.SIGKILL)

    second = launch(*NOBODY, *keep)  # ready at once, though there is no istiod
    assert view(second) == before
    assert second.view()["revision"] > revision
    assert is_stale(second)
    assert second.status()["stale"] is True
    assert snapshot_of(second)["serving"] is True
    assert metric(second, "isthmus_view_stale") == 1
    assert metric(second, "isthmus_snapshot_restored_resources") == snapshot_of(second)["restored"] > 0
    assert "restored from the snapshot" in second.http("/healthz/ready", port="health").body
    assert second.shares("reviews") == pytest.approx(
        {"10.2.0.1:8080": 0.45, "10.2.0.2:8080": 0.45, "10.2.0.3:8080": 0.1}
    )
    assert second.addresses("details.default.svc.cluster.local") == ["10.96.0.11"]
    assert second.addresses("db.default.svc.cluster.local") == ["10.2.2.1", "10.2.2.2"]


@pytest.mark.istiod
def test_dns_says_that_a_restored_view_is_stale(launch, istiod, tmp_path):
    keep = ("--snapshot", str(tmp_path / "snapshot"))
    first = launch(*istiod.plaintext_options(), *POD, *keep)
    wait_recorded(first)
    assert "Stale Answer" not in first.dig(REVIEWS)
    first.stop()
    second = launch(*NOBODY, *keep)
    text = second.dig(REVIEWS)
    assert "EDE: 3 (Stale Answer)" in text
    assert "status: NOERROR" in text
    assert "EDE" not in second.dig("+noedns", REVIEWS)


@pytest.mark.istiod
def test_restored_view_is_confirmed_and_follows_istiod(launch, istiod, tmp_path):
    keep = ("--snapshot", str(tmp_path / "snapshot"))
    first = launch(*istiod.plaintext_options(), *POD, *keep)
    wait_recorded(first)
    first.stop(signal.SIGKILL)
    # While nobody looks one service goes, one comes and one changes.
    istiod.delete("Service", "default", "details")
    istiod.apply(objects.dump(*objects.app("ratings", {"v1": ["10.2.3.1"]}, ip="10.96.0.14")))
    istiod.apply(objects.dump(objects.split("reviews", v1=50, v2=50)))
    second = launch(*istiod.plaintext_options(), *POD, *keep)
    harness.wait_for(lambda: not is_stale(second), "the confirmed view")
    assert snapshot_of(second)["serving"] is False
    fresh = launch(*istiod.plaintext_options(), *POD, "--snapshot", "off")
    harness.wait_for(lambda: view(second) == view(fresh), "the view of a fresh start")
    assert second.shares("reviews")["10.2.0.3:8080"] == pytest.approx(0.5)
    hosts = {service["host"] for service in second.get("/v1/services")["services"]}
    assert "ratings.default.svc.cluster.local" in hosts
    assert "details.default.svc.cluster.local" not in hosts
    wait_recorded(second)
    second.stop(signal.SIGKILL)
    third = launch(*NOBODY, *keep)
    assert view(third) == view(fresh)


@pytest.mark.istiod
def test_another_pods_snapshot_is_refused(launch, istiod, tmp_path):
    keep = ("--snapshot", str(tmp_path / "snapshot"))
    first = launch(*istiod.plaintext_options(), *POD, *keep)
    wait_recorded(first)
    first.stop()
    other = launch(*NOBODY, *keep, "--pod-name", "client-2", wait="listening")
    assert "it is the snapshot of pod client-1.default" in other.log()
    assert (tmp_path / "snapshot.refused").exists()
    assert other.status()["revision"] in (0, None)


@pytest.mark.istiod
def test_damaged_snapshots_do_no_harm(launch, istiod, tmp_path):
    file = tmp_path / "snapshot"
    keep = ("--snapshot", str(file))
    first = launch(*istiod.plaintext_options(), *POD, *keep)
    wait_recorded(first)
    right = view(first)
    first.stop()
    whole = file.read_bytes()
    rng = random.Random(5)
    damages = [b"", b"garbage", whole[:47], whole[: len(whole) // 2], whole[:-1], whole[:8] + b"\0\0\0\2" + whole[12:]]
    for _ in range(3):
        broken = bytearray(whole)
        broken[rng.randrange(len(broken))] ^= 0xFF
        damages.append(bytes(broken))
    for damage in damages:
        file.write_bytes(damage)
        agent = launch(*istiod.plaintext_options(), *POD, *keep)
        harness.wait_for(lambda shown=agent: not is_stale(shown) and view(shown) == right, "the right view")
        wait_recorded_or_held(agent)
        agent.stop()
        again = launch(*NOBODY, *keep)
        assert view(again) == right
        again.stop()


def kill_and_look(launch, istiod, keep, kills):
    """The split changes all the time, in whole steps; whenever the agent is killed, a restart shows a whole step."""
    ending = threading.Event()
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)

    def churn():
        step = 0
        while not ending.is_set():
            step += 1
            istiod.apply(objects.dump(objects.split("reviews", v1=10 + step % 80, v2=90 - step % 80)))

    first = launch(*istiod.plaintext_options(), *POD, *keep)
    wait_recorded(first)
    first.stop(signal.SIGKILL)
    changes = threading.Thread(target=churn, daemon=True)
    changes.start()
    seen = 0
    try:
        for _ in range(kills):
            agent = launch(*istiod.plaintext_options(), *POD, *keep)
            ending.wait(rng.uniform(0, 0.5))  # any moment will do
            seen = max(seen, agent.view()["revision"])
            agent.stop(signal.SIGKILL)
            offline = launch(*NOBODY, *keep)
            assert offline.view()["revision"] > seen
            seen = offline.view()["revision"]
            shares = offline.shares("reviews")
            assert set(shares) == {"10.2.0.1:8080", "10.2.0.2:8080", "10.2.0.3:8080"}
            assert shares["10.2.0.1:8080"] == pytest.approx(shares["10.2.0.2:8080"])
            assert sum(shares.values()) == pytest.approx(1)
            assert offline.addresses("details.default.svc.cluster.local") == ["10.96.0.11"]
            offline.stop(signal.SIGKILL)
    finally:
        ending.set()
        changes.join()


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 KiB; calling it makes it larger."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=False).returncode:
        pytest.skip("needs to mount a tmpfs")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.istiod
def test_full_disk_stops_the_recording_and_nothing_else(small_disk, launch, istiod):
    keep = ("--snapshot", str(small_disk / "snapshot"))
    agent = launch(*istiod.plaintext_options(), *POD, *keep)
    wait_recorded(agent)
    kept = view(agent)
    many = [thing for i in range(60) for thing in objects.app(f"more-{i}", {"v1": [f"10.3.0.{i + 1}"]}, ip=f"10.97.0.{i + 1}")]
    istiod.apply(objects.dump(*many))
    harness.wait_for(lambda: snapshot_of(agent)["failure"], "the failure")
    assert "No space left on device" in snapshot_of(agent)["failure"]
    assert metric(agent, "isthmus_snapshot_writable") == 0
    harness.wait_for(lambda: agent.addresses("more-59.default.svc.cluster.local") == ["10.97.0.60"], "the new service")
    assert not is_stale(agent)
    agent.stop(signal.SIGKILL)
    offline = launch(*NOBODY, *keep)
    assert view(offline) == kept
    offline.stop()
    subprocess.run(["mount", "-o", "remount,size=10m", small_disk], check=True)
    again = launch(*istiod.plaintext_options(), *POD, *keep)
    harness.wait_for(lambda: not is_stale(again) and snapshot_of(again)["commits"], "a recorded view")
    right = view(again)
    again.stop(signal.SIGKILL)
    assert view(launch(*NOBODY, *keep)) == right


@pytest.mark.istiod
def test_killed_under_load_every_restart_is_consistent(launch, istiod, tmp_path):
    kill_and_look(launch, istiod, ("--snapshot", str(tmp_path / "snapshot")), 6)


@pytest.mark.istiod
@pytest.mark.long
def test_killed_500_times_under_load_every_restart_is_consistent(launch, istiod, tmp_path):
    kill_and_look(launch, istiod, ("--snapshot", str(tmp_path / "snapshot")), 500)


def test_without_a_snapshot_names_are_forwarded(start_agent, tmp_path, upstream):
    agent = start_agent(
        *NOBODY, "--snapshot", str(tmp_path / "snapshot"), upstream=upstream.address, wait="listening"
    )
    assert snapshot_of(agent)["resources"] == 0
    assert agent.http("/healthz/ready", port="health").status == 503
    assert agent.query("www.example.com").rcode() == dns.rcode.NXDOMAIN
    assert ("www.example.com.", "A") in upstream.asked


def test_folder_that_is_not_there_is_a_warning(start_agent):
    agent = start_agent(*NOBODY, "--snapshot", "/nonexistent/folder/snapshot", wait="listening")
    assert "no snapshot: /nonexistent/folder/snapshot" in agent.log()
    assert snapshot_of(agent) is None


def test_default_is_off_outside_a_pod(start_agent):
    agent = start_agent(*NOBODY, env={"KUBERNETES_SERVICE_HOST": ""}, wait="listening")
    assert snapshot_of(agent) is None
    assert "snapshot" not in agent.log()


def test_directory_source_needs_none(start_agent, bookinfo, tmp_path):
    agent = start_agent("--source", f"dir:{bookinfo}", "--snapshot", str(tmp_path / "snapshot"))
    assert "--snapshot is for the source istiod" in agent.log()
    assert not (tmp_path / "snapshot").exists()
