"""Runs supervised threads connected by channels; independent of cameras, people or bodies.

A source makes items, and a stage makes none or more results of each, each in its own thread. When a source ends, the
end travels down the channels and every stage finishes its queued items. When one fails, all stop, and the exception
names its stage.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

from realtime.kernel.channel import Channel, ChannelClosed
from realtime.kernel.stats import StageTimer

logger = logging.getLogger(__name__)

STALL_S = 5.0
_DRAIN_S = 3.0
_JOIN_S = 5.0

T = TypeVar("T")


class StageFailed(RuntimeError):
    """Exception of a stage; `stage` is its name and `__cause__` the original exception."""

    def __init__(self, stage: str, cause: BaseException) -> None:
        super().__init__(f"stage '{stage}' failed: {type(cause).__name__}: {cause}")
        self.stage = stage
        self.__cause__ = cause


@dataclass
class _Worker:
    name: str
    body: Callable[[_Worker], None]
    outboxes: tuple[Channel[Any], ...]
    is_source: bool = False
    timer: StageTimer = field(default_factory=StageTimer)
    waiting: bool = True  # on its inbox: an idle stage is not stalled
    last_beat: float = field(default_factory=time.monotonic)
    stall_told: bool = False
    thread: threading.Thread | None = None

    def beat(self, *, waiting: bool) -> None:
        self.waiting = waiting
        self.last_beat = time.monotonic()
        self.stall_told = False


class Pipeline:
    """Threads of a run: `add_source`, `add_stage`, then `start`, `wait` and `stop`."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.failure: StageFailed | None = None
        self._workers: list[_Worker] = []
        self._channels: list[Channel[Any]] = []
        self._lock = threading.Lock()

    def add_source(self, name: str, items: Iterable[Any], *outboxes: Channel[Any]) -> None:
        """Iterate over `items` in the stage's thread, and put each into all `outboxes`, until `stopping` is set.

        items: an iterator that waits for long should check `stopping` meanwhile. A generator is closed at the end.
        """

        def body(worker: _Worker) -> None:
            worker.beat(waiting=False)
            with _closing(items):
                for item in _timed(worker.timer, items):
                    if self.stopping.is_set():
                        return
                    _hand_on(worker, (item,))

        self._add(name, body, outboxes).is_source = True

    def add_stage(
        self,
        name: str,
        work: Callable[[Any], Iterable[Any] | None],
        inbox: Channel[Any],
        outboxes: tuple[Channel[Any], ...] = (),
        *,
        finish: Callable[[], Iterable[Any]] = tuple,
    ) -> None:
        """Call `work(item)` for every item of `inbox`; put its results, none or more, into all `outboxes`.

        finish: returns the results that `work` has held back. It is called once, at the end of `inbox`, and not after a
        failure.
        """

        def body(worker: _Worker) -> None:
            for item in _items(worker, inbox):
                with worker.timer.lap():
                    results = tuple(work(item) or ())
                _hand_on(worker, results)
            if self.failure is None:
                worker.beat(waiting=False)
                _hand_on(worker, finish())

        self._channels.append(inbox)
        self._add(name, body, outboxes)

    def start(self) -> None:
        for worker in self._workers:
            worker.thread = threading.Thread(target=self._supervise, args=(worker,), name=worker.name, daemon=True)
            worker.thread.start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until every thread has ended (True), or for `timeout_s` (False). Raises a stage's exception.

        Also the watchdog: logs once that a stage has been busy, or a source silent, for STALL_S.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while self.running:
            left = 1.0 if deadline is None else deadline - time.monotonic()
            if left <= 0:
                self._raise_failure()
                return False
            self._join_any(min(left, 0.1))
            self._watch()
            self._raise_failure()
        self._raise_failure()
        return True

    def stop(self) -> None:
        """Ask every stage to end and wait, within a time limit. Idempotent; logs the threads that do not end.

        Queued items are processed first, as long as that is quick.
        """
        self.stopping.set()
        self._drain()
        for channel in self._channels:
            channel.close()
        deadline = time.monotonic() + _JOIN_S
        for worker in self._workers:
            if worker.thread is not None and worker.thread is not threading.current_thread():
                worker.thread.join(max(0.0, deadline - time.monotonic()))
                if worker.thread.is_alive():
                    logger.error("stage '%s' did not end within %.0f s", worker.name, _JOIN_S)

    @property
    def running(self) -> bool:
        """Return whether any thread is alive."""
        return any(w.thread is not None and w.thread.is_alive() for w in self._workers)

    def timings(self) -> dict[str, dict[str, float | int | None]]:
        """Return for each source and stage: count, p50_ms, p95_ms, max_ms, mean_ms (wall) and cpu_mean_ms.

        A source's wall time holds the wait for its next item.
        """
        return {w.name: w.timer.summary() for w in self._workers if w.timer.wall.count}

    def _add(self, name: str, body: Callable[[_Worker], None], outboxes: tuple[Channel[Any], ...]) -> _Worker:
        worker = _Worker(name, body, outboxes)
        self._workers.append(worker)
        self._channels.extend(outboxes)
        return worker

    def _drain(self) -> None:
        deadline = time.monotonic() + _DRAIN_S
        for worker in (w for w in self._workers if w.is_source):
            for outbox in worker.outboxes:
                outbox.close()
        for worker in (w for w in self._workers if not w.is_source):
            if worker.thread is not None and worker.thread is not threading.current_thread():
                worker.thread.join(max(0.0, deadline - time.monotonic()))

    def _supervise(self, worker: _Worker) -> None:
        try:
            worker.body(worker)
        except ChannelClosed:
            pass  # the end of the stream, from either side
        except Exception as error:  # noqa: BLE001  whatever it is, it must reach the main thread
            with self._lock:
                if self.failure is None:
                    self.failure = StageFailed(worker.name, error)
            self.stopping.set()
            for channel in self._channels:
                channel.abandon()
        finally:
            worker.beat(waiting=True)
            for outbox in worker.outboxes:
                outbox.close()

    def _join_any(self, timeout_s: float) -> None:
        for worker in self._workers:
            if worker.thread is not None and worker.thread.is_alive():
                worker.thread.join(timeout_s)
                return

    def _watch(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if not worker.waiting and not worker.stall_told and now - worker.last_beat > STALL_S:
                worker.stall_told = True
                logger.warning("stage '%s' has given nothing for %.0f s", worker.name, STALL_S)

    def _raise_failure(self) -> None:
        if self.failure is not None:
            raise self.failure


def _closing(items: Iterable[Any]) -> AbstractContextManager[Any]:
    return closing(items) if isinstance(items, Generator) else nullcontext()


def _timed(timer: StageTimer, items: Iterable[T]) -> Iterator[T]:
    """Yield items, and time how each is made."""
    iterator = iter(items)
    while True:
        try:
            with timer.lap():
                item = next(iterator)
        except StopIteration:
            return
        yield item


def _items(worker: _Worker, inbox: Channel[Any]) -> Iterator[Any]:
    """Yield the items of `inbox` until its end."""
    while True:
        worker.beat(waiting=True)
        try:
            item = inbox.get()
        except ChannelClosed:
            return
        worker.beat(waiting=False)
        yield item


def _hand_on(worker: _Worker, results: Iterable[Any]) -> None:
    for result in results:
        for outbox in worker.outboxes:
            outbox.put(result)
            worker.beat(waiting=False)
