"""Crops a sample to the network's square, with the augmentations of TokenHMR's appendix B.3.

Shifted, scaled and rotated crops, mirroring, colours, and extreme cropping, which keeps only a part of the body. Labels
are transformed with the image. Magnitudes that the paper omits are those of the released code.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.body.skeleton import MIRROR_JOINTS
from engine.camera import CROP_SIZE_PX
from engine.tokenhmr.crop import ASPECT
from training.readers.sample import KEYPOINT_NAMES, MIRROR_KEYPOINTS, Array, Sample


@dataclass(frozen=True)
class CropAugmentation:
    """Settings. A clipped normal is a standard normal draw, clipped at one (at two for the rotation)."""

    scale: float = 0.3  # side *= 1 + scale * clipped normal
    translation: float = 0.02  # of the side, * clipped normal, in x and in y
    rotation_deg: float = 30.0  # * clipped normal
    rotated: float = 0.6  # probability
    flipped: float = 0.5
    cropped: float = 0.1  # probability of extreme cropping
    colour: float = 0.2  # each channel *= 1 +- colour


@dataclass(frozen=True)
class Crop:
    """Input and labels of the network. 2D keypoints are fractions of the square, -0.5..0.5 inside it."""

    image_bgr: NDArray[np.uint8]  # (256, 256, 3)
    keypoints_2d: Array  # (44, 3)
    keypoints_3d: Array  # (44, 4)
    rotmats: Array  # (24, 3, 3)
    betas: Array  # (10,)


def crop(sample: Sample, how: CropAugmentation | None, rng: np.random.Generator) -> Crop:
    """Crop the person's square, augmented; `how` None changes nothing."""
    center, side = sample.center_px.astype(np.float64), sample.side_px
    turn_rad, flip, gains = 0.0, False, None
    if how is not None:
        if rng.random() < how.cropped:
            center, side = extreme_square(sample.keypoints_2d, center, side, rng)
        center = center + side * how.translation * np.clip(rng.normal(size=2), -1, 1)
        side = side * (1 + how.scale * np.clip(rng.normal(), -1, 1))
        if rng.random() < how.rotated:
            turn_rad = np.radians(how.rotation_deg * np.clip(rng.normal(), -2, 2))
        flip = rng.random() < how.flipped
        gains = rng.uniform(1 - how.colour, 1 + how.colour, 3)
    M = _to_square(center, side, turn_rad, flip)
    size = CROP_SIZE_PX, CROP_SIZE_PX
    image = cv2.warpAffine(sample.image_bgr, M, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    if gains is not None:
        levels = np.clip(np.arange(256)[:, None] * gains, 0, 255).astype(np.uint8)
        image = cv2.LUT(image, levels[None])
    keypoints_2d, keypoints_3d = sample.keypoints_2d.copy(), sample.keypoints_3d.copy()
    keypoints_2d[:, :2] = (sample.keypoints_2d[:, :2] @ M[:, :2].T + M[:, 2]) / CROP_SIZE_PX - 0.5
    turn = Rotation.from_rotvec((0, 0, turn_rad))
    keypoints_3d[:, :3] = keypoints_3d[:, :3] @ turn.as_matrix().T
    pose = sample.pose.astype(np.float64)
    pose[0] = (turn * Rotation.from_rotvec(pose[0])).as_rotvec()
    if flip:  # the image is already mirrored
        keypoints_2d, keypoints_3d = keypoints_2d[MIRROR_KEYPOINTS], keypoints_3d[MIRROR_KEYPOINTS]
        keypoints_3d[:, 0] *= -1
        pose = pose[MIRROR_JOINTS] * (1, -1, -1)
    return Crop(
        image_bgr=np.asarray(image, np.uint8),
        keypoints_2d=keypoints_2d.astype(np.float32),
        keypoints_3d=keypoints_3d.astype(np.float32),
        rotmats=Rotation.from_rotvec(pose).as_matrix().astype(np.float32),
        betas=sample.betas,
    )


def _to_square(center: NDArray, side: float, turn_rad: float, flip: bool) -> NDArray[np.float64]:
    """Return the (2, 3) map from image pixels to the square, with the centre at its middle, rotated and mirrored."""
    cosine, sine = np.cos(turn_rad), np.sin(turn_rad)
    linear = CROP_SIZE_PX / side * np.array([[cosine, -sine], [sine, cosine]])
    if flip:
        linear[0] *= -1
    return np.concatenate((linear, (CROP_SIZE_PX / 2 - linear @ center)[:, None]), axis=1)


# Body parts that extreme cropping may keep, by words in the keypoints' names.
_HEAD = ("nose", "eye", "ear", "head", "jaw", "neck")
_TRUNK = ("shoulder", "hip", "thorax", "spine", "pelvis")
_KEPT: tuple[tuple[str, ...], ...] = (
    (*_HEAD, "shoulder"),
    (*_HEAD, *_TRUNK),
    (*_HEAD, *_TRUNK, "elbow", "wrist"),  # no legs
    (*_HEAD, *_TRUNK, "elbow", "wrist", "knee"),
    (*_TRUNK, "knee", "ankle", "heel", "toe"),  # no head, no arms
    ("hip", "pelvis", "knee", "ankle", "heel", "toe"),
    ("left", "nose", "neck"),
    ("right", "nose", "neck"),
)
_MARGIN = 1.2
_MIN_KEPT = 4


def extreme_square(
    keypoints_2d: Array, center: NDArray, side: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], float]:
    """Return centre and side of a square about a random body part; unchanged if too little of it is visible."""
    words = _KEPT[rng.integers(len(_KEPT))]
    kept = np.array([any(word in name for word in words) for name in KEYPOINT_NAMES]) & (keypoints_2d[:, 2] > 0)
    if kept.sum() < _MIN_KEPT:
        return center, side
    low, high = keypoints_2d[kept, :2].min(0).astype(np.float64), keypoints_2d[kept, :2].max(0).astype(np.float64)
    width, height = high - low
    part = _MARGIN * max(width / ASPECT, height)
    return (low + high) / 2, float(np.clip(part, 0.15 * side, side))
