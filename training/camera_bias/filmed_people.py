"""Synthesises people of known pose, shape and camera: mocap on the free body before hand-held cameras."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import rotmat_from_axis_angle
from training.camera_bias.fixed_camera import Crop, crop_around, keypoints
from training.data.mocap import Mocap
from training.data.views import Draw, ViewConfig, place, ray_axes

Axes = Literal["ray", "camera"]


class FilmedPeople(NamedTuple):
    """Ground truth of B people. Points are relative to the pelvis; for the axes see `film`."""

    rotmats: Tensor  # (B, 22, 3, 3) local; the root's rotates into those axes
    betas: Tensor  # (B, 10)
    joints_m: Tensor  # (B, 24, 3)
    keypoints_m: Tensor  # (B, 23, 3) of fixed_camera.KEYPOINTS
    T_cam_root: Tensor  # (B, 3)
    R_cam_axes: Tensor  # (B, 3, 3)
    crop_center: Tensor  # (B, 2) focal lengths
    crop_size: Tensor  # (B,)
    seen: Tensor  # (B, 23, 2) the keypoints in the image, fractions of the crop
    distance_m: Tensor  # (B,)

    def project(self, points_m: Tensor) -> Tensor:
        """Project points (B, K, 3) from the pelvis through the true camera: fractions of the crop (B, K, 2)."""
        placed = (points_m + self.T_cam_root[:, None]) @ self.R_cam_axes.mT
        return Crop(self.crop_center, self.crop_size).fractions(placed[..., :2] / placed[..., 2:])

    def take(self, rows: Tensor) -> FilmedPeople:
        return FilmedPeople(*(value[rows] for value in self))


# From near enough to show the whole person to across a street; heights and pitches as of hand-held cameras.
CAMERA = ViewConfig(distance_m=(2.0, 10.0), any_tilt=0.0)


@torch.no_grad()
def film(
    body: TorchBody,
    mocap: Mocap,
    people: int,
    generator: torch.Generator,
    camera: ViewConfig = CAMERA,
    axes: Axes = "ray",
    frames_used: Tensor | None = None,
) -> FilmedPeople:
    """Draw poses by the mocap's weights, shapes from the standard normal, cameras by `camera`.

    frames_used: indices of the mocap's frames (N,) to draw from; default all.
    axes: those of the ray through the crop's middle, or the camera's. An estimator that sees only the crop can at best
    predict the first: a person at the edge of the image looks turned to it.
    """
    weights = mocap.weights() if frames_used is None else mocap.weights() * frames_used
    frames = torch.multinomial(weights, people, replacement=True, generator=generator)
    world = rotmat_from_axis_angle(mocap.axis_angle[frames])
    draw = Draw(generator)
    betas = draw.normal(people, 10)
    view = place(draw, camera, body, world, betas)
    points_m = keypoints(view.joints_m, view.landmarks_m)
    placed = points_m + view.T_cam_root[:, None]
    image = placed[..., :2] / placed[..., 2:]
    crop = crop_around(image)
    R = ray_axes(crop.center) if axes == "ray" else torch.eye(3).expand(people, 3, 3)
    return FilmedPeople(
        rotmats=torch.cat(((R.mT @ view.R_cam_root)[:, None], world[:, 1:]), 1),
        betas=betas,
        joints_m=view.joints_m @ R,
        keypoints_m=points_m @ R,
        T_cam_root=(view.T_cam_root[:, None] @ R)[:, 0],
        R_cam_axes=R,
        crop_center=crop.center,
        crop_size=crop.size,
        seen=crop.fractions(image),
        distance_m=view.distance_m,
    )
