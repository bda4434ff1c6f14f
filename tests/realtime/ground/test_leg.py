from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from realtime.ground.leg import reach

X = np.array([1.0, 0.0, 0.0])
UPRIGHT = np.eye(3)


def leg(bend_rad: float, R: np.ndarray = UPRIGHT) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A hip, knee and ankle that hang down and bend backwards about +x by an angle."""
    knee = np.array([0.0, -0.4, 0.0])
    shin = Rotation.from_rotvec([bend_rad, 0, 0]).apply([0, -0.38, 0])
    return np.full(3, 0.3), R @ knee + 0.3, R @ (knee + shin) + 0.3


@given(st.integers(0, 2**31), st.floats(0.0, 2.2))
@settings(max_examples=60, deadline=None)
def test_the_ankle_arrives_and_bones_keep_their_lengths(seed: int, bend_rad: float):
    rng = np.random.default_rng(seed)
    R = Rotation.random(rng=rng).as_matrix()
    hip, knee, ankle = leg(bend_rad, R)
    target = hip + 0.98 * (ankle - hip) + rng.uniform(-0.05, 0.05, 3)
    reachable = np.linalg.norm(target - hip) < max(0.995 * 0.78, np.linalg.norm(ankle - hip))

    R_thigh, R_shin, new_knee = reach(hip, knee, ankle, R @ X, target)

    np.testing.assert_allclose(hip + R_thigh @ (knee - hip), new_knee, atol=1e-9)
    new_ankle = new_knee + R_shin @ (ankle - knee)
    if reachable:
        np.testing.assert_allclose(new_ankle, target, atol=1e-9)
    else:  # straight towards it
        np.testing.assert_allclose(np.cross(new_ankle - hip, target - hip), 0, atol=1e-9)
    for turn in (R_thigh, R_shin):
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)
        assert np.linalg.det(turn) == pytest.approx(1)


@given(st.floats(0.05, 2.2))
@settings(max_examples=20, deadline=None)
def test_a_leg_that_is_there_already_does_not_move(bend_rad: float):
    hip, knee, ankle = leg(bend_rad)
    R_thigh, R_shin, new_knee = reach(hip, knee, ankle, X, ankle)
    np.testing.assert_allclose(R_thigh, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(R_shin, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(new_knee, knee, atol=1e-6)


def test_a_straight_leg_bends_at_the_knee_the_way_knees_bend():
    hip, knee, ankle = leg(0.0)
    _, _, new_knee = reach(hip, knee, ankle, X, ankle + np.array([0, 0.1, 0]))
    assert new_knee[2] > knee[2] + 0.05  # forwards, and the shin behind
