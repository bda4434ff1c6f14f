"""Losses on poses: rotations, joints and surface points.

Every function takes predictions and targets of one shape and returns a scalar tensor.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def rotation_l1(predicted: Tensor, target: Tensor) -> Tensor:
    """Compute the mean absolute difference of rotation matrices (..., 3, 3) or 6D rotations (..., 6)."""
    return F.l1_loss(predicted, target)


def point_l1(predicted: Tensor, target: Tensor) -> Tensor:
    """Compute the mean absolute coordinate difference of points (..., 3) in metres."""
    return F.l1_loss(predicted, target)


def commitment(features: Tensor, quantised: Tensor) -> Tensor:
    """Compute the commitment loss, which moves encoder features to their codes (TokenHMR, equation 5)."""
    return F.mse_loss(features, quantised.detach())
