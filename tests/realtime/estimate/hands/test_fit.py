from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from engine.body.hand import CHAINS, published_hand
from engine.body.projection import PinholeCamera
from realtime.estimate.hands.fit import Fitted, HandFitter, Noise
from realtime.estimate.hands.joints import pose, quaternions
from tests.realtime.estimate.hands.posed import RANGES_DEG, angles_of, apart_deg, gesture, natural, points, rotations

HAND, FITTER = published_hand(), HandFitter(published_hand())
NOISE_M = 0.003


def seen(angles: np.ndarray, rng: np.random.Generator, noise_m: float) -> tuple[np.ndarray, Rotation]:
    """Landmarks of hands in any view, of any size and at any place, with noise; and the palms' rotations."""
    turn = Rotation.random(len(angles), rng)
    size = rng.uniform(0.8, 1.25, (len(angles), 1, 1))
    landmarks = size * points(angles, HAND) @ turn.as_matrix().swapaxes(1, 2) + rng.normal(0, 1, (len(angles), 1, 3))
    return landmarks + rng.normal(0, noise_m, landmarks.shape), turn


def rotated(fitted: Fitted) -> Rotation:
    return Rotation.from_quat(quaternions(fitted.angles, FITTER.frames).reshape(-1, 4))


def test_derivatives_are_those_of_small_turns() -> None:
    angles = natural(np.random.default_rng(0), 3)
    bones = (HAND.bones @ HAND.frames).astype(float)
    for k, step in enumerate(1e-6 * np.eye(5)):
        by_turning = (pose(angles + step, bones).points - pose(angles - step, bones).points) / 2e-6
        np.testing.assert_allclose(pose(angles, bones).jacobian[..., k], by_turning, atol=1e-8)


def test_rotations_and_points_of_angles_are_those_of_forward_kinematics() -> None:
    angles = natural(np.random.default_rng(0), 50)
    bones = (HAND.bones @ HAND.frames).astype(float)
    ours = Rotation.from_quat(quaternions(angles, FITTER.frames).reshape(-1, 4))
    assert apart_deg(ours, rotations(angles, HAND)).max() < 1e-5
    further = HAND.roots[:, None] + pose(angles, bones).points @ HAND.frames.swapaxes(1, 2)
    np.testing.assert_allclose(points(angles, HAND)[:, CHAINS[:, 1:]], further, atol=1e-6)


@pytest.mark.parametrize("name", ["fist", "open", "point", "thumb up", "ok"])
def test_gestures_come_back(name: str) -> None:
    rng = np.random.default_rng(0)
    angles = np.tile(gesture(name), (200, 1, 1))
    landmarks, _ = seen(angles, rng, NOISE_M)
    off_deg = apart_deg(rotated(FITTER.fit(landmarks)), rotations(angles, HAND)).reshape(200, 15).mean(0)
    assert off_deg.mean() < 6
    assert off_deg.max() < 11


def test_joints_come_back_within_eight_degrees_and_points_within_six_millimetres() -> None:
    rng = np.random.default_rng(1)
    angles = natural(rng, 2000)
    landmarks, turn = seen(angles, rng, NOISE_M)
    fitted = FITTER.fit(landmarks)
    off_deg = apart_deg(rotated(fitted), rotations(angles, HAND)).reshape(2000, 15).mean(0)
    assert off_deg.mean() < 8
    assert apart_deg(Rotation.from_matrix(fitted.R_cam_palm), turn).mean() < 5
    assert np.median(fitted.off) * HAND.length_m < 0.006


def test_a_hand_before_three_cameras_comes_back_within_eight_degrees() -> None:
    """Points from three cameras' pixels, each off by a pixel or two, by linear triangulation."""
    rng = np.random.default_rng(2)
    angles = natural(rng, 300)
    landmarks = points(angles, HAND) @ Rotation.random(300, rng).as_matrix().swapaxes(1, 2) + (0, 0, 0.8)
    camera = PinholeCamera(1280, 720, 60.0)
    rows, known = [], []
    for yaw in (-40, 0, 40):
        R = Rotation.from_euler("y", yaw, degrees=True).as_matrix()
        shift = np.array([0, 0, 0.8]) - R @ (0, 0, 0.8)
        pixels = camera.project(landmarks @ R.T + shift) + rng.normal(0, 1.5, (300, 21, 2))
        rays = camera.unproject(pixels.astype(np.float32)).astype(float)
        for axis in (0, 1):
            rows.append(R[axis] - rays[..., axis, None] * R[2])
            known.append(rays[..., axis] * shift[2] - shift[axis])
    A, b = np.stack(rows, -2), np.stack(known, -1)
    found = np.linalg.solve(A.swapaxes(-1, -2) @ A, A.swapaxes(-1, -2) @ b[..., None])[..., 0]
    off_deg = (
        apart_deg(rotated(HandFitter(HAND, Noise(sigma=0.01, depth=1.0)).fit(found)), rotations(angles, HAND))
        .reshape(300, 15)
        .mean(0)
    )
    assert off_deg.max() < 8


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.03))
def test_no_joint_leaves_its_range_in_ten_thousand_hands(seed: int, noise_m: float) -> None:
    """Twenty times five hundred hands, some mirrored, some nothing but noise."""
    rng = np.random.default_rng(seed)
    landmarks, _ = seen(natural(rng, 500), rng, noise_m)
    landmarks[:100, :, 0] *= -1
    landmarks[100:150] = rng.normal(0, 0.05, (50, 21, 3))
    degrees = angles_of(rotated(FITTER.fit(landmarks)), HAND)
    assert np.isfinite(degrees).all()
    assert (degrees > RANGES_DEG[..., 0] - 0.02).all()
    assert (degrees < RANGES_DEG[..., 1] + 0.02).all()
