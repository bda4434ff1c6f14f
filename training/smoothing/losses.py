"""Losses and measures of filtered motions against the true ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.body.skeleton import NUM_JOINTS
from engine.body.torch.kinematics import forward_kinematics
from engine.body.torch.model import TorchBody
from training.metrics import mpjpe, pa_mpjpe
from training.smoothing.network import JOINTS
from training.smoothing.sequences import Motions

SETTLED = 8  # frames of a motion that are not measured


@dataclass(frozen=True)
class LossConfig:
    """Weights of the terms."""

    joints: float = 5.0  # mean distance in m
    rotations: float = 1.5  # L1 of matrices
    velocity: float = 0.1  # mean difference of joints' velocities in m/s
    acceleration: float = 4.0  # mean difference of their second differences in m a frame^2
    delay: float = 4.0  # seconds by which they come later than delay_s
    delay_s: float = 0.016


class Losses(NamedTuple):
    """Scalar terms; the first is their weighted sum."""

    total: Tensor
    joints: Tensor
    rotations: Tensor
    velocity: Tensor
    acceleration: Tensor
    delay: Tensor


def losses(shown: Tensor, motions: Motions, body: TorchBody, config: LossConfig) -> Losses:
    """Compare shown rotations (P, T, 22, 3, 3) with the true ones."""
    found, true = (joints(rotmats, motions.betas, body) for rotmats in (shown, motions.true))
    error = found - true
    terms = (
        error[:, 1:].norm(dim=-1).mean(),
        (shown - motions.true).abs().mean(),
        (error.diff(dim=1) / motions.dt[:, 1:, None, None]).norm(dim=-1).mean(),
        error.diff(n=2, dim=1).norm(dim=-1).mean(),
        F.relu(delay_s(found, true, motions.dt) - config.delay_s),
    )
    weights = (config.joints, config.rotations, config.velocity, config.acceleration, config.delay)
    total = torch.stack([weight * term for weight, term in zip(weights, terms, strict=True)]).sum()
    return Losses(total, *terms)


def joints(rotmats: Tensor, betas: Tensor, body: TorchBody) -> Tensor:
    """Joints (P, T, 22, 3) of rotations (P, T, 22, 3, 3) and shapes (P, 10), in m from the pelvis."""
    people, frames = rotmats.shape[:2]
    hands = torch.eye(3).expand(people, frames, NUM_JOINTS - JOINTS, 3, 3)
    rest = body.rest_joints(betas)[:, None].expand(-1, frames, -1, -1).flatten(0, 1)
    _, found = forward_kinematics(torch.cat((rotmats, hands), 2).flatten(0, 1), rest, body.skeleton)
    return found[:, :JOINTS].unflatten(0, (people, frames))


def delay_s(found: Tensor, true: Tensor, dt: Tensor) -> Tensor:
    """Delay of joints (P, T, N, 3): the regression of their error on their true velocity, with the sign turned."""
    velocity = (true.diff(dim=1) / dt[:, 1:, None, None])[:, SETTLED:]
    error = (found - true)[:, 1 + SETTLED :]
    return -(error * velocity).sum() / velocity.square().sum().clamp_min(1e-9)


@torch.no_grad()
def measures(shown: Tensor, motions: Motions, body: TorchBody) -> dict[str, float]:
    """Compute errors in mm, the acceleration error in mm/frame^2 and the delay in ms of shown rotations."""
    found, true = (joints(rotmats, motions.betas, body) for rotmats in (shown, motions.true))
    late = delay_s(found, true, motions.dt)
    found, true = found[:, SETTLED:], true[:, SETTLED:]
    pred, gt = found.flatten(0, 1).numpy(), true.flatten(0, 1).numpy()
    return {
        "pa_mpjpe_mm": round(float(pa_mpjpe(pred, gt).mean()), 1),
        "mpjpe_mm": round(float(mpjpe(pred, gt).mean()), 1),
        "acceleration_mm": round(1e3 * float((found - true).diff(n=2, dim=1).norm(dim=-1).mean()), 1),
        "delay_ms": round(1e3 * float(late), 1),
    }
