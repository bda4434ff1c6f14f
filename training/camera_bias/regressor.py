"""Small network that learns poses from true 3D and pseudo ground truth, and its measures on held-out people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import angle_between, rotmat_from_6d, sixd_from_rotmat
from training.camera_bias.filmed_people import FilmedPeople
from training.camera_bias.fixed_camera import KEYPOINTS, best_projection
from training.camera_bias.pseudo_truth import Bodies, pose, rough_estimate
from training.camera_bias.supervision import (
    POINTS_2D,
    POINTS_3D,
    POSE,
    SHAPE,
    Limits,
    Recipe,
    Setting,
    Supervision,
)
from training.hmr.tals import keypoint_tals, keypoints_over, pose_tals
from training.metrics import joint_angle_error, mpjpe, pa_mpjpe, pck
from training.run.config import RunConfig
from training.run.loop import Run, Stateful, Task

PARTS = 10  # evaluations after each tenth of the training


class Regressor(nn.Module):
    """Network from keypoints and views of rotations to local rotations and betas. Initially it returns its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        last = nn.Linear(width, 22 * 6 + 10)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(
            nn.Linear(2 * len(KEYPOINTS) + 22 * 6, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            last,
        )

    def forward(self, seen: Tensor, view: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, 23, 2) in fractions of the crop and (B, 22, 3, 3) to (B, 22, 3, 3) and (B, 10)."""
        shown = sixd_from_rotmat(view).flatten(1)
        change, betas = self.layers(torch.cat((4 * seen.flatten(1), shown), -1)).split((22 * 6, 10), dim=-1)
        return rotmat_from_6d((shown + change).unflatten(-1, (22, 6))), betas


def loss(found: Bodies, taught: Supervision, limits: Limits, recipe: Recipe) -> Tensor:
    """Compute the loss: equation 9 for people with truth, equations 2 and 3 for others; mean over people."""
    people = taught.people
    projected, ones = best_projection(found.keypoints_m, people.seen), torch.ones(people.seen.shape[:2])
    with_truth = (
        POSE * (found.rotmats - people.rotmats).square().sum((1, 2, 3))
        + SHAPE * (found.betas - people.betas).square().sum(-1)
        + POINTS_3D * (found.joints_m - people.joints_m).abs().sum((1, 2))
        + POINTS_2D * (projected - people.seen).abs().sum((1, 2))
    )
    pose_terms = pose_tals(found.rotmats, taught.pseudo.rotmats, limits.joints_rad, recipe.tals)
    point_terms = keypoint_tals(projected, people.seen, ones, limits.keypoints, recipe.tals)
    without = recipe.pose * pose_terms.sum(-1) + POINTS_2D * point_terms.sum(-1)
    return torch.where(taught.has_truth, with_truth, without).mean()


def observed(people: FilmedPeople, setting: Setting, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the network's input for people: keypoints and rotations, each with noise."""
    noise = setting.keypoint_noise * torch.randn(people.seen.shape, generator=generator)
    return people.seen + noise, rough_estimate(people, setting.view_noise_rad, generator)[0]


class Measure(NamedTuple):
    """Means over held-out people: against the truth, under the fixed camera, against their pseudo ground truth."""

    mpjpe_mm: float
    pa_mpjpe_mm: float
    angle_deg: float  # of joints, independent of shape
    pck_1: float  # at 1 and 5 % of the crop
    pck_5: float
    pose_over: float  # share of rotations, and of keypoints, over their thresholds, which count in full under TALS
    points_over: float


@torch.no_grad()
def measure(body: TorchBody, answer: tuple[Tensor, Tensor], held_out: Supervision, limits: Limits) -> Measure:
    """Measure a network's output (rotations, betas) on held-out people."""
    people = held_out.people
    found = pose(body, *answer)
    projected = best_projection(found.keypoints_m, people.seen)
    points_over = keypoints_over(projected, people.seen, torch.ones(people.seen.shape[:2]), limits.keypoints)
    return Measure(
        mpjpe_mm=float(mpjpe(found.joints_m, people.joints_m).mean()),
        pa_mpjpe_mm=float(pa_mpjpe(found.joints_m, people.joints_m).mean()),
        angle_deg=float(joint_angle_error(found.rotmats, people.rotmats).mean()),
        pck_1=float(pck(projected, people.seen, 0.01).mean()),
        pck_5=float(pck(projected, people.seen, 0.05).mean()),
        pose_over=float((angle_between(found.rotmats, held_out.pseudo.rotmats) > limits.joints_rad).float().mean()),
        points_over=float(points_over.float().mean()),
    )


class Batch(NamedTuple):
    """People with their supervision, and the network's input for them."""

    taught: Supervision
    seen: Tensor  # (B, 23, 2) fractions of the crop
    view: Tensor  # (B, 22, 3, 3)


class RegressorTask(Task[Batch]):
    """A network that a recipe teaches."""

    generator: torch.Generator

    def __init__(
        self, body: TorchBody, taught: Supervision, limits: Limits, recipe: Recipe, setting: Setting, config: RunConfig
    ) -> None:
        torch.manual_seed(config.seed)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.body, self.taught = body, taught.as_taught_by(recipe)
        self.limits, self.recipe, self.setting = limits, recipe, setting
        self.network = Regressor(setting.width)
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        super().__init__(config, Accelerator(cpu=True), "", self.network, optimizer)

    def batches(self, first: int, last: int) -> Iterator[Batch]:
        for _ in range(first, last):
            rows = torch.randint(len(self.taught.has_truth), (self.config.batch,), generator=self.generator)
            taught = self.taught.take(rows)
            yield Batch(taught, *observed(taught.people, self.setting, self.generator))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        found = pose(self.body, *self.model(batch.seen, batch.view))
        return {"total": loss(found, batch.taught, self.limits, self.recipe)}

    def parts(self) -> dict[str, Stateful]:
        return {"network": self.network}


class Course(NamedTuple):
    """History of one network."""

    measures: list[Measure]  # before the first step, then after each of the PARTS
    losses: list[float]  # mean training loss of each part


def train(
    body: TorchBody,
    taught: Supervision,
    held_out: Supervision,
    limits: Limits,
    recipe: Recipe,
    setting: Setting,
    steps: int,
    seed: int,
) -> Course:
    """Train one network with a recipe, and measure it on held-out people."""
    config = RunConfig(
        steps=steps, batch=setting.batch, learning_rate=setting.learning_rate, final_rate=0.0, precision="no", seed=seed
    )
    task = RegressorTask(body, taught, limits, recipe, setting, config)
    shown = observed(held_out.people, setting, task.generator)
    run, course = Run(task), Course([measure(body, task.network(*shown), held_out, limits)], [])
    for part in range(PARTS):
        batches = task.batches(steps * part // PARTS, steps * (part + 1) // PARTS)
        losses = [run.train_step(batch)["total"].item() for batch in batches]
        course.measures.append(measure(body, task.network(*shown), held_out, limits))
        course.losses.append(sum(losses) / max(1, len(losses)))
    return course
