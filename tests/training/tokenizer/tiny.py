"""Tokenizers that train in no time."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import yaml
from accelerate import Accelerator

from engine.body.torch.model import TorchBody
from engine.tokens.released import ReleasedTokenizerConfig
from engine.tokens.tokenizer import PoseTokenizerConfig
from training.data.mocap import Mocap
from training.run.loop import Run
from training.tokenizer.train import Poses, TokenizerTask, TokenizerTraining

TINY = TokenizerTraining(
    steps=6,
    model=PoseTokenizerConfig(codes=16, code_dim=4, width=8),
    batch=4,
    warmup_steps=2,
    surface_every=1,
    precision="no",
    log_every=2,
    checkpoint_every=3,
    validate_every=3,
)
TINY_RELEASED = dataclasses.replace(
    TINY, model=ReleasedTokenizerConfig(codes=16, code_dim=4, width=8, stages=1, blocks=1)
)


def task_of(config: TokenizerTraining, mocap: Mocap, body: TorchBody) -> TokenizerTask:
    return TokenizerTask(config, mocap, body, Accelerator(mixed_precision=config.precision))


def run_of(config: TokenizerTraining, mocap: Mocap, body: TorchBody) -> Run[Poses]:
    return Run(task_of(config, mocap, body))


def config_file(folder: Path, config: TokenizerTraining, **changes: Any) -> Path:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({**dataclasses.asdict(config), **changes}))
    return path
