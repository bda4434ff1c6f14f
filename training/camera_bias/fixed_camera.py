"""The camera that HMR2.0 and TokenHMR train under: 5000 px of focal length for every 256-pixel crop, whoever took it.

Image coordinates are fractions of the crop's width, -0.5..0.5; lengths are metres, axes the camera's (x right, y down,
z forward). With so long a lens a body is projected almost in parallel, whereas real pictures are taken from near by.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from engine.body.skeleton import JOINT_NAMES, LANDMARK_NAMES
from engine.camera import CROP_FOCAL_PX, CROP_SIZE_PX

FOCAL = CROP_FOCAL_PX / CROP_SIZE_PX  # in widths of the crop
NEAREST_M = 5.0  # people stand at 20 m and more before this camera
MARGIN = 1.2  # a crop's side over the longer side of the box around the keypoints


def _points() -> dict[str, int]:
    """Of OpenPose's 25 keypoints those that the free body has, as places in (24 joints, 33 landmarks)."""
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
        return len(JOINT_NAMES) + LANDMARK_NAMES.index(name)

    points = {"OP Nose": landmark("nose"), "OP Neck": JOINT_NAMES.index("neck"), "OP MidHip": 0}
    for letter, side in sides.items():
        points |= {f"OP {letter}{name}": JOINT_NAMES.index(f"{side}_{joint}") for name, joint in joints.items()}
        points |= {f"OP {letter}{name}": landmark(f"{side}_{mark}") for name, mark in marks.items()}
    return points


KEYPOINTS = _points()  # the names are Table S.1's; the small toes are missing


def keypoints(joints_m: Tensor, landmarks_m: Tensor) -> Tensor:
    """Joints (B, 24, 3) and landmarks (B, 33, 3) -> the points (B, 23, 3) of KEYPOINTS."""
    return torch.cat((joints_m, landmarks_m), 1)[:, list(KEYPOINTS.values())]


class Crop(NamedTuple):
    """A square around each person, in whatever unit the picture has."""

    center: Tensor  # (B, 2)
    size: Tensor  # (B,)

    def fractions(self, image: Tensor) -> Tensor:
        """Image points (B, K, 2) -> fractions of the crop, -0.5..0.5 within it."""
        return (image - self.center[:, None]) / self.size[:, None, None]


def crop_around(image: Tensor) -> Crop:
    """The crop about image points (B, K, 2)."""
    low, high = image.amin(1), image.amax(1)
    return Crop((low + high) / 2, MARGIN * (high - low).amax(-1))


def best_translation(points_m: Tensor, seen: Tensor) -> Tensor:
    """Where bodies must stand before the fixed camera for their points to fall nearest to where they were seen.

    points_m (B, K, 3), seen (B, K, 2) -> (B, 3). In closed form: u (Z + t_z) = f (X + t_x) is linear in t, and since
    t_z is some twenty body heights its residuals are those of the picture times nearly one factor. A pose that is
    nothing like what was seen would be placed behind the camera; it is put NEAREST_M before it.
    """
    slope = seen - seen.mean(1, keepdim=True)
    offset = seen * points_m[..., 2:] - FOCAL * points_m[..., :2]
    mean_offset = offset.mean(1)
    depth = -(slope * offset).sum((1, 2)) / slope.square().sum((1, 2)).clamp_min(1e-9)
    depth = depth.clamp_min(NEAREST_M)
    across = (mean_offset + depth[:, None] * seen.mean(1)) / FOCAL
    return torch.cat((across, depth[:, None]), -1)


def project(points_m: Tensor, T_cam_root: Tensor) -> Tensor:
    """Points (B, K, 3) about the root, standing at (B, 3) -> fractions of the crop (B, K, 2)."""
    placed = points_m + T_cam_root[:, None]
    return FOCAL * placed[..., :2] / placed[..., 2:]


def best_projection(points_m: Tensor, seen: Tensor) -> Tensor:
    """The projection (B, K, 2) nearest to what was seen (B, K, 2) that the fixed camera allows."""
    return project(points_m, best_translation(points_m, seen))
