from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from engine.body.rotations import cross_matrix, exp_so3, log_so3, quaternion_from_rotmat, rotmat_from_quaternion

vectors = hnp.arrays(np.float64, (5, 3), elements=st.floats(-1.8, 1.8))  # lengths up to pi


@given(vectors)
def test_exp_agrees_with_scipy(rotvecs: np.ndarray) -> None:
    np.testing.assert_allclose(exp_so3(rotvecs), Rotation.from_rotvec(rotvecs).as_matrix(), atol=1e-12)


@given(vectors)
def test_log_undoes_exp(rotvecs: np.ndarray) -> None:
    back = exp_so3(log_so3(exp_so3(rotvecs)))
    np.testing.assert_allclose(back, exp_so3(rotvecs), atol=1e-9)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-4, 1.0, 3.0, np.pi - 1e-7, np.pi])
def test_log_is_accurate_from_zero_to_half_a_turn(angle: float) -> None:
    axis = np.array([1.0, -2.0, 2.0]) / 3
    found = log_so3(exp_so3(angle * axis))
    assert np.linalg.norm(found) == pytest.approx(angle, abs=1e-9)
    assert abs(found @ axis) == pytest.approx(angle, abs=1e-9)


@given(vectors)
def test_quaternions_agree_with_scipy(rotvecs: np.ndarray) -> None:
    rotation = Rotation.from_rotvec(rotvecs)
    found = quaternion_from_rotmat(rotation.as_matrix())
    assert (found[:, 3] >= 0).all()
    assert ((rotation.inv() * Rotation.from_quat(found)).magnitude() < 1e-9).all()


@given(vectors, vectors)
def test_cross_matrix_is_the_cross_product(a: np.ndarray, b: np.ndarray) -> None:
    np.testing.assert_allclose((cross_matrix(a) @ b[..., None])[..., 0], np.cross(a, b), atol=1e-12)


def test_float32_stays_float32() -> None:
    rotvecs = np.full((2, 3), 0.3, np.float32)
    assert exp_so3(rotvecs).dtype == log_so3(exp_so3(rotvecs)).dtype == np.float32


@given(vectors)
def test_matrices_of_quaternions_agree_with_scipy(rotvecs: np.ndarray) -> None:
    rotation = Rotation.from_rotvec(rotvecs)
    np.testing.assert_allclose(rotmat_from_quaternion(rotation.as_quat()), rotation.as_matrix(), atol=1e-12)
