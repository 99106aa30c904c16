# SPDX-License-Identifier: Apache-2.0
"""Liveness is about every thread: one of them is really stopped, while HTTP goes on."""

import ctypes
import os
import pathlib

import pytest

import harness

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000  # __WALL: threads, too


def ptrace(request, tid):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(request, tid, None, None) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x}")


def thread_of(agent, name):
    for task in pathlib.Path(f"/proc/{agent.pid}/task").iterdir():
        if (task / "comm").read_text().strip() == name:
            return int(task.name)
    raise KeyError(name)


def live(agent):
    return agent.http("/healthz/live", port="health")


def test_it_is_live_for_as_long_as_it_is_probed(start_agent, bookinfo):
    agent = start_agent("--source", f"dir:{bookinfo}")
    for _ in range(50):
        assert (live(agent).status, live(agent).body) == (200, "live\n")


@pytest.mark.long
@pytest.mark.parametrize("name", ["ist-dns", "ist-writer"])
def test_thread_that_hangs_is_named(start_agent, bookinfo, name):
    agent = start_agent("--source", f"dir:{bookinfo}")
    tid = thread_of(agent, name)
    ptrace(PTRACE_SEIZE, tid)
    try:
        ptrace(PTRACE_INTERRUPT, tid)
        os.waitpid(tid, WALL)
        harness.wait_for(lambda: live(agent).status == 503, "the verdict", 90)
        assert f"thread {name} has not moved for " in live(agent).body
    finally:
        ptrace(PTRACE_DETACH, tid)
    harness.wait_for(lambda: live(agent).status == 200, "life")
