"""Notices that the camera itself has moved, or shakes: the whole picture shifts, not only who walks through it."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH_PX = 160  # of the small pictures that are compared
SHIFT = 0.012  # of the picture's width: three quarters of a degree at 60
ALIKE, UNLIKE = 0.2, 0.1  # phase correlation's response from which pictures surely share a background, or do not
STEEPEST = 40.0  # gray levels: the outline of a person close by outweighs no wall
RESTLESS, RESTLESS_S = 3, 10.0  # moves within so many seconds are those of a hand; as long without one is rest
SHIFTED_LOOKS, UNLIKE_LOOKS = 2, 8  # in a row that tell of a camera that was nudged, or turned to another view


class CameraMoved:
    """Compares pictures with the one that the camera was solved from."""

    def __init__(self) -> None:
        self._settled: NDArray[np.float32] | None = None
        self._shifted = self._unlike = 0

    def look(self, image_bgr: NDArray[np.uint8]) -> bool:
        """Whether the camera has moved since the first look, or since the last one that said so."""
        small = _small(image_bgr)
        if self._settled is None:
            self._settled = small
            return False
        if self._settled.shape == small.shape:
            shift_px, response = cv2.phaseCorrelate(self._settled, small)
            shifted = response >= ALIKE and math.hypot(*shift_px) > SHIFT * WIDTH_PX
            self._shifted = self._shifted + 1 if shifted else 0
            self._unlike = self._unlike + 1 if response < UNLIKE else 0  # a person close by hides it for a while
            if self._shifted < SHIFTED_LOOKS and self._unlike < UNLIKE_LOOKS:
                return False
        self._settled, self._shifted, self._unlike = small, 0, 0
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


def _small(image_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
    height, width = image_bgr.shape[:2]
    size = (WIDTH_PX, max(8, round(WIDTH_PX * height / width)))
    gray = cv2.cvtColor(cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    # Edges: a light that is lit is no motion.
    edges = np.asarray(cv2.Laplacian(gray.astype(np.float32), cv2.CV_32F), np.float32).clip(-STEEPEST, STEEPEST)
    # OpenCV 5.0's phaseCorrelate multiplies a window into its arguments; so it is done here, once.
    return (edges * cv2.createHanningWindow(size, cv2.CV_32F)).astype(np.float32)
