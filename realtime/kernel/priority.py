"""Sets the priority of processes that work beside the pose path, and the cores of those that share a machine."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Collection
from pathlib import Path

_RAISED = -10  # niceness of a process that precedes the pose, where real time is not permitted


def yield_to_the_pose() -> None:
    """Lower the priority of this process, with the threads that libraries have begun, as far as the system allows.

    On Linux its threads then run on free cores only: a thread of the pose path that wakes takes the core at once. A
    high niceness alone does not give that.
    """
    if sys.platform == "linux":
        _schedule("self", os.SCHED_IDLE)
    elif sys.platform == "win32":
        _go_after_normal_ones()
    else:
        os.nice(19)


def hurry(pid: int | None) -> None:
    """Restore the priority of a process that yielded, once the run is over."""
    if sys.platform == "linux" and pid is not None:
        with contextlib.suppress(OSError):  # it has ended, or this is not permitted
            _schedule(str(pid), os.SCHED_OTHER)


def precede_the_pose() -> str:
    """Raise this process's priority above all ordinary ones, as far as the system permits; return how, for the log.

    Threads that start later inherit it. The process must sleep most of its time.
    """
    if hasattr(os, "SCHED_RR"):
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(os.sched_get_priority_min(os.SCHED_RR)))
            return "real-time priority"
    if hasattr(os, "setpriority"):
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, _RAISED)
            return "raised priority"
    return "ordinary priority"


def keep_to(pid: int | None, cores: Collection[int]) -> None:
    """Let the threads of a process, and those that they begin, run on these cores only; Linux alone can."""
    if sys.platform == "linux" and pid is not None:
        with contextlib.suppress(OSError):  # it has ended
            for thread in Path("/proc", str(pid), "task").iterdir():
                with contextlib.suppress(OSError):  # the thread has, or the cores are no longer ours
                    os.sched_setaffinity(int(thread.name), cores)


def _schedule(process: str, policy: int) -> None:
    """Give all threads of a process, by its name in /proc, a policy; later threads inherit it."""
    if sys.platform == "linux":
        for thread in Path("/proc", process, "task").iterdir():
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.sched_setscheduler(int(thread.name), policy, os.sched_param(0))


def _go_after_normal_ones() -> None:
    """Take the class below the normal one: Windows runs none of its threads while a normal one wants the core."""
    if sys.platform == "win32":
        import ctypes
        from ctypes import wintypes

        below_normal = 0x4000
        kernel = ctypes.WinDLL("kernel32")
        kernel.GetCurrentProcess.restype = wintypes.HANDLE
        kernel.SetPriorityClass.argtypes = (wintypes.HANDLE, wintypes.DWORD)
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), below_normal)
