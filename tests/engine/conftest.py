"""A small TokenHMR in the released layout: random weights, every part there, a few hundred kilobytes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from engine.tokenhmr.network import TokenHmrConfig
from engine.tokenhmr.pose_decoder import PoseDecoderConfig
from engine.tokenhmr.random_weights import write
from engine.tokenhmr.token_head import TokenHeadConfig
from engine.tokenhmr.vit import VitConfig
from engine.tokens.released import ReleasedTokenizerConfig

SMALL = TokenHmrConfig(
    vit=VitConfig(depth=2, dim=64, mlp_dim=96),
    decoder=PoseDecoderConfig(depth=3, dim=48, inner_dim=32, mlp_dim=40, context_dim=64),
    head=TokenHeadConfig(in_dim=48, codes=64, hidden=16, blocks=2, token_mlp=24, channel_mlp=32),
    tokenizer=ReleasedTokenizerConfig(codes=64, code_dim=16, width=24),
)


class ReleasedFiles(NamedTuple):
    checkpoint: Path
    tokenizer: Path


@pytest.fixture(scope="session")
def small_files(tmp_path_factory: pytest.TempPathFactory) -> ReleasedFiles:
    return ReleasedFiles(*write(tmp_path_factory.mktemp("released"), SMALL))
