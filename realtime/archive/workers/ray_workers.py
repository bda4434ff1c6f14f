"""Workers on a Ray cluster: a task a video; docs/archive.md tells why tasks."""

from __future__ import annotations

import logging
import os
import socket
from typing import Any

from engine.errors import UserError, one_line
from realtime.archive.job import Job, Solved
from realtime.archive.workers.contract import WORKER_BYTES, Ended, available_cores

logger = logging.getLogger(__name__)

LOCAL = "local"
_KNOCK_S = 10.0
_OBJECT_STORE_BYTES = 100 << 20  # results are small


class RayWorkers:
    """Workers of a cluster, as many as it has cores."""

    def __init__(self, address: str, count: int | None = None) -> None:
        """Connect to a cluster, or start one on this machine only (LOCAL). Raises UserError.

        count: jobs at once; None: as many as the cluster has cores, also if their number changes.
        """
        try:
            os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # no connection unasked; read when Ray starts
            import ray
        except ImportError as error:
            raise UserError(f"--ray needs the package ray ({error}): pip install 'tokenmocap[archive]'") from error
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.WARNING}
        if address == LOCAL:
            options |= {
                "num_cpus": count or len(available_cores()),
                "include_dashboard": False,
                "_node_ip_address": "127.0.0.1",
                "object_store_memory": _OBJECT_STORE_BYTES,
            }
        else:
            options |= {"address": address}
        try:
            _knock(address)
            ray.init(**options)
        except (OSError, ValueError, RuntimeError) as error:  # ConnectionError and TimeoutError are of the first
            raise UserError(
                one_line(f"cannot reach Ray at {address}: {error}; start it with ray start, and set its RAY_AUTH_TOKEN")
            ) from error
        self._ray = ray
        self._count = count
        self._less = 0
        self._flying: dict[Any, Job] = {}
        self._task = ray.remote(num_cpus=1, max_retries=0, memory=WORKER_BYTES)(_solve)
        self.description = f"Ray at {address}, {self.capacity} at once"

    @property
    def capacity(self) -> int:
        """Number of jobs in flight: the cores of all nodes that live."""
        count = self._count or int(self._ray.cluster_resources().get("CPU", 1))
        return max(1, count - self._less)

    def submit(self, job: Job) -> None:
        self._flying[self._task.remote(job)] = job

    def wait(self, timeout_s: float) -> list[Ended]:
        ready, _ = self._ray.wait(list(self._flying), timeout=timeout_s) if self._flying else ([], [])
        return [self._ended(reference, self._flying.pop(reference)) for reference in ready]

    def lessen(self) -> None:
        self._less = min(self._less + 1, self.capacity + self._less - 1)

    def close(self) -> None:
        self._ray.shutdown()

    def _ended(self, reference: Any, job: Job) -> Ended:
        errors = self._ray.exceptions
        try:
            solved: Solved = self._ray.get(reference)
        except errors.OutOfMemoryError as error:
            return Ended(job, None, one_line(f"out of memory: {_first_line(error)}"), out_of_memory=True)
        except errors.RayError as error:  # a process or a node that is gone
            return Ended(job, None, one_line(f"its worker died: {_first_line(error)}"))
        return Ended(job, solved, out_of_memory=solved.out_of_memory)


def _knock(address: str) -> None:
    """Raise OSError if nobody listens at HOST:PORT, where Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=_KNOCK_S).close()


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _solve(job: Job) -> Solved:
    """Run in a worker's process, which solves many videos."""
    from realtime.archive.solving.solve import become_worker, solve

    become_worker()
    return solve(job)
