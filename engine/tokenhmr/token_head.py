"""TokenHMR's token classifier: maps a person's features to logits over the codebook for each pose token.

TokenHMR, section 5.1: an MLP-mixer between a linear expansion to all tokens and a classifier of each token. Each of its
blocks has two MLPs with a GELU, one across tokens and one within each token.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from engine.tokenhmr.precision import LayerNorm, Linear


@dataclass(frozen=True)
class TokenHeadConfig:
    """Released sizes. in_dim: of the person's features; hidden: channels of a token in the mixer."""

    in_dim: int = 1024
    tokens: int = 160
    codes: int = 2048
    hidden: int = 64
    blocks: int = 4
    token_mlp: int = 64
    channel_mlp: int = 256


class TokenHead(nn.Module):
    """Map features (B, in_dim) to logits (B, tokens, codes)."""

    def __init__(self, config: TokenHeadConfig) -> None:
        super().__init__()
        self.hidden = config.hidden
        self.spread = LinearNormRelu(config.in_dim, config.tokens * config.hidden)
        self.mixers = nn.ModuleList([Mixer(config) for _ in range(config.blocks)])
        self.gather = LinearNormRelu(config.hidden, config.hidden)
        self.classify = Linear(config.hidden, config.codes)

    def forward(self, features: Tensor) -> Tensor:
        x = self.spread(features).unflatten(-1, (-1, self.hidden))
        for mixer in self.mixers:
            x = mixer(x)
        return self.classify(self.gather(x)).float()


class LinearNormRelu(nn.Module):
    """Linear layer, layer norm and ReLU."""

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.linear = Linear(in_dim, out_dim)
        self.norm = LayerNorm(out_dim)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.linear(x)))


class Mixer(nn.Module):
    """Mix (B, tokens, hidden) across tokens, then across channels, each with a residual."""

    def __init__(self, config: TokenHeadConfig) -> None:
        super().__init__()
        self.token_norm = LayerNorm(config.hidden)
        self.token_mlp = TwoLayers(config.tokens, config.token_mlp)
        self.channel_norm = LayerNorm(config.hidden)
        self.channel_mlp = TwoLayers(config.hidden, config.channel_mlp)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.token_mlp(self.token_norm(x).transpose(1, 2)).float().transpose(1, 2)
        return x + self.channel_mlp(self.channel_norm(x)).float()


class TwoLayers(nn.Module):
    """Two linear layers with a GELU."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.expand = Linear(dim, hidden)
        self.project = Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.project(F.gelu(self.expand(x)))
