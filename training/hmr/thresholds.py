"""TALS's thresholds: the paper's Table S.1 as data, and a file format for others.

Table S.1 (TokenHMR, appendix B.2) was measured on BEDLAM's validation people under HMR2.0's camera. `python -m
training.camera_bias thresholds` writes files of other thresholds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from engine.body.skeleton import NUM_JOINTS
from engine.body.torch.rotations import angle_between
from engine.errors import EngineError

# The 44 keypoints of HMR2.0 and TokenHMR in their order, in fractions of the crop's width.
_KEYPOINTS = (
    ("OP Nose", 0.00850), ("OP Neck", 0.00649), ("OP RShoulder", 0.00748), ("OP RElbow", 0.01103),
    ("OP RWrist", 0.01356), ("OP LShoulder", 0.00742), ("OP LElbow", 0.01097), ("OP LWrist", 0.01414),
    ("OP MidHip", 0.00974), ("OP RHip", 0.01127), ("OP RKnee", 0.01663), ("OP RAnkle", 0.00565),
    ("OP LHip", 0.01126), ("OP LKnee", 0.01616), ("OP LAnkle", 0.00533), ("OP REye", 0.00830),
    ("OP LEye", 0.00831), ("OP REar", 0.00737), ("OP LEar", 0.00743), ("OP LBigToe", 0.00544),
    ("OP LSmallToe", 0.00551), ("OP LHeel", 0.00536), ("OP RBigToe", 0.00565), ("OP RSmallToe", 0.00582),
    ("OP RHeel", 0.00573),
    ("LSP RAnkle", 0.00554), ("LSP RKnee", 0.01515), ("LSP RHip", 0.00986), ("LSP LHip", 0.00998),
    ("LSP LKnee", 0.01520), ("LSP LAnkle", 0.00511), ("LSP RWrist", 0.01288), ("LSP RElbow", 0.01106),
    ("LSP RShoulder", 0.00711), ("LSP LShoulder", 0.00710), ("LSP LElbow", 0.01092), ("LSP LWrist", 0.01388),
    ("LSP Neck", 0.00648), ("LSP Head Top", 0.00766),
    ("MPII Pelvis", 0.00931), ("MPII Thorax", 0.00647),
    ("H36M Spine", 0.00677), ("H36M Jaw", 0.00744), ("H36M Head", 0.00752),
)  # fmt: skip

# SMPL's 24 joints in the order of engine.body.skeleton.JOINT_NAMES, in radians.
_JOINTS_RAD = (
    0.46, 0.22, 0.21, 0.15, 0.33, 0.30, 0.17, 0.20, 0.27, 0.12, 0.29, 0.28,
    0.24, 0.26, 0.26, 0.28, 0.29, 0.32, 0.35, 0.35, 0.62, 0.59, 0.20, 0.20,
)  # fmt: skip


@dataclass(frozen=True)
class Thresholds:
    """Errors below which supervision by pseudo ground truth is scaled down."""

    source: str
    keypoint_names: tuple[str, ...]
    keypoints: tuple[float, ...]  # one a keypoint: L1 distance in fractions of the crop's width
    joints_rad: tuple[float, ...]  # (24,), geodesic angle; empty if not measured


PAPER_THRESHOLDS = Thresholds(
    source="TokenHMR, Table S.1",
    keypoint_names=tuple(name for name, _ in _KEYPOINTS),
    keypoints=tuple(value for _, value in _KEYPOINTS),
    joints_rad=_JOINTS_RAD,
)


def save_thresholds(path: Path, thresholds: Thresholds) -> None:
    """Write thresholds as JSON."""
    path.write_text(
        json.dumps(
            {
                "source": thresholds.source,
                "keypoints": dict(zip(thresholds.keypoint_names, thresholds.keypoints, strict=True)),
                "joints_rad": list(thresholds.joints_rad),
            },
            indent=2,
        )
        + "\n",
        encoding="utf-8",
    )


def load_thresholds(path: Path) -> Thresholds:
    """Read a file of `save_thresholds`; EngineError for any other."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        thresholds = Thresholds(
            source=str(data["source"]),
            keypoint_names=tuple(data["keypoints"]),
            keypoints=tuple(map(float, data["keypoints"].values())),
            joints_rad=tuple(map(float, data["joints_rad"])),
        )
    except OSError as error:
        raise EngineError(f"cannot read thresholds {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineError(f"{path} holds no thresholds: make some with python -m training.camera_bias") from error
    if len(thresholds.joints_rad) not in (0, NUM_JOINTS) or any(
        not value >= 0 for value in thresholds.keypoints + thresholds.joints_rad
    ):
        raise EngineError(f"{path}: joints_rad must be {NUM_JOINTS} angles or none, and no threshold negative")
    return thresholds


def completed(measured: Thresholds) -> Thresholds:
    """Take what was not measured from Table S.1, so that every keypoint and joint has a threshold.

    Raises EngineError for a keypoint that Table S.1 does not have.
    """
    own = dict(zip(measured.keypoint_names, measured.keypoints, strict=True))
    if unknown := sorted(own.keys() - set(PAPER_THRESHOLDS.keypoint_names)):
        raise EngineError(f"{measured.source}: no keypoint '{unknown[0]}' in Table S.1: name it as there")
    keypoints = tuple(own.get(name, value) for name, value in _KEYPOINTS)
    return Thresholds(
        measured.source, PAPER_THRESHOLDS.keypoint_names, keypoints, measured.joints_rad or PAPER_THRESHOLDS.joints_rad
    )


def keypoint_thresholds(projected: Tensor, seen: Tensor, visible: Tensor | None = None) -> Tensor:
    """Compute the mean L1 distance (K,) of projected true bodies from the observed keypoints, both (B, K, 2).

    Section 4.2. visible (B, K): keypoints that count; NaN for one that is never visible.
    """
    distance = (projected - seen).abs().sum(-1)
    if visible is None:
        return distance.mean(0)
    return (distance * visible).sum(0) / visible.sum(0)


def joint_thresholds_rad(found: Tensor, truth: Tensor) -> Tensor:
    """Compute the mean geodesic angle (J,) between estimated and true rotations (B, J, 3, 3) (section 4.2)."""
    return angle_between(found, truth).mean(0)
