"""Collects timings in histograms of bounded size."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

_BIN_RATIO = 1.02  # a bin is 2 % wide: quantiles are accurate to 1 %, far below a machine's noise
_LOWEST_MS = 1e-3
_BINS = 1 + math.ceil(math.log(1e8) / math.log(_BIN_RATIO))  # up to 100 s


class Histogram:
    """Histogram of durations in ms with logarithmic bins: constant memory for any session."""

    def __init__(self) -> None:
        self.count = 0
        self.max_ms = 0.0
        self.total_ms = 0.0
        self._bins = np.zeros(_BINS, np.int64)
        self._lock = threading.Lock()

    def add(self, ms: float) -> None:
        position = math.log(max(ms, _LOWEST_MS) / _LOWEST_MS) / math.log(_BIN_RATIO)
        with self._lock:
            self._bins[min(int(position), _BINS - 1)] += 1
            self.count += 1
            self.total_ms += ms
            self.max_ms = max(self.max_ms, ms)

    def quantile_ms(self, q: float) -> float | None:
        """Return the q-quantile (0..1), to within 1 %; None if empty."""
        with self._lock:
            if not self.count:
                return None
            rank = max(1, math.ceil(q * self.count))
            index = int(np.searchsorted(np.cumsum(self._bins), rank))
            return min(_LOWEST_MS * _BIN_RATIO ** (index + 0.5), self.max_ms)

    def summary(self) -> dict[str, float | int | None]:
        """Return count and statistics in ms."""
        mean = self.total_ms / self.count if self.count else None
        return {
            "count": self.count,
            "p50_ms": _rounded(self.quantile_ms(0.5)),
            "p95_ms": _rounded(self.quantile_ms(0.95)),
            "max_ms": _rounded(self.max_ms if self.count else None),
            "mean_ms": _rounded(mean),
        }


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 3)


class StageTimer:
    """Timer of one stage's wall and CPU time."""

    def __init__(self) -> None:
        self.wall = Histogram()
        self.cpu = Histogram()

    @contextmanager
    def lap(self) -> Iterator[None]:
        """Time the block."""
        wall, cpu = time.perf_counter(), time.thread_time()
        yield
        self.wall.add((time.perf_counter() - wall) * 1e3)
        self.cpu.add((time.thread_time() - cpu) * 1e3)

    def summary(self) -> dict[str, float | int | None]:
        """Return statistics of wall time, and the mean CPU time."""
        return {**self.wall.summary(), "cpu_mean_ms": self.cpu.summary()["mean_ms"]}
