"""The tuned filter of rotations in torch: `realtime.smoothing.rotation_filter` and `learned_tuner` on whole motions."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.body.skeleton import NUM_BODY_JOINTS, NUM_JOINTS
from engine.body.torch.rotations import axis_angle_from_rotmat, rotmat_from_axis_angle

JOINTS = NUM_BODY_JOINTS + 1
# Of the filter that is tuned, `light`: cutoffs in Hz, Hz / (rad/s), and s.
LOWEST_HZ, BETA, SPEED_HZ, TOP_HZ, POLES, AHEAD_S, VELOCITY_S = 0.3, 3.0, 2.0, 6.0, 3, 0.01, 0.03
# Of the tuner.
SPEEDS_HZ, TURNS_HZ = (2.0, 6.0, 0.7), (3.0, 0.6)
FASTEST_RAD_PER_S, REST_RAD_PER_S, REST_RAD, RATE_HZ, CUTOFF_LOG, LEAD_S = 20.0, 0.05, 1e-3, 30.0, 1.5, 0.025
FEATURES, _ANSWERS = 14, 3
_HANDS_LIKE = (20, 21)  # hands are filtered like wrists


class TunedFilter(nn.Module):
    """Low-pass of three poles on SO(3) whose cutoff and lead a network changes, alike for all joints but a few numbers.

    As it begins, it changes nothing.
    """

    def __init__(self, width: int = 32, embedding: int = 6) -> None:
        super().__init__()
        self.joint = nn.Parameter(0.1 * torch.randn(JOINTS, embedding))
        self.first, self.second = nn.Linear(FEATURES + embedding, width), nn.Linear(width, width)
        self.output = nn.Linear(width, _ANSWERS)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, dt: Tensor, seen: Tensor, pace: Tensor) -> Tensor:
        """Filter seen rotations (P, T, 22, 3, 3), with steps dt (P, T) in s before each frame, and paces (P, T, 22)."""
        told = observe(dt, seen)
        told = torch.cat((told, self.joint.expand(*told.shape[:2], *self.joint.shape)), -1)
        return follow(dt, seen, pace, self.output(torch.tanh(self.second(torch.tanh(self.first(told))))))

    def export(self, path: Path, about: Mapping[str, Any]) -> None:
        """Write the weights as `realtime.smoothing.learned_tuner` reads them; about: how they were made, for JSON."""
        joint = torch.cat((self.joint, self.joint[list(_HANDS_LIKE)]))
        assert len(joint) == NUM_JOINTS
        tensors = {"joint": joint}
        for name in ("first", "second", "output"):
            layer = getattr(self, name)
            tensors |= {f"{name}_weight": layer.weight.mT, f"{name}_bias": layer.bias}
        with path.open("wb") as file:
            arrays = {name: tensor.detach().numpy() for name, tensor in tensors.items()}
            np.savez(file, allow_pickle=False, about=np.array(json.dumps(about)), **arrays)


def follow(dt: Tensor, seen: Tensor, pace: Tensor, answers: Tensor | None = None) -> Tensor:
    """Filter as `TunedFilter` with the network's answers (P, T, 22, 3); without them, as `light`."""
    step_s = dt[:, :, None, None]
    factor, lead_s, slow = torch.ones(()), torch.zeros(()), step_s / (step_s + VELOCITY_S)
    if answers is not None:
        factor = torch.exp(CUTOFF_LOG * torch.tanh(answers[..., :1] / CUTOFF_LOG))
        lead_s = LEAD_S * torch.tanh(answers[..., 1:2])
        slow = step_s / (step_s + VELOCITY_S * torch.exp(torch.tanh(answers[..., 2:])))
    pole = (POLES * factor * pace[..., None]).expand(*seen.shape[:3], 1)
    slow, lead_s = slow.expand_as(pole), lead_s.expand_as(pole)
    smooth = seen[:, 0]
    before = speed = velocity = first = second = torch.zeros_like(smooth[..., 0])
    kept, turns = [smooth], [velocity]
    for frame in range(1, seen.shape[1]):
        step = step_s[:, frame]
        raw = axis_angle_from_rotmat(smooth.mT @ seen[:, frame])
        speed = speed + low_pass_gain(SPEED_HZ, step) * ((raw - before).detach() / step - speed)
        cutoff_hz = (LOWEST_HZ + BETA * _length(speed)).clamp_max(TOP_HZ)
        share = low_pass_gain(pole[:, frame] * cutoff_hz, step)
        first = first + share * (raw - first)
        second = second + share * (first - second)
        turn = share * second
        smooth = smooth @ rotmat_from_axis_angle(turn)
        before, first, second = raw - turn, first - turn, second - turn
        velocity = velocity + slow[:, frame] * (turn / step - velocity)
        moving = (cutoff_hz - LOWEST_HZ) / (TOP_HZ - LOWEST_HZ)
        kept.append(smooth)
        turns.append((AHEAD_S * moving + lead_s[:, frame]) * pace[:, frame, :, None] * velocity)
    return torch.stack(kept, 1) @ rotmat_from_axis_angle(torch.stack(turns, 1))


@torch.no_grad()
def observe(dt: Tensor, seen: Tensor) -> Tensor:
    """Compute the tuner's features (P, T, 22, 14), without the joints' own numbers."""
    step_s = dt[:, :, None, None]
    turned = torch.zeros_like(seen[..., 0])
    turned[:, 1:] = axis_angle_from_rotmat(seen[:, :-1].mT @ seen[:, 1:])
    length = _length(turned)
    share = (FASTEST_RAD_PER_S * step_s / length).clamp_max(1)
    turn, size = share * turned, share * length
    goes_on = torch.zeros_like(size)
    goes_on[:, 2:] = (turn[:, 2:] * turn[:, 1:-1]).sum(-1, keepdim=True) / (size[:, 2:] * size[:, 1:-1]).sqrt()
    now = torch.cat((turned / step_s, turn / step_s, turn / step_s, size, goes_on, size, goes_on), -1)
    cutoffs_hz = torch.tensor((*SPEEDS_HZ, *TURNS_HZ)).repeat_interleave(torch.tensor((3, 3, 3, 2, 2)))
    gain = low_pass_gain(cutoffs_hz, step_s)
    averages = [torch.zeros_like(now[:, 0])]
    for frame in range(1, seen.shape[1]):
        averages.append(averages[-1] + gain[:, frame] * (now[:, frame] - averages[-1]))
    velocities, turns = torch.stack(averages, 1).split((9, 4), dim=-1)
    size, goes_on = turns[..., ::2], turns[..., 1::2]
    speeds = (REST_RAD_PER_S + _length(velocities.unflatten(-1, (3, 3)))[..., 0]).log()
    noise = (REST_RAD + 0.5 * (size - goes_on).clamp_min(0)).log() + 3
    motion = (REST_RAD_PER_S + 0.5 * (size + 2 * goes_on).clamp_min(0) / step_s).log()
    rate = (RATE_HZ * step_s).log().expand_as(length)
    own = (speeds, noise, motion, 2 * goes_on / (size + 1e-5), (REST_RAD_PER_S + length / step_s).log(), rate)
    shared = torch.cat((speeds[..., :1], noise), -1).mean(2, keepdim=True).expand(*length.shape[:3], 3)
    return 0.5 * torch.cat((*own, shared), -1).clamp(-6, 6)


def low_pass_gain(cutoff_hz: Tensor | float, step_s: Tensor) -> Tensor:
    """Weight of the new value in a first-order low-pass."""
    turn = 2 * math.pi * cutoff_hz * step_s
    return turn / (1 + turn)


def _length(vectors: Tensor) -> Tensor:
    return (vectors.square().sum(-1, keepdim=True) + 1e-12).sqrt()
