"""The comparison of TALS with the plain loss: who is taught what, the losses by hand, and a tiny run of all of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.body.files import OPEN_BODY
from engine.body.torch.model import TorchBody
from tests.training.toy_data import write_toy_mocap
from training.camera_bias.filmed_people import film
from training.camera_bias.fixed_camera import best_projection
from training.camera_bias.pseudo_truth import Bodies, pose
from training.camera_bias.regressor import loss
from training.camera_bias.supervision import RECIPES, Limits, Recipe, Setting, Supervision, measured_limits, supervise
from training.camera_bias.tals_ab import compare
from training.data.mocap import Mocap
from training.hmr.tals import PAPER


@pytest.fixture(scope="module")
def body() -> TorchBody:
    return TorchBody(OPEN_BODY)


@pytest.fixture(scope="module")
def mocap() -> Mocap:
    """Ten clips of ten frames; every frame of a clip turns each joint by the clip's own angle."""
    clip = torch.arange(100) // 10
    poses = (0.03 * clip)[:, None, None].expand(100, 22, 3).clone()
    poses[:, 0] = 0
    return Mocap(poses, clip, tuple("abcdefghij"), 30.0, "none")


@pytest.fixture(scope="module")
def taught(body: TorchBody, mocap: Mocap) -> Supervision:
    """Eight people with pseudo ground truth of the next one's pose, so that it is far off."""
    people = film(body, mocap, 8, torch.Generator().manual_seed(0))
    return Supervision(people, pose(body, people.rotmats.roll(1, 0), people.betas), torch.arange(8) < 3)


def test_truth_comes_in_other_clips_than_pseudo_ground_truth(body: TorchBody, mocap: Mocap) -> None:
    setting = Setting(people=20, with_truth=0.5, clips_with_truth=0.2)
    people, pseudo, has_truth = supervise(body, mocap, setting, torch.Generator().manual_seed(0))
    assert has_truth.sum() == 10
    with_truth, without = (
        {round(x, 4) for x in people.rotmats[rows, 1, 0, 0].tolist()} for rows in (has_truth, ~has_truth)
    )
    assert len(with_truth) <= 2 < len(without)
    assert not with_truth & without
    assert not torch.equal(pseudo.rotmats, people.rotmats)


def test_recipes_say_who_comes_with_truth(taught: Supervision) -> None:
    given = {(recipe.truth, recipe.others): taught.as_taught_by(recipe).has_truth.tolist() for recipe in RECIPES}
    assert given == {
        ("everybody", True): [True] * 8,
        ("nobody", True): [False] * 8,
        ("some", True): [True] * 3 + [False] * 5,
        ("some", False): [True] * 3,
    }


def test_losses_are_equations_8_and_9(body: TorchBody, taught: Supervision) -> None:
    people, pseudo, has_truth = taught
    found = pose(body, people.rotmats.roll(2, 0), torch.zeros(8, 10))
    points = (best_projection(found.keypoints_m, people.seen) - people.seen).abs().sum((1, 2))
    standard = (
        1e-3 * (found.rotmats - people.rotmats).square().sum((1, 2, 3))
        + 5e-4 * people.betas.square().sum(1)
        + 5e-2 * (found.joints_m - people.joints_m).abs().sum((1, 2))
        + 1e-2 * points
    )
    from_pseudo = 1e-3 * (found.rotmats - pseudo.rotmats).square().sum((1, 2, 3)) + 1e-2 * points
    everything_under = Limits(torch.full((23,), 9.0), torch.full((22,), 9.0))
    nothing_under = Limits(torch.full((23,), -1.0), torch.full((22,), -1.0))
    for recipe, limits, expected in (
        (Recipe("plain"), everything_under, from_pseudo),
        (Recipe("TALS, over", tals=PAPER), nothing_under, from_pseudo),
        (Recipe("TALS, under", tals=PAPER), everything_under, 0.01 * from_pseudo),
        (Recipe("2D", pose=0.0), nothing_under, 1e-2 * points),
    ):
        mean = torch.where(has_truth, standard, expected).mean()
        torch.testing.assert_close(loss(found, taught, limits, recipe), mean)


def test_limits_are_measured_on_people_with_truth_alone(taught: Supervision) -> None:
    limits = measured_limits(taught)
    changed = Bodies(*(torch.cat((value[:3], value[3:].flip(0))) for value in taught.pseudo))
    for kept, moved in zip(limits, measured_limits(taught._replace(pseudo=changed)), strict=True):
        torch.testing.assert_close(kept, moved)
    assert not torch.allclose(
        limits.joints_rad, measured_limits(taught._replace(has_truth=~taught.has_truth)).joints_rad
    )


@pytest.fixture
def mocap_file(tmp_path: Path) -> Path:
    return write_toy_mocap(tmp_path / "mocap.npz", [("train", 20), ("test", 20)])


def test_the_comparison_repeats_and_differs_only_by_how_networks_are_taught(
    body: TorchBody, mocap_file: Path, tmp_path: Path
) -> None:
    setting = Setting(people=8, held_out=4, batch=4, width=16)
    first, second = (compare(body, [mocap_file], [0], 3, tmp_path / name, setting) for name in ("a", "b"))
    assert first == second
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"tals_ab.json", "tals_ab.png"}
    runs = [of[0] for of in json.loads((tmp_path / "a" / "tals_ab.json").read_text())["runs"].values()]
    errors = [[measure["mpjpe_mm"] for measure in run["measures"]] for run in runs]
    assert np.isfinite(errors).all()
    assert len({run[0] for run in errors}) == 1  # all begin alike
    assert len({run[-1] for run in errors}) == len(RECIPES)
