"""Train the compact pose tokenizer on mocap (TokenHMR, section 4.3 and appendix B.1), or measure a trained one.

    python -m training.tokenizer --config configs/tokenizer/compact.yaml --mocap FILE [FILE ...] --out DIR [--resume]
    python -m training.tokenizer --evaluate WEIGHTS --mocap FILE [FILE ...]

Reads from top to bottom: configuration, one step, evaluation, checkpoints, the loop, the command.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import sys
import time
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

import engine.tokenizer
from engine.config import ConfigError, load_config
from engine.errors import EngineError
from engine.rotations import rotmat_from_6d, rotmat_from_axis_angle, sixd_from_rotmat
from engine.tokenizer import PoseTokenizer, PoseTokenizerConfig, Tokenizer
from engine.weights import ASSETS
from training.augment import PoseAugmentation, PoseSampler
from training.codebook import EmaCodebook
from training.losses import commitment, point_l1, rotation_l1
from training.metrics import mpjpe, mve
from training.mocap import Mocap, load_mocap
from training.torch_body import TorchBody

logger = logging.getLogger(__name__)

SHIPPED_BODY = ASSETS / "body_open.npz"


@dataclass(frozen=True)
class LossWeights:
    rotation: float = 25.0  # L1 of rotation matrices
    joints: float = 150.0  # L1 of joints, metres
    surface: float = 75.0  # L1 of landmarks and of a sample of vertices, metres
    commitment: float = 1.0


@dataclass(frozen=True)
class TokenizerTraining:
    """Everything that shapes a run; the mocap, the body and the output folder come from the command line."""

    steps: int
    model: PoseTokenizerConfig = field(default_factory=PoseTokenizerConfig)
    augmentation: PoseAugmentation = field(default_factory=PoseAugmentation)
    loss: LossWeights = field(default_factory=LossWeights)
    batch: int = 256
    learning_rate: float = 1e-3
    final_learning_rate: float = 1e-5  # reached along a cosine
    warmup_steps: int = 200
    weight_decay: float = 1e-4
    clip_norm: float = 5.0
    codebook_decay: float = 0.99
    input_noise: float = 0.04  # 6D noise on some joints of the encoder's input, growing from 0 over the run (B.1)
    surface_every: int = 30  # one vertex in so many enters the surface loss
    bf16: bool = True
    seed: int = 0
    log_every: int = 100
    checkpoint_every: int = 1000
    validate_every: int = 2000


# One step ------------------------------------------------------------------------------------------------------------


@dataclass
class Trainer:
    """The state of a run. All of it goes into a checkpoint, so that a resumed run goes on as if never stopped."""

    config: TokenizerTraining
    tokenizer: PoseTokenizer
    codebook: EmaCodebook
    optimizer: torch.optim.Optimizer
    sampler: PoseSampler
    body: TorchBody
    step: int = 0
    generator: torch.Generator = field(default_factory=torch.Generator)

    def learning_rate(self) -> float:
        config = self.config
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, self.step / config.steps)))
        rate = config.final_learning_rate + (config.learning_rate - config.final_learning_rate) * cosine
        return rate * min(1.0, (self.step + 1) / max(1, config.warmup_steps))

    def train_step(self) -> dict[str, float]:
        """Draw a batch, move weights and codebook once, and return the losses by name."""
        config, weights = self.config, self.config.loss
        rotmats = self.sampler.sample(config.batch)[:, 1:]
        features, codes, quantised, predicted = self._autoencode(rotmats)
        joints, surface = body_points(self.body, rotmats, config.surface_every)
        predicted_joints, predicted_surface = body_points(self.body, predicted, config.surface_every)
        losses = {
            "rotation": rotation_l1(predicted, rotmats),
            "joints": point_l1(predicted_joints, joints),
            "surface": point_l1(predicted_surface, surface),
            "commitment": commitment(features, quantised),
        }
        total = torch.stack([getattr(weights, name) * loss for name, loss in losses.items()]).sum()
        if not torch.isfinite(total):
            raise FloatingPointError(f"the loss is {total.item()} at step {self.step}: lower the learning rate")

        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(self.tokenizer.parameters(), config.clip_norm)
        self.optimizer.step()
        self.codebook.update(features.detach().flatten(0, 1), codes.flatten(), self.generator)
        self.step += 1
        used = len(codes.unique()) / self.tokenizer.num_codes
        return {"total": total.item(), **{name: loss.item() for name, loss in losses.items()}, "codes_used": used}

    def _autoencode(self, rotmats: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Features (B, T, D), their codes (B, T), the codes' entries and the rotations decoded from those."""
        d6 = sixd_from_rotmat(rotmats)
        largest = self.config.input_noise * min(1.0, self.step / self.config.steps)
        chosen = torch.rand(*d6.shape[:2], 1, generator=self.generator) < 0.3
        scale = largest * torch.rand(len(d6), 1, 1, generator=self.generator) * chosen
        noisy = d6 + scale * torch.randn(d6.shape, generator=self.generator)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.bf16):
            features = self.tokenizer.features_from_6d(noisy)
        features = features.float()
        self.codebook.start(features.detach().flatten(0, 1), self.generator)
        codes = self.tokenizer.nearest(features.detach())
        quantised = self.tokenizer.codebook[codes]
        straight_through = features + (quantised - features).detach()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.bf16):
            decoded = self.tokenizer.sixd_from_features(straight_through)
        return features, codes, quantised, rotmat_from_6d(decoded.float())


def body_points(body: TorchBody, rotmats: Tensor, surface_every: int) -> tuple[Tensor, Tensor]:
    """Body rotations (B, 21, 3, 3) of an upright mean body -> joints (B, 24, 3), landmarks with vertices (B, S, 3)."""
    posed, betas = upright(rotmats)
    joints, landmarks = body.points(posed, betas)
    return joints, torch.cat((landmarks, body.vertices(posed, betas, surface_every)), dim=1)


def upright(rotmats: Tensor) -> tuple[Tensor, Tensor]:
    """Body rotations (B, 21, 3, 3) -> with an identity root (B, 22, 3, 3), and mean shape (B, 10)."""
    root = torch.eye(3).expand(len(rotmats), 1, 3, 3)
    return torch.cat((root, rotmats), dim=1), torch.zeros(len(rotmats), 10)


# Evaluation ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figures:
    """Reconstruction errors on one split: means over frames, and the share of codes chosen at least once on it."""

    frames: int
    mpjpe_mm: float  # over joints 0..21, pelvis at the origin
    mve_mm: float  # over the whole mesh
    codes_used: float


@torch.no_grad()
def evaluate(tokenizer: Tokenizer, body: TorchBody, mocap: Mocap, every: int = 1) -> Figures:
    """Encode and decode frames 0, every, 2 * every and so on of a split, upright and of mean shape."""
    joint_errors, vertex_errors = [], []
    used = torch.zeros(tokenizer.num_codes, dtype=torch.bool)
    for axis_angle in mocap.axis_angle[::every, 1:].split(128):
        rotmats = rotmat_from_axis_angle(axis_angle)
        codes = tokenizer.encode(rotmats)
        used[codes.flatten()] = True
        truth, found = upright(rotmats), upright(tokenizer.decode(codes))
        joint_errors.append(mpjpe(body.points(*found)[0][:, :22], body.points(*truth)[0][:, :22]))
        vertex_errors.append(mve(body.vertices(*found), body.vertices(*truth)))
    frames = sum(map(len, joint_errors))
    return Figures(
        frames=frames,
        mpjpe_mm=float(sum(errors.sum() for errors in joint_errors) / frames),
        mve_mm=float(sum(errors.sum() for errors in vertex_errors) / frames),
        codes_used=float(used.float().mean()),
    )


def evaluate_splits(tokenizer: Tokenizer, body: TorchBody, mocap: Sequence[Path]) -> dict[str, Figures]:
    return {split: evaluate(tokenizer, body, load_mocap(mocap, split)) for split in ("val", "test", "test_ood")}


def print_table(figures: dict[str, Figures]) -> None:
    print(f"{'split':<10}{'frames':>8}{'MPJPE mm':>10}{'MVE mm':>8}{'codes used':>12}")
    for split, row in figures.items():
        print(f"{split:<10}{row.frames:>8}{row.mpjpe_mm:>10.1f}{row.mve_mm:>8.1f}{row.codes_used:>12.1%}")


# Checkpoints ---------------------------------------------------------------------------------------------------------


def save_checkpoint(trainer: Trainer, path: Path) -> None:
    """Write the whole state beside `path` and move it there, so that a killed run leaves the last one whole."""
    state = {
        "config": repr(trainer.config),
        "mocap": trainer.sampler.mocap.fingerprint,
        "step": trainer.step,
        "tokenizer": trainer.tokenizer.state_dict(),
        "codebook": trainer.codebook.state_dict(),
        "optimizer": trainer.optimizer.state_dict(),
        "generator": trainer.generator.get_state(),
    }
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def load_checkpoint(trainer: Trainer, path: Path) -> None:
    """Put the state of `save_checkpoint` into a trainer of the same configuration and mocap."""
    if not path.is_file():
        raise EngineError(f"nothing to resume: no {path}")
    if not zipfile.is_zipfile(path):
        raise EngineError(f"{path} is not a checkpoint: start anew in another folder")
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["config"] != repr(trainer.config) or state["mocap"] != trainer.sampler.mocap.fingerprint:
        raise EngineError(f"{path} is of another configuration or other mocap: start anew in another folder")
    trainer.tokenizer.load_state_dict(state["tokenizer"])
    trainer.codebook.load_state_dict(state["codebook"])
    trainer.optimizer.load_state_dict(state["optimizer"])
    trainer.generator.set_state(state["generator"])
    trainer.step = state["step"]


# The loop ------------------------------------------------------------------------------------------------------------


def build_trainer(config: TokenizerTraining, mocap: Sequence[Path], body: Path) -> Trainer:
    torch.manual_seed(config.seed)
    generator = torch.Generator().manual_seed(config.seed)
    tokenizer = PoseTokenizer(config.model)
    return Trainer(
        config=config,
        tokenizer=tokenizer,
        codebook=EmaCodebook(tokenizer.codebook, config.codebook_decay),
        optimizer=torch.optim.AdamW(tokenizer.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay),
        sampler=PoseSampler(load_mocap(mocap, "train"), config.augmentation, generator),
        body=TorchBody(body),
        generator=generator,
    )


def train(
    config: TokenizerTraining, mocap: Sequence[Path], body: Path, out: Path, resume: bool = False
) -> PoseTokenizer:
    """Run to the last step, writing checkpoint.pt, TensorBoard events and at the end tokenizer.safetensors into `out`.

    Returns the tokenizer as it was stored, in half precision. Raises FloatingPointError when the loss is not finite.
    """
    from torch.utils.tensorboard import SummaryWriter

    trainer = build_trainer(config, mocap, body)
    checkpoint = out / "checkpoint.pt"
    if resume:
        load_checkpoint(trainer, checkpoint)
    elif checkpoint.exists():
        raise EngineError(f"{checkpoint} exists: add --resume to go on, or name another --out")
    out.mkdir(parents=True, exist_ok=True)
    validation = load_mocap(mocap, "val")
    first_step, started = trainer.step, time.monotonic()
    with SummaryWriter(str(out)) as board:
        while trainer.step < config.steps:
            losses = trainer.train_step()
            done = trainer.step == config.steps
            if trainer.step % config.log_every == 0 or done:
                rate = (trainer.step - first_step) / (time.monotonic() - started)
                _report(trainer, losses, rate)
                for name, value in losses.items():
                    board.add_scalar(f"train/{name}", value, trainer.step)
                board.add_scalar("train/learning_rate", trainer.learning_rate(), trainer.step)
            if trainer.step % config.validate_every == 0 or done:
                figures = evaluate(trainer.tokenizer, trainer.body, validation, every=8)
                print(f"val: MPJPE {figures.mpjpe_mm:.1f} mm, MVE {figures.mve_mm:.1f} mm", flush=True)
                board.add_scalar("val/mpjpe_mm", figures.mpjpe_mm, trainer.step)
                board.add_scalar("val/mve_mm", figures.mve_mm, trainer.step)
            if trainer.step % config.checkpoint_every == 0 or done:
                save_checkpoint(trainer, checkpoint)
    save_tokenizer(trainer, out / "tokenizer.safetensors", {})
    stored = engine.tokenizer.load(out / "tokenizer.safetensors")  # half precision and all, as it will be used
    figures_by_split = evaluate_splits(stored, trainer.body, mocap)
    print_table(figures_by_split)
    save_tokenizer(trainer, out / "tokenizer.safetensors", figures_by_split)
    return stored


def save_tokenizer(trainer: Trainer, path: Path, figures: dict[str, Figures]) -> None:
    about = {
        "training": asdict(trainer.config),
        "step": trainer.step,
        "seed": trainer.config.seed,
        "mocap_sha256": trainer.sampler.mocap.fingerprint,
        "figures": {split: asdict(row) for split, row in figures.items()},
    }
    partial = path.with_suffix(".partial")
    engine.tokenizer.save(partial, trainer.tokenizer, about, torch.float16)
    os.replace(partial, path)


def _report(trainer: Trainer, losses: dict[str, float], rate: float) -> None:
    left = (trainer.config.steps - trainer.step) / rate
    parts = " ".join(f"{name} {value:.4f}" for name, value in losses.items())
    print(
        f"step {trainer.step}/{trainer.config.steps} {parts} | {rate:.1f} steps/s, {left / 60:.0f} min left", flush=True
    )


# The command ---------------------------------------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.tokenizer", description="Train or measure the tokenizer.")
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--config", type=Path, metavar="YAML", help="train with this configuration")
    task.add_argument("--evaluate", type=Path, metavar="WEIGHTS", help="print the figures of these weights")
    parser.add_argument("--mocap", type=Path, nargs="+", required=True, metavar="FILE", help="mocap .npz files")
    parser.add_argument("--body", type=Path, default=SHIPPED_BODY, metavar="FILE", help="body .npz (the shipped one)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where checkpoints and weights go")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    options = parser.parse_args(argv)
    if options.config and not options.out:
        parser.error("training needs --out DIR")
    try:
        if options.evaluate:
            tokenizer = engine.tokenizer.load(options.evaluate)
            print_table(evaluate_splits(tokenizer, TorchBody(options.body), options.mocap))
        else:
            config = load_config(TokenizerTraining, options.config)
            train(config, options.mocap, options.body, options.out, options.resume)
    except (EngineError, ConfigError) as error:
        print(error, file=sys.stderr)
        return 2
    except FloatingPointError as error:
        print(f"stopped: {error}; the last checkpoint is whole", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
