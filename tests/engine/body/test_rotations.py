from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from engine.body.rotations import (
    angle_between,
    axis_angle_from_quaternion,
    axis_angle_from_rotmat,
    cross_matrix,
    quaternion_from_rotmat,
    rotation_between,
    rotmat_from_axis_angle,
    rotmat_from_quaternion,
)

vectors = hnp.arrays(np.float64, (5, 3), elements=st.floats(-1.8, 1.8))  # lengths up to pi


@given(vectors)
def test_exp_agrees_with_scipy(rotvecs: np.ndarray) -> None:
    np.testing.assert_allclose(rotmat_from_axis_angle(rotvecs), Rotation.from_rotvec(rotvecs).as_matrix(), atol=1e-12)


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


@given(vectors, vectors)
def test_the_rotation_between_directions_is_the_smallest_that_takes_one_onto_the_other(
    a: np.ndarray, b: np.ndarray
) -> None:
    lengths = np.linalg.norm(a, axis=-1), np.linalg.norm(b, axis=-1)
    assume(min(lengths[0].min(), lengths[1].min()) > 1e-3)
    a, b = a / lengths[0][:, None], b / lengths[1][:, None]
    found = rotation_between(2 * a, 3 * b)
    np.testing.assert_allclose((found @ a[..., None])[..., 0], b, atol=1e-9)
    angles = np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(-1))
    np.testing.assert_allclose(Rotation.from_matrix(found).magnitude(), angles, atol=1e-6)


@pytest.mark.parametrize("direction", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, -2, 2)])
@pytest.mark.parametrize("off", [0.0, 1e-12, 1e-7, 1e-4])
def test_opposite_directions_take_half_a_turn(direction: tuple[float, ...], off: float) -> None:
    a = np.array(direction, float)
    b = -a + off * np.array([0.3, -0.2, 0.5])
    found = rotation_between(a, b)
    np.testing.assert_allclose(found @ found.T, np.eye(3), atol=1e-7)
    assert np.linalg.det(found) == pytest.approx(1, abs=1e-7)
    np.testing.assert_allclose(found @ a, b * np.linalg.norm(a) / np.linalg.norm(b), atol=1e-5)


@given(vectors)
def test_the_angle_between_rotations_agrees_with_scipy(rotvecs: np.ndarray) -> None:
    base = Rotation.from_euler("xyz", [0.4, 0.2, -1.0])
    turned = (base * Rotation.from_rotvec(rotvecs)).as_matrix()
    found = angle_between(turned, base.as_matrix())
    np.testing.assert_allclose(found, Rotation.from_rotvec(rotvecs).magnitude(), atol=1e-6)
