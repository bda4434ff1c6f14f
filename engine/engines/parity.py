"""Compares an engine with torch in fp32 on fixed inputs, before its first use on a device.

torch's outputs are stored in the engine's folder. So the check needs no torch, and an engine that was built on one
machine is checked on the next.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.body.files import load_body
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import angle_between
from engine.body.skeleton import NUM_BODY_JOINTS
from engine.camera import CROP_SIZE_PX
from engine.config import from_dict
from engine.errors import EngineError, one_line
from engine.files.npz_file import NpzError, NpzFile
from engine.files.whole_file import whole_file
from engine.tokenhmr.pixels import IMAGENET_MEAN, IMAGENET_STD

if TYPE_CHECKING:
    from engine.tokenhmr.network import TokenHMR

logger = logging.getLogger(__name__)

Array = NDArray[np.float32]

FILE = "reference.npz"
REPORTS = "parity.json"  # not in the manifest: every device adds its own check
NUM_IMAGES = 4


class Answer(NamedTuple):
    """Outputs of an engine for a batch of crops."""

    token_probabilities: Array  # (B, T, K)
    global_orient: Array  # (B, 1, 3, 3)
    body_pose: Array  # (B, 23, 3, 3)
    betas: Array  # (B, 10)
    cam: Array  # (B, 3)

    @property
    def rotmats(self) -> Array:
        """Rotations of all joints, (B, 24, 3, 3)."""
        return np.concatenate((self.global_orient, self.body_pose), axis=1)


@dataclass(frozen=True)
class Tolerance:
    """Limits of the difference to torch."""

    token_agreement: float  # at least
    rotation_deg: float  # at most, of any joint
    joint_mm: float  # at most, of any joint


TOLERANCES = {
    "fp32": Tolerance(0.999, 0.02, 0.1),
    "fp16": Tolerance(0.98, 0.5, 5.0),
    "bf16": Tolerance(0.90, 4.0, 50.0),
}


@dataclass(frozen=True)
class Parity:
    """Difference between an engine and torch in fp32. Joints are those of the free body, aligned at the pelvis."""

    token_agreement: float  # share of tokens with the same most likely code
    rotation_deg_mean: float
    rotation_deg_max: float
    joint_mm_mean: float
    joint_mm_max: float
    decoder_deg_max: float  # of the decoder graph, with torch's probabilities as input
    finite: bool

    def within(self, tolerance: Tolerance) -> bool:
        """Return whether all differences are within the tolerance."""
        return (
            self.finite
            and self.token_agreement >= tolerance.token_agreement
            and max(self.rotation_deg_max, self.decoder_deg_max) <= tolerance.rotation_deg
            and self.joint_mm_max <= tolerance.joint_mm
        )

    def in_words(self) -> str:
        """Summarise the differences in one line."""
        if not self.finite:
            return "some answers are not finite"
        return (
            f"{100 * self.token_agreement:.2f} % of tokens agree, rotations within {self.rotation_deg_max:.4f} deg "
            f"(mean {self.rotation_deg_mean:.4f}), joints within {self.joint_mm_max:.3f} mm "
            f"(mean {self.joint_mm_mean:.3f})"
        )


def parity_reports(folder: Path) -> dict[str, Parity]:
    """Read the passed checks of an engine, by device. A damaged file counts as empty: the engine is checked again."""
    path = folder / REPORTS
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it holds no keys")
        return {key: from_dict(Parity, value, str(path)) for key, value in content.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        logger.warning("%s is damaged (%s): the engine is checked again", path, one_line(str(error)))
        return {}


def add_report(folder: Path, key: str, parity: Parity) -> None:
    """Add a passed check atomically. Raises OSError if the folder is not writable."""
    reports = {**parity_reports(folder), key: parity}
    content = {device: asdict(report) for device, report in reports.items()}
    with whole_file(folder / REPORTS) as file:
        file.write((json.dumps(content, indent=2) + "\n").encode())


def fixed_images(count: int = NUM_IMAGES) -> Array:
    """Generate fixed, distinct images: (count, 3, 256, 256), normalised as crops are."""
    rng = np.random.default_rng(20240617)
    pixels = np.zeros((count, CROP_SIZE_PX, CROP_SIZE_PX, 3), np.float32)
    for cells, share in ((4, 0.5), (16, 0.3), (64, 0.2)):  # coarse to fine, as in photographs
        blocks = rng.random((count, cells, cells, 3), dtype=np.float32)
        pixels += share * blocks.repeat(CROP_SIZE_PX // cells, 1).repeat(CROP_SIZE_PX // cells, 2)
    return np.ascontiguousarray(((pixels - IMAGENET_MEAN) / IMAGENET_STD).transpose(0, 3, 1, 2))


def write_reference(network: TokenHMR, path: Path) -> None:
    """Run torch in fp32, one image at a time, and store its outputs."""
    import torch

    answers = []
    with torch.inference_mode():
        for image in torch.from_numpy(fixed_images()):
            out = network(image[None])
            probabilities = out.token_logits.softmax(-1)
            answers.append((probabilities, out.global_orient, out.body_pose, out.betas, out.cam))
    stacked = Answer(*(torch.cat(parts).numpy() for parts in zip(*answers, strict=True)))
    np.savez_compressed(path, **stacked._asdict())


def check(infer: Callable[[Array], Answer], decode: Callable[[Array], Array], reference: Path) -> Parity:
    """Compare an engine's two functions with the outputs in the file `reference`."""
    try:
        with NpzFile(reference) as kept:
            expected = Answer(*(kept.read(name) for name in Answer._fields))
    except (OSError, NpzError) as error:
        raise EngineError(f"{reference} cannot be read ({error}): build the engine again") from error
    return compare(infer(fixed_images(len(expected.cam))), decode(expected.token_probabilities), expected)


def compare(answer: Answer, decoded: Array, expected: Answer) -> Parity:
    """Compare outputs; decoded (B, 21, 3, 3) are the body rotations by the engine's decoder from `expected`."""
    finite = all(bool(np.isfinite(part).all()) for part in (*answer, decoded))
    angles = np.degrees(angle_between(answer.rotmats.astype(np.float64), expected.rotmats))
    decoder_rad = angle_between(decoded.astype(np.float64), expected.body_pose[:, :NUM_BODY_JOINTS])
    offsets = _joints(answer.rotmats) - _joints(expected.rotmats)
    joints_mm = 1e3 * np.linalg.norm(offsets, axis=-1)
    same = answer.token_probabilities.argmax(-1) == expected.token_probabilities.argmax(-1)
    return Parity(
        token_agreement=float(same.mean()),
        rotation_deg_mean=float(angles.mean()),
        rotation_deg_max=float(angles.max()),
        joint_mm_mean=float(joints_mm.mean()),
        joint_mm_max=float(joints_mm.max()),
        decoder_deg_max=float(np.degrees(decoder_rad).max()),
        finite=finite,
    )


def _joints(rotmats: Array) -> Array:
    """Joints (B, 24, 3) of the free body in metres, the pelvis at the origin."""
    return forward_kinematics(rotmats, load_body("open").joints_template)[1]
