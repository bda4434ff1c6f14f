"""Makes what motion capture has hardly any of: swings up to 5 Hz, glitches of one frame, and people who stand still."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.body.skeleton import JOINT_NAMES
from engine.body.torch.rotations import axis_angle_from_rotmat, rotmat_from_axis_angle
from training.smoothing.network import JOINTS
from training.smoothing.sequences import Motions

LIMBS = [
    JOINT_NAMES.index(f"{side}_{name}") for name in ("hip", "knee", "shoulder", "elbow") for side in ("left", "right")
]
FASTEST_RAD_PER_S = 15.0
FASTEST_FPS = 130.0


class Swings(NamedTuple):
    """Joints of P people that swing about a still pose, each person at one frequency."""

    dt: Tensor  # (P, T) s before each frame
    seen: Tensor  # (P, T, 22, 3, 3)
    base: Tensor  # (P, 22, 3, 3)
    turns: Tensor  # (P, T, 22, 3) from the base, rad
    frequency_hz: Tensor  # (P,)
    size_rad: Tensor  # (P, 22); zero for joints that rest
    noise_rad: Tensor  # (P,)


class Stills(NamedTuple):
    """People who stand still."""

    dt: Tensor  # (P, T)
    seen: Tensor  # (P, T, 22, 3, 3)


def varied(motions: Motions, generator: torch.Generator) -> Motions:
    """Vary motions: up to three times as fast, with smaller errors, glitches, and limbs that swing, begin and stop."""
    people = len(motions.dt)
    draw = _Draw(people, generator)
    one = torch.ones(people, 1)
    dt = motions.dt * torch.where(draw(1) < 0.5, one, 0.35 + 0.65 * draw(1))
    dt = dt.clamp_min(1 / FASTEST_FPS)
    error = axis_angle_from_rotmat(motions.true.mT @ motions.seen)
    share = torch.where(draw(1) < 0.6, one, draw(1))[..., None, None]
    seen, true = motions.true @ rotmat_from_axis_angle(share * error), motions.true.clone()

    limbs, t = len(LIMBS), dt.cumsum(1)[..., None, None]
    swings = (draw(1, limbs, 1) < 0.4) & (draw(1, 1, 1) < 0.5)
    frequency_hz = 0.5 * 10 ** draw(1, limbs, 1)
    size_rad = (0.2 + 1.3 * draw(1, limbs, 1)).minimum(FASTEST_RAD_PER_S / (2 * math.pi * frequency_hz)) * swings
    starts = draw(1, 1, 1) < 0.5
    start_s = torch.where(starts, 0.6 * draw(1, 1, 1) * t[:, -1:], torch.zeros(()))
    phase = torch.where(starts, torch.zeros(()), draw(1, limbs, 1))
    wave = torch.sin(2 * math.pi * (frequency_hz * (t - start_s) + phase)) * (t >= start_s)
    swing = rotmat_from_axis_angle(size_rad * wave * draw.axes(limbs))
    for rotmats in (seen, true):
        rotmats[:, :, LIMBS] = rotmats[:, :, LIMBS] @ swing
    return motions._replace(dt=dt, seen=seen @ draw.glitches(dt.shape[1]), true=true)


def swinging(base: Tensor, frames: int, generator: torch.Generator) -> Swings:
    """Let joints of base (P, 22, 3, 3) swing at 0.5 to 5 Hz, by up to 1.5 rad to either side; a third without noise."""
    people = len(base)
    draw = _Draw(people, generator)
    dt = draw.steps_s(frames, (20.0, 100.0))
    t = dt.cumsum(1)
    lowest_hz = (1.1 / (t[:, -1] - 0.3).clamp_min(0.1)).clamp(0.5, 4.0)  # more than a period is seen
    frequency_hz = lowest_hz * (5 / lowest_hz) ** draw(1)[:, 0]
    turn = 2 * math.pi * frequency_hz[:, None, None, None]
    size_rad = (0.03 * 50 ** draw(1, JOINTS, 1)).minimum(FASTEST_RAD_PER_S / turn)
    size_rad = size_rad * (draw(1, JOINTS, 1) < 0.04 + 0.96 * draw(1, 1, 1) ** 2)  # from one joint to all
    turns = size_rad * torch.sin(turn * t[..., None, None] + 2 * math.pi * draw(1, JOINTS, 1)) * draw.axes(JOINTS)
    noise_rad = torch.where(draw(1) < 0.35, torch.zeros(()), 0.005 * 36 ** draw(1))
    seen = base[:, None] @ rotmat_from_axis_angle(turns) @ draw.noise(frames, noise_rad) @ draw.glitches(frames)
    return Swings(dt, seen, base, turns, frequency_hz, size_rad[:, 0, :, 0], noise_rad[:, 0])


def still(base: Tensor, frames: int, generator: torch.Generator) -> Stills:
    """Let people stand in poses base (P, 22, 3, 3), under noise of 0.3 to 7 degrees."""
    draw = _Draw(len(base), generator)
    dt, noise_rad = draw.steps_s(frames, (15.0, 120.0)), 0.005 * 24 ** draw(1)
    return Stills(dt, base[:, None] @ draw.noise(frames, noise_rad))


class _Draw:
    """Random numbers of P people."""

    def __init__(self, people: int, generator: torch.Generator) -> None:
        self._people, self._generator = people, generator

    def __call__(self, *shape: int) -> Tensor:
        """Draw (P, *shape) from 0..1."""
        return torch.rand(self._people, *shape, generator=self._generator)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(self._people, *shape, generator=self._generator)

    def axes(self, joints: int) -> Tensor:
        return F.normalize(self.normal(1, joints, 3), dim=-1)

    def steps_s(self, frames: int, fps: tuple[float, float]) -> Tensor:
        """Draw irregular steps (P, T) at a log-uniform frame rate."""
        low, high = fps
        return (1 + 0.3 * (self(frames) - 0.5)) / (low * (high / low) ** self(1))

    def noise(self, frames: int, size_rad: Tensor) -> Tensor:
        """Draw white noise (P, T, 22, 3, 3) of size (P, 1), in each joint and about each axis another."""
        size_rad = size_rad[..., None, None] * torch.exp(
            0.5 * self.normal(1, JOINTS, 1) + 0.3 * self.normal(1, JOINTS, 3)
        )
        return rotmat_from_axis_angle(size_rad * self.normal(frames, JOINTS, 3))

    def glitches(self, frames: int) -> Tensor:
        """Draw rotations (P, T, 22, 3, 3), most of them none: in a seventh of the people joints err for some frames."""
        often = 0.03 * (1 + (torch.arange(JOINTS) == 0))  # the root twice as often
        begin, lasts = (self(frames, JOINTS) < often) & (self(1, 1) < 0.15), self(frames, JOINTS)
        wrong = begin.clone()
        for later, share in ((1, 0.5), (2, 0.25)):
            wrong[:, later:] |= begin[:, :-later] & (lasts[:, :-later] < share)
        wrong[:, :4] = False
        return rotmat_from_axis_angle(wrong[..., None] * (0.2 + 2 * self(1, JOINTS, 1)) * self.axes(JOINTS))
