"""Filter of rotations with learnt gains in torch: `realtime.smoothing.learned_filter` over whole sequences."""

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
from engine.body.torch.rotations import rotmat_from_axis_angle

JOINTS = NUM_BODY_JOINTS + 1
RECENT_S, REST_RAD_PER_S, REST_RAD, LEAD_S, LARGEST_LOG, RATE_HZ = 0.08, 0.05, 1e-4, 0.03, 3.0, 30.0
_FEATURES = 7
_START = (1.3, -1.0, -3.0, 0.0)  # cutoffs of 3.7 and 0.4 Hz, hardly a prediction, no lead
_HANDS_LIKE = (20, 21)  # hands are filtered like wrists


class GainFilter(nn.Module):
    """Alpha-beta filter on SO(3) whose gains a GRU cell sets, the same for all joints but for an embedding."""

    def __init__(self, width: int = 24, embedding: int = 8) -> None:
        super().__init__()
        self.joint = nn.Parameter(0.1 * torch.randn(JOINTS, embedding))
        self.cell = nn.GRUCell(_FEATURES + embedding, width)
        self.output = nn.Linear(width + _FEATURES + embedding, len(_START))
        nn.init.zeros_(self.output.weight)
        with torch.no_grad():
            self.output.bias.copy_(torch.tensor(_START))

    def forward(self, dt: Tensor, seen: Tensor, pace: Tensor) -> Tensor:
        """Filter seen rotations (P, T, 22, 3, 3), with steps dt (P, T) in s before each frame, and paces (P, T, 22)."""
        people, frames = seen.shape[:2]
        smooth = last = seen[:, 0]
        velocity = recent = seen.new_zeros(people, JOINTS, 3)
        state = seen.new_zeros(people * JOINTS, self.cell.hidden_size)
        joint = self.joint.expand(people, *self.joint.shape)
        shown = [smooth]
        for frame in range(1, frames):
            now, share, step_s = seen[:, frame], pace[:, frame, :, None], dt[:, frame, None, None]
            innovation, turned = axis_angle_from_rotmat(smooth.mT @ now), axis_angle_from_rotmat(last.mT @ now) / step_s
            last = now
            recent = recent + (1 - torch.exp(-step_s / RECENT_S)) * (turned - recent)
            features = (
                _length(innovation).log(),
                *((REST_RAD_PER_S + _length(each)).log() for each in (velocity, recent, turned)),
                *(_cosine(innovation, each) for each in (velocity, recent)),
                (RATE_HZ * step_s).log().expand(people, JOINTS, 1),
                joint,
            )
            told = torch.cat(features, -1).flatten(0, 1)
            state = self.cell(told, state)
            answer = self.output(torch.cat((state, told), -1)).unflatten(0, (people, JOINTS))
            correct, follow = answer[..., :2].clamp(-LARGEST_LOG, LARGEST_LOG).exp().split(1, -1)
            ahead = share * torch.sigmoid(answer[..., 2:3]) * step_s * velocity
            step = ahead + (1 - torch.exp(-2 * math.pi * step_s * share * correct)) * (innovation - ahead)
            velocity = velocity + (1 - torch.exp(-2 * math.pi * step_s * follow)) * (step / step_s - velocity)
            smooth = smooth @ rotmat_from_axis_angle(step)
            lead_s = LEAD_S * torch.tanh(answer[..., 3:])
            shown.append(smooth @ rotmat_from_axis_angle(share * lead_s * velocity))
        return torch.stack(shown, 1)

    def export(self, path: Path, about: Mapping[str, Any]) -> None:
        """Write the weights as `realtime.smoothing.learned_filter` reads them; about: how they were made, for JSON."""
        joint = torch.cat((self.joint, self.joint[list(_HANDS_LIKE)]))
        assert len(joint) == NUM_JOINTS
        tensors = {
            "joint": joint,
            "input_weight": self.cell.weight_ih.mT,
            "state_weight": self.cell.weight_hh.mT,
            "input_bias": self.cell.bias_ih,
            "state_bias": self.cell.bias_hh,
            "output_weight": self.output.weight.mT,
            "output_bias": self.output.bias,
        }
        with path.open("wb") as file:
            arrays = {name: tensor.detach().numpy() for name, tensor in tensors.items()}
            np.savez(file, about=json.dumps(about), **arrays)


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


def _length(vectors: Tensor) -> Tensor:
    return (vectors.square().sum(-1, keepdim=True) + REST_RAD**2).sqrt()


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1, keepdim=True) / (_length(a) * _length(b) + 1e-3)
