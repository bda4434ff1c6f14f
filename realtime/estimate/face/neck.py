"""Turns the body's head as the face says, shared with the neck, within the limits of a neck."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.body.rotations import axis_angle_from_rotmat, rotmat_from_axis_angle
from engine.body.skeleton import JOINT_NAMES
from realtime.kernel.messages import CameraPose

Array = NDArray[np.float32]

# Head relative to the chest, about its axes: yaw, pitch and roll of an adult, active (AAOS), with some margin.
MOST_YAW_RAD, MOST_PITCH_RAD, MOST_ROLL_RAD = np.radians((85.0, 65.0, 50.0))
_CHEST = [JOINT_NAMES.index(name) for name in ("pelvis", "spine1", "spine2", "spine3")]
NECK, HEAD = JOINT_NAMES.index("neck"), JOINT_NAMES.index("head")
_SHARE = 0.5  # of the change that the neck's joint takes


def head_of(pose: CameraPose) -> Array:
    """Return (3, 3) the rotation of the head joint into the camera frame."""
    head: Array = _chest(pose) @ pose.rotmats[NECK] @ pose.rotmats[HEAD]
    return head


def with_head(pose: CameraPose, R_cam_head: Array) -> CameraPose:
    """Return the pose with its head turned to this rotation into the camera frame, or as far as a neck can."""
    chest = _chest(pose)
    before = pose.rotmats[NECK] @ pose.rotmats[HEAD]
    after = limited(chest.T @ R_cam_head)
    change = axis_angle_from_rotmat(after @ before.T)
    rotmats = pose.rotmats.copy()
    rotmats[NECK] = rotmat_from_axis_angle(_SHARE * change) @ pose.rotmats[NECK]
    rotmats[HEAD] = rotmats[NECK].T @ after
    return replace(pose, rotmats=rotmats)


def limited(R_chest_head: Array) -> Array:
    """Return the rotation with yaw, pitch and roll, in this order from the chest, within the limits."""
    yaw = np.arctan2(R_chest_head[0, 2], R_chest_head[2, 2])
    pitch = -np.arcsin(np.clip(R_chest_head[1, 2], -1.0, 1.0))
    roll = np.arctan2(R_chest_head[1, 0], R_chest_head[1, 1])
    angles = np.array([yaw, pitch, roll])
    most = np.array([MOST_YAW_RAD, MOST_PITCH_RAD, MOST_ROLL_RAD])
    if (np.abs(angles) <= most).all():
        return R_chest_head
    yaw, pitch, roll = angles.clip(-most, most)
    turns = rotmat_from_axis_angle(np.array([[0, yaw, 0], [pitch, 0, 0], [0, 0, roll]], np.float32))
    limited: Array = turns[0] @ turns[1] @ turns[2]
    return limited


def _chest(pose: CameraPose) -> Array:
    chest = pose.rotmats[_CHEST[0]]
    for joint in _CHEST[1:]:
        chest = chest @ pose.rotmats[joint]
    return chest
