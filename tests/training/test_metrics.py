from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation

from training.metrics import accel_error, joint_angle_error, mpjpe, mve, pa_mpjpe, pck


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
