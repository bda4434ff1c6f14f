"""Threshold-adaptive loss scaling, TALS (TokenHMR, section 4.2, equations 2 and 3).

Pseudo ground truth and 2D keypoints have the bias of the wrong camera. A term above its threshold counts in full,
because it is informative. At or below, it would only teach the bias and is scaled by `alpha`. TALS applies to samples
without true 3D; those with it use the plain losses (equation 8).

Every function returns one value for each sample and joint; the trainer sums and weights them.
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
    """Variant of TALS: scales, and the measure of a keypoint's error that is compared with its threshold."""

    alpha_pose: float = 0.01
    alpha_keypoints: float = 0.01
    gate: Literal["l1", "squared"] = "l1"  # |dx| + |dy|, or confidence * (dx^2 + dy^2)
    gates_3d: bool = False  # 3D pseudo keypoints count only if their 2D error is over the threshold


PAPER = Tals()
PLAIN = Tals(alpha_pose=1.0, alpha_keypoints=1.0)  # no scaling: the baseline for TALS
# As in the authors' code. There the squared distance is compared with thresholds measured as L1, so nearly every
# keypoint (any nearer than 7 to 13 % of the crop) counts as below.
RELEASED = Tals(alpha_pose=0.05, alpha_keypoints=0.05, gate="squared", gates_3d=True)
VARIANTS: Mapping[str, Tals] = MappingProxyType({"paper": PAPER, "released": RELEASED})

RELEASED_MIN_CONFIDENCE = 0.5  # 3D keypoints below are ignored


def pose_tals(predicted: Tensor, target: Tensor, thresholds_rad: Tensor, tals: Tals = PAPER) -> Tensor:
    """Compute equation 2: rotations (B, J, 3, 3) and thresholds (J,) in radians -> (B, J).

    The loss is the squared difference of the matrices, summed over their nine entries. The threshold applies to the
    geodesic angle between them, as it was measured. No gradient flows through the comparison.
    """
    squared = (predicted - target).square().sum((-2, -1))
    with torch.no_grad():
        over = angle_between(predicted, target) > thresholds_rad
    return torch.where(over, squared, tals.alpha_pose * squared)


def keypoint_tals(
    predicted: Tensor, target: Tensor, confidence: Tensor, thresholds: Tensor, tals: Tals = PAPER
) -> Tensor:
    """Compute equation 3: keypoints (B, K, 2) in fractions of the crop (-0.5..0.5) -> (B, K).

    confidence (B, K), 0 for unseen keypoints, weights the loss; thresholds (K,) in fractions of the crop.
    """
    weighted = confidence * (predicted - target).abs().sum(-1)
    over = keypoints_over(predicted, target, confidence, thresholds, tals)
    return torch.where(over, weighted, tals.alpha_keypoints * weighted)


@torch.no_grad()
def keypoints_over(
    predicted: Tensor, target: Tensor, confidence: Tensor, thresholds: Tensor, tals: Tals = PAPER
) -> Tensor:
    """Return which keypoints (B, K) are off by more than their threshold; arguments as `keypoint_tals`."""
    offset = predicted - target
    error = confidence * offset.square().sum(-1) if tals.gate == "squared" else offset.abs().sum(-1)
    return error > thresholds


def keypoints_3d_kept(over: Tensor, confidence: Tensor, tals: Tals = PAPER) -> Tensor:
    """Return which 3D pseudo keypoints (B, K) count, from `keypoints_over` and the confidence of each.

    None in the paper: equation 9 has no such term. In the released code, the confident ones over the threshold in 2D.
    """
    if not tals.gates_3d:
        return torch.zeros_like(over)
    return over & (confidence > RELEASED_MIN_CONFIDENCE)
