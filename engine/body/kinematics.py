"""Forward kinematics and linear blend skinning in numpy, batched; `engine.body.torch.kinematics` is its twin."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.body.skeleton import SMPL, Skeleton

Array = NDArray[Any]  # of one precision, which results keep

_TO_CHEST = SMPL.indices(("pelvis", "spine1", "spine2", "spine3"))


def forward_kinematics(rotmats: Array, rest_joints: Array, skeleton: Skeleton = SMPL) -> tuple[Array, Array]:
    """Turn local rotations into world ones and place the joints (Loper et al. 2015, equations 3 and 4).

    rotmats (B, J, 3, 3) local, parent to child; rest_joints (B, J, 3) or (J, 3) metres. Returns the joints' rotations
    (B, J, 3, 3) and positions (B, J, 3) in the target frame of rotmats[:, 0], root at the origin, in the precision of
    `rotmats`.
    """
    batch, parents = len(rotmats), skeleton.parents[1:]
    local = np.zeros((batch, len(skeleton), 4, 4), dtype=rotmats.dtype)
    local[..., :3, :3] = rotmats
    local[:, 1:, :3, 3] = rest_joints[..., 1:, :] - rest_joints[..., parents, :]
    local[..., 3, 3] = 1.0
    world = np.empty((batch, len(skeleton), 3, 4), dtype=rotmats.dtype)
    world[:, 0] = local[:, 0, :3]
    for joints, above in skeleton.levels:
        np.matmul(world[:, above], local[:, joints], out=world[:, joints])
    return world[..., :3], world[..., 3]


def chest_rotmat(rotmats: Array) -> Array:
    """Multiply SMPL's rotations (..., J, 3, 3) from the root to spine3: the chest's (..., 3, 3).

    It is in the target frame of rotmats[..., 0].
    """
    chest: Array = rotmats[..., _TO_CHEST[0], :, :]
    for joint in _TO_CHEST[1:]:
        chest = chest @ rotmats[..., joint, :, :]
    return chest


def skinning_transforms(world_rotmats: Array, joints: Array, rest_joints: Array) -> Array:
    """(B, J, 3, 4) affine maps that carry a rest point bound to a joint to where the pose puts it."""
    shift = joints - (world_rotmats @ rest_joints[..., None])[..., 0]
    return np.concatenate([world_rotmats, shift[..., None]], axis=-1)


def blend(points: Array, weights: Array, transforms: Array) -> Array:
    """Linear blend skinning: rest points (B, N, 3), weights (N, J), transforms (B, J, 3, 4) -> (B, N, 3)."""
    batch, count = points.shape[:2]
    per_point = (weights @ transforms.reshape(batch, -1, 12)).reshape(batch, count, 3, 4)
    return (per_point[..., :3] @ points[..., None])[..., 0] + per_point[..., 3]
