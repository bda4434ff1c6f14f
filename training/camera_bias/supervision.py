"""Supervision in the comparison of TALS with the plain loss: who has true 3D, and the recipes that use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from engine.body.torch.model import TorchBody
from training.camera_bias.filmed_people import FilmedPeople, film
from training.camera_bias.fixed_camera import KEYPOINTS, best_projection
from training.camera_bias.pseudo_truth import START_NOISE_RAD, Bodies, fit_pseudo_truth, rough_estimate
from training.data.mocap import Mocap
from training.hmr.tals import PAPER, PLAIN, Tals
from training.hmr.thresholds import PAPER_THRESHOLDS, joint_thresholds_rad, keypoint_thresholds
from training.landmarks.synthetic_config import ViewConfig

POSE, SHAPE, POINTS_2D, POINTS_3D = 1e-3, 5e-4, 1e-2, 5e-2  # section 5.1
CAMERA = ViewConfig(distance_m=(1.5, 5.0), any_tilt=0.0)  # near, because the bias is large there


@dataclass(frozen=True)
class Setting:
    """Settings of the experiment."""

    people: int = 4000
    with_truth: float = 0.28  # share of people with true 3D: that of H36M and BEDLAM in the authors' mixture
    clips_with_truth: float = 0.1  # share of the clips that their poses come from: few kinds of scenes
    held_out: int = 1000
    view_noise_rad: float = 0.02  # of the rotations in the network's input, standard deviation per axis
    keypoint_noise: float = 0.005  # of the keypoints, in fractions of the crop
    batch: int = 128
    learning_rate: float = 1e-3
    width: int = 256


@dataclass(frozen=True)
class Recipe:
    """Selection of the people with true 3D, and the supervision of the others."""

    name: str
    truth: Literal["everybody", "some", "nobody"] = "some"
    others: bool = True  # False: only people with true 3D are used
    tals: Tals = PLAIN
    table_s1: bool = False  # Table S.1's thresholds, not those measured on the people with true 3D
    pose: float = POSE  # weight of pseudo ground truth's pose; 0 leaves only 2D


RECIPES = (
    Recipe("everybody's truth", truth="everybody"),
    Recipe("truth of some, nobody else", others=False),
    Recipe("pseudo only, plain", truth="nobody"),
    Recipe("pseudo only, TALS", truth="nobody", tals=PAPER),
    Recipe("mixture, plain"),
    Recipe("mixture, 2D without pose", pose=0.0),
    Recipe("mixture, TALS", tals=PAPER),
    Recipe("mixture, TALS, Table S.1", tals=PAPER, table_s1=True),
)


class Supervision(NamedTuple):
    """People, their pseudo ground truth, and which of them have true 3D instead."""

    people: FilmedPeople
    pseudo: Bodies
    has_truth: Tensor  # (B,) bool

    def take(self, rows: Tensor) -> Supervision:
        pseudo = Bodies(*(value[rows] for value in self.pseudo))
        return Supervision(self.people.take(rows), pseudo, self.has_truth[rows])

    def as_taught_by(self, recipe: Recipe) -> Supervision:
        """Return the people and their true 3D under a recipe."""
        if recipe.truth != "some":
            return self._replace(has_truth=torch.full_like(self.has_truth, recipe.truth == "everybody"))
        return self if recipe.others else self.take(self.has_truth.nonzero()[:, 0])


class Limits(NamedTuple):
    """TALS's thresholds for the points and joints used here."""

    keypoints: Tensor  # (23,) fractions of the crop
    joints_rad: Tensor  # (22,)


def supervise(body: TorchBody, mocap: Mocap, setting: Setting, generator: torch.Generator) -> Supervision:
    """Draw people: those with truth in poses of a few clips, the others in poses of all other clips."""
    clips = mocap.clip.unique()
    clips = clips[torch.randperm(len(clips), generator=generator)]
    in_true_clip = torch.isin(mocap.clip, clips[: max(1, round(setting.clips_with_truth * len(clips)))])
    others = None if in_true_clip.all() else ~in_true_clip
    with_truth = round(setting.with_truth * setting.people)
    parts = (
        film(body, mocap, with_truth, generator, CAMERA, frames_used=in_true_clip),
        film(body, mocap, setting.people - with_truth, generator, CAMERA, frames_used=others),
    )
    people = FilmedPeople(*(torch.cat(values) for values in zip(*parts, strict=True)))
    return Supervision(people, _fitted(body, people, generator), torch.arange(setting.people) < with_truth)


def hold_out(body: TorchBody, mocap: Mocap, setting: Setting, generator: torch.Generator) -> Supervision:
    """Draw the held-out people, without true 3D."""
    people = film(body, mocap, setting.held_out, generator, CAMERA)
    return Supervision(people, _fitted(body, people, generator), torch.zeros(setting.held_out, dtype=torch.bool))


def _fitted(body: TorchBody, people: FilmedPeople, generator: torch.Generator) -> Bodies:
    return fit_pseudo_truth(body, people, *rough_estimate(people, START_NOISE_RAD, generator))


def measured_limits(taught: Supervision) -> Limits:
    """Measure thresholds on the people with true 3D, as section 4.2 does on BEDLAM."""
    people, has = taught.people, taught.has_truth
    keypoints = keypoint_thresholds(best_projection(people.keypoints_m, people.seen)[has], people.seen[has])
    return Limits(keypoints, joint_thresholds_rad(taught.pseudo.rotmats[has], people.rotmats[has]))


def table_s1_limits() -> Limits:
    """Return Table S.1's thresholds for the points and joints used here."""
    paper = dict(zip(PAPER_THRESHOLDS.keypoint_names, PAPER_THRESHOLDS.keypoints, strict=True))
    return Limits(torch.tensor([paper[name] for name in KEYPOINTS]), torch.tensor(PAPER_THRESHOLDS.joints_rad[:22]))
