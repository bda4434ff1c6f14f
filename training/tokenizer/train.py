"""Train a pose tokenizer on mocap (TokenHMR, section 4.3 and appendix B.1), or measure a trained one.

    python -m training.tokenizer --config configs/tokenizer/compact.yaml --mocap FILE [FILE ...] --out DIR [--resume]
    python -m training.processes 4 training.tokenizer --config configs/tokenizer/paper.yaml --mocap FILE ... --out DIR
    python -m training.tokenizer --evaluate WEIGHTS --mocap FILE [FILE ...]

The configuration's `model` decides what is trained: the compact tokenizer, kept as tokenizer.safetensors, or one in
the released layout, kept as tokenizer.pth with about.json. Reads from top to bottom: configuration, one step, the
state of a run, weights, the loop, the command.
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
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn

import engine
import engine.tokens.tokenizer
from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import rotmat_from_6d, sixd_from_rotmat
from engine.command import command
from engine.config import load_config
from engine.files.weights import ASSETS
from engine.tokenhmr.released_files import released_key, tokenizer_names
from engine.tokens.released import ReleasedTokenizer, ReleasedTokenizerConfig
from engine.tokens.tokenizer import PoseTokenizer, PoseTokenizerConfig, Tokenizer
from training.data.augment import PoseAugmentation, PoseSampler
from training.data.mocap import Mocap, load_mocap
from training.losses import commitment, point_l1, rotation_l1
from training.processes import open_accelerator
from training.run import checkpoint
from training.run.progress import Progress
from training.run.schedule import warmup_cosine
from training.tokenizer.codebook import EmaCodebook
from training.tokenizer.reconstruction import Figures, evaluate, evaluate_splits, held_out, print_table, upright

SHIPPED_BODY = ASSETS / "body_open.npz"


@dataclass(frozen=True)
class LossWeights:
    """Weights of the losses. Rotations are compared as matrices, as the decoder's 6D (equation 6), or both.

    The gradient of matrices vanishes for a joint that is off by half a turn about its bone, and points do not show it.
    Decoders without the joint's identity (the released layout) start with such joints and need the 6D.
    """

    sixd: float = 0.0  # L1 of 6D rotations
    rotation: float = 25.0  # L1 of rotation matrices
    joints: float = 150.0  # L1 of joints, metres
    surface: float = 75.0  # L1 of landmarks and of a sample of vertices, metres
    commitment: float = 1.0


@dataclass(frozen=True)
class TokenizerTraining:
    """Configuration of a run; mocap, body and output folder come from the command line."""

    steps: int
    model: PoseTokenizerConfig | ReleasedTokenizerConfig = field(default_factory=PoseTokenizerConfig)
    augmentation: PoseAugmentation = field(default_factory=PoseAugmentation)
    file_shares: dict[str, float] = field(default_factory=dict)  # relative weight of each mocap file, by name (B.1)
    loss: LossWeights = field(default_factory=LossWeights)
    batch: int = 256  # total of all processes
    learning_rate: float = 1e-3
    final_learning_rate: float = 1e-5  # at the end of a cosine
    warmup_steps: int = 200
    weight_decay: float = 1e-4
    clip_norm: float = 5.0
    codebook_decay: float = 0.99
    input_noise_start: float = 0.0  # deviation of 6D noise on the encoder's input (section 5.1): at first,
    input_noise: float = 0.04  # at the last step,
    input_noise_every: int = 1  # and the number of steps between increases
    surface_every: int = 30  # share of vertices in the surface loss: one in so many
    precision: Literal["no", "bf16", "fp16"] = "bf16"
    seed: int = 0
    log_every: int = 100
    checkpoint_every: int = 1000
    validate_every: int = 2000


# One step ------------------------------------------------------------------------------------------------------------


def build_tokenizer(model: PoseTokenizerConfig | ReleasedTokenizerConfig) -> PoseTokenizer | ReleasedTokenizer:
    """Build a tokenizer to train. The released layout initially decodes the rest pose.

    Its decoder does not distinguish joints, so random outputs would put some joints half a turn off.
    """
    if isinstance(model, PoseTokenizerConfig):
        return PoseTokenizer(model)
    tokenizer = ReleasedTokenizer(model)
    with torch.no_grad():
        tokenizer.decoder.leave.get_parameter("bias").copy_(sixd_from_rotmat(torch.eye(3)))
    return tokenizer


class AutoEncoder(nn.Module):
    """Tokenizer with its learnt codebook, from 6D rotations (B, 21, 6) to 6D rotations.

    Uses the straight-through gradient from decoder to encoder. One module, so that processes can share it.
    """

    def __init__(self, tokenizer: Tokenizer, codebook: EmaCodebook) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.codebook = codebook

    def forward(self, d6: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return features (B, T, D), their codes (B, T), the codes' entries (B, T, D) and the decoded rotations."""
        features = self.tokenizer.features_from_6d(d6)
        with torch.autocast(d6.device.type, enabled=False):  # the nearest of many codes needs full precision
            features = features.float()
            self.codebook.start(self.tokenizer.codebook, features.detach().flatten(0, 1), generator)
            codes = self.tokenizer.nearest(features.detach())
            quantised = F.embedding(codes, self.tokenizer.codebook)
        decoded = self.tokenizer.sixd_from_features(features + (quantised - features).detach())
        return features, codes, quantised, decoded.float()


class Trainer:
    """State of a run. `state` is complete, so that a resumed run equals an uninterrupted one.

    Every process draws the same batch, from a generator of the same state, and processes its share.
    """

    def __init__(
        self, config: TokenizerTraining, mocap: Mocap, body: TorchBody, accelerator: Accelerator, body_sha256: str = ""
    ) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.accelerator = accelerator
        self.body = body.to(accelerator.device)
        self.data = f"{mocap.fingerprint} {body_sha256}"
        self.generator = torch.Generator().manual_seed(config.seed)
        self.sampler = PoseSampler(mocap, config.augmentation, self.generator, config.file_shares)
        self.tokenizer = build_tokenizer(config.model)
        self.codebook = EmaCodebook(config.model.codes, config.model.code_dim, config.codebook_decay)
        optimizer = torch.optim.AdamW(
            self.tokenizer.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self._model, self.optimizer = accelerator.prepare(AutoEncoder(self.tokenizer, self.codebook), optimizer)
        share = config.batch // accelerator.num_processes
        self._share = slice(accelerator.process_index * share, (accelerator.process_index + 1) * share)
        self.step = 0

    def learning_rate(self) -> float:
        """Return the rate of the present step."""
        config = self.config
        return warmup_cosine(
            self.step,
            steps=config.steps,
            peak=config.learning_rate,
            final=config.final_learning_rate,
            warmup_steps=config.warmup_steps,
        )

    def input_noise(self) -> float:
        """Return the largest standard deviation of this step's noise."""
        config = self.config
        grown = self.step // config.input_noise_every * config.input_noise_every / config.steps
        return config.input_noise_start + (config.input_noise - config.input_noise_start) * min(1.0, grown)

    def train_step(self) -> dict[str, Tensor]:
        """Draw a batch, update weights and codebook once, and return the losses of this process's share by name."""
        config, weights, device = self.config, self.config.loss, self.accelerator.device
        drawn = self.sampler.sample(config.batch)[:, 1:]
        noisy = self._noisy(sixd_from_rotmat(drawn))[self._share].to(device)
        rotmats = drawn[self._share].to(device)
        features, codes, quantised, decoded = self._model(noisy, self.generator)
        predicted = rotmat_from_6d(decoded)
        losses = {
            "sixd": rotation_l1(decoded, sixd_from_rotmat(rotmats)),
            "rotation": rotation_l1(predicted, rotmats),
            **self._point_losses(predicted, rotmats),
            "commitment": commitment(features, quantised),
        }
        total = torch.stack([getattr(weights, name) * loss for name, loss in losses.items()]).sum()
        if not torch.isfinite(total):
            raise FloatingPointError(self._what_is_not_finite(rotmats, predicted))

        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        self.optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(total)
        self.accelerator.clip_grad_norm_(self._model.parameters(), config.clip_norm)
        self.optimizer.step()
        used = self.codebook.update(
            self.tokenizer.codebook, features.detach().flatten(0, 1), codes.flatten(), self.generator
        )
        self.step += 1
        return {"total": total.detach(), **{name: loss.detach() for name, loss in losses.items()}, "codes_used": used}

    def _noisy(self, d6: Tensor) -> Tensor:
        """Disturb three of ten joints of the encoder's input, with a random strength for each pose."""
        chosen = torch.rand(*d6.shape[:2], 1, generator=self.generator) < 0.3
        scale = self.input_noise() * torch.rand(len(d6), 1, 1, generator=self.generator) * chosen
        return d6 + scale * torch.randn(d6.shape, generator=self.generator)

    def _point_losses(self, predicted: Tensor, rotmats: Tensor) -> dict[str, Tensor]:
        """Compute the losses of joints, landmarks and vertices, upright, of mean shape; surface only if weighted."""
        poses = upright(predicted), upright(rotmats)
        (joints, landmarks), (true_joints, true_landmarks) = (self.body.points(*pose) for pose in poses)
        losses = {"joints": point_l1(joints, true_joints)}
        if self.config.loss.surface:
            vertices, true_vertices = (self.body.vertices(*pose, self.config.surface_every) for pose in poses)
            losses["surface"] = point_l1(
                torch.cat((landmarks, vertices), 1), torch.cat((true_landmarks, true_vertices), 1)
            )
        return losses

    def _what_is_not_finite(self, rotmats: Tensor, predicted: Tensor) -> str:
        """Name the clip of the first pose that is not finite, or has a non-finite reconstruction."""
        mocap, frames = self.sampler.mocap, self.sampler.frames[self._share]
        for what, mend, matrices in (
            ("a pose", "leave the clip out", rotmats),
            ("the reconstruction of a pose", "lower the learning rate", predicted),
        ):
            broken = ~torch.isfinite(matrices).flatten(1).all(1)
            if broken.any():
                clip = mocap.clip_names[int(mocap.clip[frames[int(broken.nonzero()[0])]])]
                return f"{what} of the clip {clip} is not finite at step {self.step}: {mend}"
        return f"the loss is not finite at step {self.step}: lower the learning rate"

    # The state of a run

    def state(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        scaler = self.accelerator.scaler
        return {
            **checkpoint.identity(self.config, self.data),
            "step": self.step,
            "tokenizer": self.tokenizer.state_dict(),
            "codebook": self.codebook.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "scaler": None if scaler is None else scaler.state_dict(),
        }

    def load_state(self, state: Mapping[str, Any], path: Path) -> None:
        """Load a checkpoint's state. Raises EngineError for another configuration or other data."""
        checkpoint.require_same(state, self.config, self.data, path)
        self.tokenizer.load_state_dict(state["tokenizer"])
        self.codebook.load_state_dict(state["codebook"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.step = state["step"]


# Weights -------------------------------------------------------------------------------------------------------------


def weights_path(config: TokenizerTraining, out: Path) -> Path:
    """Return the path of the weights in the folder `out`."""
    return out / ("tokenizer.safetensors" if isinstance(config.model, PoseTokenizerConfig) else "tokenizer.pth")


def save_tokenizer(trainer: Trainer, out: Path, figures: Mapping[str, Figures]) -> Path:
    """Write the weights for `engine.load_tokenizer`, with their training facts; return the path.

    The compact tokenizer in half precision; the released layout in single precision, as TokenHMR's own code reads it.
    """
    about = {
        "training": asdict(trainer.config),
        "step": trainer.step,
        "seed": trainer.config.seed,
        "mocap_sha256": trainer.sampler.mocap.fingerprint,
        "figures": {split: asdict(row) for split, row in figures.items()},
    }
    tokenizer, path = trainer.tokenizer, weights_path(trainer.config, out)
    if isinstance(tokenizer, PoseTokenizer):
        with checkpoint.written_whole(path) as partial:
            engine.tokens.tokenizer.save(partial, tokenizer, about, torch.float16)
        return path
    names = tokenizer_names(tokenizer.config)
    released = {released_key(name, names): tensor.detach().cpu() for name, tensor in tokenizer.state_dict().items()}
    checkpoint.save({"net": released, "hparams": {}}, path)
    with checkpoint.written_whole(out / "about.json") as partial:
        partial.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return path


# The loop ------------------------------------------------------------------------------------------------------------


def train(config: TokenizerTraining, mocap: Sequence[Path], body: Path, out: Path, resume: bool = False) -> Tokenizer:
    """Train to the last step. Writes to `out`: checkpoint.pt, losses.jsonl, TensorBoard events and the weights.

    Returns the tokenizer as stored. Raises FloatingPointError, with the clip's name, for a number that is not finite.
    """
    accelerator = open_accelerator(config.precision, config.batch)
    held = held_out(mocap)
    shape = TorchBody(body)
    trainer = Trainer(config, load_mocap(mocap, "train"), shape, accelerator, sha256(body.read_bytes()).hexdigest())
    path = out / "checkpoint.pt"
    if (earlier := checkpoint.begin(path, resume)) is not None:
        trainer.load_state(earlier, path)
    accelerator.wait_for_everyone()
    main_process = accelerator.is_main_process
    with Progress(out, config.steps, trainer.step) if main_process else nullcontext() as progress:
        while trainer.step < config.steps:
            rate = trainer.learning_rate()
            losses = trainer.train_step()
            step, done = trainer.step, trainer.step == config.steps
            if step % config.log_every == 0 or done:
                values = accelerator.reduce(torch.stack(list(losses.values())), "mean").tolist()
                if progress is not None:
                    progress.losses(step, {**dict(zip(losses, values, strict=True)), "learning_rate": rate})
            if progress is not None and "val" in held and (step % config.validate_every == 0 or done):
                progress.figures(step, "val", asdict(evaluate(trainer.tokenizer, trainer.body, held["val"], every=8)))
            if main_process and (step % config.checkpoint_every == 0 or done):
                checkpoint.save(trainer.state(), path)
    if main_process:
        stored = engine.load_tokenizer(save_tokenizer(trainer, out, {}))  # as it is used, in half precision
        figures = {split: evaluate(stored.to(accelerator.device), trainer.body, held[split]) for split in held}
        print_table(figures)
        save_tokenizer(trainer, out, figures)
    accelerator.wait_for_everyone()
    return engine.load_tokenizer(weights_path(config, out))


# The command ---------------------------------------------------------------------------------------------------------


@command("training.tokenizer")
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.tokenizer", description="Train or measure the tokenizer.")
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--config", type=Path, metavar="YAML", help="train with this configuration")
    task.add_argument("--evaluate", type=Path, metavar="WEIGHTS", help="print the figures of these weights")
    parser.add_argument(
        "--mocap", type=Path, nargs="+", required=True, metavar="FILE", help="mocap .npz files, or folders"
    )
    parser.add_argument("--body", type=Path, default=SHIPPED_BODY, metavar="FILE", help="body .npz (the shipped one)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where checkpoints and weights go")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    if options.config and not options.out:
        parser.error("training needs --out DIR")
    if options.evaluate:
        tokenizer = engine.load_tokenizer(options.evaluate)
        print_table(evaluate_splits(tokenizer, TorchBody(options.body), options.mocap))
    else:
        config = load_config(TokenizerTraining, options.config)
        train(config, options.mocap, options.body, options.out, options.resume)
    return 0
