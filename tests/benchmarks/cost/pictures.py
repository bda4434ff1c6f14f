"""Composes pictures of one to eight people, from the demo clip's man."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.assets import DEMO_CLIP, fetch

Image = NDArray[np.uint8]

FRAMES = 60  # of the clip, shown to and fro: nobody jumps
_APART = 7  # frames of the clip between two people
_FEET = 1300  # row of the clip's pictures below the feet


@functools.cache
def man() -> tuple[Image, ...]:
    """Load the man of the first frames, from head to feet."""
    capture = cv2.VideoCapture(str(fetch(DEMO_CLIP)))
    return tuple(np.asarray(capture.read()[1], np.uint8)[:_FEET] for _ in range(FRAMES))


def picture(index: int, people: int, size: tuple[int, int]) -> Image:
    """Return picture number `index` of an endless clip of so many people, in a size (width, height)."""
    width, height = size
    rows = 1 if people <= 3 else 2
    columns = -(-people // rows)
    canvas = np.full((height, width, 3), 90, np.uint8)
    cell = width // columns, height // rows
    for person in range(people):
        shown = man()[_to_and_fro(index + _APART * person)]
        scale = min(cell[0] / shown.shape[1], cell[1] / shown.shape[0])
        small = cv2.resize(shown, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        x = person // rows * cell[0] + (cell[0] - small.shape[1]) // 2
        y = person % rows * cell[1]
        canvas[y : y + small.shape[0], x : x + small.shape[1]] = small
    return canvas


def _to_and_fro(index: int) -> int:
    at = index % (2 * FRAMES - 2)
    return min(at, 2 * FRAMES - 2 - at)
