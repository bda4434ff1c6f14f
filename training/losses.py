"""Losses on poses: rotations, joints and surface points.

Every function takes predictions and targets of one shape and returns a scalar tensor.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def rotation_l1(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of rotation matrices (..., 3, 3) or 6D rotations (..., 6), a number at a time."""
    return F.l1_loss(predicted, target)


def point_l1(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of points (..., 3) in metres, a coordinate at a time."""
    return F.l1_loss(predicted, target)


def commitment(features: Tensor, quantised: Tensor) -> Tensor:
    """Pulls encoder features to their codes, not codes to features (TokenHMR, equation 5)."""
    return F.mse_loss(features, quantised.detach())
