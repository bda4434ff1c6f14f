from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from engine.body.torch.rotations import angle_between, rotmat_from_6d, rotmat_from_axis_angle, sixd_from_rotmat

axis_angles = arrays(np.float64, (5, 3), elements=st.floats(-3, 3, width=32))


@given(axis_angles)
@settings(max_examples=50)
def test_axis_angle_agrees_with_scipy(axis_angle: np.ndarray) -> None:
    ours = rotmat_from_axis_angle(torch.from_numpy(axis_angle).float()).numpy()
    np.testing.assert_allclose(ours, Rotation.from_rotvec(axis_angle).as_matrix(), atol=3e-6)


@given(axis_angles, st.floats(0.1, 10), st.floats(-2, 2))
@settings(max_examples=50)
def test_6d_survives_scale_and_shear_of_its_second_row(axis_angle: np.ndarray, scale: float, shear: float) -> None:
    rotmats = torch.from_numpy(Rotation.from_rotvec(axis_angle).as_matrix())
    d6 = sixd_from_rotmat(rotmats)
    a1, a2 = d6[..., :3] * scale, d6[..., 3:] + shear * d6[..., :3]
    torch.testing.assert_close(rotmat_from_6d(torch.cat((a1, a2), -1)), rotmats, atol=1e-9, rtol=0)


def test_6d_is_the_first_two_rows() -> None:
    rotmat = torch.from_numpy(Rotation.from_euler("xyz", [0.3, -0.8, 1.1]).as_matrix())
    np.testing.assert_array_equal(sixd_from_rotmat(rotmat), np.concatenate((rotmat[0], rotmat[1])))


@given(axis_angles)
@settings(max_examples=50)
def test_angle_between_agrees_with_scipy(axis_angle: np.ndarray) -> None:
    turn = Rotation.from_rotvec(axis_angle)
    base = Rotation.from_euler("xyz", [0.4, 0.2, -1.0])
    a, b = torch.from_numpy((base * turn).as_matrix()), torch.from_numpy(base.as_matrix()).expand(5, 3, 3)
    np.testing.assert_allclose(angle_between(a, b), turn.magnitude(), atol=1e-6)


def test_axis_angle_gradient_is_finite_and_right_at_zero() -> None:
    axis_angle = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(rotmat_from_axis_angle, axis_angle)
