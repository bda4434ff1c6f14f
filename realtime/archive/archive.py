"""Runs an archive: finds what is left to do, gives it to workers, and keeps account of everything."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from engine.errors import UserError
from realtime.archive.cut import Cut
from realtime.archive.job import LOOKS, WORK, Job, stamp_of
from realtime.archive.progress import Progress
from realtime.archive.results.amass import lay_out_amass
from realtime.archive.results.manifest import write_manifest
from realtime.archive.results.page import write_page
from realtime.archive.results.quality import Condition
from realtime.archive.results.record import Record, read_record
from realtime.archive.videos import Found
from realtime.archive.workers.contract import Ended, Workers
from realtime.run.config import LiveConfig

logger = logging.getLogger(__name__)

_MANIFEST_S = 300.0  # between two manifests of a run that goes on
_WAIT_S = 0.5


@dataclass(frozen=True)
class Plan:
    """Archive to make."""

    found: Found
    out: Path
    config: LiveConfig
    conditions: Sequence[Condition] = ()
    amass: bool = False
    keep_free_bytes: int = 0
    part_s: float = 0.0  # a longer video is cut into parts of this length where workers would stand idle; 0: never


class Archive:
    """One run over an archive. What earlier runs have done stays; `records` are those of all videos so far."""

    def __init__(self, plan: Plan) -> None:
        """Read what is done. Raises UserError if the archive's folder cannot be written to."""
        self._plan = plan
        jobs = [Job(video, plan.config, plan.out, part_s=plan.part_s) for video in plan.found.videos]
        self.records: dict[str, Record] = {}
        self._first: list[Job] = []
        self._again: list[Job] = []  # failed once
        for job in jobs:
            self._look_up(job)
        self._cut = Cut()
        self.disk_is_full = False

    @property
    def done(self) -> list[Record]:
        """Records of solved videos, in the order of the input."""
        return [record for record in self._in_order() if record.status == "done"]

    @property
    def failed(self) -> list[Record]:
        """Records of videos that failed."""
        return [record for record in self._in_order() if record.status == "failed"]

    def run(self, workers: Workers) -> None:
        """Solve what is left, then once more what has failed. Raises OSError if the manifest cannot be written."""
        written = time.monotonic()
        with Progress(self._plan.found.videos, self.done) as progress:
            try:
                for attempt in (1, 2):
                    for ended in self._ended(workers, self._first if attempt == 1 else self._again, progress):
                        record = self._account(ended, last=attempt == 2)
                        progress.ended(record)
                        if time.monotonic() - written > _MANIFEST_S:
                            write_manifest(self._plan.out, self._in_order(), self._plan.conditions)
                            written = time.monotonic()
                if len(self.records) == len(self._plan.found.videos):
                    shutil.rmtree(self._plan.out / LOOKS, ignore_errors=True)
            finally:
                workers.close()
                logger.info("%s", progress)
                self.write()

    def write(self) -> None:
        """Write manifest, page and data set of all records so far. Raises OSError."""
        plan, records = self._plan, self._in_order()
        write_manifest(plan.out, records, plan.conditions)
        write_page(plan.out, records, plan.found.unreadable, len(plan.found.videos))
        if plan.amass:
            lay_out_amass(plan.out, self.done, plan.conditions)

    def _ended(self, workers: Workers, jobs: Iterable[Job], progress: Progress) -> Iterator[Ended]:
        """Yield the jobs as they end; on a full disk no further one begins."""
        waiting, running = deque(jobs), 0
        while waiting or running:
            while waiting and running < workers.capacity:
                if self._is_short_of_disk():
                    waiting.clear()
                    break
                job = waiting.popleft()
                if job.part is None and len(waiting) >= workers.capacity - 1:  # every worker has a video of its own
                    job = replace(job, part_s=0.0)
                workers.submit(job)
                running += 1
            for ended in workers.wait(_WAIT_S):
                running -= 1
                if ended.out_of_memory:
                    workers.lessen()
                    logger.warning("memory is short: %d at once from now on", workers.capacity)
                following = self._cut.next_jobs(ended.job, ended.solved, ended.died)
                if following is None:
                    yield ended
                else:
                    waiting.extendleft(reversed(following))
            progress.show(str(self._cut))

    def _account(self, ended: Ended, *, last: bool) -> Record:
        job, record = ended.job, None if ended.solved is None else ended.solved.record
        if record is None and (done := read_record(job.done_folder)) is not None and _still_holds(done, job):
            record = done  # its worker died between the last file and the word of it
        if record is None:
            record = job.failed(ended.died)
            job.failure_folder.mkdir(parents=True, exist_ok=True)
            record.write(job.failure_folder)
        self.records[record.id] = record
        if record.status == "failed":
            logger.log(logging.ERROR if last else logging.WARNING, "%s: %s", record.id, record.error)
            if not last:
                self._again.append(replace(job, attempt=record.attempts + 1))
        return record

    def _look_up(self, job: Job) -> None:
        """Sort a job by what earlier runs left of it."""
        done, failed = read_record(job.done_folder), read_record(job.failure_folder)
        if done is not None and _still_holds(done, job):
            self.records[job.video.id] = replace(done, columns=job.video.columns)
            return
        if done is not None and done.settings == job.settings:
            job = replace(job, earlier=done)
        if failed is not None and failed.settings == job.settings:
            self.records[job.video.id] = replace(failed, columns=job.video.columns)
            self._again.append(replace(job, attempt=failed.attempts + 1))
        else:
            self._first.append(job)

    def _is_short_of_disk(self) -> bool:
        free = shutil.disk_usage(self._plan.out).free
        if free < self._plan.keep_free_bytes and not self.disk_is_full:
            self.disk_is_full = True
            logger.error(
                "%.1f GB are free in %s: nothing more begins; make room, then run this again, or lower --keep-free",
                *(free / 1e9, self._plan.out),
            )
        return self.disk_is_full

    def _in_order(self) -> list[Record]:
        return [self.records[video.id] for video in self._plan.found.videos if video.id in self.records]


def _still_holds(done: Record, job: Job) -> bool:
    """Return whether a result is of these settings and of the input as it is."""
    if done.settings != job.settings:
        return False
    try:
        return stamp_of(job.video) == done.stamp
    except UserError:
        return True  # out of reach for now: what was made of it stays


@contextmanager
def opened(out: Path) -> Iterator[None]:
    """Own the archive's folder meanwhile, and clear what a killed run left. Raises UserError."""
    try:
        (out / WORK).mkdir(parents=True, exist_ok=True)
        lock = (out / WORK / "lock").open("a")
    except OSError as error:
        raise UserError(f"cannot write to {out}: {error.strerror}; name another folder") from error
    with lock:
        if os.name == "posix":
            import fcntl

            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(f"another process makes the archive {out}: wait for it, or name another") from error
        for left in (out / WORK).iterdir():
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
        yield
