from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.body.rotations import angle_between
from engine.face.head import RIGID, fit_head
from tests.realtime.estimate.face.acted import RIG, face, turned

ANGLES = st.floats(-70, 70)


def off_deg(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.degrees(angle_between(a.astype(np.float64), b.astype(np.float64))))


@given(ANGLES, ANGLES, st.floats(-180, 180), st.floats(0.2, 5))
def test_a_turned_face_of_any_size_has_its_rotation_back(yaw: float, pitch: float, roll: float, size: float) -> None:
    truth = turned(yaw, pitch, roll)
    fit = fit_head(np.float32(size) * face(R_cam_head=truth).world_m + np.float32(3), RIG.neutral_m)
    assert fit is not None
    assert off_deg(fit.R_cam_head, truth) < 0.1
    np.testing.assert_allclose(fit.points_m[:468], RIG.neutral_m, atol=1e-4)


def test_noise_and_points_that_are_far_off_turn_the_head_little() -> None:
    truth = turned(25, -10, 5)
    points = face(R_cam_head=truth, noise_m=0.001).world_m
    points[RIGID[::5]] += np.array([0.02, -0.03, 0.04], np.float32)  # hair over the forehead
    fit = fit_head(points, RIG.neutral_m)
    assert fit is not None
    assert off_deg(fit.R_cam_head, truth) < 2.0


@pytest.mark.parametrize("expression", ["jawOpen", "mouthSmileLeft", "mouthFunnel", "cheekPuff"])
def test_an_expression_turns_the_head_little(expression: str) -> None:
    fit = fit_head(face({expression: 1.0}).world_m, RIG.neutral_m)
    assert fit is not None
    assert off_deg(fit.R_cam_head, turned()) < 1.5


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_points_that_are_not_finite_or_all_in_one_place_have_no_rotation(broken: float) -> None:
    points = face().world_m.copy()
    points[5, 1] = broken
    assert fit_head(points, RIG.neutral_m) is None
    assert fit_head(np.zeros((478, 3), np.float32), RIG.neutral_m) is None
