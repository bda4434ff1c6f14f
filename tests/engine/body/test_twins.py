"""The numpy and the torch floor: both hold to the same axioms, and give the same numbers."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from engine.body.files import load_body
from engine.body.skeleton import SMPL, Skeleton
from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import (
    axis_angle_from_rotmat,
    rotmat_from_6d,
    rotmat_from_axis_angle,
    sixd_from_rotmat,
)

BACKENDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "numpy": ("engine.body", np.asarray),
    "torch": ("engine.body.torch", lambda array: torch.from_numpy(np.ascontiguousarray(array))),
}
FORK = Skeleton(("root", "left_a", "tip_a", "right_a", "tip_b"), np.array([-1, 0, 1, 0, 3]))
vectors = arrays(np.float64, (5, 3), elements=st.floats(-1.8, 1.8))  # lengths up to pi
SEEDS = st.integers(0, 2**31)


class Floor:
    """One backend: its functions on numpy arrays in and out."""

    def __init__(self, backend: str) -> None:
        self._package, self._given = BACKENDS[backend]

    def __call__(self, module: str, function: str, *given: Any, **options: Any) -> Any:
        call = getattr(import_module(f"{self._package}.{module}"), function)
        answer = call(*(self._given(one) for one in given), **options)
        return tuple(map(np.asarray, answer)) if isinstance(answer, tuple) else np.asarray(answer)


@pytest.fixture(params=BACKENDS, scope="module")
def floor(request: pytest.FixtureRequest) -> Floor:
    return Floor(request.param)


@given(vectors)
@settings(max_examples=50)
def test_axis_angles_agree_with_scipy(floor: Floor, axis_angle: np.ndarray) -> None:
    expected = Rotation.from_rotvec(axis_angle).as_matrix()
    np.testing.assert_allclose(floor("rotations", "rotmat_from_axis_angle", axis_angle), expected, atol=1e-9)


@given(vectors)
@settings(max_examples=50)
def test_matrices_have_scipys_axis_angles(floor: Floor, axis_angle: np.ndarray) -> None:
    given_rotmats = Rotation.from_rotvec(axis_angle)
    found = floor("rotations", "axis_angle_from_rotmat", given_rotmats.as_matrix())
    np.testing.assert_allclose(found, given_rotmats.as_rotvec(), atol=1e-6)


def test_axis_angles_of_matrices_have_a_gradient_at_zero() -> None:
    still = torch.zeros(3, requires_grad=True)
    axis_angle_from_rotmat(rotmat_from_axis_angle(still)).sum().backward()
    np.testing.assert_allclose(still.grad, 1, atol=1e-3)


@given(vectors, vectors)
@settings(max_examples=50)
def test_the_rotation_between_directions_is_the_smallest(floor: Floor, a: np.ndarray, b: np.ndarray) -> None:
    assume(min(np.linalg.norm(a, axis=-1).min(), np.linalg.norm(b, axis=-1).min()) > 1e-3)
    found = floor("rotations", "rotation_between", a, b)
    a, b = (v / np.linalg.norm(v, axis=-1, keepdims=True) for v in (a, b))
    np.testing.assert_allclose(found @ found.swapaxes(-1, -2), np.tile(np.eye(3), (5, 1, 1)), atol=1e-7)
    np.testing.assert_allclose((found @ a[..., None])[..., 0], b, atol=1e-7)
    angles = np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(-1))
    np.testing.assert_allclose(Rotation.from_matrix(found).magnitude(), angles, atol=1e-6)
    np.testing.assert_allclose(
        floor("rotations", "angle_between", found, np.tile(np.eye(3), (5, 1, 1))), angles, atol=1e-6
    )


@pytest.mark.parametrize("direction", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, -2, 2)])
@pytest.mark.parametrize("off", [0.0, 1e-12, 1e-7, 1e-4])
@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_opposite_directions_take_half_a_turn(
    floor: Floor, direction: tuple[float, ...], off: float, precision: type
) -> None:
    a = np.array(direction, precision)
    b = -a + precision(off) * np.array([0.3, -0.2, 0.5], precision)
    found = floor("rotations", "rotation_between", a, b)
    assert found.dtype == precision
    coarse = 2 * float(np.finfo(precision).eps) ** 0.5
    np.testing.assert_allclose(found @ found.T, np.eye(3), atol=coarse)
    assert np.linalg.det(found) == pytest.approx(1, abs=coarse)
    np.testing.assert_allclose(found @ a, b * np.linalg.norm(a) / np.linalg.norm(b), atol=3 * coarse)


@pytest.mark.parametrize("skeleton", [SMPL, FORK], ids=["SMPL", "fork"])
@given(SEEDS)
@settings(max_examples=20)
def test_joints_follow_the_tree(floor: Floor, skeleton: Skeleton, seed: int) -> None:
    """Homogeneous transforms, a joint at a time: the textbook form."""
    count, rng = len(skeleton), np.random.default_rng(seed)
    rotmats = Rotation.random(2 * count, rng=rng).as_matrix().reshape(2, count, 3, 3)
    rest = rng.normal(size=(2, count, 3))
    world, joints = floor("kinematics", "forward_kinematics", rotmats, rest, skeleton=skeleton)
    np.testing.assert_array_equal(world[:, 0], rotmats[:, 0])
    np.testing.assert_array_equal(joints[:, 0], 0)
    for joint in range(1, count):
        parent = skeleton.parents[joint]
        np.testing.assert_allclose(world[:, joint], world[:, parent] @ rotmats[:, joint], atol=1e-12)
        bone = np.einsum("bij,bj->bi", world[:, parent], rest[:, joint] - rest[:, parent])
        np.testing.assert_allclose(joints[:, joint] - joints[:, parent], bone, atol=1e-12)


@given(SEEDS)
@settings(max_examples=20)
def test_skinning_carries_points_as_their_joints_go(floor: Floor, seed: int) -> None:
    rng = np.random.default_rng(seed)
    world = Rotation.random(10, rng=rng).as_matrix().reshape(2, 5, 3, 3)
    joints, rest, points = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 7, 3))
    weights = rng.dirichlet(np.ones(5), size=7)
    transforms = floor("kinematics", "skinning_transforms", world, joints, rest)
    each = joints[:, None] + np.einsum("bjac,bnjc->bnja", world, points[:, :, None] - rest[:, None])
    expected = np.einsum("nj,bnja->bna", weights, each)
    np.testing.assert_allclose(floor("kinematics", "blend", points, weights, transforms), expected, atol=1e-12)


@pytest.fixture(params=["open", "smpl"])
def spec(request: pytest.FixtureRequest, tmp_path: Path, smpl_arrays: dict[str, np.ndarray]) -> str | Path:
    """The free body, and one with pose blend shapes."""
    if request.param == "open":
        return "open"
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(pickle.dumps(smpl_arrays, protocol=2))
    return path


def test_both_bodies_stand_alike(spec: str | Path) -> None:
    rng = np.random.default_rng(6)
    body, twin = load_body(spec), TorchBody(spec)
    rotmats = Rotation.random(48, rng=rng).as_matrix().reshape(2, 24, 3, 3).astype(np.float32)
    betas = rng.normal(size=(2, 10)).astype(np.float32)
    given = torch.from_numpy(rotmats), torch.from_numpy(betas)
    np.testing.assert_allclose(twin.rest_joints(given[1]), body.rest_joints(betas), atol=1e-6)
    for ours, theirs in zip(twin.landmarks(*given), body.landmarks(rotmats, betas), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    for every in (1, 50):
        np.testing.assert_allclose(twin.vertices(*given, every), body.vertices(rotmats, betas, every), atol=1e-5)


def test_22_rotations_let_the_hands_follow_the_wrists(spec: str | Path) -> None:
    body, betas = TorchBody(spec), torch.zeros(1, 10)
    rotmats = torch.from_numpy(Rotation.random(24, rng=3).as_matrix()).float()[None]
    rotmats[:, 22:] = torch.eye(3)
    short, full = ((*body.landmarks(given, betas), body.vertices(given, betas)) for given in (rotmats[:, :22], rotmats))
    for found, expected in zip(short, full, strict=True):
        torch.testing.assert_close(found, expected)


def test_gradients_agree_with_finite_differences() -> None:
    body = TorchBody("open").double()
    rotmats = torch.from_numpy(Rotation.random(22, rng=4).as_matrix())[None].requires_grad_()
    betas = torch.zeros(1, 10, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(body.landmarks, (rotmats, betas), fast_mode=True)


def test_axis_angle_gradient_is_finite_and_right_at_zero() -> None:
    axis_angle = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(rotmat_from_axis_angle, axis_angle)


@given(vectors, st.floats(0.1, 10), st.floats(-2, 2))
@settings(max_examples=50)
def test_6d_survives_scale_and_shear_of_its_second_row(axis_angle: np.ndarray, scale: float, shear: float) -> None:
    rotmats = torch.from_numpy(Rotation.from_rotvec(axis_angle).as_matrix())
    d6 = sixd_from_rotmat(rotmats)
    a1, a2 = d6[..., :3] * scale, d6[..., 3:] + shear * d6[..., :3]
    torch.testing.assert_close(rotmat_from_6d(torch.cat((a1, a2), -1)), rotmats, atol=1e-9, rtol=0)


def test_6d_is_the_first_two_rows() -> None:
    rotmat = torch.from_numpy(Rotation.from_euler("xyz", [0.3, -0.8, 1.1]).as_matrix())
    np.testing.assert_array_equal(sixd_from_rotmat(rotmat), np.concatenate((rotmat[0], rotmat[1])))
