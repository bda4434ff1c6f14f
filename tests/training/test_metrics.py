"""Measures against closed forms, and against scipy's alignments, rotations and distances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.spatial import procrustes
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

from training.metrics import accel_error, aligned, joint_angle_error, mpjpe, mve, pa_mpjpe, pck

SEEDS = st.integers(0, 2**31)


def bodies(seed: int, noise: float, mirror: bool) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of 14 points (14, 3), the second moved, turned, sized and shaken; one of them may be mirrored."""
    rng = np.random.default_rng(seed)
    gt = rng.normal(size=(14, 3)) * rng.uniform(0.1, 1, 3)
    pred = rng.uniform(0.3, 3) * gt @ Rotation.random(rng=rng).as_matrix() + rng.normal(size=3)
    pred = pred + noise * rng.normal(size=gt.shape)
    return pred * ([-1, 1, 1] if mirror else [1, 1, 1]), gt


@pytest.fixture
def points() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(4, 14, 3))


def test_a_known_offset_gives_its_length_in_millimetres(points: np.ndarray) -> None:
    offset = np.array([0.003, 0.004, 0.0])
    np.testing.assert_allclose(mpjpe(points + offset, points), 5.0)
    np.testing.assert_allclose(mve(points + offset, points), 5.0)


def test_errors_are_means_over_joints_and_stay_apart_over_the_batch(points: np.ndarray) -> None:
    moved = points.copy()
    moved[1, 0, 0] += 0.014
    np.testing.assert_allclose(mpjpe(moved, points), [0, 1, 0, 0], atol=1e-9)


def test_a_similarity_is_aligned_away(points: np.ndarray) -> None:
    rotations = Rotation.random(4, rng=1).as_matrix()
    moved = 1.7 * points @ rotations + np.array([1.0, -2.0, 3.0])
    assert mpjpe(moved, points).min() > 100
    np.testing.assert_allclose(pa_mpjpe(moved, points), 0, atol=1e-9)


def test_a_mirrored_body_is_not_aligned_by_reflection(points: np.ndarray) -> None:
    mirrored = points * [-1, 1, 1]
    _, _, disparity = procrustes(points[0], mirrored[0])  # scipy does reflect
    assert disparity < 1e-12
    assert pa_mpjpe(mirrored, points).min() > 100


def test_alignment_agrees_with_scipy_where_no_reflection_is_wanted(points: np.ndarray) -> None:
    noisy = points + 0.05 * np.random.default_rng(2).normal(size=points.shape)
    for pred, gt, error in zip(noisy, points, pa_mpjpe(noisy, points), strict=True):
        standard, aligned, _ = procrustes(gt, pred)  # both scaled to unit norm of gt
        unit = np.linalg.norm(gt - gt.mean(0))
        assert error == pytest.approx(1e3 * unit * np.linalg.norm(standard - aligned, axis=1).mean())


def test_acceleration_of_a_parabola(points: np.ndarray) -> None:
    frames = np.arange(10)[:, None, None]
    still = np.zeros((10, 5, 3))
    falling = still + 0.5 * frames**2 * np.array([0.0, 0.002, 0.0])
    assert accel_error(falling, still, fps=30) == pytest.approx(2.0)
    assert accel_error(falling + 3 * frames, falling, fps=30) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("shape", [(4, 3), (4, 14, 2)])
def test_wrong_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must both be"):
        mpjpe(np.zeros(shape), np.zeros(shape))
    with pytest.raises(ValueError, match="must both be"):
        pa_mpjpe(np.zeros((2, 5, 3)), np.zeros((2, 6, 3)))


def test_two_frames_have_no_acceleration() -> None:
    with pytest.raises(ValueError, match="at least 3 frames"):
        accel_error(np.zeros((2, 5, 3)), np.zeros((2, 5, 3)), fps=30)


def test_joint_angle_error_is_the_mean_angle_between_rotations() -> None:
    rotations = Rotation.random(12, rng=2)
    axes = np.random.default_rng(3).normal(size=(12, 3))
    angles_deg = np.array([0.0, 1e-4, 1, 10, 90, 179.9, 5, 5, 5, 20, 20, 20])
    turns = Rotation.from_rotvec(angles_deg[:, None] * axes / np.linalg.norm(axes, axis=1, keepdims=True), degrees=True)
    pred, gt = (r.as_matrix().reshape(4, 3, 3, 3) for r in (rotations * turns, rotations))
    np.testing.assert_allclose(joint_angle_error(pred, gt), angles_deg.reshape(4, 3).mean(1), atol=1e-6)
    with pytest.raises(ValueError, match="must both be"):
        joint_angle_error(pred[0], gt[0])


def test_pck_counts_the_visible_keypoints_that_are_near() -> None:
    gt = np.zeros((3, 4, 2))
    pred = np.array([[[0.03, 0.03], [0.04, 0.04], [0.0, 0.0], [1.0, 0.0]]] * 3)
    visible = np.array([[True] * 4, [True, False, False, True], [False] * 4])
    np.testing.assert_allclose(pck(pred, gt, 0.05), 0.5)  # 0.042 is near, 0.057 is not
    np.testing.assert_allclose(pck(pred, gt, 0.1, visible), [0.75, 0.5, np.nan])


@given(SEEDS, st.sampled_from([0.0, 0.01, 0.3]), st.booleans())
@settings(max_examples=60)
def test_alignment_agrees_with_scipy_s_rotation(seed: int, noise: float, mirror: bool) -> None:
    """scipy finds the best proper rotation (Kabsch); the best scale is then a regression through the origin."""
    pred, gt = bodies(seed, noise, mirror)
    centred, target = pred - pred.mean(0), gt - gt.mean(0)
    turned = Rotation.align_vectors(target, centred)[0].apply(centred)
    scale = (turned * target).sum() / (turned**2).sum()
    error = 1e3 * np.linalg.norm(scale * turned - target, axis=1).mean()
    assert pa_mpjpe(pred[None], gt[None])[0] == pytest.approx(error, abs=1e-5)


@pytest.mark.parametrize("mirror", [False, True])
def test_no_similarity_is_nearer_than_the_alignment(mirror: bool) -> None:
    """Against a general search over rotation, scale and place, from several starts."""
    pred, gt = bodies(3, 0.1, mirror)

    def squared(parameters: np.ndarray) -> float:
        moved = np.exp(parameters[3]) * Rotation.from_rotvec(parameters[:3]).apply(pred) + parameters[4:]
        return float(np.square(moved - gt).sum())

    starts = np.random.default_rng(0).normal(size=(12, 7))
    best = min(minimize(squared, start).fun for start in starts)
    assert np.square(aligned(pred[None], gt[None])[0] - gt).sum() == pytest.approx(best, rel=1e-5)


@given(SEEDS)
@settings(max_examples=30)
def test_the_alignment_does_not_depend_on_where_the_prediction_stands(seed: int) -> None:
    pred, gt = bodies(seed, 0.2, mirror=False)
    rng = np.random.default_rng(seed + 1)
    moved = 0.7 * pred @ Rotation.random(rng=rng).as_matrix() + rng.normal(size=3)
    assert pa_mpjpe(moved[None], gt[None])[0] == pytest.approx(pa_mpjpe(pred[None], gt[None])[0], abs=1e-6)


def test_identical_bodies_have_no_error_even_where_all_joints_are_one_point(points: np.ndarray) -> None:
    for body in (points, np.zeros_like(points), np.ones_like(points)):
        for error in (mpjpe(body, body), mve(body, body), pa_mpjpe(body, body)):
            np.testing.assert_allclose(error, 0, atol=1e-9)
    assert accel_error(points, points, fps=30) == 0


def test_errors_are_scipy_s_distances(points: np.ndarray) -> None:
    other = points + np.random.default_rng(4).normal(size=points.shape)
    expected = [1e3 * np.diag(cdist(a, b)).mean() for a, b in zip(other, points, strict=True)]
    np.testing.assert_allclose(mpjpe(other, points), expected)


@given(SEEDS)
@settings(max_examples=30)
def test_joint_angles_are_scipy_s_magnitudes(seed: int) -> None:
    a, b = (Rotation.random(6, rng=np.random.default_rng(seed + i)) for i in (0, 1))
    expected = np.degrees((a.inv() * b).magnitude()).reshape(2, 3).mean(1)
    found = joint_angle_error(a.as_matrix().reshape(2, 3, 3, 3), b.as_matrix().reshape(2, 3, 3, 3))
    np.testing.assert_allclose(found, expected, atol=1e-5)
