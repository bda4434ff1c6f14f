"""Losses of the tokenizer (TokenHMR, equations 5 and 6): rotations, joints, surface and commitment."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import rotmat_from_6d, sixd_from_rotmat
from training.tokenizer.reconstruction import upright


@dataclass(frozen=True)
class LossWeights:
    """Weights of the losses. Rotations are compared as matrices, as the decoder's 6D (equation 6), or both.

    The gradient of matrices vanishes for a joint that is off by half a turn about its bone, and points do not show it.
    Decoders without the joint's identity (the released layout) start with such joints and need the 6D.
    """

    sixd: float = 0.0  # L1 of 6D rotations
    rotation: float = 25.0  # L1 of rotation matrices
    joints: float = 150.0  # L1 of joints, metres
    surface: float = 75.0  # L1 of landmarks and of a sample of vertices, metres
    commitment: float = 1.0


def pose_losses(decoded: Tensor, truth: Tensor, body: TorchBody, surface_every: int) -> dict[str, Tensor]:
    """Compare decoded 6D rotations (B, 21, 6) with true rotations (B, 21, 3, 3), unweighted.

    Points are those of an upright body of mean shape. One vertex in `surface_every` counts; 0 leaves the surface out.
    """
    rotmats = rotmat_from_6d(decoded)
    poses = upright(rotmats), upright(truth)
    (joints, landmarks), (true_joints, true_landmarks) = (body.landmarks(*pose) for pose in poses)
    losses = {
        "sixd": F.l1_loss(decoded, sixd_from_rotmat(truth)),
        "rotation": F.l1_loss(rotmats, truth),
        "joints": F.l1_loss(joints, true_joints),
    }
    if surface_every:
        vertices, true_vertices = (body.vertices(*pose, surface_every) for pose in poses)
        surface, true_surface = torch.cat((landmarks, vertices), 1), torch.cat((true_landmarks, true_vertices), 1)
        losses["surface"] = F.l1_loss(surface, true_surface)
    return losses


def commitment(features: Tensor, quantised: Tensor) -> Tensor:
    """Compute the mean squared difference that moves features (B, T, D) to their codes (equation 5)."""
    return F.mse_loss(features, quantised.detach())
