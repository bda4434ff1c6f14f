"""Joints of rotations, their delay, and the figures of filtered motions."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.body.skeleton import NUM_JOINTS
from engine.body.torch.kinematics import forward_kinematics
from engine.body.torch.model import TorchBody
from training.metrics import mpjpe, pa_mpjpe
from training.smoothing.network import JOINTS
from training.smoothing.sequences import Motions

SETTLED = 8  # frames of a motion that are not measured


def joints(rotmats: Tensor, betas: Tensor, body: TorchBody) -> Tensor:
    """Joints (P, T, 22, 3) of rotations (P, T, 22, 3, 3) and shapes (P, 10), in m from the pelvis."""
    people, frames = rotmats.shape[:2]
    hands = torch.eye(3).expand(people, frames, NUM_JOINTS - JOINTS, 3, 3)
    rest = body.rest_joints(betas)[:, None].expand(-1, frames, -1, -1).flatten(0, 1)
    _, found = forward_kinematics(torch.cat((rotmats, hands), 2).flatten(0, 1), rest, body.skeleton)
    return found[:, :JOINTS].unflatten(0, (people, frames))


def delay_s(found: Tensor, true: Tensor, dt: Tensor, settled: int = SETTLED) -> tuple[Tensor, Tensor]:
    """Delays (P,) of each person's joints (P, T, N, 3), and that of all: the regression of error on true velocity."""
    velocity = (true.diff(dim=1) / dt[:, 1:, None, None])[:, settled:]
    late = -((found - true)[:, 1 + settled :] * velocity).sum((1, 2, 3))
    power = velocity.square().sum((1, 2, 3))
    return late / power.clamp_min(1.0), late.sum() / power.sum().clamp_min(1e-9)


@torch.no_grad()
def measures(shown: Tensor, motions: Motions, body: TorchBody) -> dict[str, float]:
    """Compute errors in mm, the acceleration error in mm/frame^2 and the delay in ms of shown rotations."""
    found, true = (joints(rotmats, motions.betas, body) for rotmats in (shown, motions.true))
    _, late = delay_s(found, true, motions.dt)
    found, true = found[:, SETTLED:], true[:, SETTLED:]
    pred, gt = found.flatten(0, 1).numpy(), true.flatten(0, 1).numpy()
    return {
        "pa_mpjpe_mm": round(float(pa_mpjpe(pred, gt).mean()), 1),
        "mpjpe_mm": round(float(mpjpe(pred, gt).mean()), 1),
        "acceleration_mm": round(1e3 * float((found - true).diff(n=2, dim=1).norm(dim=-1).mean()), 1),
        "delay_ms": round(1e3 * float(late), 1),
    }
