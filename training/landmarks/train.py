"""Trains the landmark estimator on a synthetic BlazePose.

    python -m training.landmarks --config configs/landmarks/direct.yaml --mocap FILE [FILE ...] --out runs/direct
    python -m training.landmarks --config configs/landmarks/default.yaml --mocap FILE [FILE ...] \
        --init runs/direct/checkpoint.pt --out runs/tokens
    python -m training.processes 4 training.landmarks ...

First the trunk is trained with a direct 6D head, then the token head with the frozen tokenizer: the trunk learns faster
without tokens.

Batches are generated on the CPU, so there are no epochs, and the network runs on accelerate's device. Several processes
draw the same batch and take a share each, with the same losses as one process. --resume continues a run bit for bit.

Reads from top to bottom: configuration, one step, evaluation, the loop, the command.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import rotmat_from_axis_angle
from engine.command import command
from engine.config import load_config
from engine.files.weights import ASSETS
from engine.landmarks import network as landmark_net
from engine.landmarks.network import LandmarkNet, LandmarkNetConfig, normalise
from engine.tokens import tokenizer as pose_tokenizer
from engine.tokens.tokenizer import Tokenizer
from training.data.augment import PoseAugmentation, PoseSampler
from training.data.mocap import Mocap, load_mocap
from training.landmarks.losses import LossConfig, losses, posed
from training.landmarks.synthetic import SyntheticBlazePose, Targets
from training.landmarks.synthetic_config import OCCLUSIONS, SyntheticConfig
from training.metrics import mpjpe, pa_mpjpe
from training.processes import open_accelerator
from training.readers.clip import SPLITS
from training.run import checkpoint
from training.run.progress import Progress
from training.run.schedule import warmup_cosine


@dataclass(frozen=True)
class LandmarkTrainingConfig:
    """Configuration of a run, without mocap, body and tokenizer."""

    seed: int = 1
    steps: int = 8000
    batch: int = 256  # total of all processes
    learning_rate: float = 8e-4
    warmup_steps: int = 300
    final_rate: float = 0.01  # fraction of learning_rate, at the end of the cosine
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    ema: float = 0.998
    precision: Literal["no", "bf16", "fp16"] = "bf16"
    recorded: float = 0.45  # share of poses left as recorded; only these are occluded
    gated: float = 0.0  # share of people whose landmarks below a random visibility (up to gate_most) are dropped
    gate_most: float = 0.6
    log_every: int = 50
    checkpoint_every: int = 500
    evaluate_every: int = 2000
    evaluate_people: int = 512
    net: LandmarkNetConfig = field(default_factory=LandmarkNetConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    augmentation: PoseAugmentation = field(default_factory=PoseAugmentation)
    synthetic: SyntheticConfig = field(default_factory=SyntheticConfig)


# One step ------------------------------------------------------------------------------------------------------------


class Trainer:
    """State of a run: `state()` is complete, so that a resumed run equals an uninterrupted one."""

    def __init__(
        self,
        config: LandmarkTrainingConfig,
        mocap: Mocap,
        body: TorchBody,
        tokenizer: Tokenizer | None,
        accelerator: Accelerator | None = None,
    ) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.accelerator = accelerator or Accelerator(cpu=True, mixed_precision=config.precision)
        device = self.accelerator.device
        self.generator = torch.Generator().manual_seed(config.seed)
        self.poses = PoseSampler(mocap, config.augmentation, self.generator)
        self.recorded = PoseSampler(mocap, replace(config.augmentation, changed=0.0), self.generator)
        self.camera = SyntheticBlazePose(body, config.synthetic, self.generator)
        self.body = deepcopy(body).to(device)
        self.tokenizer = None if tokenizer is None else tokenizer.to(device)
        self.net = LandmarkNet(config.net)
        optimizer = torch.optim.AdamW(
            self.net.parameters(), config.learning_rate, betas=(0.9, 0.98), weight_decay=config.weight_decay, fused=True
        )
        self._model, self.optimizer = self.accelerator.prepare(self.net, optimizer)
        self.ema = {name: value.clone() for name, value in self.net.state_dict().items()}
        self.step = 0

    def rate(self) -> float:
        """Return the rate of the present step."""
        config = self.config
        peak, final = config.learning_rate, config.learning_rate * config.final_rate
        return warmup_cosine(self.step, steps=config.steps, peak=peak, final=final, warmup_steps=config.warmup_steps)

    def batch(self) -> tuple[Tensor, Targets]:
        """Generate this process's share of a batch: inputs (B, 33, 6) and targets.

        Hidden limbs must be inferred from the rest of the body, so occluded people have recorded poses, whose limbs
        belong together.
        """
        config, generator = self.config, self.generator
        gate = config.gate_most * torch.rand(config.batch, 1, generator=generator)
        gate = gate * (torch.rand(config.batch, 1, generator=generator) < config.gated)
        recorded = round(config.recorded * config.batch)
        poses = torch.cat((self.poses.sample(config.batch - recorded), self.recorded.sample(recorded)))
        seen, truth = self.camera(poses, gate, whole=torch.arange(config.batch) < config.batch - recorded)
        features = normalise(seen.image, seen.world_m, seen.visibility, gate).features
        share = slice(self.accelerator.process_index, None, self.accelerator.num_processes)
        device = self.accelerator.device
        return features[share].to(device), Targets(*(part[share].to(device) for part in truth))

    def train_step(self) -> dict[str, Tensor]:
        """Update the weights once; return the losses of this process's share by name."""
        features, truth = self.batch()
        said = self._model(features)
        with self.accelerator.autocast():
            pose = posed(said, self.body, self.tokenizer)
        codes = None if self.tokenizer is None else self.tokenizer.encode(truth.rotmats[:, 1:])
        loss = losses(said, pose, truth, codes, self.config.loss)
        if not torch.isfinite(loss.total):
            raise FloatingPointError(f"the loss is {loss.total.item()} at step {self.step}: lower the learning rate")
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        self.optimizer.zero_grad()
        self.accelerator.backward(loss.total)
        self.accelerator.clip_grad_norm_(self.net.parameters(), self.config.clip_norm)
        self.optimizer.step()
        self.step += 1
        keep = min(self.config.ema, (self.step + 1) / (self.step + 20))
        with torch.no_grad():
            for name, value in self.net.state_dict().items():
                self.ema[name].lerp_(value, 1 - keep)
        return {name: part.detach() for name, part in loss._asdict().items()}

    def averaged(self) -> LandmarkNet:
        """Return the network with the averaged weights, on the CPU, for evaluation and release."""
        net = LandmarkNet(self.config.net)
        net.load_state_dict(self.ema)
        return net.eval()

    def state(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        scaler = self.accelerator.scaler
        return {
            **checkpoint.identity(self.config, self.poses.mocap.fingerprint),
            "step": self.step,
            "net": self.net.state_dict(),
            "ema": self.ema,
            "optimizer": self.optimizer.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
            "generator": self.generator.get_state(),
        }

    def load_state(self, state: Mapping[str, Any], path: Path) -> None:
        """Load the state of the file `path`. Raises EngineError for another configuration or other mocap."""
        checkpoint.require_same(state, self.config, self.poses.mocap.fingerprint, path)
        self.net.load_state_dict(state["net"])
        self.ema = {name: value.to(self.accelerator.device) for name, value in state["ema"].items()}
        self.optimizer.load_state_dict(state["optimizer"])
        if self.accelerator.scaler is not None and state["scaler"] is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.generator.set_state(state["generator"])
        self.step = state["step"]

    def warm_start(self, state: Mapping[str, Any]) -> int:
        """Load another run's averaged weights with matching names and shapes; return their number."""
        own = self.net.state_dict()
        taken = {name: value for name, value in state["ema"].items() if name in own and own[name].shape == value.shape}
        self.net.load_state_dict({**own, **taken})
        self.ema = {name: value.clone() for name, value in self.net.state_dict().items()}
        return len(taken)


# Evaluation ----------------------------------------------------------------------------------------------------------


@torch.no_grad()
def evaluate(
    net: LandmarkNet,
    body: TorchBody,
    tokenizer: Tokenizer | None,
    mocap: Mocap,
    synthetic: SyntheticConfig,
    people: int,
    seed: int = 5,
) -> dict[str, float]:
    """Compute errors in mm over 22 joints, on frames spread over a split, each seen by one simulated camera.

    MPJPE is relative to the pelvis, in ray axes; PA-MPJPE after a similarity alignment.
    """
    generator = torch.Generator().manual_seed(seed)
    frames = torch.linspace(0, len(mocap) - 1, people).long()
    camera = SyntheticBlazePose(body, synthetic, generator)
    seen, truth = camera(rotmat_from_axis_angle(mocap.axis_angle[frames]), net.config.gate)
    said = net(normalise(seen.image, seen.world_m, seen.visibility, net.config.gate).features)
    found = posed(said, body, tokenizer).joints_m[:, :22].numpy()
    right = truth.joints_m[:, :22].numpy()
    return {
        "mpjpe_mm": round(float(np.mean(mpjpe(found, right))), 1),
        "pa_mpjpe_mm": round(float(np.mean(pa_mpjpe(found, right))), 1),
    }


def figures_by_split(
    net: LandmarkNet, body: TorchBody, tokenizer: Tokenizer | None, splits: Mapping[str, Mocap], people: int
) -> dict[str, dict[str, float]]:
    """Evaluate every split with the default synthetic BlazePose, and `val` with each kind of occlusion.

    The simulated errors do not depend on the run's configuration, so that runs are comparable.
    """
    default = SyntheticConfig()
    found = {split: evaluate(net, body, tokenizer, mocap, default, people) for split, mocap in splits.items()}
    for name, hiding in OCCLUSIONS.items():
        found[f"val, {name}"] = evaluate(net, body, tokenizer, splits["val"], replace(default, hiding=hiding), people)
    return found


# The loop ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Paths:
    """Files of a run. init: a checkpoint of another run, or its weights (.safetensors), to start from."""

    mocap: Sequence[Path]
    out: Path
    tokenizer: Path = pose_tokenizer.SHIPPED
    body: Path = ASSETS / "body_open.npz"
    init: Path | None = None


def train(config: LandmarkTrainingConfig, paths: Paths, resume: bool = False) -> dict[str, dict[str, float]]:
    """Train to the last step. Writes to `out`: checkpoint.pt, losses.jsonl, TensorBoard events, landmarks.safetensors.

    Returns the figures by split. Raises FloatingPointError for a loss that is not finite, EngineError for a folder that
    holds another run.
    """
    accelerator = open_accelerator(config.precision, config.batch)
    tokenizer = None
    if config.net.head == "token":
        tokenizer = pose_tokenizer.load(paths.tokenizer)
        config = replace(config, net=replace(config.net, tokens=tokenizer.num_tokens, codes=tokenizer.num_codes))
    body = TorchBody(paths.body)
    splits = {split: load_mocap(paths.mocap, split) for split in SPLITS}
    trainer = Trainer(config, splits.pop("train"), body, tokenizer, accelerator)
    saved = paths.out / "checkpoint.pt"
    if (earlier := checkpoint.begin(saved, resume)) is not None:
        trainer.load_state(earlier, saved)
    elif paths.init is not None:
        trainer.warm_start(_weights_to_start_from(paths.init))
    accelerator.wait_for_everyone()

    figures: dict[str, dict[str, float]] = {}
    with Progress(paths.out, config.steps, trainer.step) if accelerator.is_main_process else nullcontext() as progress:
        smooth = None  # moving average of the losses over about 50 steps
        while trainer.step < config.steps:
            parts = trainer.train_step()
            values = torch.stack(list(parts.values()))
            smooth = values if smooth is None else smooth.lerp(values, 0.02)
            step, done = trainer.step, trainer.step == config.steps
            if step % config.log_every == 0 or done:
                shared: Tensor = accelerator.reduce(smooth, reduction="mean")
                if progress is not None:
                    named = dict(zip(parts, shared.tolist(), strict=True))
                    progress.losses(step, {**named, "learning_rate": trainer.rate()})
            if progress is not None and (step % config.checkpoint_every == 0 or done):
                checkpoint.save(trainer.state(), saved)
            if progress is not None and step % config.evaluate_every == 0 and not done:
                found = evaluate(
                    trainer.averaged(), body, tokenizer, splits["val"], SyntheticConfig(), config.evaluate_people
                )
                progress.figures(step, "val", found)
        if progress is not None:
            net = trainer.averaged()
            figures = figures_by_split(net, body, tokenizer, splits, config.evaluate_people)
            for split, found in figures.items():
                progress.figures(config.steps, split, found)
            _save_weights(net, trainer, paths, figures)
    accelerator.wait_for_everyone()
    return figures


def _weights_to_start_from(path: Path) -> Mapping[str, Any]:
    if path.suffix == ".safetensors":
        return {"ema": landmark_net.load(path)[0].state_dict()}
    return checkpoint.load(path)


def _save_weights(net: LandmarkNet, trainer: Trainer, paths: Paths, figures: dict[str, dict[str, float]]) -> None:
    about = {
        "training": asdict(trainer.config),
        "steps": trainer.step,
        "seed": trainer.config.seed,
        "mocap_sha256": trainer.poses.mocap.fingerprint,
        "tokenizer_sha256": None if trainer.tokenizer is None else sha256(paths.tokenizer.read_bytes()).hexdigest(),
        "body_sha256": sha256(paths.body.read_bytes()).hexdigest(),
        "figures": figures,
    }
    with checkpoint.written_whole(paths.out / "landmarks.safetensors") as partial:
        landmark_net.save(partial, net, about, torch.float16)


# The command ---------------------------------------------------------------------------------------------------------


@command("training.landmarks")
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.landmarks", description="Train the landmark estimator.")
    parser.add_argument("--config", type=Path, default=Path("configs/landmarks/default.yaml"), metavar="YAML")
    parser.add_argument("--mocap", type=Path, nargs="+", required=True, metavar="FILE", help="mocap .npz files")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where checkpoints and weights go")
    parser.add_argument("--tokenizer", type=Path, default=Paths.tokenizer, metavar="FILE", help="for the token head")
    parser.add_argument("--body", type=Path, default=Paths.body, metavar="FILE", help="body .npz (the shipped one)")
    parser.add_argument("--init", type=Path, metavar="FILE", help="checkpoint or weights of another run to start from")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    parser.add_argument("--steps", type=int, help="instead of the configuration's")
    options = parser.parse_args(argv)
    overrides = {} if options.steps is None else {"steps": options.steps}
    paths = Paths(options.mocap, options.out, options.tokenizer, options.body, options.init)
    train(load_config(LandmarkTrainingConfig, options.config, overrides), paths, options.resume)
    return 0
