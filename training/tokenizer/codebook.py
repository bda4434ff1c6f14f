"""Learns a codebook by exponential moving averages of its features, and resets unused codes.

This is VQ-VAE's EMA rule (van den Oord et al. 2017, appendix A.1) with T2M-GPT's code reset, as TokenHMR's section 4.3
takes them up, so that no code lies idle. Where several processes train, each has its share of the batch and all must
call with generators of one state: counts, sums and drawn features are summed over them, so that all keep one codebook.
"""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn


class EmaCodebook(nn.Module):
    """Moves a codebook (K, D) in place; its buffers are what a checkpoint must keep beside the codebook itself.

    The first batch sets the codes to features drawn from it. A code whose averaged count of uses a step falls under 1
    is put onto a feature drawn from the batch, and starts again with a count of 1.
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
        """Set every code to one of the features (N, D), unless that was done before."""
        if not self.started:
            codebook.copy_(self._drawn(features, generator))
            self.sums.copy_(codebook)
            self.started.fill_(True)

    @torch.no_grad()
    def update(self, codebook: Tensor, features: Tensor, codes: Tensor, generator: torch.Generator) -> Tensor:
        """One step with the features (N, D) of a batch and the codes (N,) that they were given.

        Returns the share of codes that were given at all, a scalar.
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
        """For each code a feature drawn from the whole batch, the processes' shares one after the other."""
        rank, processes = (distributed.get_rank(), distributed.get_world_size()) if _several() else (0, 1)
        index = torch.randint(processes * len(features), (len(self.counts),), generator=generator)
        index = index.to(features.device) - rank * len(features)
        own = (index >= 0) & (index < len(features))
        return _summed(features[index.where(own, 0)] * own[:, None])


def _several() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def _summed(tensor: Tensor) -> Tensor:
    """The sum over all processes, in place."""
    if _several():
        distributed.all_reduce(tensor)
    return tensor
