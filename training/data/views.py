"""Places bodies before random cameras and projects their landmarks exactly through a pinhole camera.

Lengths are metres, image coordinates are in focal lengths (pixels with focal length 1), axes are the camera's: x right,
y down, z forward. One seeded generator draws everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.body.keypoints import BLAZEPOSE
from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import rotation_between, rotmat_from_axis_angle

SHOULDERS, HIPS = (BLAZEPOSE.matching(part).tolist() for part in ("shoulder", "hip"))


class Observation(NamedTuple):
    """Output of a detector for B people."""

    image: Tensor  # (B, 33, 2) focal lengths
    world_m: Tensor  # (B, 33, 3) camera axes, origin between the hips
    visibility: Tensor  # (B, 33) in 0..1


class View(NamedTuple):
    """Ground truth of B bodies before their cameras."""

    R_cam_root: Tensor  # (B, 3, 3)
    joints_m: Tensor  # (B, 24, 3) from the pelvis, camera axes
    landmarks_m: Tensor  # (B, 33, 3) from the pelvis, camera axes
    T_cam_root: Tensor  # (B, 3)
    distance_m: Tensor  # (B,)


@dataclass(frozen=True)
class ViewConfig:
    """Distribution of cameras: webcams and phones, most often level with the chest, looking slightly down."""

    distance_m: tuple[float, float] = (1.2, 7.0)  # log-uniform, to the middle of the body
    pitch_deg: tuple[float, float] = (8.0, 12.0)  # mean and deviation; positive looks down on the person
    roll_deg: float = 6.0
    any_tilt: float = 0.05  # share of views from anywhere: lying people, overhead cameras
    off_axis_deg: tuple[float, float] = (25.0, 20.0)  # largest, across and along the picture


class Draw:
    """Random numbers from one generator."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def uniform(self, bounds: tuple[float, float], *shape: int) -> Tensor:
        """Draw uniformly between bounds."""
        return bounds[0] + (bounds[1] - bounds[0]) * torch.rand(shape, generator=self.generator)

    def normal(self, *shape: int) -> Tensor:
        """Draw from the standard normal."""
        return torch.randn(shape, generator=self.generator)

    def chance(self, p: float, *shape: int) -> Tensor:
        """Draw booleans that are True with probability p."""
        return torch.rand(shape, generator=self.generator) < p


def place(draw: Draw, config: ViewConfig, body: TorchBody, rotmats: Tensor, betas: Tensor) -> View:
    """Rotate each body to a random heading and put it at a random position before the camera."""
    batch = len(rotmats)
    pitch_deg = (config.pitch_deg[0] + config.pitch_deg[1] * draw.normal(batch)).clamp(-35, 50)
    roll_deg = config.roll_deg * draw.normal(batch)
    anyhow = draw.chance(config.any_tilt, batch)
    pitch_deg = torch.where(anyhow, draw.uniform((-86, 86), batch), pitch_deg)
    roll_deg = torch.where(anyhow, draw.uniform((-86, 86), batch), roll_deg)
    facing = torch.diag(torch.tensor([1.0, -1.0, -1.0]))  # Y up, +Z forward: a body at identity faces the camera
    R_ray_world = about("z", roll_deg) @ about("x", pitch_deg) @ facing @ about("y", draw.uniform((0, 360), batch))
    R_ray_root = R_ray_world @ rotmats[:, 0]
    joints_m, landmarks_m = body.landmarks(torch.cat((R_ray_root[:, None], rotmats[:, 1:]), 1), betas)

    near, far = config.distance_m
    distance_m = near * (far / near) ** draw.uniform((0, 1), batch)
    across, along = (draw.uniform((-limit, limit), batch).deg2rad().tan() for limit in config.off_axis_deg)
    R_cam_ray = ray_axes(torch.stack((across, along), -1))
    middle_m = (landmarks_m.amax(1) + landmarks_m.amin(1)) / 2
    T_ray_root = distance_m[:, None] * torch.tensor([0.0, 0.0, 1.0]) - middle_m
    return View(
        R_cam_root=R_cam_ray @ R_ray_root,
        joints_m=joints_m @ R_cam_ray.mT,
        landmarks_m=landmarks_m @ R_cam_ray.mT,
        T_cam_root=(R_cam_ray @ T_ray_root[..., None])[..., 0],
        distance_m=distance_m,
    )


def observe(view: View) -> Observation:
    """Return the output of a perfect detector.

    The 2D is the pinhole projection. The 3D has its origin between the hips. Its axes are those of the ray to the hips,
    because the detector's network sees a crop around them.
    """
    points_m = view.landmarks_m + view.T_cam_root[:, None]
    image = points_m[..., :2] / points_m[..., 2:].clamp_min(0.3)
    return Observation(image, from_hips(view.landmarks_m) @ hip_axes(view), torch.ones(points_m.shape[:2]))


def ray_axes(image: Tensor) -> Tensor:
    """Return the smallest rotation (B, 3, 3) from the optical axis to the ray through image points (B, 2).

    Columns are the axes of the ray's frame in camera axes.
    """
    return rotation_between(image.new_tensor((0.0, 0.0, 1.0)), F.pad(image, (0, 1), value=1.0))


def hip_axes(view: View) -> Tensor:
    """Return the axes (B, 3, 3), in camera axes, of the detector's 3D: those of the ray between the hips."""
    T_cam_hips = view.T_cam_root + view.landmarks_m[:, HIPS].mean(1)
    return ray_axes(T_cam_hips[:, :2] / T_cam_hips[:, 2:].clamp_min(0.3))


def about(axis: str, angle_deg: Tensor) -> Tensor:
    """Return rotations (B, 3, 3) by angles (B,) about one axis."""
    turn = torch.zeros(len(angle_deg), 3)
    turn[:, "xyz".index(axis)] = angle_deg.deg2rad()
    return rotmat_from_axis_angle(turn)


def from_hips(points_m: Tensor) -> Tensor:
    """Move the origin of landmarks (B, 33, 3) between the hips."""
    return points_m - points_m[:, HIPS].mean(1, keepdim=True)
