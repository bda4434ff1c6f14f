"""Chooses where to look for people: in the whole picture, and in squares of it, where small people are large enough.

The detector sees 224 x 224 pixels. In a whole picture it misses whoever is shorter than a third of it, and one of two
people beside each other. On labelled clips it finds all of them in squares of 0.4 of the longer side. People a fifth of
the picture tall need smaller ones (docs/benchmarks.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.perception.roi import Roi

ZOOMS = (1.6, 2.5, 4.0)  # the picture's longer side, in sides of a square
STEP = 0.6  # between squares, in sides
MOVING = 12.0  # change of brightness between two searches, of 255
HURRY = 8.0  # times as soon is it a moving square's turn
COVERED = 0.8  # share of a square that people cover, above which there is no room for another

_CELLS = 48  # cells of the picture's longer side, in which motion is noticed

Boxes = Sequence[NDArray[np.floating]]


class Search:
    """Order in which squares of one size of picture have their turn: those that have waited, moving ones sooner."""

    def __init__(self, size: tuple[int, int]) -> None:
        """Begin with every square; size is (width, height) in pixels."""
        self.whole = Roi.whole(size)
        self._size = size
        self._squares = squares(size)
        self._waited = np.arange(len(self._squares), 0, -1.0)  # the large ones first
        self._before: NDArray[np.int16] | None = None

    def everywhere(self) -> list[Roi]:
        """Return the whole picture and every square."""
        self._waited[:] = 0.0
        return [self.whole, *self._squares]

    def next(self, image_bgr: NDArray[np.uint8], people: Boxes) -> Roi | None:
        """Return the square whose turn it is; None if people (boxes, pixels) cover all."""
        self._waited += 1.0 + HURRY * self._moving(image_bgr, people)
        free = np.array([_covered(square, people) < COVERED for square in self._squares])
        if not free.any():
            return None
        chosen = int(np.where(free, self._waited, -1.0).argmax())
        self._waited[chosen] = 0.0
        return self._squares[chosen]

    def _moving(self, image_bgr: NDArray[np.uint8], people: Boxes) -> NDArray[np.bool_]:
        """Return for each square whether something but the people moves in it."""
        scale = _CELLS / max(self._size)
        cells = max(1, round(self._size[0] * scale)), max(1, round(self._size[1] * scale))
        now = cv2.resize(image_bgr, cells, interpolation=cv2.INTER_AREA).mean(axis=2).astype(np.int16)
        before, self._before = self._before, now
        if before is None:
            return np.zeros(len(self._squares), bool)
        moves = np.abs(now - before) > MOVING
        for box in people:
            low, high = (np.asarray(box).reshape(2, 2) * scale).round().astype(int)
            (x0, y0), (x1, y1) = (low - 1).clip(0), (high + 1).clip(0)
            moves[y0:y1, x0:x1] = False
        return np.array([moves[_rows(square, scale)].any() for square in self._squares])


@cache
def squares(size: tuple[int, int]) -> tuple[Roi, ...]:
    """Cover a picture (width, height) with overlapping squares of every zoom, the largest first."""
    found = []
    for zoom in ZOOMS:
        side = max(size) / zoom
        across, down = (_centres(length, side) for length in size)
        found += [Roi((x, y), side, 0.0) for y in down for x in across]
    return tuple(found)


def _centres(length: int, side: float) -> list[float]:
    """Return the centres of squares that cover 0..length, `STEP` sides apart at most."""
    if length <= side:
        return [length / 2]
    count = int(np.ceil((length - side) / (STEP * side))) + 1
    return np.linspace(side / 2, length - side / 2, count).tolist()


def _rows(square: Roi, scale: float) -> tuple[slice, slice]:
    """Return the rows and columns of the cells of a square."""
    low = (np.array(square.center_px) - square.size_px / 2).clip(0) * scale
    high = (np.array(square.center_px) + square.size_px / 2) * scale
    return slice(int(low[1]), int(np.ceil(high[1]))), slice(int(low[0]), int(np.ceil(high[0])))


def _covered(square: Roi, people: Boxes) -> float:
    """Return the largest share of the square that one person covers."""
    low, high = np.array(square.center_px) - square.size_px / 2, np.array(square.center_px) + square.size_px / 2
    sides = (np.minimum(high, box[2:]) - np.maximum(low, box[:2]) for box in people)
    return max((float(np.prod(side.clip(0))) / square.size_px**2 for side in sides), default=0.0)
