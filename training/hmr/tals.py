"""Threshold-adaptive loss scaling, TALS (TokenHMR, section 4.2, equations 2 and 3).

Pseudo ground truth and 2D keypoints carry the bias of the wrong camera under which they are compared. A term that is
above its threshold counts in full, for it says something; at or below it counts `alpha`, for there it would only teach
the bias. Only for samples without true 3D: those with it take the plain losses (equation 8).

Every function returns one value a sample and joint; summing and weighting are the trainer's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor

from engine.body.torch.rotations import angle_between


@dataclass(frozen=True)
class Tals:
    """What is scaled by how much, and which measure of a keypoint's error is held against its threshold."""

    alpha_pose: float = 0.01
    alpha_keypoints: float = 0.01
    gate: Literal["l1", "squared"] = "l1"  # |dx| + |dy|, or confidence * (dx^2 + dy^2)
    gates_3d: bool = False  # 3D pseudo keypoints count where their 2D error is over the threshold, else not at all


PAPER = Tals()
PLAIN = Tals(alpha_pose=1.0, alpha_keypoints=1.0)  # no scaling: what TALS is compared with
# As in the authors' code. There the squared distance meets thresholds that were measured as L1, so nearly every
# keypoint (anything nearer than 7 to 13 % of the crop) counts as below.
RELEASED = Tals(alpha_pose=0.05, alpha_keypoints=0.05, gate="squared", gates_3d=True)
VARIANTS: Mapping[str, Tals] = MappingProxyType({"paper": PAPER, "released": RELEASED})

RELEASED_MIN_CONFIDENCE = 0.5  # under this no 3D keypoint is kept


def pose_tals(predicted: Tensor, target: Tensor, thresholds_rad: Tensor, tals: Tals = PAPER) -> Tensor:
    """Equation 2: rotations (B, J, 3, 3) and thresholds (J,) in radians -> (B, J).

    The loss is the squared difference of the matrices, summed over their nine entries; what is held against the
    threshold is the geodesic angle between them, which is what the thresholds were measured in. No gradient flows
    through the choice.
    """
    squared = (predicted - target).square().sum((-2, -1))
    with torch.no_grad():
        over = angle_between(predicted, target) > thresholds_rad
    return torch.where(over, squared, tals.alpha_pose * squared)


def keypoint_tals(
    predicted: Tensor, target: Tensor, confidence: Tensor, thresholds: Tensor, tals: Tals = PAPER
) -> Tensor:
    """Equation 3: keypoints (B, K, 2) in fractions of the crop (-0.5..0.5) -> (B, K).

    confidence (B, K), 0 where a keypoint was not seen, weights the loss; thresholds (K,) in fractions of the crop.
    """
    weighted = confidence * (predicted - target).abs().sum(-1)
    over = keypoints_over(predicted, target, confidence, thresholds, tals)
    return torch.where(over, weighted, tals.alpha_keypoints * weighted)


@torch.no_grad()
def keypoints_over(
    predicted: Tensor, target: Tensor, confidence: Tensor, thresholds: Tensor, tals: Tals = PAPER
) -> Tensor:
    """Which keypoints (B, K) are further from their target than their threshold; arguments as `keypoint_tals`."""
    offset = predicted - target
    error = confidence * offset.square().sum(-1) if tals.gate == "squared" else offset.abs().sum(-1)
    return error > thresholds


def keypoints_3d_kept(over: Tensor, confidence: Tensor, tals: Tals = PAPER) -> Tensor:
    """Which 3D pseudo keypoints (B, K) count, from `keypoints_over` and the confidence of each.

    None in the paper: equation 9 has no such term. In the released code those over the threshold in 2D and seen well.
    """
    if not tals.gates_3d:
        return torch.zeros_like(over)
    return over & (confidence > RELEASED_MIN_CONFIDENCE)
