"""Train TokenHMR's second stage: a picture to pose tokens, shape and camera (TokenHMR, sections 4.4, 4.5 and 5.1).

    python -m training.hmr --config configs/hmr/small.yaml --data DIR --out DIR [--resume] [--backbone FILE]
    python -m training.processes 4 training.hmr --config configs/hmr/paper.yaml --data DIR --out DIR ...

Reads from top to bottom: configuration, task, run, command. The losses are in training.hmr.losses, the
network's initialisation in training.hmr.network, its evaluation in training.hmr.evaluation.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator
from torch import Tensor, nn

import engine
from engine.body.files import OPEN_BODY
from engine.body.torch.model import TorchBody
from engine.command import command
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
from training.hmr.thresholds import PAPER_THRESHOLDS, Thresholds, completed, load_thresholds
from training.readers.forms import Form, open_images
from training.readers.sample import Array, ImageSet
from training.run import checkpoint, loop
from training.run.accelerator import open_accelerator
from training.run.config import RunConfig, load_run_config
from training.run.loop import Figures, Stateful, Task


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


@dataclass(frozen=True, kw_only=True)
class HmrTraining(RunConfig):
    """Configuration of a run; the data's folder, the tokenizer and the body come from the command line."""

    sets: tuple[SetConfig, ...]
    validation: SetConfig | None = None
    model: TokenHmrConfig = field(default_factory=TokenHmrConfig)
    loss: LossWeights = field(default_factory=LossWeights)
    tals: TalsVariant = "paper"
    augmentation: CropAugmentation = field(default_factory=CropAugmentation)
    learning_rate: float = 1e-5
    final_rate: float = 1.0
    precision: Literal["no", "bf16", "fp16"] = "fp16"
    workers: int = 0  # processes that read images, for each training process
    validate_every: int = 5000


# Task ----------------------------------------------------------------------------------------------------------------


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


class HmrTask(Task[Batch]):
    """TokenHMR's second stage, which learns from a mixture of image sets."""

    config: HmrTraining

    def __init__(
        self,
        config: HmrTraining,
        mixture: Mixture,
        tokenizer: Tokenizer,
        body: TorchBody,
        accelerator: Accelerator,
        held_out: ImageSet | None = None,
        made_of: Mapping[str, Any] | None = None,
        thresholds: Thresholds = PAPER_THRESHOLDS,
    ) -> None:
        """held_out: the set to measure on. made_of: further entries of about.json. thresholds: of TALS."""
        torch.manual_seed(config.seed)
        self.thresholds = thresholds
        self.mixture, self.held_out, self.made_of = mixture, held_out, made_of or {}
        self.body = body.to(accelerator.device)
        learner = Learner(config, tokenizer)
        self.network, self.patches = learner.network, learner.patches
        trained = [parameter for parameter in learner.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=config.learning_rate, weight_decay=config.weight_decay)
        data = mixture.fingerprint if thresholds == PAPER_THRESHOLDS else f"{mixture.fingerprint} {thresholds}"
        super().__init__(config, accelerator, data, learner, optimizer)
        self._mean = torch.from_numpy(MEAN).to(accelerator.device)
        self._std = torch.from_numpy(STD).to(accelerator.device)

    def batches(self, first: int, last: int) -> Iterator[Batch]:
        rank, processes = self.accelerator.process_index, self.accelerator.num_processes
        return self.mixture.batches(self.config.batch, first, last, rank, processes, self.config.workers)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        batch.require_finite()
        batch = batch.to(self.accelerator.device)
        said, patches = self.model(self._normalised(batch.images))
        losses = sample_losses(said, batch, self.body, self.config.tals, self.thresholds)
        if self.config.loss.tokens:
            losses["tokens"] = token_loss(said, batch, self.network.tokenizer)
        if self.patches is not None:
            losses["patches"] = self.patches.loss(patches, batch)
        weighted = torch.stack([getattr(self.config.loss, name) * loss for name, loss in losses.items()]).sum(0)
        if not torch.isfinite(weighted).all():
            name = batch.names[int((~torch.isfinite(weighted)).nonzero()[0])]
            raise FloatingPointError(f"the loss of {name} is not finite: lower the learning rate")
        return {"total": weighted.mean(), **{name: loss.mean() for name, loss in losses.items()}}

    def parts(self) -> dict[str, Stateful]:
        return {"network": self.network} | ({} if self.patches is None else {"patches": self.patches})

    def warm_start(self, state: Mapping[str, Any], path: Path) -> None:
        """Take over the weights of another run. Raises EngineError, naming its file `path`, for another model."""
        try:
            self.network.load_state_dict(state["network"])
            if self.patches is not None and state.get("patches") is not None:
                self.patches.load_state_dict(state["patches"])
        except RuntimeError as error:
            first = str(error).splitlines()[1].strip()
            raise EngineError(f"{path} is of another model ({first}): give a run of this `model`") from error

    @torch.no_grad()
    def predict(self, images: Tensor) -> TokenHmrOutput:
        """Predict from images (B, 3, 256, 256) uint8 RGB."""
        self.model.eval()
        said: TokenHmrOutput = self.model(self._normalised(images))[0]
        return said

    def _normalised(self, images: Tensor) -> Tensor:
        return (images.float() - self._mean) / self._std

    @cached_property
    def _mean_joints(self) -> Array:
        return mean_joints(self.mixture, self.body)

    def validate(self) -> Figures:
        if self.held_out is None:
            return {}
        return {"validation": evaluate(self.predict, self.held_out, self.body, self._mean_joints)}

    def save(self, out: Path, step: int, figures: Figures) -> None:
        """Write model.ckpt in the released layout, and about.json."""
        checkpoint.save({"state_dict": released_state(self.network)}, out / "model.ckpt")
        about = {
            "training": asdict(self.config),
            "step": step,
            "data": self.mixture.fingerprint,
            "thresholds": self.thresholds.source,
            **self.made_of,
            "skipped": self.mixture.skipped,
            "figures": figures.get("validation", {}),
        }
        checkpoint.save_json(about, out / "about.json")


# Run -----------------------------------------------------------------------------------------------------------------


def open_mixture(config: HmrTraining, data: Path) -> Mixture:
    """Open the sets of a configuration, in folders below `data`."""
    parts = [Part(one.open(data), one.weight, one.trusted) for one in config.sets]
    return Mixture(parts, config.augmentation, config.seed)


@dataclass(frozen=True)
class Paths:
    """Files of a run."""

    data: Path
    out: Path
    tokenizer: Path = ASSETS / "tokenizer.safetensors"
    body: Path = OPEN_BODY
    backbone: Path | None = None
    init: Path | None = None  # checkpoint.pt of another run, whose weights are loaded
    thresholds: Path | None = None  # of TALS, from training.camera_bias; None: the paper's


def train(config: HmrTraining, paths: Paths, resume: bool = False) -> Figures:
    """Run to the last step, as `training.run.loop.train` does. Returns the figures, if there is a validation set."""
    accelerator = open_accelerator(config.precision, config.batch)
    mixture = open_mixture(config, paths.data)
    held_out = None if config.validation is None else config.validation.open(paths.data)
    tokenizer, body = engine.load_tokenizer(paths.tokenizer), TorchBody(paths.body)
    files = {"tokenizer_sha256": paths.tokenizer, "body_sha256": paths.body}
    made_of = {key: sha256(path.read_bytes()).hexdigest() for key, path in files.items()}
    thresholds = PAPER_THRESHOLDS if paths.thresholds is None else completed(load_thresholds(paths.thresholds))
    task = HmrTask(config, mixture, tokenizer, body, accelerator, held_out, made_of, thresholds)
    if not resume and paths.backbone is not None:
        load_backbone(task.network, paths.backbone)
    if not resume and paths.init is not None:
        task.warm_start(checkpoint.load(paths.init), paths.init)
    return loop.train(task, paths.out, resume)


# Command -------------------------------------------------------------------------------------------------------------


@command("training.hmr")
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.hmr", description="Train TokenHMR's second stage.")
    parser.add_argument("--config", type=Path, required=True, metavar="YAML")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="where the sets' folders are")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where checkpoints and weights go")
    parser.add_argument("--tokenizer", type=Path, default=Paths.tokenizer, metavar="FILE", help="(the shipped one)")
    parser.add_argument("--body", type=Path, default=Paths.body, metavar="FILE", help="body .npz (the shipped one)")
    parser.add_argument("--thresholds", type=Path, metavar="JSON", help="of TALS, measured (the paper's Table S.1)")
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--backbone", type=Path, metavar="FILE", help="of ViTPose, HMR2 or TokenHMR, to start from")
    start.add_argument("--init", type=Path, metavar="FILE", help="checkpoint.pt of another run, to start from")
    start.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    paths = Paths(
        options.data, options.out, options.tokenizer, options.body, options.backbone, options.init, options.thresholds
    )
    train(load_run_config(HmrTraining, options.config), paths, options.resume)
    return 0
