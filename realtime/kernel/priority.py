"""Sets the priority of processes that work beside the pose path."""

from __future__ import annotations

import contextlib
import os


def yield_to_the_pose() -> None:
    """Lower this process's priority below all other processes, as far as the system allows."""
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    elif hasattr(os, "nice"):
        os.nice(19)


def hurry(pid: int | None) -> None:
    """Restore the priority of a process that yielded, once the run is over."""
    if hasattr(os, "SCHED_OTHER") and pid is not None:
        with contextlib.suppress(OSError):  # it has ended, or this is not permitted
            os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))
