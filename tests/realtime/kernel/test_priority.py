"""Priorities of processes beside the pose path, on this system's own scheduler."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from realtime.kernel.priority import hurry

WITH_A_THREAD = """
import sys, threading
from realtime.kernel.priority import yield_to_the_pose
threading.Thread(target=threading.Event().wait, daemon=True).start()
yield_to_the_pose()
print(flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a class of idle threads")
def test_a_process_yields_and_hurries_with_all_its_threads():
    """Only the thread that asked did: one that a library had begun went on as before, and back."""
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", WITH_A_THREAD], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        threads = [thread.id for thread in psutil.Process(process.pid).threads()]
        assert len(threads) == 2
        assert {os.sched_getscheduler(thread) for thread in threads} == {os.SCHED_IDLE}
        hurry(process.pid)
        assert {os.sched_getscheduler(thread) for thread in threads} == {os.SCHED_OTHER}
        process.stdin.close()
    hurry(process.pid)  # it is gone


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's scheduler is asked")
@pytest.mark.parametrize("permitted", [True, False])
def test_a_process_precedes_the_pose_and_tells_how(permitted: bool):
    """As far as the system permits it: an ordinary user goes on as before. A later thread inherits it."""
    code = """
import os, resource, sys, threading
from realtime.kernel.priority import precede_the_pose
if sys.argv[1] == "False":
    resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
    resource.setrlimit(resource.RLIMIT_NICE, (0, 0))
    if os.getuid() == 0:
        os.setuid(65534)
how = precede_the_pose()
threading.Thread(target=lambda: print(how, os.sched_getscheduler(0) == os.SCHED_RR, os.getpriority(0, 0) < 0)).start()
"""
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-c", code, str(permitted)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    said = done.stdout.strip()
    ways = {"real-time priority True False", "raised priority False True", "ordinary priority False False"}
    assert said in (ways if permitted else {"ordinary priority False False"})
