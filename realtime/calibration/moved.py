"""Detects that the camera itself has moved or shakes: the whole image shifts, not only the people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.calibration.lines import Box, in_any

WIDTH_PX = 160  # of the downscaled images to compare
SHIFT = 0.012  # of the image's width: 0.75 degrees at a field of view of 60
ALIKE, UNLIKE = 0.2, 0.1  # phase correlation's response above which images share a background, below which they do not
STEEPEST = 40.0  # gray levels: limits the weight of the outline of a person close by
RESTLESS, RESTLESS_S = 3, 10.0  # this many moves within so many seconds: held by hand; none for as long: at rest
SHIFTED_LOOKS, UNLIKE_LOOKS = 2, 8  # consecutive looks that prove a nudge, or a turn to another view
LEAST_SEEN = 0.2  # of the image that must be free of people


class CameraMoved:
    """Comparison of images with the one from which the camera was solved."""

    def __init__(self) -> None:
        self._settled: _Look | None = None
        self._last: _Look | None = None
        self._shifted = self._unlike = 0
        self._was_seen_again = False  # the settled look's background

    def look(self, image_bgr: NDArray[np.uint8], people: Sequence[Box] = ()) -> bool:
        """Return whether the camera has moved since the first look, or since the last detected move.

        people: boxes (4,) around people as x0, y0, x1, y1 in pixels; their content is ignored.
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
            # A bare wall does not even match itself. A person close by may hide any room for a while.
            unlike = response < UNLIKE and (self._was_seen_again or _is_same(last, now))
            self._unlike = self._unlike + 1 if unlike else 0
            if self._shifted < SHIFTED_LOOKS and self._unlike < UNLIKE_LOOKS:
                return False
        self._settled, self._shifted, self._unlike, self._was_seen_again = now, 0, 0, False
        return True


class Restlessness:
    """Detector of a camera that is held by hand or shakes, as opposed to one that is moved now and then."""

    def __init__(self) -> None:
        self._moves: list[float] = []
        self.restless = False

    def moved(self, t: float) -> None:
        """Record that the camera has moved at time t (s)."""
        self._moves = [*(at for at in self._moves if 0 <= t - at < RESTLESS_S), t]
        self.restless = self.restless or len(self._moves) >= RESTLESS

    def comes_to_rest(self, t: float) -> bool:
        """Return whether it has just come to rest after it was restless. Call at every look."""
        if not self.restless or 0 <= t - self._moves[-1] < RESTLESS_S:
            return False
        self._moves, self.restless = [], False
        return True


@dataclass(frozen=True, slots=True)
class _Look:
    """Edges of a downscaled image, and the mask of pixels without people: both (H, W)."""

    edges: NDArray[np.float32]
    free: NDArray[np.bool_]


def _shift(a: _Look, b: _Look) -> tuple[Sequence[float], float]:
    """Return the shift in pixels from a to b and its response, from pixels that no person covers in either."""
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
    # Edges, so that a light that is switched on is no motion.
    edges = np.asarray(cv2.Laplacian(gray.astype(np.float32), cv2.CV_32F), np.float32).clip(-STEEPEST, STEEPEST)
    # OpenCV 5.0's phaseCorrelate multiplies the window into its arguments; so it is applied here, once.
    edges = (edges * cv2.createHanningWindow(size, cv2.CV_32F)).astype(np.float32)
    x, y = np.meshgrid(*((np.arange(n) + 0.5) * m / n for n, m in zip(size, (width, height), strict=True)))
    return _Look(edges, ~in_any(np.stack([x, y], axis=-1), people))
