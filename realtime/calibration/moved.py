"""Notices that the camera itself has moved, or shakes: the whole picture shifts, not only who walks through it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.calibration.lines import Box, in_any

WIDTH_PX = 160  # of the small pictures that are compared
SHIFT = 0.012  # of the picture's width: three quarters of a degree at 60
ALIKE, UNLIKE = 0.2, 0.1  # phase correlation's response from which pictures surely share a background, or do not
STEEPEST = 40.0  # gray levels: the outline of a person close by outweighs no wall
RESTLESS, RESTLESS_S = 3, 10.0  # moves within so many seconds are those of a hand; as long without one is rest
SHIFTED_LOOKS, UNLIKE_LOOKS = 2, 8  # in a row that tell of a camera that was nudged, or turned to another view
LEAST_SEEN = 0.2  # of the picture that must be free of people to tell anything


class CameraMoved:
    """Compares pictures with the one that the camera was solved from."""

    def __init__(self) -> None:
        self._settled: _Look | None = None
        self._last: _Look | None = None
        self._shifted = self._unlike = 0
        self._was_seen_again = False  # what the settled look shows

    def look(self, image_bgr: NDArray[np.uint8], people: Sequence[Box] = ()) -> bool:
        """Whether the camera has moved since the first look, or since the last one that said so.

        people: boxes (4,) around them, x0, y0, x1, y1 in pixels; what is in them does not count.
        """
        now = _look(image_bgr, people)
        last, self._last = self._last, now
        if self._settled is None or last is None:
            self._settled = now
            return False
        if self._settled.edges.shape == now.edges.shape:
            shift_px, response = _shift(self._settled, now)
            shifted = response >= ALIKE and math.hypot(*shift_px) > SHIFT * WIDTH_PX
            self._shifted = self._shifted + 1 if shifted else 0
            self._was_seen_again = self._was_seen_again or (response >= ALIKE and not shifted)
            # A bare wall is unlike even itself. A person close by hides any room for a while.
            unlike = response < UNLIKE and (self._was_seen_again or _is_same(last, now))
            self._unlike = self._unlike + 1 if unlike else 0
            if self._shifted < SHIFTED_LOOKS and self._unlike < UNLIKE_LOOKS:
                return False
        self._settled, self._shifted, self._unlike, self._was_seen_again = now, 0, 0, False
        return True


class Restlessness:
    """Tells a camera that is held by hand, or shakes, from one that is moved now and then."""

    def __init__(self) -> None:
        self._moves: list[float] = []
        self.restless = False

    def moved(self, t: float) -> None:
        """Take in that the camera has moved at time t (s)."""
        self._moves = [*(at for at in self._moves if 0 <= t - at < RESTLESS_S), t]
        self.restless = self.restless or len(self._moves) >= RESTLESS

    def comes_to_rest(self, t: float) -> bool:
        """Whether it has just come to rest after it was restless. Ask at every look."""
        if not self.restless or 0 <= t - self._moves[-1] < RESTLESS_S:
            return False
        self._moves, self.restless = [], False
        return True


@dataclass(frozen=True, slots=True)
class _Look:
    """A small picture's edges, and where they are no person's: both (H, W)."""

    edges: NDArray[np.float32]
    free: NDArray[np.bool_]


def _shift(a: _Look, b: _Look) -> tuple[Sequence[float], float]:
    """By how many pixels b is shifted from a, and how surely, by what is a person's in neither."""
    free = a.free & b.free
    if free.mean() < LEAST_SEEN:
        return (0.0, 0.0), (ALIKE + UNLIKE) / 2  # neither shifted nor unlike
    return cv2.phaseCorrelate(a.edges * free, b.edges * free)


def _is_same(a: _Look, b: _Look) -> bool:
    if a.edges.shape != b.edges.shape:
        return False
    shift_px, response = _shift(a, b)
    return response >= ALIKE and math.hypot(*shift_px) <= SHIFT * WIDTH_PX


def _look(image_bgr: NDArray[np.uint8], people: Sequence[Box]) -> _Look:
    height, width = image_bgr.shape[:2]
    size = (WIDTH_PX, max(8, round(WIDTH_PX * height / width)))
    gray = cv2.cvtColor(cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    # Edges: a light that is lit is no motion.
    edges = np.asarray(cv2.Laplacian(gray.astype(np.float32), cv2.CV_32F), np.float32).clip(-STEEPEST, STEEPEST)
    # OpenCV 5.0's phaseCorrelate multiplies a window into its arguments; so it is done here, once.
    edges = (edges * cv2.createHanningWindow(size, cv2.CV_32F)).astype(np.float32)
    x, y = np.meshgrid(*((np.arange(n) + 0.5) * m / n for n, m in zip(size, (width, height), strict=True)))
    return _Look(edges, ~in_any(np.stack([x, y], axis=-1), people))
