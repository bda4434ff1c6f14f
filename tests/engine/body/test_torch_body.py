from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.body.files import load_body
from engine.body.skeleton import PARENTS
from engine.body.torch.model import TorchBody
from engine.errors import EngineError
from engine.files.weights import ASSETS


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    vertices = 60

    def convex(rows: int, columns: int) -> np.ndarray:
        weights = rng.random((rows, columns))
        return (weights / weights.sum(1, keepdims=True)).astype(np.float32)

    return {
        "v_template": rng.normal(size=(vertices, 3)).astype(np.float32),
        "shapedirs": 0.1 * rng.normal(size=(vertices, 3, 10)).astype(np.float32),
        "J_regressor": convex(24, vertices),
        "weights": convex(vertices, 24),
        "f": np.array([[0, 1, 2]], np.uint32),
        "landmark_rest": rng.normal(size=(33, 3)).astype(np.float32),
        "landmark_shapedirs": 0.1 * rng.normal(size=(33, 3, 10)).astype(np.float32),
        "landmark_weights": convex(33, 24),
    }


@pytest.fixture
def body_file(tmp_path: Path, arrays: dict[str, np.ndarray]) -> Path:
    path = tmp_path / "body.npz"
    np.savez(path, **arrays)
    return path


def skinned_one_by_one(
    arrays: dict[str, np.ndarray], rotmats: np.ndarray, betas: np.ndarray, rest: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Homogeneous transforms, a joint and a point at a time: the textbook form."""
    shaped = arrays["v_template"] + arrays["shapedirs"] @ betas
    rest_joints = arrays["J_regressor"] @ shaped
    world = []
    for joint, parent in enumerate(PARENTS):
        local = np.eye(4)
        local[:3, :3] = rotmats[joint]
        local[:3, 3] = rest_joints[joint] - (rest_joints[parent] if parent >= 0 else 0)
        world.append(world[parent] @ local if parent >= 0 else local)
    joints = np.array([m[:3, 3] for m in world])
    from_rest = []
    for joint, matrix in enumerate(world):
        back = np.eye(4)
        back[:3, 3] = -rest_joints[joint]
        from_rest.append(matrix @ back)
    points = [
        sum(w * (m @ np.append(p, 1)) for w, m in zip(ws, from_rest, strict=True))[:3]
        for p, ws in zip(rest, weights, strict=True)
    ]
    return joints - joints[0], np.array(points) - joints[0]


def test_points_and_vertices_agree_with_homogeneous_transforms(body_file: Path, arrays: dict[str, np.ndarray]) -> None:
    rotmats = Rotation.random(3 * 24, rng=1).as_matrix().reshape(3, 24, 3, 3)
    betas = np.random.default_rng(2).normal(size=(3, 10))
    body = TorchBody(body_file)
    given = torch.from_numpy(rotmats).float(), torch.from_numpy(betas).float()
    joints, landmarks = body.points(*given)
    vertices = body.vertices(*given)
    for i in range(3):
        rest = arrays["landmark_rest"] + arrays["landmark_shapedirs"] @ betas[i]
        want_joints, want = skinned_one_by_one(arrays, rotmats[i], betas[i], rest, arrays["landmark_weights"])
        np.testing.assert_allclose(joints[i], want_joints, atol=2e-5)
        np.testing.assert_allclose(landmarks[i], want, atol=2e-5)
        rest = arrays["v_template"] + arrays["shapedirs"] @ betas[i]
        _, want = skinned_one_by_one(arrays, rotmats[i], betas[i], rest, arrays["weights"])
        np.testing.assert_allclose(vertices[i], want, atol=2e-5)


def test_22_rotations_let_the_hands_follow_the_wrists(body_file: Path) -> None:
    rotmats = torch.from_numpy(Rotation.random(24, rng=3).as_matrix()).float()[None]
    rotmats[:, 22:] = torch.eye(3)
    body, betas = TorchBody(body_file), torch.zeros(1, 10)
    for short, full in zip(body.points(rotmats[:, :22], betas), body.points(rotmats, betas), strict=True):
        torch.testing.assert_close(short, full)


def test_gradients_agree_with_finite_differences(body_file: Path) -> None:
    body = TorchBody(body_file).double()
    rotmats = torch.from_numpy(Rotation.random(22, rng=4).as_matrix())[None].requires_grad_()
    betas = torch.zeros(1, 10, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(body.points, (rotmats, betas), fast_mode=True)


def test_a_file_without_landmarks_says_which_key_it_lacks(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    del arrays["landmark_weights"]
    path = tmp_path / "poor.npz"
    np.savez(path, **arrays)
    with pytest.raises(EngineError, match="lacks landmark_weights"):
        TorchBody(path)


def test_a_file_that_is_no_npz_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "body.npz"
    path.write_bytes(b"no such thing")
    with pytest.raises(EngineError, match="cannot read the body"):
        TorchBody(path)


def test_the_shipped_body_poses_as_the_live_programs_does() -> None:
    rotmats = Rotation.random(2 * 24, rng=5).as_matrix().reshape(2, 24, 3, 3).astype(np.float32)
    betas = np.random.default_rng(6).normal(size=(2, 10)).astype(np.float32)
    live, body = load_body("open"), TorchBody(ASSETS / "body_open.npz")
    ours = body.points(torch.from_numpy(rotmats), torch.from_numpy(betas))
    for mine, theirs in zip(ours, live.landmarks(rotmats, betas), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
    some = body.vertices(torch.from_numpy(rotmats), torch.from_numpy(betas), every=50)
    np.testing.assert_allclose(some[1], live.vertices(rotmats[1], betas[1], np.zeros(3, np.float32))[::50], atol=1e-5)
