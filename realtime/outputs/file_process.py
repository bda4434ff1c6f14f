"""Holds a process that makes a file of items from a queue: a film, a recording for Rerun."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Generic, TypeVar

from realtime.kernel.channel import Channel, ChannelClosed
from realtime.kernel.child import Child, ChildGone
from realtime.kernel.priority import hurry
from realtime.outputs.recording.assemble import numbered_path

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Made:
    """Last message of the process: what it made of its items."""

    frames: int  # in the file
    failed: str = ""  # reason of an early end; empty without one
    how: str = ""  # for the log


class FileProcess(Generic[T]):
    """Handle of the process and its queue, from construction to `close`. One thread puts."""

    def __init__(self, doing: str, path: Path, outbox: Channel[T], child: Child) -> None:
        """Take over a process that was started with `outbox`. doing: 'filming' ..., for the log."""
        self._doing, self._path, self._outbox, self._child = doing, path, outbox, child
        self._came_late = 0  # after a failure
        self._made: Made | None = None
        self._ending = threading.Lock()

    @property
    def goes_on(self) -> bool:
        """Return whether the process takes items."""
        return self._made is None

    @property
    def pid(self) -> int | None:
        """PID of the process."""
        return self._child.pid

    @property
    def left_out(self) -> int:
        """Number of items that were dropped, or came after a failure."""
        return self._outbox.dropped + self._came_late

    def put(self, item: T) -> None:
        """Queue an item; does nothing after a failure."""
        try:
            self._outbox.put(item)
        except ChannelClosed:
            self._came_late += 1
        self._look()

    def close(self, timeout_s: float) -> Made:
        """Wait until the queued items are in the file; return what was made. Idempotent."""
        self._outbox.close()
        hurry(self._child.pid)
        self._look(timeout_s)
        if self._made is None:
            self._end(Made(0, f"its process did not end within {timeout_s:.0f} s"))
        self._child.close()
        assert self._made is not None
        return self._made

    def _look(self, timeout_s: float = 0.0) -> None:
        """Receive the process's last message, once."""
        with self._ending:
            if self._made is not None or not self._child.poll(timeout_s):
                return
            try:
                self._end(self._child.receive())
            except ChildGone as error:
                self._end(Made(0, str(error)))

    def _end(self, made: Made) -> None:
        self._made = made
        if made.failed:
            self._outbox.abandon()
            logger.error("%s %s stopped: %s; the run goes on", self._doing, self._path, made.failed)


def free_path(path: Path, doing: str) -> Path:
    """Return the path, or for a taken name OUT-2, OUT-3 and so on, which is told. doing: 'filming' ..."""
    free = next(each for number in count(1) if not (each := numbered_path(path, number)).exists())
    if free != path:
        logger.warning("%s exists already: %s to %s", path, doing, free)
    return free
