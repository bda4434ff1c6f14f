"""Samples motions with their times, and draws errors that last: random numbers correlated in time.

A sequence has its own frame rate, 15 to 120 a second, and its steps are irregular, as a live camera's. Rows of a batch
are people, then frames: frame t of person p is row p * frames + t.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.body.torch.rotations import rotmat_from_6d, rotmat_from_axis_angle, sixd_from_rotmat
from training.data.augment import mirror
from training.data.mocap import Mocap
from training.data.views import Draw


@dataclass(frozen=True)
class Lasting:
    """Duration of random numbers. constant: share of the variance that stays for a whole sequence.

    time_s: the rest is an Ornstein-Uhlenbeck process, whose correlation falls as exp(-dt / time_s).
    """

    constant: float = 1.0
    time_s: float = 1.0

    def __post_init__(self) -> None:
        if not (0 <= self.constant <= 1 and self.time_s > 0):
            raise ValueError("a lasting error needs a constant share in 0..1 and a time above 0 s")


class LastingDraw(Draw):
    """Random numbers of P people over T frames; every number alone is distributed as `Draw`'s.

    Uniform numbers and booleans are functions of correlated normal ones, so an event lasts too.
    """

    def __init__(self, generator: torch.Generator, t: Tensor, lasting: Lasting) -> None:
        """t (P, T): times of the frames in s, rising."""
        super().__init__(generator)
        self._lasting = lasting
        self._shape = tuple(t.shape)
        self._keep = torch.exp(-t.diff(dim=1) / lasting.time_s)  # (P, T - 1)

    def uniform(self, bounds: tuple[float, float], *shape: int) -> Tensor:
        share = 0.5 * torch.erfc(self.normal(*shape) * -math.sqrt(0.5))
        return bounds[0] + (bounds[1] - bounds[0]) * share

    def normal(self, *shape: int) -> Tensor:
        """Draw (P * T, ...) from the standard normal."""
        people, frames = self._shape
        if shape[0] != people * frames:
            raise ValueError(f"{people} people in {frames} frames have {people * frames} rows, not {shape[0]}")
        stays = super().normal(people, 1, *shape[1:]).expand(people, frames, *shape[1:])
        if self._lasting.constant == 1:
            return stays.flatten(0, 1)
        moving = super().normal(people, frames, *shape[1:])
        for frame in range(1, frames):
            keep = self._keep[:, frame - 1].view(-1, *[1] * (len(shape) - 1))
            moving[:, frame] = keep * moving[:, frame - 1] + (1 - keep.square()).sqrt() * moving[:, frame]
        constant = self._lasting.constant
        return (math.sqrt(constant) * stays + math.sqrt(1 - constant) * moving).flatten(0, 1)

    def chance(self, p: float, *shape: int) -> Tensor:
        return self.uniform((0.0, 1.0), *shape) < p


@dataclass(frozen=True)
class MotionConfig:
    """Distribution of sequences."""

    frames: int = 32
    fps: tuple[float, float] = (15.0, 120.0)  # log-uniform
    jitter: float = 0.15  # each step is longer or shorter by up to this share
    mirrored: float = 0.5
    clip_exponent: float = 0.4  # reduces the weight of frames of long clips; see Mocap.weights


class MotionSampler:
    """Sampler of recorded motions. The generator's state is its only state."""

    def __init__(self, mocap: Mocap, config: MotionConfig, generator: torch.Generator) -> None:
        self.config, self.draw = config, Draw(generator)
        self._mocap = mocap
        self._cumulative = mocap.weights(config.clip_exponent).cumsum(0)
        lengths = torch.bincount(mocap.clip, minlength=len(mocap.clip_names))
        self._starts, self._lengths = lengths.cumsum(0) - lengths, lengths

    def sample(self, people: int) -> tuple[Tensor, Tensor]:
        """Sample times t (P, T) in s and world poses (P * T, 22, 3, 3), Y up.

        A motion starts anywhere in a clip. At the clip's end it runs backwards. Poses between recorded frames are
        interpolated.
        """
        low, high = self.config.fps
        fps = low * (high / low) ** self.draw.uniform((0, 1), people, 1)
        jitter = self.config.jitter
        steps = (1 + self.draw.uniform((-jitter, jitter), people, self.config.frames)) / fps
        t = steps.cumsum(1) - steps[:, :1]
        return t, self.poses(self._first_frames(people), t)

    def _first_frames(self, people: int) -> Tensor:
        at = torch.rand(people, generator=self.draw.generator, dtype=torch.float64) * self._cumulative[-1]
        return torch.searchsorted(self._cumulative, at).clamp_max(len(self._mocap) - 1)

    def poses(self, first: Tensor, t: Tensor) -> Tensor:
        """Return the poses (P * T, 22, 3, 3) from frames `first` (P,) on, at times t (P, T), some people mirrored."""
        clip = self._mocap.clip[first]
        start, last = self._starts[clip][:, None], (self._lengths[clip] - 1).clamp_min(1)[:, None]
        # A triangle wave runs to and fro through the clip.
        along = (first[:, None] - start + t * self._mocap.fps) % (2 * last)
        along = last - (along - last).abs()
        before = along.floor().long().clamp_max(last - 1)
        axis_angle = self._mocap.axis_angle
        mirrored = self.draw.chance(self.config.mirrored, len(first), 1, 1, 1)

        def sixd(frame: Tensor) -> Tensor:
            recorded = axis_angle[(start + frame).clamp_max(len(axis_angle) - 1)]
            return sixd_from_rotmat(rotmat_from_axis_angle(torch.where(mirrored, mirror(recorded), recorded)))

        share = (along - before)[..., None, None]
        return rotmat_from_6d(torch.lerp(sixd(before), sixd(before + 1), share)).flatten(0, 1)
