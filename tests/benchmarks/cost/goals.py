"""Measures what the cost is judged by besides the pose path: frames a second of a file, and resident memory."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from tests.benchmarks.cost.path import PosePath
from tests.benchmarks.cost.pictures import Image
from tests.benchmarks.speed.offline import ROOT, in_turn
from tests.benchmarks.start import camera, environment, start

PATH_NETWORKS, OFFLINE_TIMES, MEMORY_MB = 1.20, 1.7, 200.0  # the goals
_RUNS_FOR_S = 5.0


def offline(clip: Path, rounds: int, before: Path | None) -> tuple[float, float]:
    """Solve a file with `--offline`; return frames a second, and in those of another checkout, taken in turn.

    before: None compares with the same work in one thread instead: decoding, perception and solving one after the
    other.
    """
    if before is not None:
        figures, _ = in_turn(clip, rounds, {"now": ROOT, "before": before})
        now, then = ([fps for _, fps, _ in figures[name]] for name in ("now", "before"))
    else:
        now, then = [], []
        for _ in range(rounds):
            figures, _ = in_turn(clip, 1, {"now": ROOT})
            now.append(figures["now"][0][1])
            then.append(one_after_the_other(clip))
    return float(np.median(now)), float(np.median(np.divide(now, then)))


def one_after_the_other(clip: Path) -> float:
    """Return frames a second of the pose path in one thread, decoding included."""
    path, capture = PosePath(1), cv2.VideoCapture(str(clip))
    count, began = 0, time.monotonic()
    while (picture := _next(capture)) is not None:
        path(picture)
        count += 1
    capture.release()
    return count / (time.monotonic() - began)


def memory_mb() -> float:
    """Return the resident memory of a run without a screen, on a 720p camera, some seconds after its first pose."""
    with tempfile.TemporaryDirectory() as folder, camera(30.0) as url:
        env = environment(Path(folder))
        start(url, "none", 0.0, env)  # fills the caches
        _, memory = start(url, "none", _RUNS_FOR_S, env)
    return memory["VmRSS"]


def _next(capture: cv2.VideoCapture) -> Image | None:
    ok, picture = capture.read()
    return np.asarray(picture, np.uint8) if ok else None
