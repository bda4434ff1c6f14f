"""Adapters of the trainers that an ablation may run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.errors import EngineError


@dataclass(frozen=True)
class Inputs:
    """Input files of a run, the same for every row, except `mocap` of rows with fewer files."""

    mocap: tuple[Path, ...]  # for training
    measured_on: tuple[Path, ...]
    body: Path
    tokenizer: Path | None = None
    init: Path | None = None


@dataclass(frozen=True)
class Trained:
    """Result of a trainer: figures by split and measure, and the network's number of parameters."""

    figures: dict[str, dict[str, float]]
    parameters: int


@dataclass(frozen=True)
class Trainer:
    """Adapter of a trainer: its configuration type and (configuration, inputs, folder, resume) -> Trained."""

    config: type
    train: Callable[[Any, Inputs, Path, bool], Trained]


def tokenizer_trainer() -> Trainer:
    """Make the adapter of the tokenizer's trainer."""
    from engine import load_tokenizer
    from engine.body.torch.model import TorchBody
    from training.tokenizer import train as trainer
    from training.tokenizer.reconstruction import evaluate_splits

    def train(config: Any, inputs: Inputs, out: Path, resume: bool) -> Trained:
        figures = trainer.train(config, inputs.mocap, inputs.body, out, resume)
        tokenizer = load_tokenizer(trainer.weights_path(config, out))
        if inputs.mocap != inputs.measured_on:
            measured = evaluate_splits(tokenizer, TorchBody(inputs.body), inputs.measured_on)
            figures = {split: asdict(row) for split, row in measured.items()}
        size = sum(parameter.numel() for parameter in tokenizer.parameters()) + tokenizer.codebook.numel()
        return Trained(figures, size)

    return Trainer(trainer.TokenizerTraining, train)


def landmark_trainer() -> Trainer:
    """Make the adapter of the landmark estimator's trainer."""
    from engine.landmarks import network as landmark_net
    from training.landmarks import train as trainer

    def train(config: Any, inputs: Inputs, out: Path, resume: bool) -> Trained:
        if inputs.mocap != inputs.measured_on:
            raise EngineError("the landmark trainer measures on the files that it trains on: leave out mocap_files")
        assert inputs.tokenizer is not None
        paths = trainer.Paths(inputs.mocap, out, inputs.tokenizer, inputs.body, inputs.init)
        figures = trainer.train(config, paths, resume)
        net, _ = landmark_net.load(out / "landmarks.safetensors")
        return Trained(figures, sum(parameter.numel() for parameter in net.parameters()))

    return Trainer(trainer.LandmarkTrainingConfig, train)


TRAINERS: dict[str, Callable[[], Trainer]] = {"tokenizer": tokenizer_trainer, "landmarks": landmark_trainer}
