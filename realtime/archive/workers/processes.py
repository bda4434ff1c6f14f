"""Workers of this machine: a process each."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from realtime.archive.job import Job, Solved
from realtime.archive.workers.contract import WORKER_BYTES, Ended, available_cores
from realtime.kernel.channel import Channel
from realtime.kernel.child import END, Child, ChildGone, wait_for_any
from realtime.kernel.priority import keep_to

logger = logging.getLogger(__name__)

_MOST = 60 if os.name == "nt" else sys.maxsize  # Windows cannot wait for more at once


class _Worker:
    """Process that solves one job after another."""

    def __init__(self) -> None:
        self.job: Job | None = None
        self.jobs = Channel[Job].bounded(1)
        self.child = Child(_work, name="archive worker", outbox=self.jobs)
        self.cores: set[int] = set()  # to which it is kept; empty: to none so far


class ProcessWorkers:
    """Workers of this machine; a process that dies is replaced by another."""

    def __init__(self, count: int | None = None) -> None:
        """Start `count` processes when they are needed; None: as many as cores, as far as there is memory."""
        self._capacity = min(_MOST, count or max(1, min(len(available_cores()), available_memory() // WORKER_BYTES)))
        self.description = f"{self._capacity} process{'es' if self._capacity > 1 else ''}"
        self._workers: list[_Worker] = []

    @property
    def capacity(self) -> int:
        return self._capacity

    def submit(self, job: Job) -> None:
        worker = next((each for each in self._workers if each.job is None), None)
        if worker is None:
            worker = _Worker()
            self._workers.append(worker)
        worker.job = job
        worker.jobs.put(job)

    def wait(self, timeout_s: float) -> list[Ended]:
        busy = {worker.child: worker for worker in self._busy()}
        self._share_cores(len(busy))
        return [self._ended(busy[child]) for child in wait_for_any(list(busy), timeout_s)]

    def lessen(self) -> None:
        self._capacity = max(1, self._capacity - 1)

    def close(self) -> None:
        for worker in self._workers:
            worker.child.close(0.1)
        self._workers.clear()

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.job is not None]

    def _share_cores(self, busy: int) -> None:
        """Give each worker a core of its own while none would be idle, so that its threads stay beside their data."""
        own = sorted(available_cores())
        for number, worker in enumerate(self._workers):
            cores = {own[number % len(own)]} if busy >= len(own) else set(own)
            if cores != worker.cores:
                worker.cores = cores
                keep_to(worker.child.pid, cores)

    def _ended(self, worker: _Worker) -> Ended:
        job, worker.job = worker.job, None
        assert job is not None
        try:
            solved: Solved = worker.child.receive()
        except ChildGone as error:
            self._workers.remove(worker)
            worker.child.close(0.1)
            killed = worker.child.exit_code == -getattr(signal, "SIGKILL", 0)
            return Ended(job, None, str(error), out_of_memory=killed)  # as the system does where memory is short
        if solved.out_of_memory or len(self._workers) > self._capacity:
            self._workers.remove(worker)  # with its memory
            worker.child.close(0.1)
        return Ended(job, solved, out_of_memory=solved.out_of_memory)


def available_memory() -> int:
    """Return the bytes that processes can still have; very many where the system does not tell."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    except OSError:
        pass  # not Linux
    return 1 << 60


def _work(link: Connection) -> None:
    """Run the process: solve jobs until there are no more, or the program is gone."""
    threading.Thread(target=_end_with_the_program, name="parent", daemon=True).start()
    from realtime.archive.solving.solve import become_worker, solve

    become_worker()
    while (job := link.recv()) is not END:
        link.send(solve(job))


def _end_with_the_program() -> None:
    """End at once when the program does, even amid a long video: the next run begins that anew."""
    program = multiprocessing.parent_process()
    assert program is not None
    program.join()
    os._exit(1)
