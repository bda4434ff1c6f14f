"""Measures a tokenizer's reconstruction: MPJPE, MVE and the codes in use, by split."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import rotmat_from_axis_angle
from engine.tokens.tokenizer import Tokenizer
from training.data.mocap import EmptySplitError, Mocap, load_mocap
from training.metrics import mpjpe, mve

logger = logging.getLogger(__name__)

HELD_OUT = ("val", "test", "test_ood")


@dataclass(frozen=True)
class Figures:
    """Reconstruction errors on one split: means over frames, and the share of codes in use."""

    frames: int
    mpjpe_mm: float  # over joints 0..21, pelvis at the origin
    mve_mm: float  # over the whole mesh
    codes_used: float


@torch.no_grad()
def evaluate(tokenizer: Tokenizer, body: TorchBody, mocap: Mocap, every: int = 1) -> Figures:
    """Encode and decode frames 0, every, 2 * every and so on of a split, upright and of mean shape.

    Tokenizer and body are on one device.
    """
    joint_errors, vertex_errors = [], []
    device = tokenizer.codebook.device
    used = torch.zeros(tokenizer.num_codes, dtype=torch.bool, device=device)
    for axis_angle in mocap.axis_angle[::every, 1:].split(128):
        rotmats = rotmat_from_axis_angle(axis_angle.to(device))
        codes = tokenizer.encode(rotmats)
        used[codes.flatten()] = True
        truth, found = upright(rotmats), upright(tokenizer.decode(codes))
        (found_m, _), (truth_m, _) = body.landmarks(*found), body.landmarks(*truth)
        joint_errors.append(mpjpe(found_m[:, :22].cpu(), truth_m[:, :22].cpu()))
        vertex_errors.append(mve(body.vertices(*found).cpu(), body.vertices(*truth).cpu()))
    frames = sum(map(len, joint_errors))
    return Figures(
        frames=frames,
        mpjpe_mm=float(sum(errors.sum() for errors in joint_errors) / frames),
        mve_mm=float(sum(errors.sum() for errors in vertex_errors) / frames),
        codes_used=float(used.float().mean()),
    )


def upright(rotmats: Tensor) -> tuple[Tensor, Tensor]:
    """Add an identity root to body rotations (B, 21, 3, 3): (B, 22, 3, 3), with mean shape (B, 10)."""
    root = torch.eye(3, device=rotmats.device).expand(len(rotmats), 1, 3, 3)
    return torch.cat((root, rotmats), dim=1), rotmats.new_zeros(len(rotmats), 10)


def held_out(mocap: Sequence[Path]) -> dict[str, Mocap]:
    """Load the held-out splits. Splits without frames are skipped with a warning."""
    splits = {}
    for split in HELD_OUT:
        try:
            splits[split] = load_mocap(mocap, split)
        except EmptySplitError as error:
            logger.warning("%s: it is not measured", error)
    return splits


def evaluate_splits(tokenizer: Tokenizer, body: TorchBody, mocap: Sequence[Path]) -> dict[str, Figures]:
    """Evaluate on every held-out split."""
    return {split: evaluate(tokenizer, body, frames) for split, frames in held_out(mocap).items()}


def print_table(figures: Mapping[str, Figures]) -> None:
    """Print one line a split."""
    print(f"{'split':<10}{'frames':>8}{'MPJPE mm':>10}{'MVE mm':>8}{'codes used':>12}")
    for split, row in figures.items():
        print(f"{split:<10}{row.frames:>8}{row.mpjpe_mm:>10.1f}{row.mve_mm:>8.1f}{row.codes_used:>12.1%}")
