"""Sizes of a small TokenHMR that has every part of the released one: a few hundred kilobytes of weights."""

from __future__ import annotations

from engine.tokenhmr.network import TokenHmrConfig
from engine.tokenhmr.pose_decoder import PoseDecoderConfig
from engine.tokenhmr.token_head import TokenHeadConfig
from engine.tokenhmr.vit import VitConfig
from engine.tokens.released import ReleasedTokenizerConfig

SMALL = TokenHmrConfig(
    vit=VitConfig(depth=2, dim=64, mlp_dim=96),
    decoder=PoseDecoderConfig(depth=3, dim=48, inner_dim=32, mlp_dim=40, context_dim=64),
    head=TokenHeadConfig(in_dim=48, codes=64, hidden=16, blocks=2, token_mlp=24, channel_mlp=32),
    tokenizer=ReleasedTokenizerConfig(codes=64, code_dim=16, width=24),
)
