"""Turns the body's head as the face says, shared with the neck, within the limits of a neck."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.body.kinematics import chest_rotmat
from engine.body.rotations import axis_angle_from_rotmat, rotmat_from_axis_angle
from engine.body.skeleton import JOINT_NAMES
from realtime.kernel.messages import CameraPose

Array = NDArray[np.float32]

# Head relative to the chest, about its axes: yaw, pitch and roll of an adult, active (AAOS), with some margin.
MOST_YAW_RAD, MOST_PITCH_RAD, MOST_ROLL_RAD = np.radians((85.0, 65.0, 50.0))
NECK, HEAD = JOINT_NAMES.index("neck"), JOINT_NAMES.index("head")
_SHARE = 0.5  # of the change that the neck's joint takes
_MOST = np.array((MOST_YAW_RAD, MOST_PITCH_RAD, MOST_ROLL_RAD), np.float32)
_TURN_AXES = np.array(((0, 1, 0), (1, 0, 0), (0, 0, 1)), np.float32)  # of yaw, pitch and roll


def head_of(pose: CameraPose) -> Array:
    """Return (3, 3) the rotation of the head joint into the camera frame."""
    head: Array = chest_rotmat(pose.rotmats) @ pose.rotmats[NECK] @ pose.rotmats[HEAD]
    return head


def turned(rotmats: Array, turn: Array) -> Array:
    """Return poses (P, 24, 3, 3) whose heads are turned by `turn` (3, 3) in their own axes, or as far as a neck can."""
    before: Array = rotmats[:, NECK] @ rotmats[:, HEAD]
    after = limited(before @ turn)
    change = axis_angle_from_rotmat(after @ before.swapaxes(1, 2))
    out = rotmats.copy()
    out[:, NECK] = rotmat_from_axis_angle(_SHARE * change) @ rotmats[:, NECK]
    out[:, HEAD] = out[:, NECK].swapaxes(1, 2) @ after
    return out


def limited(R_chest_head: Array) -> Array:
    """Return rotations (P, 3, 3) with yaw, pitch and roll, in this order from the chest, within the limits."""
    R = R_chest_head
    yaw, pitch = np.arctan2(R[:, 0, 2], R[:, 2, 2]), -np.arcsin(R[:, 1, 2].clip(-1.0, 1.0))
    angles = np.stack([yaw, pitch, np.arctan2(R[:, 1, 0], R[:, 1, 1])], axis=1)
    beyond = (np.abs(angles) > _MOST).any(axis=1)
    if not beyond.any():
        return R
    turns = rotmat_from_axis_angle(angles.clip(-_MOST, _MOST)[:, :, None] * _TURN_AXES)
    nearest: Array = turns[:, 0] @ turns[:, 1] @ turns[:, 2]
    return np.where(beyond[:, None, None], nearest, R)
