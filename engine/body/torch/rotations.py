"""Rotations in torch, over any leading dimensions: `engine.body.rotations` on tensors, and the 6D form.

6D is the first two ROWS of the rotation matrix, (r00, r01, r02, r10, r11, r12), as TokenHMR's tokenizer has it
(Zhou et al. 2019, "On the Continuity of Rotation Representations"; rows as in pytorch3d, columns in HMR2).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def rotmat_from_6d(d6: Tensor) -> Tensor:
    """Orthonormalise two rows of any scale by Gram-Schmidt: (..., 6) -> rotation matrices (..., 3, 3)."""
    a1, a2 = d6[..., :3], d6[..., 3:]
    b1 = F.normalize(a1, dim=-1, eps=1e-12)
    b2 = F.normalize(a2 - (b1 * a2).sum(-1, keepdim=True) * b1, dim=-1, eps=1e-12)
    b3 = torch.linalg.cross(b1, b2, dim=-1)
    return torch.stack((b1, b2, b3), dim=-2)


def sixd_from_rotmat(rotmats: Tensor) -> Tensor:
    """Return the first two rows: (..., 3, 3) -> (..., 6)."""
    return rotmats[..., :2, :].flatten(-2)


def rotmat_from_axis_angle(axis_angle: Tensor) -> Tensor:
    """Convert axis-angle (..., 3) in radians to (..., 3, 3) by Rodrigues' formula; finite with gradient at zero."""
    squared = (axis_angle * axis_angle).sum(-1)[..., None, None]
    small = squared < 1e-8
    safe = torch.where(small, torch.ones_like(squared), squared)
    angle = safe.sqrt()
    # sin(a)/a and (1 - cos a)/a^2; the half angle keeps the second exact in float32 for small angles.
    first = torch.where(small, 1 - squared / 6, torch.sin(angle) / angle)
    second = torch.where(small, 0.5 - squared / 24, 2 * torch.sin(angle / 2).square() / safe)
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), dim=-1).unflatten(-1, (3, 3))
    return torch.eye(3, dtype=cross.dtype, device=cross.device) + first * cross + second * (cross @ cross)


def axis_angle_from_rotmat(rotmats: Tensor) -> Tensor:
    """Convert matrices (..., 3, 3) to axis-angle (..., 3) in radians, with gradient at zero; poor near half a turn."""
    vector = torch.stack(
        (
            rotmats[..., 2, 1] - rotmats[..., 1, 2],
            rotmats[..., 0, 2] - rotmats[..., 2, 0],
            rotmats[..., 1, 0] - rotmats[..., 0, 1],
        ),
        -1,
    )
    sine = (vector.square().sum(-1) + 1e-12).sqrt()
    angle = torch.atan2(sine, rotmats.diagonal(dim1=-2, dim2=-1).sum(-1) - 1)
    return vector * (angle / sine)[..., None]


def rotation_between(source: Tensor, target: Tensor) -> Tensor:
    """The smallest rotations (..., 3, 3) that take the directions of `source` (..., 3) onto those of `target` (..., 3).

    As `engine.body.rotations.rotation_between`.
    """
    a, b = torch.broadcast_tensors(F.normalize(source, dim=-1), F.normalize(target, dim=-1))
    opposite = (a + b).norm(dim=-1, keepdim=True) < torch.finfo(b.dtype).eps ** 0.5
    across = torch.linalg.cross(a, F.one_hot(a.abs().argmin(-1), 3).to(a.dtype), dim=-1)
    between = F.normalize(torch.where(opposite, across, a + b), dim=-1)
    eye = torch.eye(3, dtype=b.dtype, device=b.device)
    return eye + 2 * (b[..., :, None] * a[..., None, :] - between[..., :, None] * between[..., None, :])


def angle_between(a: Tensor, b: Tensor) -> Tensor:
    """Compute the geodesic distance in radians, 0..pi, of rotation matrices (..., 3, 3) -> (...).

    From the chord |A - B| = 2 sqrt(2) sin(angle / 2), which is accurate near zero, unlike the trace's arc cosine.
    """
    half_sine = torch.linalg.matrix_norm(a - b) / 8**0.5
    return 2 * torch.asin(half_sine.clamp(max=1.0))
