"""Forward kinematics and linear blend skinning of SMPL's 24-joint tree, batched."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.body.skeleton import NUM_JOINTS, PARENTS

Array = NDArray[Any]  # of one precision, which results keep


def _levels() -> tuple[tuple[slice, NDArray[np.intp]], ...]:
    """Runs of joints of equal depth, root first, with their parents. SMPL's order keeps each depth together."""
    depth = np.zeros(NUM_JOINTS, dtype=int)
    for joint in range(1, NUM_JOINTS):
        depth[joint] = depth[PARENTS[joint]] + 1
    first = np.searchsorted(depth, np.arange(1, depth.max() + 2))
    return tuple(
        (slice(int(a), int(b)), PARENTS[a:b]) for a, b in zip(first, [*first[1:], NUM_JOINTS], strict=True) if a < b
    )


_LEVELS = _levels()


def forward_kinematics(rotmats: Array, rest_joints: Array) -> tuple[Array, Array]:
    """Turn local rotations into world ones and place the joints (Loper et al. 2015, equations 3 and 4).

    rotmats (B, 24, 3, 3) local, parent to child; rest_joints (B, 24, 3) or (24, 3) metres. Returns the joints'
    rotations (B, 24, 3, 3) and positions (B, 24, 3) in the frame that rotmats[:, 0] turns into, with the pelvis at the
    origin, in the precision of `rotmats`.
    """
    batch = len(rotmats)
    local = np.zeros((batch, NUM_JOINTS, 4, 4), dtype=rotmats.dtype)
    local[..., :3, :3] = rotmats
    local[:, 1:, :3, 3] = rest_joints[..., 1:, :] - rest_joints[..., PARENTS[1:], :]
    local[..., 3, 3] = 1.0
    world = np.empty((batch, NUM_JOINTS, 3, 4), dtype=rotmats.dtype)
    world[:, 0] = local[:, 0, :3]
    for level, parents in _LEVELS:
        np.matmul(world[:, parents], local[:, level], out=world[:, level])
    return world[..., :3], world[..., 3]


def skinning_transforms(world_rotmats: Array, joints: Array, rest_joints: Array) -> Array:
    """(B, 24, 3, 4) affine maps that carry a rest point bound to a joint to where the pose puts it."""
    shift = joints - (world_rotmats @ rest_joints[..., None])[..., 0]
    return np.concatenate([world_rotmats, shift[..., None]], axis=-1)


def blend(points: Array, weights: Array, transforms: Array) -> Array:
    """Linear blend skinning: rest points (B, N, 3), weights (N, 24), transforms (B, 24, 3, 4) -> (B, N, 3)."""
    batch, count = points.shape[:2]
    per_point = (weights @ transforms.reshape(batch, NUM_JOINTS, 12)).reshape(batch, count, 3, 4)
    return (per_point[..., :3] @ points[..., None])[..., 0] + per_point[..., 3]
