"""How a codebook learns: exponential moving averages of the features it stands for, and reset of unused codes.

This is VQ-VAE's EMA rule (van den Oord et al. 2017, appendix A.1) with T2M-GPT's code reset, as TokenHMR's section 4.3
takes them up, so that no code lies idle.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class EmaCodebook(nn.Module):
    """Moves `codebook` (K, D) in place; its buffers are what a checkpoint must keep beside the codebook itself.

    The first batch sets the codes to features drawn from it. A code whose averaged count of uses a step falls under 1
    is put onto a feature drawn from the batch, and starts again with a count of 1.
    """

    sums: Tensor
    counts: Tensor
    started: Tensor

    def __init__(self, codebook: Tensor, decay: float = 0.99) -> None:
        super().__init__()
        self.codebook = codebook
        self.decay = decay
        self.register_buffer("sums", torch.zeros_like(codebook))
        self.register_buffer("counts", torch.ones(len(codebook)))
        self.register_buffer("started", torch.tensor(False))

    @torch.no_grad()
    def start(self, features: Tensor, generator: torch.Generator) -> None:
        """Set every code to one of the features (N, D), unless that was done before."""
        if not self.started:
            self.codebook.copy_(self._drawn(features, generator))
            self.sums.copy_(self.codebook)
            self.started.fill_(True)

    @torch.no_grad()
    def update(self, features: Tensor, codes: Tensor, generator: torch.Generator) -> None:
        """One step with the features (N, D) of a batch and the codes (N,) that they were given."""
        batch_counts = torch.bincount(codes, minlength=len(self.counts)).float()
        batch_sums = torch.zeros_like(self.sums).index_add_(0, codes, features)
        self.counts.lerp_(batch_counts, 1 - self.decay)
        self.sums.lerp_(batch_sums, 1 - self.decay)
        idle = self.counts < 1
        self.sums[idle] = self._drawn(features, generator)[idle]
        self.counts[idle] = 1
        self.codebook.copy_(self.sums / self.counts[:, None])

    def _drawn(self, features: Tensor, generator: torch.Generator) -> Tensor:
        index = torch.randint(len(features), (len(self.counts),), generator=generator)
        return features[index.to(features.device)]
