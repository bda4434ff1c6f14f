"""Losses of the landmark estimator: on points, rotations, the 2D projection and the codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import rotmat_from_6d
from engine.landmarks.network import Prediction, landmark_weights, project
from engine.tokens.tokenizer import Tokenizer
from training.landmarks.synthetic import Targets


@dataclass(frozen=True)
class LossConfig:
    """Weights of the losses: metres for points, matrix entries for rotations, body radii for 2D."""

    joints: float = 5.0
    landmarks: float = 2.5
    body_rotations: float = 1.5
    root: float = 1.0
    image: float = 1.0
    betas: float = 0.02
    tokens: float = 0.2  # cross-entropy with the true codes, nats; without it a token's likeliest code is meaningless


class Pose(NamedTuple):
    """Predicted body."""

    rotmats: Tensor  # (B, 22, 3, 3), the root in ray axes
    joints_m: Tensor  # (B, 24, 3)
    landmarks_m: Tensor  # (B, 33, 3)


class Losses(NamedTuple):
    """Values of the losses, without weights."""

    total: Tensor
    joints: Tensor
    rotations: Tensor
    root: Tensor
    image: Tensor
    tokens: Tensor


def posed(said: Prediction, body: TorchBody, tokenizer: Tokenizer | None) -> Pose:
    """Decode a prediction and pose the body with it."""
    body_6d = said.body_6d
    if body_6d is None:
        assert tokenizer is not None
        assert said.token_logits is not None
        body_6d = tokenizer.sixd_from_features(said.token_logits.softmax(-1) @ tokenizer.codebook)
    rotmats = torch.cat((said.root_rotmat[:, None], rotmat_from_6d(body_6d.float())), 1)
    return Pose(rotmats, *body.landmarks(rotmats, said.betas))


def losses(said: Prediction, pose: Pose, truth: Targets, codes: Tensor | None, config: LossConfig) -> Losses:
    """Compute distances of points and rotations, visible landmarks' 2D error, and cross-entropy of codes (B, T)."""
    joints = (pose.joints_m - truth.joints_m)[:, :22].norm(dim=-1).mean()
    landmarks = (pose.landmarks_m - truth.landmarks_m).norm(dim=-1).mean()
    apart = (pose.rotmats - truth.rotmats).abs()
    root, rotations = apart[:, 0].mean(), apart[:, 1:].mean()
    weights = landmark_weights().to(joints.device)[:, None] * (0.3 + 0.7 * truth.visibility[..., None])
    image = (weights * (project(pose.landmarks_m, said.camera) - truth.image).abs()).clamp_max(3.0).mean()
    betas = (said.betas - truth.betas).square().mean()
    total = (
        config.joints * joints
        + config.landmarks * landmarks
        + config.body_rotations * rotations
        + config.root * root
        + config.image * image
        + config.betas * betas
    )
    tokens = total.new_zeros(())
    if codes is not None:
        assert said.token_logits is not None
        tokens = F.cross_entropy(said.token_logits.flatten(0, 1), codes.flatten())
        total = total + config.tokens * tokens
    return Losses(total, joints, rotations, root, image, tokens)
