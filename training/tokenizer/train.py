"""Train a pose tokenizer on mocap (TokenHMR, section 4.3 and appendix B.1), or measure a trained one.

    python -m training.tokenizer --config configs/tokenizer/compact.yaml --mocap FILE [FILE ...] --out DIR [--resume]
    python -m training.processes 4 training.tokenizer --config configs/tokenizer/paper.yaml --mocap FILE ... --out DIR
    python -m training.tokenizer --evaluate WEIGHTS --mocap FILE [FILE ...]

The configuration's `model` decides what is trained: the compact tokenizer, kept as tokenizer.safetensors, or one in
the released layout, kept as tokenizer.pth with about.json. Reads from top to bottom: configuration, network, task,
run, command.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn

import engine
import engine.tokens.tokenizer
from engine.body.files import OPEN_BODY
from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import sixd_from_rotmat
from engine.command import command
from engine.tokenhmr.released_files import released_key, tokenizer_names
from engine.tokens.released import ReleasedTokenizer, ReleasedTokenizerConfig
from engine.tokens.tokenizer import PoseTokenizer, PoseTokenizerConfig, Tokenizer
from training.data.augment import PoseAugmentation, PoseSampler
from training.data.mocap import Mocap, load_mocap
from training.run import checkpoint, loop
from training.run.accelerator import open_accelerator
from training.run.config import RunConfig, load_run_config
from training.run.loop import Figures, Stateful, Task
from training.tokenizer.codebook import EmaCodebook
from training.tokenizer.losses import LossWeights, commitment, pose_losses
from training.tokenizer.reconstruction import evaluate, evaluate_splits, held_out, print_table


@dataclass(frozen=True, kw_only=True)
class TokenizerTraining(RunConfig):
    """Configuration of a run; mocap, body and output folder come from the command line."""

    model: PoseTokenizerConfig | ReleasedTokenizerConfig = field(default_factory=PoseTokenizerConfig)
    augmentation: PoseAugmentation = field(default_factory=PoseAugmentation)
    file_shares: dict[str, float] = field(default_factory=dict)  # relative weight of each mocap file, by name (B.1)
    loss: LossWeights = field(default_factory=LossWeights)
    learning_rate: float = 1e-3
    warmup_steps: int = 200
    clip_norm: float = 5.0
    codebook_decay: float = 0.99
    input_noise_start: float = 0.0  # deviation of 6D noise on the encoder's input (section 5.1): at first,
    input_noise: float = 0.04  # at the last step,
    input_noise_every: int = 1  # and the number of steps between increases
    surface_every: int = 30  # share of vertices in the surface loss: one in so many
    log_every: int = 100


# Network -------------------------------------------------------------------------------------------------------------


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


# Task ----------------------------------------------------------------------------------------------------------------


class Poses(NamedTuple):
    """One process's share of a batch."""

    rotmats: Tensor  # (B, 21, 3, 3)
    noisy: Tensor  # (B, 21, 6) input of the encoder
    frames: Tensor  # (B,) of the mocap


class TokenizerTask(Task[Poses]):
    """A tokenizer that learns to reconstruct poses.

    Every process draws the same batch, from a generator of the same state, and processes its share.
    """

    config: TokenizerTraining
    generator: torch.Generator

    def __init__(
        self,
        config: TokenizerTraining,
        mocap: Mocap,
        body: TorchBody,
        accelerator: Accelerator,
        body_sha256: str = "",
        held: Mapping[str, Mocap] | None = None,
    ) -> None:
        """held: the splits to measure on, by name."""
        torch.manual_seed(config.seed)
        self.body = body.to(accelerator.device)
        self.held = held or {}
        self.generator = torch.Generator().manual_seed(config.seed)
        self.sampler = PoseSampler(mocap, config.augmentation, self.generator, config.file_shares)
        self.tokenizer = build_tokenizer(config.model)
        self.codebook = EmaCodebook(config.model.codes, config.model.code_dim, config.codebook_decay)
        optimizer = torch.optim.AdamW(
            self.tokenizer.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        model = AutoEncoder(self.tokenizer, self.codebook)
        super().__init__(config, accelerator, f"{mocap.fingerprint} {body_sha256}", model, optimizer)

    def batches(self, first: int, last: int) -> Iterator[Poses]:
        share, device = self.config.batch // self.accelerator.num_processes, self.accelerator.device
        own = slice(self.accelerator.process_index * share, (self.accelerator.process_index + 1) * share)
        for step in range(first, last):
            drawn = self.sampler.sample(self.config.batch)[:, 1:]
            noisy = self._noisy(sixd_from_rotmat(drawn), self.input_noise(step))
            yield Poses(drawn[own].to(device), noisy[own].to(device), self.sampler.frames[own])

    def input_noise(self, step: int) -> float:
        """Compute the largest standard deviation of a step's noise."""
        config = self.config
        grown = step // config.input_noise_every * config.input_noise_every / config.steps
        return config.input_noise_start + (config.input_noise - config.input_noise_start) * min(1.0, grown)

    def _noisy(self, d6: Tensor, largest: float) -> Tensor:
        """Disturb three joints of ten, each pose by a strength of its own."""
        chosen = torch.rand(*d6.shape[:2], 1, generator=self.generator) < 0.3
        scale = largest * torch.rand(len(d6), 1, 1, generator=self.generator) * chosen
        return d6 + scale * torch.randn(d6.shape, generator=self.generator)

    def losses(self, batch: Poses) -> dict[str, Tensor]:
        weights = self.config.loss
        features, codes, quantised, decoded = self.model(batch.noisy, self.generator)
        self._coded = features.detach().flatten(0, 1), codes.flatten()
        surface_every = self.config.surface_every if weights.surface else 0
        losses = pose_losses(decoded, batch.rotmats, self.body, surface_every)
        losses["commitment"] = commitment(features, quantised)
        total = torch.stack([getattr(weights, name) * loss for name, loss in losses.items()]).sum()
        if not torch.isfinite(total):
            self._name_the_clip(batch, decoded)
        return {"total": total, **losses}

    def _name_the_clip(self, batch: Poses, decoded: Tensor) -> None:
        """Raise FloatingPointError for the first pose that is not finite, or whose reconstruction is not."""
        mocap = self.sampler.mocap
        for what, mend, values in (
            ("a pose", "leave the clip out", batch.rotmats),
            ("the reconstruction of a pose", "lower the learning rate", decoded),
        ):
            broken = ~torch.isfinite(values).flatten(1).all(1)
            if broken.any():
                clip = mocap.clip_names[int(mocap.clip[batch.frames[int(broken.nonzero()[0])]])]
                raise FloatingPointError(f"{what} of the clip {clip} is not finite: {mend}")

    def moved(self, step: int) -> dict[str, Tensor]:
        return {"codes_used": self.codebook.update(self.tokenizer.codebook, *self._coded, self.generator)}

    def parts(self) -> dict[str, Stateful]:
        return {"tokenizer": self.tokenizer, "codebook": self.codebook}

    def validate(self) -> Figures:
        if "val" not in self.held:
            return {}
        return {"val": asdict(evaluate(self.tokenizer, self.body, self.held["val"], every=8))}

    def measure(self, out: Path) -> Figures:
        """Measure the tokenizer as it was stored, half precision and all, on every frame."""
        stored = engine.load_tokenizer(weights_path(self.config, out)).to(self.accelerator.device)
        return {split: asdict(evaluate(stored, self.body, mocap)) for split, mocap in self.held.items()}

    def save(self, out: Path, step: int, figures: Figures) -> None:
        """Write what `engine.load_tokenizer` reads.

        The compact tokenizer is stored in half precision; the released layout in single precision, for TokenHMR's own
        code.
        """
        about = {
            "training": asdict(self.config),
            "step": step,
            "seed": self.config.seed,
            "mocap_sha256": self.sampler.mocap.fingerprint,
            "figures": figures,
        }
        tokenizer, path = self.tokenizer, weights_path(self.config, out)
        if isinstance(tokenizer, PoseTokenizer):
            with checkpoint.written_whole(path) as partial:
                engine.tokens.tokenizer.save(partial, tokenizer, about, torch.float16)
            return
        names = tokenizer_names(tokenizer.config)
        released = {released_key(name, names): tensor.detach().cpu() for name, tensor in tokenizer.state_dict().items()}
        checkpoint.save({"net": released, "hparams": {}}, path)
        checkpoint.save_json(about, out / "about.json")


def weights_path(config: TokenizerTraining, out: Path) -> Path:
    """Name the file of weights that a run leaves in `out`."""
    return out / ("tokenizer.safetensors" if isinstance(config.model, PoseTokenizerConfig) else "tokenizer.pth")


# Run -----------------------------------------------------------------------------------------------------------------


def train(config: TokenizerTraining, mocap: Sequence[Path], body: Path, out: Path, resume: bool = False) -> Figures:
    """Run to the last step, as `training.run.loop.train` does. Returns the figures by split."""
    accelerator = open_accelerator(config.precision, config.batch)
    held, body_sha256 = held_out(mocap), sha256(body.read_bytes()).hexdigest()
    task = TokenizerTask(config, load_mocap(mocap, "train"), TorchBody(body), accelerator, body_sha256, held)
    return loop.train(task, out, resume)


# Command -------------------------------------------------------------------------------------------------------------


@command("training.tokenizer")
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.tokenizer", description="Train or measure the tokenizer.")
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--config", type=Path, metavar="YAML", help="train with this configuration")
    task.add_argument("--evaluate", type=Path, metavar="WEIGHTS", help="print the figures of these weights")
    parser.add_argument(
        "--mocap", type=Path, nargs="+", required=True, metavar="FILE", help="mocap .npz files, or folders"
    )
    parser.add_argument("--body", type=Path, default=OPEN_BODY, metavar="FILE", help="body .npz (the shipped one)")
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
        config = load_run_config(TokenizerTraining, options.config)
        train(config, options.mocap, options.body, options.out, options.resume)
    return 0
