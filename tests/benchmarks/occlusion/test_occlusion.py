"""Tests the occlusion benchmark's geometry: boxes, the fitted projection, and alignment by visible joints."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.body.files import OPEN_BODY
from engine.body.torch.model import TorchBody
from tests.benchmarks.occlusion import limit as occlusion_limit
from tests.benchmarks.occlusion import simulated as occlusion_simulated
from tests.benchmarks.occlusion.clips import Seen, aligned_by, clip_errors_mm
from tests.benchmarks.occlusion.occluders import ARM, GREY, LEGS, VARIANTS, fit_projection, occluder, project
from training.landmarks.synthetic import SyntheticBlazePose
from training.landmarks.synthetic_config import OCCLUSIONS, SyntheticConfig
from training.metrics import aligned, pa_mpjpe

STANDING_PX = np.array(
    [
        *[(560, 300), (440, 300), (640, 400), (360, 400), (680, 500), (320, 500)],  # shoulders, elbows, wrists
        *[(512, 520), (488, 520), (530, 700), (470, 700), (535, 880), (465, 880)],  # hips, knees, ankles
    ],
    np.float64,
)


def walking(frames: int = 30) -> NDArray[np.float64]:
    return STANDING_PX + np.linspace(0, 60, frames)[:, None, None] * [1.0, 0.1]


@pytest.mark.parametrize(
    ("variant", "hidden"),
    [("legs hidden", LEGS), ("left arm hidden", ARM["left"]), ("right arm hidden", ARM["right"]), ("whole", [])],
)
def test_a_box_hides_what_it_is_named_for_and_only_that(variant: str, hidden: list[int]) -> None:
    joints_px = walking()
    expected = np.zeros(joints_px.shape[:2], bool)
    expected[:, hidden] = True
    np.testing.assert_array_equal(occluder(variant, joints_px).hides(joints_px), expected)


def test_a_cut_keeps_the_middle_of_the_persons_square() -> None:
    joints_px = walking()
    squares = {variant: occluder(variant, joints_px).boxes_px for variant in ("30 % cut", "50 % cut")}
    sides = {variant: boxes[:, 2:] - boxes[:, :2] for variant, boxes in squares.items()}
    np.testing.assert_allclose(sides["30 % cut"][:, 0], sides["30 % cut"][:, 1])
    np.testing.assert_allclose(sides["50 % cut"] / sides["30 % cut"], 0.5 / 0.7)
    assert occluder("50 % cut", joints_px).hides(joints_px)[:, LEGS[2:]].all()  # ankles are at the border


@pytest.mark.parametrize("variant", VARIANTS)
def test_grey_is_drawn_where_points_are_called_hidden(variant: str) -> None:
    joints_px = walking()
    image = np.random.default_rng(0).integers(0, 100, (1000, 800, 3), np.uint8)
    grey = occluder(variant, joints_px)
    drawn = grey.draw(image, 7)
    for (x, y), hidden in zip(joints_px[7].astype(int), grey.hides(joints_px)[7], strict=True):
        np.testing.assert_array_equal(drawn[y, x], [GREY] * 3 if hidden else image[y, x])
    assert image.max() < GREY  # the clip itself is not drawn into


def test_the_projection_is_found_despite_points_that_are_far_off() -> None:
    rng = np.random.default_rng(1)
    points_m = rng.normal(size=(200, 3)) * [0.5, 0.9, 0.5]
    intrinsics = np.array([[1700.0, 0, 540], [0, 1700, 950], [0, 0, 1]])
    camera = intrinsics @ np.column_stack((Rotation.from_rotvec([0.2, 2.0, 0.1]).as_matrix(), [0.1, -0.2, 4.0]))
    exact_px = project(camera, points_m)
    seen_px = exact_px + rng.normal(size=exact_px.shape)
    seen_px[::10] += 150.0
    np.testing.assert_allclose(project(fit_projection(points_m, seen_px), points_m), exact_px, atol=2.0)


def test_hidden_joints_take_no_part_in_the_alignment() -> None:
    rng = np.random.default_rng(2)
    gt = rng.normal(size=(5, 12, 3))
    pred = 1.3 * Rotation.random(rng=rng).apply(gt.reshape(-1, 3)).reshape(gt.shape) + [1.0, 2.0, 3.0]
    visible = rng.random((5, 12)) < 0.6
    visible[:, :4] = True
    misplaced = np.where(visible[..., None], pred, rng.normal(size=gt.shape))
    near = aligned_by(visible, misplaced, gt)
    np.testing.assert_allclose(near[visible], gt[visible], atol=1e-9)
    assert (np.linalg.norm(near - gt, axis=-1)[~visible] > 0.01).all()


def test_alignment_by_all_joints_is_the_usual_one_and_by_three_is_none() -> None:
    rng = np.random.default_rng(3)
    pred, gt = rng.normal(size=(2, 5, 12, 3))
    np.testing.assert_allclose(aligned_by(np.ones((5, 12), bool), pred, gt), aligned(pred, gt), atol=1e-9)
    assert np.isnan(aligned_by(np.arange(12) < np.full((5, 1), 3), pred, gt)).all()


def test_errors_are_told_apart_by_what_is_hidden() -> None:
    rng = np.random.default_rng(4)
    truth_m = rng.normal(size=(3, 12, 3))
    truth_m[0] = np.nan  # a frame without a reference is excluded
    hidden = np.zeros((3, 12), bool)
    hidden[:, LEGS] = True
    found = np.zeros((3, 33, 3), np.float32)
    seen = Seen(found[..., :2], found, found[..., 0], truth_m, hidden, np.eye(3, 4), np.array([8, 8]), np.array(60.0))
    pred = truth_m.copy()
    pred[:, LEGS] += [0.0, 0.2, 0.0]
    errors = clip_errors_mm(lambda clip: pred, [seen, seen])
    np.testing.assert_allclose(errors[:3], [200.0, 0.0, 200.0 * 4 / 12], atol=1e-6)
    assert errors.pa_mpjpe == pytest.approx(pa_mpjpe(pred[1:], truth_m[1:]).mean())


@pytest.mark.parametrize(("variant", "kept"), [("30 % cut", 0.7), ("50 % cut", 0.5), ("whole", 10.0)])
def test_what_the_simulator_cuts_off_is_what_lies_outside_of_the_middle_square(variant: str, kept: float) -> None:
    body = TorchBody(OPEN_BODY)
    config = SyntheticConfig(hiding=OCCLUSIONS[variant])
    rotmats = torch.eye(3).repeat(16, 22, 1, 1)
    generator = torch.Generator().manual_seed(occlusion_simulated.SEED)
    _, truth = SyntheticBlazePose(body, config, generator)(rotmats)
    low, high = truth.image.amin(1, keepdim=True), truth.image.amax(1, keepdim=True)
    half = kept * (high - low).amax(-1, keepdim=True) / 2
    outside = ((truth.image - (low + high) / 2).abs() > half).any(-1)
    np.testing.assert_array_equal(occlusion_simulated.unseen(body, config, rotmats), outside)


def test_in_the_simulator_both_legs_or_one_arm_hide() -> None:
    body, rotmats = TorchBody(OPEN_BODY), torch.eye(3).repeat(16, 22, 1, 1)
    legs, arm = (
        occlusion_simulated.unseen(body, SyntheticConfig(hiding=OCCLUSIONS[variant]), rotmats).numpy()
        for variant in ("legs hidden", "an arm hidden")
    )
    assert legs[:, 25:].all()
    assert not legs[:, :25].any()
    left, right = arm[:, 13:23:2], arm[:, 14:23:2]
    assert (left.all(1) ^ right.all(1)).all()
    assert not np.delete(arm, range(13, 23), axis=1).any()


def standing(hidden: list[int]) -> Seen:
    """Build a stick figure, arms and legs straight down."""
    body_m = np.array(
        [
            *[(0.2, 1.4), (-0.2, 1.4), (0.2, 1.1), (-0.2, 1.1), (0.2, 0.85), (-0.2, 0.85)],
            *[(0.1, 0.9), (-0.1, 0.9), (0.1, 0.5), (-0.1, 0.5), (0.1, 0.1), (-0.1, 0.1)],
        ]
    )
    truth_m = np.tile(np.pad(body_m, ((0, 0), (0, 1))), (2, 1, 1))
    found = np.zeros((2, 33, 3), np.float32)
    mask = np.isin(np.arange(12), hidden)[None].repeat(2, 0)
    return Seen(found[..., :2], found, found[..., 0], truth_m, mask, np.eye(3, 4), np.array([8, 8]), np.array(60.0))


def test_a_hanging_limb_is_guessed_where_it_hangs_and_missed_where_it_is_raised() -> None:
    seen = standing(LEGS + ARM["left"][1:])
    np.testing.assert_allclose(occlusion_limit.hanging(seen), seen.truth_m, atol=1e-12)
    seen.truth_m[1, 2] = [0.5, 1.4, 0.0]  # the left upper arm out to the side
    seen.truth_m[1, 4] = [0.75, 1.4, 0.0]
    guess = occlusion_limit.hanging(seen)
    np.testing.assert_allclose(guess[1, [2, 4]], [[0.2, 1.1, 0], [0.2, 0.85, 0]], atol=1e-12)


def test_the_nearest_poses_fill_in_what_is_hidden() -> None:
    seen = standing(LEGS)
    rng = np.random.default_rng(6)
    same = 2.0 * Rotation.random(rng=rng).apply(seen.truth_m[0]) + 1.0
    poses_m = np.stack((*rng.normal(size=(20, 12, 3)), same))
    np.testing.assert_allclose(occlusion_limit.neighbours(seen, poses_m, 1), seen.truth_m, atol=1e-9)
