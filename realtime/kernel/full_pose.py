"""Joins body, hands and gaze to the local rotations of a body with fingers, jaw and eyes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.body.rotations import rotmat_from_axis_angle, rotmat_from_quaternion
from engine.body.skeleton import FINGER_JOINTS, SIDES, SMPL, Side, Skeleton
from realtime.kernel.messages import Face, Hand

Array = NDArray[np.float32]


def full_rotmats(skeleton: Skeleton, rotations: Array, hands: Mapping[Side, Hand], face: Face | None) -> Array:
    """Return (J, 3, 3) local rotations of `skeleton` from SMPL's (24, 4) quaternions and those of the parts.

    The joints that the skeleton shares with SMPL come first. A hand that is not looked for is open, an eye looks ahead.
    """
    shared = sum(name in SMPL.names for name in skeleton.names)
    rotmats = np.tile(np.eye(3, dtype=np.float32), (len(skeleton), 1, 1))
    rotmats[:shared] = rotmat_from_quaternion(rotations[:shared])
    for side in SIDES:
        if side in hands and f"{side}_{FINGER_JOINTS[0]}" in skeleton.names:
            first = skeleton.index(f"{side}_{FINGER_JOINTS[0]}")
            rotmats[first : first + len(FINGER_JOINTS)] = rotmat_from_quaternion(hands[side].rotations)
        if face is not None and f"{side}_eye_smplhf" in skeleton.names:
            rotmats[skeleton.index(f"{side}_eye_smplhf")] = gaze_rotmat(face.gaze_rad)
    return rotmats


def gaze_rotmat(gaze_rad: Array) -> Array:
    """Rotation (3, 3) of an eye that looks along +Z at rest, from (yaw to the person's left, pitch up)."""
    yaw, pitch = rotmat_from_axis_angle(np.array([[0, gaze_rad[0], 0], [-gaze_rad[1], 0, 0]], np.float32))
    turned: Array = yaw @ pitch
    return turned
