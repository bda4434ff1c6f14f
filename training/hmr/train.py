"""Trains TokenHMR's second stage: image to pose tokens, shape and camera (TokenHMR, sections 4.4, 4.5 and 5.1).

    python -m training.hmr --config configs/hmr/small.yaml --data DIR --out DIR [--resume] [--backbone FILE]
    python -m training.processes 4 training.hmr --config configs/hmr/paper.yaml --data DIR --out DIR ...

Reads from top to bottom: configuration, one step, the loop, the command. The losses are in training.hmr.losses, the
network's initialisation in training.hmr.network, its evaluation in training.hmr.evaluation.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator
from torch import Tensor, nn

import engine
from engine.body.torch.model import TorchBody
from engine.command import command
from engine.config import load_config
from engine.errors import EngineError
from engine.files.weights import ASSETS
from engine.tokenhmr.crop import MEAN, STD
from engine.tokenhmr.network import TokenHmrConfig, TokenHmrOutput, middle
from engine.tokens.tokenizer import Tokenizer
from training.data.crops import CropAugmentation
from training.data.mixture import Batch, InMemory, Mixture, Part
from training.hmr.evaluation import evaluate, mean_joints
from training.hmr.losses import LossWeights, TalsVariant, sample_losses, token_loss
from training.hmr.network import build_network, load_backbone, released_state
from training.hmr.patch_keypoints import PatchKeypoints
from training.processes import open_accelerator
from training.readers.forms import Form, open_images
from training.readers.sample import ImageSet
from training.run import checkpoint
from training.run.progress import Progress
from training.run.schedule import warmup_cosine


@dataclass(frozen=True)
class SetConfig:
    """Image set: its form (training.readers.forms), folder below --data, and split if the form has several."""

    form: Form
    folder: str
    weight: float = 1.0
    split: str = "train"
    trusted: bool = False  # ground truth, for equation 8; otherwise equation 9
    in_memory: bool = False  # keep decoded images

    def open(self, data: Path) -> ImageSet:
        images = open_images(self.form, data / self.folder, self.split)
        return InMemory(images) if self.in_memory else images


@dataclass(frozen=True)
class HmrTraining:
    """Configuration of a run, without data folder, tokenizer, body and pretrained backbone."""

    steps: int
    sets: tuple[SetConfig, ...]
    validation: SetConfig | None = None
    model: TokenHmrConfig = field(default_factory=TokenHmrConfig)
    loss: LossWeights = field(default_factory=LossWeights)
    tals: TalsVariant = "paper"
    augmentation: CropAugmentation = field(default_factory=CropAugmentation)
    batch: int = 256  # total of all processes
    learning_rate: float = 1e-5
    final_rate: float = 1.0  # fraction of learning_rate, at the end of a cosine; 1 keeps it constant
    warmup_steps: int = 0
    weight_decay: float = 1e-4
    clip_norm: float = 0.0  # 0: gradients are not clipped
    precision: Literal["no", "bf16", "fp16"] = "fp16"
    workers: int = 0  # processes that read images, for each training process
    seed: int = 0
    log_every: int = 50
    checkpoint_every: int = 1000
    validate_every: int = 5000


# One step ------------------------------------------------------------------------------------------------------------


class Learner(nn.Module):
    """Trained modules: the network, and the patch keypoints if they have a loss."""

    def __init__(self, config: HmrTraining, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.network = build_network(config.model, tokenizer)
        self.patches = PatchKeypoints(config.model.vit) if config.loss.patches else None

    def forward(self, images: Tensor) -> tuple[TokenHmrOutput, Tensor | None]:
        """Run on images (B, 3, 256, 256), normalised."""
        features = self.network.backbone(middle(images))
        return self.network.from_patches(features), None if self.patches is None else self.patches(features)


class Trainer:
    """State of a run. `state` is complete, so that a resumed run equals an uninterrupted one."""

    def __init__(
        self, config: HmrTraining, mixture: Mixture, tokenizer: Tokenizer, body: TorchBody, accelerator: Accelerator
    ) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.mixture = mixture
        self.accelerator = accelerator
        self.body = body.to(accelerator.device)
        learner = Learner(config, tokenizer)
        self.network, self.patches = learner.network, learner.patches
        trained = [parameter for parameter in learner.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=config.learning_rate, weight_decay=config.weight_decay)
        self._model, self.optimizer = accelerator.prepare(learner, optimizer)
        self._mean = torch.from_numpy(MEAN).to(accelerator.device)
        self._std = torch.from_numpy(STD).to(accelerator.device)
        self.step = 0

    def rate(self) -> float:
        """Return the rate of the present step."""
        config = self.config
        return warmup_cosine(
            self.step,
            steps=config.steps,
            peak=config.learning_rate,
            final=config.learning_rate * config.final_rate,
            warmup_steps=config.warmup_steps,
        )

    @torch.no_grad()
    def predict(self, images: Tensor) -> TokenHmrOutput:
        """Predict from images (B, 3, 256, 256) uint8 RGB."""
        self._model.eval()
        said: TokenHmrOutput = self._model(self._normalised(images))[0]
        return said

    def train_step(self, batch: Batch) -> dict[str, Tensor]:
        """Update the weights once; return the mean losses of this process's share by name."""
        batch.require_finite()
        batch = batch.to(self.accelerator.device)
        self._model.train()
        said, patches = self._model(self._normalised(batch.images))
        losses = sample_losses(said, batch, self.body, self.config.tals)
        if self.config.loss.tokens:
            losses["tokens"] = token_loss(said, batch, self.network.tokenizer)
        if self.patches is not None:
            losses["patches"] = self.patches.loss(patches, batch)
        weighted = torch.stack([getattr(self.config.loss, name) * loss for name, loss in losses.items()]).sum(0)
        if not torch.isfinite(weighted).all():
            name = batch.names[int((~torch.isfinite(weighted)).nonzero()[0])]
            raise FloatingPointError(f"the loss of {name} is not finite at step {self.step}: lower the learning rate")
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        self.optimizer.zero_grad()
        self.accelerator.backward(weighted.mean())
        if self.config.clip_norm:
            self.accelerator.clip_grad_norm_(self._model.parameters(), self.config.clip_norm)
        self.optimizer.step()
        self.step += 1
        return {"total": weighted.mean().detach(), **{name: loss.mean().detach() for name, loss in losses.items()}}

    def state(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        scaler = self.accelerator.scaler
        return {
            **checkpoint.identity(self.config, self.mixture.fingerprint),
            "step": self.step,
            "network": self.network.state_dict(),
            "patches": None if self.patches is None else self.patches.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
        }

    def load_state(self, state: Mapping[str, Any], path: Path) -> None:
        """Load the state of the file `path`. Raises EngineError for another configuration or other data."""
        checkpoint.require_same(state, self.config, self.mixture.fingerprint, path)
        self.network.load_state_dict(state["network"])
        if self.patches is not None:
            self.patches.load_state_dict(state["patches"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.accelerator.scaler is not None and state["scaler"] is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.step = state["step"]

    def warm_start(self, state: Mapping[str, Any], path: Path) -> None:
        """Load the weights of another run of the same model. Raises EngineError for another model."""
        try:
            self.network.load_state_dict(state["network"])
            if self.patches is not None and state["patches"] is not None:
                self.patches.load_state_dict(state["patches"])
        except RuntimeError as error:
            first = str(error).splitlines()[1].strip()
            raise EngineError(f"{path} is of another model ({first}): give a run of this `model`") from error

    def _normalised(self, images: Tensor) -> Tensor:
        return (images.float() - self._mean) / self._std


# The loop ------------------------------------------------------------------------------------------------------------


def open_mixture(config: HmrTraining, data: Path) -> Mixture:
    """Open the image sets of a configuration."""
    parts = [Part(one.open(data), one.weight, one.trusted) for one in config.sets]
    return Mixture(parts, config.augmentation, config.seed)


@dataclass(frozen=True)
class Paths:
    """Files of a run. tokenizer: None is the shipped one."""

    data: Path
    out: Path
    tokenizer: Path | None = None
    body: Path = ASSETS / "body_open.npz"
    backbone: Path | None = None
    init: Path | None = None  # checkpoint.pt of another run, whose weights are loaded


def train(config: HmrTraining, paths: Paths, resume: bool = False) -> dict[str, float]:
    """Train to the last step; return the validation figures, empty without a validation set.

    Writes to `out`: checkpoint.pt, losses.jsonl, TensorBoard events, model.ckpt in the released layout and about.json.
    Raises FloatingPointError for a number that is not finite, in data or loss, with the sample's name.
    """
    accelerator = open_accelerator(config.precision, config.batch)
    rank, processes = accelerator.process_index, accelerator.num_processes
    mixture = open_mixture(config, paths.data)
    held_out = config.validation and config.validation.open(paths.data)
    trainer = Trainer(config, mixture, engine.load_tokenizer(paths.tokenizer), TorchBody(paths.body), accelerator)
    path = paths.out / "checkpoint.pt"
    if (earlier := checkpoint.begin(path, resume)) is not None:
        trainer.load_state(earlier, path)
    elif paths.backbone is not None:
        load_backbone(trainer.network, paths.backbone)
    elif paths.init is not None:
        trainer.warm_start(checkpoint.load(paths.init), paths.init)
    accelerator.wait_for_everyone()
    main_process = accelerator.is_main_process
    mean = mean_joints(mixture, trainer.body) if held_out and main_process else None
    figures: dict[str, float] = {}
    with Progress(paths.out, config.steps, trainer.step) if main_process else nullcontext() as progress:
        for batch in mixture.batches(config.batch, trainer.step, config.steps, rank, processes, config.workers):
            losses = trainer.train_step(batch)
            step, done = trainer.step, trainer.step == config.steps
            if step % config.log_every == 0 or done:
                values = accelerator.reduce(torch.stack(list(losses.values())), "mean").tolist()
                if progress is not None:
                    named = dict(zip(losses, values, strict=True))
                    progress.losses(step, {**named, "learning_rate": trainer.rate()})
            if progress is not None and held_out and mean is not None and (step % config.validate_every == 0 or done):
                figures = evaluate(trainer.predict, held_out, trainer.body, mean)
                progress.figures(step, "validation", figures)
            if main_process and (step % config.checkpoint_every == 0 or done):
                checkpoint.save(trainer.state(), path)
                _save_model(trainer, paths, figures)
    accelerator.wait_for_everyone()
    return figures


def _save_model(trainer: Trainer, paths: Paths, figures: dict[str, float]) -> None:
    checkpoint.save({"state_dict": released_state(trainer.network)}, paths.out / "model.ckpt")
    tokenizer = paths.tokenizer or ASSETS / "tokenizer.safetensors"
    about = {
        "training": asdict(trainer.config),
        "step": trainer.step,
        "data": trainer.mixture.fingerprint,
        "tokenizer_sha256": sha256(tokenizer.read_bytes()).hexdigest(),
        "body_sha256": sha256(paths.body.read_bytes()).hexdigest(),
        "skipped": trainer.mixture.skipped,
        "figures": figures,
    }
    with checkpoint.written_whole(paths.out / "about.json") as partial:
        partial.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


# The command ---------------------------------------------------------------------------------------------------------


@command("training.hmr")
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.hmr", description="Train TokenHMR's second stage.")
    parser.add_argument("--config", type=Path, required=True, metavar="YAML")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="where the sets' folders are")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where checkpoints and weights go")
    parser.add_argument("--tokenizer", type=Path, metavar="FILE", help="a trained tokenizer (the shipped one)")
    parser.add_argument("--body", type=Path, default=Paths.body, metavar="FILE", help="body .npz (the shipped one)")
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--backbone", type=Path, metavar="FILE", help="of ViTPose, HMR2 or TokenHMR, to start from")
    start.add_argument("--init", type=Path, metavar="FILE", help="checkpoint.pt of another run, to start from")
    start.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    paths = Paths(options.data, options.out, options.tokenizer, options.body, options.backbone, options.init)
    train(load_config(HmrTraining, options.config), paths, options.resume)
    return 0
