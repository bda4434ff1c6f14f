"""Pose tokenizer in the released TokenHMR layout: a VQ-VAE of 160 tokens (TokenHMR, section 4.3 and figure 3a).

Convolutions run along the 21 joints. The encoder upsamples that axis to 320 in doublings and halves it to the tokens.
The decoder downsamples it from 160 to 21 in even steps. Both use nearest-neighbour interpolation.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.body.skeleton import NUM_BODY_JOINTS
from engine.tokens.tokenizer import ResidualConv, Tokenizer

_FIRST_LENGTH = 2 * (NUM_BODY_JOINTS // 10 * 10)  # length of the joint axis after the first upsampling
_DILATION = 3


@dataclass(frozen=True)
class ReleasedTokenizerConfig:
    """Released sizes. stages: steps of up- and downsampling; blocks: residual blocks of each half."""

    codes: int = 2048
    code_dim: int = 256
    width: int = 512
    stages: int = 4
    blocks: int = 2

    @property
    def num_tokens(self) -> int:
        """Number of tokens that encode a pose."""
        return _FIRST_LENGTH * 2**self.stages // 4


class ReleasedTokenizer(Tokenizer):
    """Released tokenizer; see `Tokenizer`. TokenHMR adds the 6D form of its rotations to an initial pose."""

    def __init__(self, config: ReleasedTokenizerConfig) -> None:
        super().__init__(config.codes, config.code_dim)
        self.config = config
        self.num_tokens = config.num_tokens
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)

    def features_from_6d(self, d6: Tensor) -> Tensor:
        return self.encoder(d6.transpose(1, 2)).transpose(1, 2)

    def sixd_from_features(self, features: Tensor) -> Tensor:
        return self.decoder(features.transpose(1, 2)).transpose(1, 2)


class Encoder(nn.Module):
    """Map (B, 6, 21) to (B, code_dim, tokens)."""

    def __init__(self, config: ReleasedTokenizerConfig) -> None:
        super().__init__()
        width = config.width
        self.enter = nn.Conv1d(6, width, 3, padding=1)
        lengths = [NUM_BODY_JOINTS, *(_FIRST_LENGTH * 2**i for i in range(config.stages))]
        self.stretch = nn.ModuleList([Resize(*pair) for pair in pairwise(lengths)])
        self.convs = nn.ModuleList([nn.Conv1d(width, width, 3, padding=1) for _ in range(config.stages)])
        self.halve = nn.Conv1d(width, width, 4, stride=2, padding=1)
        self.residual = _residual(config)
        self.leave = nn.Conv1d(width, config.code_dim, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.enter(x))
        for stretch, conv in zip(self.stretch, self.convs, strict=True):
            x = F.relu(conv(stretch(x)))
        return self.leave(self.residual(self.halve(x)))


class Decoder(nn.Module):
    """Map (B, code_dim, tokens) to (B, 6, 21) fp32."""

    def __init__(self, config: ReleasedTokenizerConfig) -> None:
        super().__init__()
        width = config.width
        self.enter = nn.Conv1d(config.code_dim, width, 3, padding=1)
        tokens, stages = config.num_tokens, config.stages
        lengths = [int(tokens - (tokens - NUM_BODY_JOINTS) * i / stages) for i in range(stages + 1)]
        self.shrink = nn.ModuleList([Resize(*pair) for pair in pairwise(lengths)])
        self.convs = nn.ModuleList([nn.Conv1d(width, width, 3, padding=1) for _ in range(stages)])
        self.residual = _residual(config)
        self.mix = nn.Conv1d(width, width, 3, padding=1)
        self.leave = nn.Conv1d(width, 6, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.enter(x.to(self.enter.weight.dtype)))
        for shrink, conv in zip(self.shrink, self.convs, strict=True):
            x = F.relu(conv(shrink(x)))
        return self.leave(self.mix(self.residual(x))).float()


class Resize(nn.Module):
    """Resample (B, C, before) to (B, C, after): output position i is input position floor(i before / after)."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.before, self.after = before, after

    def forward(self, x: Tensor) -> Tensor:
        index = torch.arange(self.after, device=x.device) * self.before // self.after
        return x.index_select(-1, index)


def _residual(config: ReleasedTokenizerConfig) -> nn.Sequential:
    """Residual blocks, largest dilation first."""
    dilations = [_DILATION**i for i in reversed(range(config.blocks))]
    return nn.Sequential(*[ResidualConv(config.width, dilation) for dilation in dilations])
