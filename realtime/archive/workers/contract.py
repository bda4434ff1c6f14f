"""Contract of workers, which solve jobs elsewhere."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Protocol

from realtime.archive.job import Job, Solved

WORKER_BYTES = 700 << 20  # that a worker may need for video of 1080p


@dataclass(frozen=True, slots=True)
class Ended:
    """End of a job: what its worker told, or the reason for which that is gone."""

    job: Job
    solved: Solved | None
    died: str = ""
    out_of_memory: bool = False


class Workers(Protocol):
    """Workers that solve jobs. One thread calls them."""

    description: str

    @property
    def capacity(self) -> int:
        """Number of jobs that may be in flight, 1 or more; may change."""
        ...

    def submit(self, job: Job) -> None:
        """Give a job to a worker; fewer than `capacity` are in flight."""

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the jobs that have ended, after that time at most."""

    def lessen(self) -> None:
        """Lower the number of jobs in flight by one, if there are two: memory is short."""

    def close(self) -> None:
        """End the workers at once; jobs in flight are lost."""


def available_cores() -> set[int]:
    """Return the numbers of the cores that this process may use."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
