"""Two-bone inverse kinematics: a leg bent so that its ankle is where it should be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

_LONGEST = 0.995  # of thigh and shin together, unless it is straighter already: near there a knee leaps
_TINY = 1e-9


def reach(hip: Array, knee: Array, ankle: Array, knee_axis: Array, target: Array) -> tuple[Array, Array, Array]:
    """Turn a leg about its hip and its knee until the ankle is at `target`, or as near as it reaches.

    All (3,), metres, in one frame; knee_axis: which way the leg bends where it is straight. Returns the rotations
    (3, 3) of thigh and shin, to be applied from the left in that frame, and the new knee (3,). The plane of the leg
    turns no further than it must.
    """
    thigh, shin, wanted = knee - hip, ankle - knee, target - hip
    upper_m, lower_m = float(np.linalg.norm(thigh)), float(np.linalg.norm(shin))
    distance_m = float(np.linalg.norm(wanted))
    longest_m = max(_LONGEST * (upper_m + lower_m), float(np.linalg.norm(ankle - hip)))
    reached_m = min(max(distance_m, abs(upper_m - lower_m) + _TINY), longest_m)
    ahead = wanted / max(distance_m, _TINY)
    normal: Array = np.cross(thigh, shin)
    if np.linalg.norm(normal) < 1e-3 * upper_m * lower_m:
        normal = knee_axis
    plane = normal - (normal @ ahead) * ahead  # the leg's plane, turned along with the direction to the ankle
    plane /= max(float(np.linalg.norm(plane)), _TINY)
    cosine = (upper_m**2 + reached_m**2 - lower_m**2) / (2 * upper_m * reached_m)
    cosine = min(1.0, max(-1.0, cosine))
    new_thigh = upper_m * (cosine * ahead - np.sqrt(1 - cosine**2) * np.cross(plane, ahead))
    new_shin = reached_m * ahead - new_thigh
    flat = normal / max(float(np.linalg.norm(normal)), _TINY)
    return _turn(thigh, flat, new_thigh, plane), _turn(shin, flat, new_shin, plane), hip + new_thigh


def _turn(bone: Array, normal: Array, new_bone: Array, new_normal: Array) -> Array:
    """The rotation that takes a bone and the normal of its plane to the new ones."""
    return _frame(new_bone, new_normal) @ _frame(bone, normal).T


def _frame(bone: Array, normal: Array) -> Array:
    along = bone / max(float(np.linalg.norm(bone)), _TINY)
    across = normal - (normal @ along) * along
    across /= max(float(np.linalg.norm(across)), _TINY)
    return np.stack([along, across, np.cross(along, across)], axis=1)
