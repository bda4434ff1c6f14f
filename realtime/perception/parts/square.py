"""Makes rotated squares from two points or around many, and tells which points an image shows."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from realtime.perception.roi import Roi

OUTSIDE = 0.05  # visibility of a point that is not in the image


def enclosing(points_px: NDArray[np.floating], angle_rad: float, scale: float, shift: float = 0.0) -> Roi:
    """Make the square around (N, 2) points.

    angle_rad: direction of its up side, clockwise from the image's up. scale: its side over the larger extent of the
    points along its axes. shift: offset of its centre from theirs, in such extents, downwards in the square.
    """
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    turn = np.array([[c, -s], [s, c]])  # from the square's axes to the image's
    along = points_px.astype(np.float64) @ turn
    low, high = along.min(axis=0), along.max(axis=0)
    extent = high - low
    x, y = turn @ ((low + high) / 2 + (0.0, shift * extent[1]))
    return Roi((float(x), float(y)), scale * float(extent.max()), angle_rad)


def upward(start_px: NDArray[np.floating], end_px: NDArray[np.floating]) -> float:
    """Return the clockwise angle from the image's up to the direction from `start_px` to `end_px`, radians."""
    dx, dy = (float(v) for v in end_px - start_px)
    return math.atan2(dx, -dy)


def inside(points_px: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return the visibility (N,) that the (width, height) image allows the points: 1, or 0.05 outside of it."""
    within = ((points_px >= 0) & (points_px <= size)).all(axis=1)
    return np.where(within, np.float32(1.0), np.float32(OUTSIDE))
