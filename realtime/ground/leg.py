"""Geometry of legs: two-bone inverse kinematics that makes ankles reach given positions, and straight knees."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.body.skeleton import LEG_JOINTS
from engine.body.vectors import Floats, cross, length, unit

_LONGEST = 0.995  # of thigh and shin together, unless it is straighter already: beyond it a knee jumps
_TINY = 1e-9
STRAIGHT_KNEE_DEG = 35.0


def straight_legs(joints: Floats) -> NDArray[np.bool_]:
    """Return (2,) whether the left and right knees of a body (24, 3) are straight; metres, any origin, any axes."""
    hips, knees, ankles = np.moveaxis(joints[LEG_JOINTS[:, :3]], 1, 0)
    thighs, shins = hips - knees, knees - ankles
    bend = (thighs * shins).sum(-1) / (np.linalg.norm(thighs, axis=-1) * np.linalg.norm(shins, axis=-1))
    straight: NDArray[np.bool_] = bend > math.cos(math.radians(STRAIGHT_KNEE_DEG))
    return straight


def reach(hip: Floats, knee: Floats, ankle: Floats, knee_axis: Floats, target: Floats) -> tuple[Floats, Floats, Floats]:
    """Rotate legs about hips and knees until each ankle is at `target`, or as near as possible.

    All (..., 3), metres, in one frame; knee_axis: the bending axis of a straight leg. Returns the rotations (..., 3, 3)
    of thighs and shins, to be applied from the left in that frame, and the new knees (..., 3). The plane of a leg
    rotates no further than necessary.
    """
    thigh, shin, wanted = knee - hip, ankle - knee, target - hip
    upper_m, lower_m, distance_m, length_m = length(np.array((thigh, shin, wanted, ankle - hip)))
    longest_m = np.maximum(_LONGEST * (upper_m + lower_m), length_m)
    reached_m = np.minimum(np.maximum(distance_m, np.abs(upper_m - lower_m) + _TINY), longest_m)
    ahead = wanted / np.maximum(distance_m, _TINY)
    normal = cross(thigh, shin)
    normal = np.where(length(normal) < 1e-3 * upper_m * lower_m, knee_axis, normal)
    plane = unit(normal - np.vecdot(normal, ahead)[..., None] * ahead)  # rotated with the direction to the ankle
    cosine = (upper_m**2 + reached_m**2 - lower_m**2) / (2 * upper_m * reached_m)
    cosine = np.minimum(np.maximum(cosine, -1.0), 1.0)
    new_thigh = upper_m * (cosine * ahead - np.sqrt(1 - cosine**2) * cross(plane, ahead))
    new_shin = reached_m * ahead - new_thigh
    bones = np.array(((thigh, shin), (new_thigh, new_shin)))
    before, after = _frame(bones, np.array(((normal,), (plane,))))
    R_thigh, R_shin = after @ before.swapaxes(-1, -2)
    return R_thigh, R_shin, hip + new_thigh


def _frame(bone: Floats, normal: Floats) -> Floats:
    """Return (..., 3, 3) whose columns are a bone's direction, the orthogonal part of `normal`, and their product."""
    along = unit(bone)
    across = unit(normal - np.vecdot(normal, along)[..., None] * along)
    return np.moveaxis(np.array((along, across, cross(along, across))), 0, -1)
