from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from engine.body.rotations import (
    axis_angle_from_quaternion,
    axis_angle_from_rotmat,
    cross_matrix,
    nearest_rotmat,
    quaternion_from_rotmat,
    rotation_between,
    rotmat_from_axis_angle,
    rotmat_from_quaternion,
)

vectors = hnp.arrays(np.float64, (5, 3), elements=st.floats(-1.8, 1.8))  # lengths up to pi


@given(vectors)
def test_log_undoes_exp(rotvecs: np.ndarray) -> None:
    back = rotmat_from_axis_angle(axis_angle_from_rotmat(rotmat_from_axis_angle(rotvecs)))
    np.testing.assert_allclose(back, rotmat_from_axis_angle(rotvecs), atol=1e-9)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-4, 1.0, 3.0, np.pi - 1e-7, np.pi])
def test_log_is_accurate_from_zero_to_half_a_turn(angle: float) -> None:
    axis = np.array([1.0, -2.0, 2.0]) / 3
    found = axis_angle_from_rotmat(rotmat_from_axis_angle(angle * axis))
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
    rotmats = rotmat_from_axis_angle(rotvecs)
    assert rotmats.dtype == axis_angle_from_rotmat(rotmats).dtype == rotation_between(rotvecs, rotvecs).dtype
    assert rotmats.dtype == np.float32


@given(vectors)
def test_matrices_of_quaternions_agree_with_scipy(rotvecs: np.ndarray) -> None:
    rotation = Rotation.from_rotvec(rotvecs)
    np.testing.assert_allclose(rotmat_from_quaternion(rotation.as_quat()), rotation.as_matrix(), atol=1e-12)


@given(vectors)
def test_axis_angles_of_quaternions_agree_with_scipy(rotvecs: np.ndarray) -> None:
    rotation = Rotation.from_rotvec(rotvecs)
    for sign in (1, -1):
        found = axis_angle_from_quaternion(sign * rotation.as_quat())
        assert np.linalg.norm(found, axis=-1).max() <= np.pi + 1e-9
        assert ((rotation.inv() * Rotation.from_rotvec(found)).magnitude() < 1e-9).all()


@pytest.mark.parametrize("angle", [0.0, 1e-14, 1e-9, 1e-4, np.pi - 1e-9, np.pi])
def test_axis_angles_of_quaternions_are_exact_at_the_ends_of_their_range(angle: float) -> None:
    quaternion = np.array([0.0, np.sin(angle / 2), 0.0, np.cos(angle / 2)])
    np.testing.assert_allclose(axis_angle_from_quaternion(quaternion), [0, angle, 0], rtol=1e-9, atol=1e-15)


@given(vectors, st.floats(0, 0.3))
def test_the_nearest_rotation_is_that_of_kabsch(rotvecs: np.ndarray, noise: float) -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(5, 9, 3))
    targets = points @ Rotation.from_rotvec(rotvecs).as_matrix() + noise * rng.normal(size=points.shape)
    found = nearest_rotmat(points.swapaxes(1, 2) @ targets)
    for one, a, b in zip(found, points, targets, strict=True):
        expected, _ = Rotation.align_vectors(a, b)
        np.testing.assert_allclose(one, expected.as_matrix(), atol=1e-6)


def test_a_reflection_is_never_the_nearest_rotation() -> None:
    assert np.linalg.det(nearest_rotmat(np.diag([3.0, 2, -1]))) == pytest.approx(1)
