"""Forward kinematics and linear blend skinning in torch, differentiable: `engine.body.kinematics` on tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.body.skeleton import SMPL, Skeleton


def forward_kinematics(rotmats: Tensor, rest_joints: Tensor, skeleton: Skeleton = SMPL) -> tuple[Tensor, Tensor]:
    """Turn local rotations into world ones and place the joints (Loper et al. 2015, equations 3 and 4).

    rotmats (B, J, 3, 3) local, parent to child; without those of the last level, its joints follow their parents.
    rest_joints (B, J, 3) or (J, 3) metres. Returns the joints' rotations (B, J, 3, 3) and positions (B, J, 3)
    in the frame that rotmats[:, 0] turns into, with the root at the origin.
    """
    batch, given = rotmats.shape[:2]
    offsets = (rest_joints[..., 1:, :] - rest_joints[..., skeleton.parents[1:].tolist(), :]).expand(batch, -1, 3)
    world, placed = rotmats[:, :1], rotmats.new_zeros(batch, 1, 3)
    for joints, parents in skeleton.levels:
        above = world[:, parents.tolist()]
        bones = offsets[:, joints.start - 1 : joints.stop - 1]
        placed = torch.cat((placed, placed[:, parents.tolist()] + (above @ bones[..., None])[..., 0]), dim=1)
        world = torch.cat((world, above @ rotmats[:, joints] if joints.stop <= given else above), dim=1)
    return world, placed


def skinning_transforms(world_rotmats: Tensor, joints: Tensor, rest_joints: Tensor) -> Tensor:
    """(B, J, 3, 4) affine maps that carry a rest point bound to a joint to where the pose puts it."""
    shift = joints - (world_rotmats @ rest_joints[..., None])[..., 0]
    return torch.cat((world_rotmats, shift[..., None]), dim=-1)


def blend(points: Tensor, weights: Tensor, transforms: Tensor) -> Tensor:
    """Linear blend skinning: rest points (B, N, 3), weights (N, J), transforms (B, J, 3, 4) -> (B, N, 3)."""
    per_point = (weights @ transforms.flatten(2)).unflatten(-1, (3, 4))
    return (per_point[..., :3] * points[..., None, :]).sum(-1) + per_point[..., 3]
