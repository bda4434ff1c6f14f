"""One person in one image with its labels, and the 44 keypoints of TokenHMR's losses.

Camera axes: x right, y down, z forward. Pixels: integer coordinates are pixel centres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import BLAZEPOSE
from engine.body.skeleton import JOINT_NAMES, NUM_JOINTS
from training.readers.files import BrokenFileError

Array = NDArray[np.float32]
Gender = Literal["neutral", "male", "female"]

# OpenPose's 25, LSP's 14, then MPII's pelvis and thorax and H36M's spine, jaw and head (TokenHMR, table S.1).
KEYPOINT_NAMES: tuple[str, ...] = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "mid_hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye",
    "left_eye", "right_ear", "left_ear", "left_big_toe", "left_small_toe", "left_heel", "right_big_toe",
    "right_small_toe", "right_heel", "lsp_right_ankle", "lsp_right_knee", "lsp_right_hip", "lsp_left_hip",
    "lsp_left_knee", "lsp_left_ankle", "lsp_right_wrist", "lsp_right_elbow", "lsp_right_shoulder",
    "lsp_left_shoulder", "lsp_left_elbow", "lsp_left_wrist", "lsp_neck", "lsp_head_top", "mpii_pelvis",
    "mpii_thorax", "h36m_spine", "h36m_jaw", "h36m_head",
)  # fmt: skip
NUM_KEYPOINTS = len(KEYPOINT_NAMES)
PELVIS = KEYPOINT_NAMES.index("mpii_pelvis")


def _mirrored() -> NDArray[np.intp]:
    swapped = [
        name.replace("left", "right") if "left" in name else name.replace("right", "left") for name in KEYPOINT_NAMES
    ]
    return np.array([KEYPOINT_NAMES.index(name) for name in swapped])


MIRROR_KEYPOINTS = _mirrored()

# Keypoints that are neither a joint of SMPL nor a landmark by name. No body file defines head top, thorax and the like,
# so those are absent here and have no 3D loss.
_SYNONYMS = {
    "mid_hip": "pelvis",
    "mpii_pelvis": "pelvis",
    "left_big_toe": "left_foot_index",
    "right_big_toe": "right_foot_index",
}


def _places() -> NDArray[np.intp]:
    points = JOINT_NAMES + BLAZEPOSE.names  # a joint takes precedence over a landmark of the same name
    names = [name.removeprefix("lsp_") for name in KEYPOINT_NAMES]
    names = [_SYNONYMS.get(name, name) for name in names]
    return np.array([points.index(name) if name in points else -1 for name in names])


# Index of each keypoint among the 24 joints followed by the 33 landmarks of a body; -1: not defined.
KEYPOINT_PLACES = _places()
ON_BODY = KEYPOINT_PLACES >= 0


def keypoints_from_joints(joints: NDArray, confidence: float | NDArray = 1.0) -> Array:
    """Convert SMPL's first 22 or 24 joints (J, D), pixels or metres, to 44 keypoints (44, D + 1) with confidence.

    Keypoints that are no joint of SMPL have confidence 0.
    """
    found = ON_BODY & (KEYPOINT_PLACES - min(len(joints), NUM_JOINTS) < 0)
    keypoints = np.zeros((NUM_KEYPOINTS, joints.shape[1] + 1), np.float32)
    keypoints[found, :-1] = joints[KEYPOINT_PLACES[found]]
    keypoints[found, -1] = np.broadcast_to(confidence, (len(joints),))[KEYPOINT_PLACES[found]]
    return keypoints


def stretches(clip: str, frames: NDArray[np.integer]) -> list[str]:
    """Name the unbroken sequences of the given frame numbers of a clip, in order."""
    firsts = np.concatenate((np.ones(min(len(frames), 1), bool), np.diff(frames) != 1))
    return [f"{clip}@{frames[first]}" for first in np.maximum.accumulate(np.where(firsts, np.arange(len(frames)), 0))]


@dataclass(frozen=True)
class Sample:
    """Person before augmentation. Raises BrokenFileError for labels of other shapes, or a crop without a position."""

    name: str  # of data set and sample, for messages
    image_bgr: NDArray[np.uint8]  # (H, W, 3)
    center_px: Array  # (2,) of the person's square crop
    side_px: float
    keypoints_2d: Array  # (44, 3) pixels and confidence
    keypoints_3d: Array  # (44, 4) metres in camera axes, any origin, and confidence
    pose: Array  # (24, 3) local axis-angle, radians, the root in camera axes
    betas: Array  # (10,)
    has_pose: bool
    has_betas: bool  # of the neutral body, so usable for training
    gender: Gender = "neutral"  # body model of the betas; other than neutral: for evaluation only
    sequence: str = ""  # one name for each unbroken sequence of frames; "": a single image

    def __post_init__(self) -> None:
        for field, shape in _SHAPES.items():
            if np.shape(getattr(self, field)) != shape:
                found = np.shape(getattr(self, field))
                raise BrokenFileError(f"{self.name}: {field} has the shape {found}, expected {shape}")
        if not (np.isfinite(self.center_px).all() and np.isfinite(self.side_px) and self.side_px > 0):
            raise BrokenFileError(f"{self.name}: its square is {self.side_px} px wide about {self.center_px}")


_SHAPES = {
    "center_px": (2,), "side_px": (), "keypoints_2d": (NUM_KEYPOINTS, 3), "keypoints_3d": (NUM_KEYPOINTS, 4),
    "pose": (NUM_JOINTS, 3), "betas": (10,),
}  # fmt: skip


class ImageSet(Protocol):
    """Data set of samples by index. `name` appears in messages; `fingerprint` identifies the data."""

    name: str
    fingerprint: str

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...
