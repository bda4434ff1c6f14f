"""Sizes of a TokenHMR that runs in no time."""

from __future__ import annotations

from engine.tokenhmr.network import TokenHmrConfig
from engine.tokenhmr.pose_decoder import PoseDecoderConfig
from engine.tokenhmr.token_head import TokenHeadConfig
from engine.tokenhmr.vit import VitConfig
from engine.tokens.released import ReleasedTokenizerConfig

SMALL = TokenHmrConfig(
    vit=VitConfig(depth=1, dim=32, mlp_dim=32),
    decoder=PoseDecoderConfig(depth=1, dim=32, inner_dim=32, mlp_dim=32, context_dim=32),
    head=TokenHeadConfig(in_dim=32, codes=32, hidden=8, blocks=1, token_mlp=8, channel_mlp=8),
    tokenizer=ReleasedTokenizerConfig(codes=32, code_dim=8, width=16),
)
