"""Losses of filtered motions, swings and still people, against the truth and against what `light` makes of the same.

Errors are taken as shares of those of `light`. A hinge punishes every person and every joint that is hardly better. So
a filter does not pay for calm in one place with delay in another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import axis_angle_from_rotmat
from training.smoothing.exercises import Stills, Swings
from training.smoothing.measures import delay_s, joints
from training.smoothing.sequences import Motions

SETTLED = 6  # frames of a motion that are not compared
SETTLED_S = 0.25  # of a swing
STILL = 8  # frames of a still person


@dataclass(frozen=True)
class LossConfig:
    """Weights of the terms. Delays count in units of 20 ms."""

    dynamic: float = 1.0  # error of joints, less its mean over the motion
    acceleration: float = 1.0  # mean of people's shares
    accelerations: float = 2.2  # share of all together, so of those at low frame rates above all
    rotations: float = 0.3  # L1 of matrices
    delay: float = 0.3
    jitter: float = 0.3  # of still people
    moving: float = 1.3  # error of joints that swing, under noise
    resting: float = 0.2  # of those that rest in a person who swings
    swings: float = 0.3  # of all that swing clearly
    gain: float = 4.0  # by which it is off 1 by more than 0.02
    late: float = 0.6  # delay of swings above late_s
    late_s: float = 0.014
    hinge: float = 3.0  # of each share above the margin
    margin: float = 0.95
    later: float = 3.0  # delay of a person's motion above that of `light`, less 2 ms
    later_noisy: float = 26.0  # of a swing, under noise, less 4 ms
    later_swing: float = 6.0  # of any swing, less 1 ms


class Batch(NamedTuple):
    """People who move as recorded, who swing and who stand."""

    motions: Motions
    swings: Swings
    stills: Stills

    @property
    def all(self) -> tuple[Tensor, Tensor, Tensor]:
        """Steps (P, T), seen rotations (P, T, 22, 3, 3) and paces (P, T, 22) of all of them."""
        dt, seen = (torch.cat([getattr(part, name) for part in self]) for name in ("dt", "seen"))
        pace = seen.new_ones(seen.shape[:3])
        pace[: len(self.motions.dt)] = self.motions.pace
        return dt, seen, pace


class Errors(NamedTuple):
    """Errors of a filter, for P, Q and R people."""

    dynamic: Tensor  # (P,)
    acceleration: Tensor  # (P,)
    rotations: Tensor
    delay_s: Tensor  # of all
    delays_s: Tensor  # (P,)
    gain: Tensor  # (Q, 22)
    late_s: Tensor  # (Q, 22)
    swing: Tensor  # (Q, 22)
    jitter: Tensor  # (R, 22)


def errors(shown: Tensor, batch: Batch, body: TorchBody) -> Errors:
    """Measure rotations (P + Q + R, T, 22, 3, 3) that a filter shows."""
    motions, swings, _ = batch
    moved, swung, stood = shown.split([len(part.dt) for part in batch])
    found, true = (joints(rotmats, motions.betas, body) for rotmats in (moved, motions.true))
    error = (found - true)[:, SETTLED:]
    dynamic = (error - error.mean(1, keepdim=True)).norm(dim=-1).mean((1, 2))
    acceleration = error.diff(n=2, dim=1).norm(dim=-1).mean((1, 2))
    delays_s, delay = delay_s(found, true, motions.dt, SETTLED)
    turns = axis_angle_from_rotmat(swings.base[:, None].mT @ swung)
    t = swings.dt.cumsum(1)
    settled = (t - t[:, :1] > SETTLED_S).float()
    gain, late_s = response(turns, swings, t, settled)
    square = ((turns - swings.turns).square().sum(-1) * settled[..., None]).sum(1) / settled.sum(1)[:, None]
    about_start = axis_angle_from_rotmat(stood[:, STILL : STILL + 1].mT @ stood[:, STILL:])
    jitter = (about_start.var(1).sum(-1) + 1e-10).sqrt()
    rotations = (moved - motions.true).abs().mean()
    return Errors(dynamic, acceleration, rotations, delay, delays_s, gain, late_s, (square + 1e-8).sqrt(), jitter)


def response(turns: Tensor, swings: Swings, t: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Gain and delay in s (Q, 22) of turns (Q, T, 22, 3), by least squares at each person's frequency.

    t, weight (Q, T). Joints that rest have none that means anything.
    """
    omega = 2 * math.pi * swings.frequency_hz[:, None]
    basis = torch.stack(((omega * t).cos(), (omega * t).sin(), torch.ones_like(t)), -1) * weight[..., None]
    solve = torch.linalg.solve(basis.mT @ basis + 1e-6 * torch.eye(3), basis.mT)
    (cosine, sine), (true_cosine, true_sine) = (
        torch.einsum("pkt,ptjc->kpjc", solve, each)[:2] for each in (turns, swings.turns)
    )
    power = (true_cosine.square() + true_sine.square()).sum(-1) + 1e-8
    real = (cosine * true_cosine + sine * true_sine).sum(-1) / power
    lag = (sine * true_cosine - cosine * true_sine).sum(-1) / power
    return (real.square() + lag.square() + 1e-9).sqrt(), torch.atan2(lag, real) / omega


def losses(found: Errors, light: Errors, swings: Swings, config: LossConfig) -> dict[str, Tensor]:
    """Compute the terms of a loss, and their weighted sum as "total", first."""
    noisy, size = swings.noise_rad[:, None] > 0, swings.size_rad
    clear = size.square() / (size.square() + (3 * swings.noise_rad[:, None] + 0.01).square())
    ratio = found.swing / light.swing
    hard = noisy & (size > 0.1)

    def hinge(share: Tensor) -> Tensor:
        return F.relu(share - config.margin)

    def later(late_s: Tensor, allowed_s: Tensor | float) -> Tensor:
        return F.relu(late_s - allowed_s) / 0.02

    shares = {name: getattr(found, name) / getattr(light, name) for name in ("dynamic", "acceleration", "jitter")}
    delay = found.delay_s / light.delay_s.clamp_min(0.012)
    together = found.acceleration.sum() / light.acceleration.sum()
    hinges = [hinge(share).mean() for share in shares.values()]
    hinges += [_mean(hinge(ratio), hard), hinge(delay), hinge(together)]
    terms = {name: share.mean() for name, share in shares.items()} | {
        "rotations": found.rotations / light.rotations,
        "delay": delay,
        "accelerations": together,
        "moving": _mean(ratio, noisy & (size > 0)),
        "resting": _mean(ratio, noisy & (size == 0)),
        "swings": _mean(ratio, clear),
        "gain": _mean(F.relu((found.gain - 1).abs() - 0.02), clear),
        "late": _mean(later(found.late_s, config.late_s), clear),
        "hinge": torch.stack(hinges).sum(),
        "later": later(found.delays_s, light.delays_s - 0.002).mean(),
        "later_noisy": _mean(later(found.late_s, light.late_s - 0.004), clear * hard),
        "later_swing": _mean(later(found.late_s, light.late_s - 0.001), clear),
    }
    total = torch.stack([getattr(config, name) * term for name, term in terms.items()]).sum()
    return {"total": total, **terms}


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    weight = weight.float()
    return (values * weight).sum() / weight.sum().clamp_min(1e-6)
