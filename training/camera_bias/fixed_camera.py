"""Models the fixed camera of HMR2.0's and TokenHMR's training: a focal length of 5000 px for every 256-pixel crop.

Image coordinates are fractions of the crop's width, -0.5..0.5; lengths are metres, axes the camera's (x right, y down,
z forward). Such a long lens is almost a parallel projection, whereas real images are taken from near.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from engine.body.keypoints import BLAZEPOSE
from engine.body.skeleton import JOINT_NAMES
from engine.camera import CROP_FOCAL_PX, CROP_SIZE_PX, crop_fractions

FOCAL = CROP_FOCAL_PX / CROP_SIZE_PX  # in widths of the crop
NEAREST_M = 5.0  # people stand at 20 m or more before this camera
MARGIN = 1.2  # a crop's side over the longer side of the box around the keypoints


def _points() -> dict[str, int]:
    """Map those of OpenPose's 25 keypoints that the free body has to indices in (24 joints, 33 landmarks)."""
    sides = {"L": "left", "R": "right"}
    joints = {
        "Shoulder": "shoulder",
        "Elbow": "elbow",
        "Wrist": "wrist",
        "Hip": "hip",
        "Knee": "knee",
        "Ankle": "ankle",
    }
    marks = {"Eye": "eye", "Ear": "ear", "BigToe": "foot_index", "Heel": "heel"}

    def landmark(name: str) -> int:
        return len(JOINT_NAMES) + BLAZEPOSE.index(name)

    points = {"OP Nose": landmark("nose"), "OP Neck": JOINT_NAMES.index("neck"), "OP MidHip": 0}
    for letter, side in sides.items():
        points |= {f"OP {letter}{name}": JOINT_NAMES.index(f"{side}_{joint}") for name, joint in joints.items()}
        points |= {f"OP {letter}{name}": landmark(f"{side}_{mark}") for name, mark in marks.items()}
    return points


KEYPOINTS = _points()  # named as in Table S.1; the small toes are missing


def keypoints(joints_m: Tensor, landmarks_m: Tensor) -> Tensor:
    """Select the points (B, 23, 3) of KEYPOINTS from joints (B, 24, 3) and landmarks (B, 33, 3)."""
    return torch.cat((joints_m, landmarks_m), 1)[:, list(KEYPOINTS.values())]


class Crop(NamedTuple):
    """Square around each person, in the image's unit."""

    center: Tensor  # (B, 2)
    size: Tensor  # (B,)

    def fractions(self, image: Tensor) -> Tensor:
        """Convert image points (B, K, 2) to fractions of the crop, -0.5..0.5 within it."""
        return (image - self.center[:, None]) / self.size[:, None, None]


def crop_around(image: Tensor) -> Crop:
    """Return the crop about image points (B, K, 2)."""
    low, high = image.amin(1), image.amax(1)
    return Crop((low + high) / 2, MARGIN * (high - low).amax(-1))


def best_translation(points_m: Tensor, seen: Tensor) -> Tensor:
    """Return the translation before the fixed camera that best fits the observed 2D points.

    points_m (B, K, 3), seen (B, K, 2) -> (B, 3). Closed form: u (Z + t_z) = f (X + t_x) is linear in t. t_z is about
    twenty body heights, so its residuals are proportional to those in the image. A pose unlike the observed one would
    land behind the camera; it is put NEAREST_M before it.
    """
    slope = seen - seen.mean(1, keepdim=True)
    offset = seen * points_m[..., 2:] - FOCAL * points_m[..., :2]
    mean_offset = offset.mean(1)
    depth = -(slope * offset).sum((1, 2)) / slope.square().sum((1, 2)).clamp_min(1e-9)
    depth = depth.clamp_min(NEAREST_M)
    across = (mean_offset + depth[:, None] * seen.mean(1)) / FOCAL
    return torch.cat((across, depth[:, None]), -1)


def project(points_m: Tensor, T_cam_root: Tensor) -> Tensor:
    """Project points (B, K, 3) about the root at (B, 3) to fractions of the crop (B, K, 2)."""
    projected: Tensor = crop_fractions(points_m + T_cam_root[:, None])
    return projected


def best_projection(points_m: Tensor, seen: Tensor) -> Tensor:
    """Return the projection (B, K, 2) under the fixed camera that is nearest to the observed one (B, K, 2)."""
    return project(points_m, best_translation(points_m, seen))
