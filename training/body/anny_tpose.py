"""Poses a sampled rest mesh in SMPL's T-pose: arms along x, palms down, legs straight down, feet unchanged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.body.kinematics import blend, forward_kinematics, skinning_transforms
from engine.body.rotations import rotation_between, rotmat_from_axis_angle
from engine.body.skeleton import NUM_JOINTS, PARENTS

Array = NDArray[np.float64]


def _bone_directions() -> dict[int, tuple[int, Array]]:
    """Return, for each joint whose bone is rotated, the bone's other end and its target direction."""
    directions: dict[int, tuple[int, Array]] = {}
    for side, (shoulder, elbow, wrist, hand, hip, knee, ankle) in (
        (1.0, (16, 18, 20, 22, 1, 4, 7)),
        (-1.0, (17, 19, 21, 23, 2, 5, 8)),
    ):
        outward = np.array([side, 0.0, 0.0])
        directions |= {shoulder: (elbow, outward), elbow: (wrist, outward), wrist: (hand, outward)}
        directions |= {hip: (knee, np.array([0.0, -1.0, 0.0])), knee: (ankle, np.array([-0.05 * side, -1.0, -0.06]))}
    return directions


_DIRECTIONS = _bone_directions()
# Cumulative share of the roll that lays the palm flat, at the shoulder, the elbow and the wrist.
_ROLL_SHARES = ((-4, 0.25), (-2, 0.6), (0, 1.0))


def t_pose(joints: Array, palm_line: Array) -> tuple[Array, Array]:
    """Compute the rotations and joints that put one body into the T-pose.

    joints (24, 3) in the sampled rest pose; palm_line (2, 3) from the index to the little finger's knuckle, left and
    right. Returns world rotations (24, 3, 3) of the parts and the joints (24, 3) of the T-pose, pelvis at the origin.
    """
    rotations = np.tile(np.eye(3), (NUM_JOINTS, 1, 1))
    for joint in range(1, NUM_JOINTS):
        rotations[joint] = np.eye(3) if joint in (7, 8) else rotations[PARENTS[joint]]
        if joint in _DIRECTIONS:
            end, direction = _DIRECTIONS[joint]
            rotations[joint] = (
                rotation_between(rotations[joint] @ (joints[end] - joints[joint]), direction) @ rotations[joint]
            )
    for wrist, line in zip((20, 21), palm_line, strict=True):
        axis = _DIRECTIONS[wrist][1]
        across = rotations[wrist] @ line
        across = across - axis * (across @ axis)
        backward = np.array([0.0, 0.0, -1.0])
        roll_rad = np.arctan2(np.cross(across, backward) @ axis, across @ backward)
        for step, share in _ROLL_SHARES:
            rotations[wrist + step] = rotmat_from_axis_angle(axis * roll_rad * share) @ rotations[wrist + step]
        rotations[wrist + 2] = rotations[wrist]

    local = rotations[PARENTS].swapaxes(-1, -2) @ rotations
    local[0] = rotations[0]
    return rotations, forward_kinematics(local[None], joints)[1][0]


def skin(points: Array, weights: Array, rotations: Array, joints: Array, posed: Array) -> Array:
    """Move points (P, 3) by linear blend skinning from `joints` to `posed`."""
    return blend(points[None], weights, skinning_transforms(rotations[None], posed[None], joints[None]))[0]
