"""A running mean of a network's weights, which is measured and shipped in place of the last ones."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class RunningMean:
    """Exponential running mean of a network's weights, shorter in the first steps."""

    def __init__(self, net: nn.Module, kept: float) -> None:
        """Begin at the network's weights. kept: share of the mean that stays in a step, once many are done."""
        self.weights = {name: value.clone() for name, value in net.state_dict().items()}
        self._kept = kept

    @torch.no_grad()
    def follow(self, net: nn.Module, step: int) -> None:
        """Move towards the network's weights after a step."""
        kept = min(self._kept, (step + 1) / (step + 20))
        for name, value in net.state_dict().items():
            self.weights[name].lerp_(value, 1 - kept)

    def state_dict(self) -> dict[str, Tensor]:
        return self.weights

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.weights = {name: value.to(self.weights[name].device) for name, value in state.items()}
