"""Iterates over the frames of a source: a live one across interruptions, or each frame of a file."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from realtime.capture.presentation import turned_left
from realtime.capture.source import EndOfStream, LazySource, Source, SourceError, SourceLostError
from realtime.kernel.messages import Frame

logger = logging.getLogger(__name__)

State = Literal["connected", "lost", "reconnecting"]

FROZEN_S = 2.0  # unchanged time stamps for longer mean a stuck source
FIRST_DELAY_S, LAST_DELAY_S = 0.5, 8.0  # exponential back-off between attempts to open a lost source
_BEHIND_S = 0.5  # a file that decodes too slowly is played more slowly instead of in bursts


class FrameReader:
    """Reader of an opened source until its end or a stop; reports every failure.

    A live source that fails or whose time stamps stand still is reopened at growing intervals until it works.
    `on_state` and the log get each change once. Other sources are read at the rate of their own times (`paced`), or on
    demand (`every`). One thread iterates; the source is closed at the end.

    Args:
        source: opened, owned by the reader from here on.
        on_state: called with "connected", "lost" or "reconnecting" and a line for the user.
        quarter_turns: counter-clockwise quarter turns of images.
        now: seconds on the clock of the source's time stamps.
        sleep: waits that many seconds; by default a wait that `stop` interrupts.
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
        self.passed_over = 0  # skipped frames of a file, because no reader waited
        self.reconnects = 0
        self._on_state = on_state
        self._quarter_turns = quarter_turns
        self._now = now
        self._sleep = sleep
        self._state: State | None = None

    def paced(self, stop: threading.Event, wanted: threading.Event | None = None) -> Generator[Frame]:
        """Yield frames as they come, or at the rate of their own times, until the source ends or `stop` is set.

        wanted: set while a consumer waits for a frame. A lazy source then decodes only those images, because decoding
        HDR video costs far more than the pose. Any other source yields every frame.
        """
        try:
            yield from self._live(stop) if self.source.is_live else self._played(stop, wanted)
        finally:
            self.source.close()

    def every(self) -> Generator[Frame]:
        """Yield every frame of a source that is not live, on demand, with the source's own times."""
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

    def _live(self, stop: threading.Event) -> Generator[Frame]:
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
                delay_s = min(2 * delay_s, LAST_DELAY_S)  # until a frame comes: it may open and deliver nothing
                fresh_at = self._now()
                continue
            last_t, fresh_at, delay_s = t, self._now(), FIRST_DELAY_S
            self._tell("connected")
            yield self._frame(image, t)

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

    def _played(self, stop: threading.Event, wanted: threading.Event | None) -> Generator[Frame]:
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
                # Decode until the next grab is due, about as far away as the previous one.
                if wanted.wait(min(max(0.0, start + t + step_s - self._now()), _BEHIND_S)):
                    image = source.retrieve()
            t_before = t
            if image is None:
                self.frames_read += 1
                self.passed_over += 1
            else:
                yield self._frame(image, t_capture, t_file=t)

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
