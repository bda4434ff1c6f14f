"""Fits bodies to 2D under the fixed camera: pseudo ground truth, and equation 1's search for the worst 3D.

Both follow SMPLify (Bogo et al. 2016): gradient descent on a pose, with the best translation at each step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import rotmat_from_axis_angle
from engine.camera import CROP_SIZE_PX
from training.camera_bias.filmed_people import FilmedPeople
from training.camera_bias.fixed_camera import best_projection, keypoints

# Equation 1's weights and margin, for 2D in pixels of a 256-pixel crop and 3D in metres, means over points.
WEIGHT_2D, WEIGHT_3D, MARGIN = 4.0, 40.5, 20.0
START_NOISE_RAD = 0.15  # noise of the estimate from which pseudo ground truth is fitted, standard deviation per axis


class Bodies(NamedTuple):
    """Poses, with points relative to the pelvis in camera axes."""

    rotmats: Tensor  # (B, 22, 3, 3)
    betas: Tensor  # (B, 10)
    joints_m: Tensor  # (B, 24, 3)
    keypoints_m: Tensor  # (B, 23, 3)


def pose(body: TorchBody, rotmats: Tensor, betas: Tensor) -> Bodies:
    """Pose bodies by local rotations (B, 22, 3, 3) and betas (B, 10)."""
    joints_m, landmarks_m = body.landmarks(rotmats, betas)
    return Bodies(rotmats, betas, joints_m, keypoints(joints_m, landmarks_m))


def rough_estimate(people: FilmedPeople, noise_rad: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Make an initial estimate as of a regressor: noise on every joint (deviation per axis), and mean shape."""
    noise = noise_rad * torch.randn(*people.rotmats.shape[:2], 3, generator=generator)
    return people.rotmats @ rotmat_from_axis_angle(noise), torch.zeros_like(people.betas)


def fit_pseudo_truth(
    body: TorchBody,
    people: FilmedPeople,
    rotmats: Tensor,
    betas: Tensor,
    steps: int = 100,
    rate: float = 0.02,
    pose_weight: float = 0.2,
    shape_weight: float = 0.02,
    camera: Literal["fixed", "true"] = "fixed",
) -> Bodies:
    """Fit bodies to the 2D of people, from an estimate: rotmats (B, 22, 3, 3), betas (B, 10).

    Uses the fixed camera, as for pseudo ground truth, or each person's own for comparison. The loss adds the 2D error
    (pixels of a 256-pixel crop, mean L1) and the squared rotation from the estimate (rad^2, summed over joints). Its
    third term is the betas' squared change.
    """

    def loss(found: Bodies, turn: Tensor) -> Tensor:
        if camera == "fixed":
            projected = best_projection(found.keypoints_m, people.seen)
        else:
            projected = people.project(found.keypoints_m)
        error_px = CROP_SIZE_PX * (projected - people.seen).abs().sum(-1).mean(-1)
        turned, reshaped = turn.square().sum((1, 2)), (found.betas - betas).square().sum(-1)
        return error_px + pose_weight * turned + shape_weight * reshaped

    return _descend(body, rotmats, betas, loss, steps, rate)


class SearchStep(NamedTuple):
    """State of equation 1's search after some iterations."""

    iterations: int
    bodies: Bodies
    error_2d_px: Tensor  # (B,) mean distance to the observed keypoints, pixels of a 256-pixel crop
    mpjpe_mm: Tensor  # (B,)


def search_worst(
    body: TorchBody, people: FilmedPeople, iterations: Sequence[int], rate: float = 0.02, seed: int = 0
) -> list[SearchStep]:
    """Search for the worst 3D that keeps the 2D good under the fixed camera (equation 1); one step for each entry.

    Starts a thousandth of a radian from the truth, because the gradient of the 3D distance vanishes there.
    """
    generator = torch.Generator().manual_seed(seed)
    aside = 1e-3 * torch.randn(*people.rotmats.shape[:2], 3, generator=generator)
    start = people.rotmats @ rotmat_from_axis_angle(aside)

    def loss(found: Bodies, _turn: Tensor) -> Tensor:
        return WEIGHT_2D * distance_px(found, people) - WEIGHT_3D * distance_m(found, people) + MARGIN

    steps: list[SearchStep] = []

    def watch(iteration: int, found: Bodies) -> None:
        if iteration in iterations:
            steps.append(SearchStep(iteration, found, distance_px(found, people), 1e3 * distance_m(found, people)))

    _descend(body, start, people.betas, loss, max(iterations), rate, fit_shape=False, watch=watch)
    return steps


def distance_px(found: Bodies, people: FilmedPeople) -> Tensor:
    """Return the mean distance (B,) of keypoints from the observed ones, pixels of a 256-pixel crop."""
    offset = best_projection(found.keypoints_m, people.seen) - people.seen
    return CROP_SIZE_PX * torch.linalg.vector_norm(offset, dim=-1).mean(-1)


def distance_m(found: Bodies, people: FilmedPeople) -> Tensor:
    """Return the mean distance (B,) of joints from the true ones, metres, aligned at the pelvis."""
    offsets = found.joints_m - people.joints_m
    return torch.linalg.vector_norm(offsets[:, 1:], dim=-1).sum(-1) / offsets.shape[1]


def _descend(
    body: TorchBody,
    start: Tensor,
    betas: Tensor,
    loss: Callable[[Bodies, Tensor], Tensor],
    steps: int,
    rate: float,
    fit_shape: bool = True,
    watch: Callable[[int, Bodies], None] = lambda _iteration, _bodies: None,
) -> Bodies:
    """Optimise a rotation (B, 22, 3) of every joint from its start, and the betas if requested, with Adam."""
    turn = torch.zeros(*start.shape[:2], 3, requires_grad=True)
    betas = betas.clone().requires_grad_(fit_shape)
    optimizer = torch.optim.Adam([turn, betas] if fit_shape else [turn], lr=rate)

    def current() -> Bodies:
        return pose(body, start @ rotmat_from_axis_angle(turn), betas)

    for iteration in range(steps):
        found = current()
        watch(iteration, Bodies(*(value.detach() for value in found)))
        optimizer.zero_grad()
        loss(found, turn).sum().backward()
        optimizer.step()
    with torch.no_grad():
        found = current()
    found = Bodies(*(value.detach() for value in found))
    watch(steps, found)
    return found
