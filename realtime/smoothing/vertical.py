"""Finds the vertical that limbs at rest follow: the camera's, nearer to the person's trunk the more the camera doubts.

A camera whose tilt nobody knows is taken for level, and is often not. People are upright on average, though each leans
a little. So both are evidence of the vertical, and each counts by the inverse of its variance. A camera that knows its
tilt keeps its vertical. A trunk that lies or bends far is no evidence.
"""

from __future__ import annotations

import math

import numpy as np

from engine.body.kinematics import chest_rotmat
from engine.body.rotations import rotmat_from_axis_angle
from engine.body.vectors import cross, unit
from realtime.kernel.easing import smoothstep
from realtime.kernel.messages import Array

LEAN_DEG = 15.0  # standard deviation of a person's mean lean
_MEAN_S = 10.0  # time constant of that mean
_BENDS_DEG, _LIES_DEG = 45.0, 75.0  # mean lean: full evidence up to the first, none from the second

_UP = np.array([0, 1, 0], np.float32)


class RestVertical:
    """Vertical of one person's limbs at rest, frame by frame."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._t = 0.0
        self._trunk_cam = np.zeros(3, np.float32)  # mean direction from the pelvis to the neck

    def update(self, t: float, rotmats: Array, R_world_cam: Array, doubt_deg: float) -> Array:
        """Return the rotation (3, 3) from the world's axes to axes whose Y is the vertical, at time t (s).

        rotmats (24, 3, 3): local, [0] into the camera's axes. doubt_deg: standard deviation of the camera's vertical.
        """
        trunk_cam = _trunk(rotmats)
        if self._since is None:
            self._since, self._trunk_cam = t, trunk_cam
        else:
            dt = t - self._t
            share = max(dt / (t - self._since), -math.expm1(-dt / _MEAN_S))  # a plain mean at first
            self._trunk_cam = self._trunk_cam + np.float32(share) * (trunk_cam - self._trunk_cam)
        self._t = t
        return _lifted(R_world_cam @ unit(self._trunk_cam), doubt_deg)


def _trunk(rotmats: Array) -> Array:
    """Return the unit direction (3,) of the trunk: the mean of the pelvis's and the chest's."""
    return unit(rotmats[0, :, 1] + chest_rotmat(rotmats)[:, 1])


def _lifted(trunk: Array, doubt_deg: float) -> Array:
    """Return the rotation (3, 3) that takes the vertical, between Y and the trunk (3,), to Y."""
    lean_rad = math.acos(min(max(float(trunk[1]), -1.0), 1.0))
    stands = smoothstep(min(max((_LIES_DEG - math.degrees(lean_rad)) / (_LIES_DEG - _BENDS_DEG), 0.0), 1.0))
    share = stands * doubt_deg**2 / (doubt_deg**2 + LEAN_DEG**2)
    turn: Array = rotmat_from_axis_angle(np.float32(share * lean_rad) * unit(cross(trunk, _UP)))
    return turn
