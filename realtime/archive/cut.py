"""Keeps count of the videos that are solved in parts, and names the job that follows another."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace

from realtime.archive.job import Job, Solved

logger = logging.getLogger(__name__)


class Cut:
    """Videos that are being solved in parts."""

    def __init__(self) -> None:
        self.done = self.total = 0  # parts of this run
        self._left: dict[str, int] = {}  # by video
        self._cpu_s: dict[str, float] = {}

    def __str__(self) -> str:
        return f"{self.done} of {self.total} parts" if self.done < self.total else ""

    def next_jobs(self, job: Job, solved: Solved | None, died: str) -> Sequence[Job] | None:
        """Return the jobs that follow one that has ended; None if its video is over.

        solved, died: what its worker told, or the reason for which that is gone.
        """
        id_, parts = job.video.id, 0 if solved is None else solved.parts
        if parts:
            self._left[id_], self._cpu_s[id_] = parts, 0.0
            self.total += parts
            return [replace(job, part=number) for number in range(parts)]
        if job.part is None:
            return None
        if failed := died if solved is None else solved.failed:
            logger.warning("part %d of %s: %s; it is looked at when the whole is solved", job.part + 1, id_, failed)
        self.done += 1
        self._left[id_] -= 1
        self._cpu_s[id_] += 0.0 if solved is None else solved.cpu_s
        if self._left[id_]:
            return []
        del self._left[id_]
        return [replace(job, part=None, part_s=0.0, parts_cpu_s=self._cpu_s.pop(id_))]


def part_length_s(minutes: float, renew_every_s: float) -> float:
    """Return the length of parts in seconds: the minutes, and a whole number of times at which people are renewed."""
    return math.ceil(60.0 * minutes / renew_every_s) * renew_every_s
