"""Learns a codebook by exponential moving averages of its features, and resets unused codes.

VQ-VAE's EMA rule (van den Oord et al. 2017, appendix A.1) with T2M-GPT's code reset, as in TokenHMR's section 4.3.
With several processes, each has its share of the batch and a generator of the same state. Counts, sums and drawn
features are summed over the processes, so that all have the same codebook.
"""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn


class EmaCodebook(nn.Module):
    """Updater of a codebook (K, D) in place; a checkpoint must keep its buffers and the codebook.

    The first batch initialises the codes with features drawn from it. A code whose averaged count of uses per step
    falls below 1 is reset to a feature drawn from the batch, with a count of 1.
    """

    sums: Tensor
    counts: Tensor
    started: Tensor

    def __init__(self, codes: int, dim: int, decay: float = 0.99) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("sums", torch.zeros(codes, dim))
        self.register_buffer("counts", torch.ones(codes))
        self.register_buffer("started", torch.tensor(False))

    @torch.no_grad()
    def start(self, codebook: Tensor, features: Tensor, generator: torch.Generator) -> None:
        """Set every code to one of the features (N, D), on the first call only."""
        if not self.started:
            codebook.copy_(self._drawn(features, generator))
            self.sums.copy_(codebook)
            self.started.fill_(True)

    @torch.no_grad()
    def update(self, codebook: Tensor, features: Tensor, codes: Tensor, generator: torch.Generator) -> Tensor:
        """Update with the features (N, D) of a batch and their codes (N,).

        Returns the share of codes in use, a scalar.
        """
        batch_counts = _summed(torch.bincount(codes, minlength=len(self.counts)).float())
        batch_sums = _summed(torch.zeros_like(self.sums).index_add_(0, codes, features))
        self.counts.lerp_(batch_counts, 1 - self.decay)
        self.sums.lerp_(batch_sums, 1 - self.decay)
        idle = self.counts < 1
        self.sums[idle] = self._drawn(features, generator)[idle]
        self.counts[idle] = 1
        codebook.copy_(self.sums / self.counts[:, None])
        return (batch_counts > 0).float().mean()

    def _drawn(self, features: Tensor, generator: torch.Generator) -> Tensor:
        """Draw a feature for each code from the whole batch, the processes' shares in order."""
        rank, processes = (distributed.get_rank(), distributed.get_world_size()) if _several() else (0, 1)
        index = torch.randint(processes * len(features), (len(self.counts),), generator=generator)
        index = index.to(features.device) - rank * len(features)
        own = (index >= 0) & (index < len(features))
        return _summed(features[index.where(own, 0)] * own[:, None])


def _several() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def _summed(tensor: Tensor) -> Tensor:
    """Sum over all processes, in place."""
    if _several():
        distributed.all_reduce(tensor)
    return tensor
