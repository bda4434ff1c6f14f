"""Measures rate and latency of solved frames, for display and report."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from realtime.kernel.messages import SolvedFrame
from realtime.kernel.stats import Histogram

_GAIN = 0.1  # of the displayed latency's low-pass
_FRAMES = 30  # number of averaged intervals, because frames leave a queue in bursts


class Readout:
    """Meter of rate and latency. The capture thread calls `frame_came`, the fan-out `frame_solved`; others read."""

    def __init__(self) -> None:
        self.latency = Histogram()  # capture to solved (A to C), ms
        self.fps = 0.0  # solved frames a second: one over the mean of the latest intervals
        self.latency_ms = 0.0  # now
        self.frames = 0  # number of captured frames
        self._drops: tuple[Callable[[], int], ...] = ()
        self._first_frame_at: float | None = None  # on the monotonic clock
        self._solved_at: deque[float] = deque(maxlen=_FRAMES + 1)

    def count_drops(self, *counters: Callable[[], int]) -> None:
        """Add parts of the run that leave frames out; each tells how many so far."""
        self._drops += counters

    @property
    def dropped(self) -> int:
        """Frames so far that were left out because newer ones had come."""
        return sum(counter() for counter in self._drops)

    def let_go(self) -> None:
        """Keep the number of dropped frames, and let go of the parts that counted them; at the end of a run."""
        dropped = self.dropped
        self._drops = (lambda: dropped,)

    def frame_came(self) -> None:
        """Count a captured frame."""
        self.frames += 1
        if self._first_frame_at is None:
            self._first_frame_at = time.monotonic()

    def frame_solved(self, solved: SolvedFrame) -> None:
        """Measure a solved frame."""
        now = time.monotonic()
        latency_ms = (now - solved.frame.t_capture) * 1e3
        self.latency.add(latency_ms)
        if self._solved_at:
            self.latency_ms += _GAIN * (latency_ms - self.latency_ms)
        self._solved_at.append(now)
        seconds = now - self._solved_at[0]
        self.fps = (len(self._solved_at) - 1) / seconds if seconds > 0 else 0.0

    @property
    def silent_s(self) -> float:
        """Time since the latest solved frame, seconds; 0 before it."""
        return time.monotonic() - self._solved_at[-1] if self._solved_at else 0.0

    @property
    def running_s(self) -> float:
        """Time since the first frame, seconds; 0 before it."""
        return 0.0 if self._first_frame_at is None else time.monotonic() - self._first_frame_at

    @property
    def solving_s(self) -> float:
        """Time from the first frame to the last solved one, seconds."""
        if self._first_frame_at is None or not self._solved_at:
            return 0.0
        return self._solved_at[-1] - self._first_frame_at
