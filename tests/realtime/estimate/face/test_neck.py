"""Heads that are turned, within what a neck can."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from engine.body.rotations import angle_between
from realtime.estimate.face.neck import HEAD, MOST_YAW_RAD, NECK, turned


def poses(count: int) -> np.ndarray:
    """Random bends of neck and head by up to 15 degrees."""
    rotmats = np.tile(np.eye(3, dtype=np.float32), (count, 24, 1, 1))
    bends = np.random.default_rng(5).uniform(-0.25, 0.25, (2 * count, 3))
    rotmats[:, [NECK, HEAD]] = Rotation.from_rotvec(bends).as_matrix().reshape(count, 2, 3, 3)
    return rotmats


def head(rotmats: np.ndarray) -> np.ndarray:
    """Rotation of the head relative to the chest."""
    return (rotmats[:, NECK] @ rotmats[:, HEAD]).astype(np.float64)


def test_a_turn_within_the_limits_arrives_and_the_neck_takes_half_of_it() -> None:
    before = poses(3)
    turn = Rotation.from_rotvec((0.2, 0.3, -0.1)).as_matrix().astype(np.float32)
    after = turned(before, turn)
    assert angle_between(head(after), head(before) @ turn).max() < 1e-5
    half = angle_between(after[:, NECK].astype(np.float64), before[:, NECK].astype(np.float64))
    np.testing.assert_allclose(half, np.linalg.norm((0.2, 0.3, -0.1)) / 2, atol=1e-5)
    others = [joint for joint in range(24) if joint not in (NECK, HEAD)]
    np.testing.assert_array_equal(after[:, others], before[:, others])


def test_only_the_head_that_would_turn_too_far_is_held_back() -> None:
    before = np.tile(np.eye(3, dtype=np.float32), (2, 24, 1, 1))
    before[1, HEAD] = Rotation.from_euler("y", -40, degrees=True).as_matrix()  # looks aside, so it has more room
    after = turned(before, Rotation.from_euler("y", 120, degrees=True).as_matrix().astype(np.float32))
    yaw = Rotation.from_matrix(head(after)).as_euler("YXZ")[:, 0]
    np.testing.assert_allclose(yaw, (MOST_YAW_RAD, np.radians(80)), atol=1e-5)
