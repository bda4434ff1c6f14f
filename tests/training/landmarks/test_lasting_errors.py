"""Errors of simulated sequences beside those of BlazePose full on four views of a walking man, 2026-11-29."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.body.files import OPEN_BODY
from engine.body.keypoints import BLAZEPOSE
from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import rotmat_from_axis_angle
from training.data import views
from training.landmarks.synthetic import Draws, SyntheticBlazePose
from training.landmarks.synthetic_config import OCCLUSIONS, ConfusionConfig, LastingConfig, SyntheticConfig

PEOPLE, FRAMES, FPS = 48, 46, 60
T = torch.arange(FRAMES)[None].expand(PEOPLE, FRAMES) / FPS
LAGS = (1, 5, 15, 45)  # frames of 1/60 s
# Half the mean squared change over each lag, by the mean square: the mean of three views without exchanged sides.
MEASURED = {
    "depth": (0.014, 0.073, 0.251, 0.590),
    "across": (0.020, 0.116, 0.277, 0.482),
    "image": (0.072, 0.367, 0.621, 0.863),
}


@pytest.fixture(scope="module")
def body() -> TorchBody:
    return TorchBody(OPEN_BODY)


def moving_people() -> torch.Tensor:
    """Poses (P * T, 22, 3, 3) of people who swing all joints once a second."""
    middle, swing, phase = 0.2 * torch.randn(3, PEOPLE, 1, 22, 3, generator=torch.Generator().manual_seed(1))
    axis_angle = middle + 0.5 * swing * torch.sin(2 * np.pi * T[..., None, None] + 30 * phase)
    return rotmat_from_axis_angle(axis_angle.flatten(0, 1))


def draws() -> Draws:
    return Draws.lasting(torch.Generator().manual_seed(2), T, LastingConfig())


@pytest.fixture(scope="module")
def errors(body: TorchBody) -> dict[str, NDArray[np.float32]]:
    """Errors (P, T, 12, D) of whole people whose sides are not exchanged."""
    never = ConfusionConfig(body=0.0, legs=0.0, arms=0.0)
    config = SyntheticConfig(hiding=OCCLUSIONS["whole"], confusion=never)
    rotmats = moving_people()
    seen, _ = SyntheticBlazePose(body, config, torch.Generator()).watch(rotmats, draws(), frames=FRAMES)
    person = draws().person
    betas = person.normal(len(rotmats), 10)
    exact = views.observe(views.place(person, config.camera, body, rotmats, betas))

    def limbs(points: torch.Tensor) -> NDArray[np.float32]:
        found: NDArray[np.float32] = points[:, BLAZEPOSE.on_joints].unflatten(0, (PEOPLE, FRAMES)).numpy()
        return found

    world_m = limbs(views.from_hips(seen.world_m) - exact.world_m)
    return {"depth": world_m[..., 2:], "across": world_m[..., :2], "image": limbs(seen.image - exact.image)}


@pytest.mark.parametrize("kind", MEASURED)
def test_errors_last_as_those_of_the_detector(errors: dict[str, NDArray[np.float32]], kind: str) -> None:
    error = errors[kind]
    found = [np.square(error[:, lag:] - error[:, :-lag]).mean() / np.square(error).mean() / 2 for lag in LAGS]
    # The first lag is rougher than the detector's, because an Ornstein-Uhlenbeck process is.
    ratio = np.array(found) / MEASURED[kind]
    assert (ratio[1:] > 1 / 1.8).all()
    assert (ratio[1:] < 1.8).all()
    assert 0.5 < ratio[0] < 4.5


def test_a_sequence_has_one_person_before_one_camera(body: TorchBody) -> None:
    rotmats = moving_people()
    seen, truth = SyntheticBlazePose(body, SyntheticConfig(), torch.Generator()).watch(rotmats, draws(), frames=FRAMES)
    betas = truth.betas.unflatten(0, (PEOPLE, FRAMES))
    assert (betas == betas[:, :1]).all()
    assert not torch.equal(betas[0, 0], betas[1, 0])
    again, _ = SyntheticBlazePose(body, SyntheticConfig(), torch.Generator()).watch(rotmats, draws(), frames=FRAMES)
    assert all(torch.equal(a, b) for a, b in zip(seen, again, strict=True))


def test_exchanged_sides_last_for_some_frames(body: TorchBody) -> None:
    config = replace(SyntheticConfig(), confusion=ConfusionConfig(body=0.1, legs=0.0, arms=0.0))
    rotmats = moving_people()
    seen, _ = SyntheticBlazePose(body, config, torch.Generator()).watch(rotmats, draws(), frames=FRAMES)
    never = replace(config, confusion=ConfusionConfig(body=0.0, legs=0.0, arms=0.0))
    plain, _ = SyntheticBlazePose(body, never, torch.Generator()).watch(rotmats, draws(), frames=FRAMES)
    swapped = (seen.image != plain.image).any(-1).any(-1).unflatten(0, (PEOPLE, FRAMES)).numpy()
    assert 0.03 < swapped.mean() < 0.25
    begins = (swapped[:, 1:] & ~swapped[:, :-1]).sum() + swapped[:, 0].sum()
    assert 2 < swapped.sum() / begins < 25
