"""One thread that owns a source and keeps only its newest frame; or, for files, every frame in order."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from realtime.capture.source import EndOfStream, LazySource, Source, SourceError, SourceLostError
from realtime.capture.turned import turned_left
from realtime.kernel.channel import Channel, ChannelClosed
from realtime.kernel.messages import Frame

logger = logging.getLogger(__name__)

State = Literal["connected", "lost", "reconnecting"]

FROZEN_S = 2.0  # time stamps that stand still for longer mean a stuck source
FIRST_DELAY_S, LAST_DELAY_S = 0.5, 8.0  # exponential back-off between attempts to open a lost source
_BEHIND_S = 0.5  # a file that cannot be decoded at its own rate is shown more slowly rather than in bursts
_JOIN_S = 6.0  # longer than any read may block


class StaleFrameError(RuntimeError):
    """No frame that is new enough came in time."""


class FrameReader:
    """Reads an opened source until it ends or is told to stop, and never dies unseen.

    A live source that fails or whose time stamps stand still is closed and opened again, at growing intervals, until
    it works; `on_state` and the log hear of it once per change. Other sources are read at the rate of their own
    times. Use `run` as the body of a thread of your own, or `start`, then `latest` or `next`, or `frames` for every
    frame of a file in the caller's thread.

    Args:
        source: opened, owned by the reader from here on.
        on_state: called with "connected", "lost" or "reconnecting" and a line for the user.
        quarter_turns: right angles by which pictures are turned to the left.
        now: seconds on the clock of the source's time stamps.
        sleep: waits that many seconds; by default a wait that `stop` cuts short.
    """

    def __init__(
        self,
        source: Source,
        *,
        on_state: Callable[[State, str], None] | None = None,
        quarter_turns: int = 0,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self.source = source
        self.frames_read = 0
        self.passed_over = 0  # frames of a file that nobody waited for
        self.reconnects = 0
        self._on_state = on_state
        self._quarter_turns = quarter_turns
        self._now = now
        self._sleep = sleep
        self._state: State | None = None
        self._stop = threading.Event()
        self._slot: Channel[Frame] = Channel.newest()
        self._newest: Frame | None = None
        self._failure: Exception | None = None
        self._thread: threading.Thread | None = None

    @property
    def overwritten(self) -> int:
        """Frames that `next` was too slow to take."""
        return self._slot.dropped + self.passed_over

    def run(self, put: Callable[[Frame], None], stop: threading.Event, wanted: threading.Event | None = None) -> None:
        """Give frames to `put` until the source ends or `stop` is set; closes the source.

        wanted: set while somebody waits for a frame. A lazy source's pictures are then made for them only: those of HDR
        video cost far more than the pose. Any other source gives every frame.
        """
        try:
            if self.source.is_live:
                self._run_live(put, stop)
            else:
                self._run_paced(put, stop, wanted)
        finally:
            self.source.close()

    def frames(self) -> Iterator[Frame]:
        """Every frame of a source that is not live, as fast as it is asked, with the source's own times."""
        try:
            while True:
                try:
                    image, t = self.source.read()
                except EndOfStream:
                    return
                self._tell("connected")
                yield self._frame(image, t, t_file=t)
        finally:
            self.source.close()

    def start(self) -> FrameReader:
        """Run in a daemon thread, for `latest` and `next`."""
        self._thread = threading.Thread(target=self._supervised, name="capture", daemon=True)
        self._thread.start()
        return self

    def next(self, timeout_s: float) -> Frame:
        """The newest frame not yet taken.

        Raises:
            StaleFrameError: none came within `timeout_s`.
            EndOfStream: the source has ended, or the reader was closed.
            Exception: what the reader's thread died of.
        """
        try:
            return self._slot.get(timeout_s)
        except TimeoutError:
            raise StaleFrameError(f"{self.source.description}: no frame within {timeout_s:g} s") from None
        except ChannelClosed:
            if self._failure is not None:
                raise self._failure from None
            raise EndOfStream from None

    def latest(self, timeout_s: float, max_age_s: float) -> Frame:
        """The newest frame, taken before or not, if it is at most `max_age_s` old; otherwise the next one.

        Raises what `next` raises.
        """
        deadline = time.monotonic() + timeout_s
        frame = self._newest
        while frame is None or self._now() - frame.t_capture > max_age_s:
            frame = self.next(max(0.0, deadline - time.monotonic()))
        return frame

    def close(self) -> None:
        """Stop, wait for the thread within a bound and free the device. Idempotent."""
        self._stop.set()
        self._slot.abandon()
        if self._thread is None:
            self.source.close()
            return
        self._thread.join(_JOIN_S)
        if self._thread.is_alive():
            logger.error("%s: the capture thread did not end within %.0f s", self.source.description, _JOIN_S)

    def __enter__(self) -> FrameReader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _supervised(self) -> None:
        try:
            self.run(self._keep, self._stop, self._slot.wanted)
        except ChannelClosed:
            pass  # closed while a frame was on its way
        except Exception as error:  # noqa: BLE001  kept for the consumer, who raises it
            self._failure = error
        finally:
            self._slot.close()

    def _keep(self, frame: Frame) -> None:
        self._newest = frame
        self._slot.put(frame)

    def _run_live(self, put: Callable[[Frame], None], stop: threading.Event) -> None:
        delay_s = FIRST_DELAY_S
        last_t, fresh_at = float("-inf"), self._now()
        while not stop.is_set():
            try:
                image, t = self.source.read()
                if t <= last_t:
                    if self._now() - fresh_at > FROZEN_S:
                        raise SourceLostError("its time stamps stand still")
                    continue
            except SourceLostError as error:
                if self._state != "reconnecting":
                    self._tell("lost", str(error))
                self.source.close()
                while not stop.is_set() and not self._reopened(delay_s, stop):
                    delay_s = min(2 * delay_s, LAST_DELAY_S)
                delay_s = min(2 * delay_s, LAST_DELAY_S)  # until a frame comes: it may open and then give nothing
                fresh_at = self._now()
                continue
            last_t, fresh_at, delay_s = t, self._now(), FIRST_DELAY_S
            self._tell("connected")
            put(self._frame(image, t))

    def _reopened(self, delay_s: float, stop: threading.Event) -> bool:
        self._wait(delay_s, stop)
        if stop.is_set():
            return False
        self._tell("reconnecting", "trying to open it again")
        try:
            self.source.open()
        except SourceError as error:
            logger.debug("%s: %s", self.source.description, error)
            return False
        self.reconnects += 1
        return True

    def _run_paced(self, put: Callable[[Frame], None], stop: threading.Event, wanted: threading.Event | None) -> None:
        source = self.source
        start: float | None = None
        t_before, step_s = 0.0, 1.0 / (source.fps or 30.0)
        while not stop.is_set():
            image: NDArray[np.uint8] | None = None
            try:
                if wanted is not None and isinstance(source, LazySource):
                    t = source.grab()
                else:
                    image, t = source.read()
            except EndOfStream:
                return
            if start is None:
                start = self._now() - t
            ahead_s = start + t - self._now()
            if ahead_s > 0:
                self._wait(ahead_s, stop)
            elif ahead_s < -_BEHIND_S:
                start -= ahead_s
            self._tell("connected")
            t_capture = self._now()
            if image is None and wanted is not None and isinstance(source, LazySource):
                step_s = t - t_before if t > t_before else step_s
                # It can be made until the next one is grabbed, which is about as far away as the one before was.
                if wanted.wait(min(max(0.0, start + t + step_s - self._now()), _BEHIND_S)):
                    image = source.retrieve()
            t_before = t
            if image is None:
                self.frames_read += 1
                self.passed_over += 1
            else:
                put(self._frame(image, t_capture, t_file=t))

    def _frame(self, image: NDArray[np.uint8], t: float, t_file: float | None = None) -> Frame:
        frame = Frame(turned_left(image, self._quarter_turns), self.frames_read, t, t_file)
        self.frames_read += 1
        return frame

    def _wait(self, seconds: float, stop: threading.Event) -> None:
        (self._sleep or stop.wait)(seconds)

    def _tell(self, state: State, message: str = "") -> None:
        if state == self._state:
            return
        level = logging.WARNING if state == "lost" else logging.INFO
        logger.log(level, "%s %s%s", self.source.description, state, f": {message}" if message else "")
        self._state = state
        if self._on_state is not None:
            self._on_state(state, message)
