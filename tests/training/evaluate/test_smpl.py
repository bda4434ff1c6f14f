"""Skinning against smplx, files as published, and HMR2.0's keypoints."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.body.torch.model import TorchBody
from engine.errors import EngineError
from engine.files.weights import ASSETS
from tests.training.smpl_files import JOINT_MAP, smpl_arrays, smpl_pickle
from training.evaluate.smpl import SmplBody, keypoints, read_regressor
from training.readers.sample import KEYPOINT_NAMES, ON_BODY


@pytest.fixture(scope="module")
def poses() -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    rotmats = Rotation.random(3 * 24, rng=rng).as_matrix().reshape(3, 24, 3, 3).astype(np.float32)
    return torch.from_numpy(rotmats), torch.from_numpy(rng.normal(size=(3, 10)).astype(np.float32))


def test_skinning_and_keypoints_equal_smplx(tmp_path: Path, poses: tuple[torch.Tensor, torch.Tensor]) -> None:
    import smplx

    rotmats, betas = poses
    path = smpl_pickle(tmp_path / "SMPL_NEUTRAL.pkl")
    expected = smplx.SMPL(str(path), batch_size=3)(
        body_pose=rotmats[:, 1:], global_orient=rotmats[:, :1], betas=betas, pose2rot=False
    )
    posed = SmplBody(path)(rotmats, betas)
    np.testing.assert_allclose(posed.joints, expected.joints[:, :24].detach(), atol=1e-5)
    np.testing.assert_allclose(posed.vertices, expected.vertices.detach(), atol=1e-5)

    extra = torch.zeros(19, 6890)
    extra[14, 7] = 1  # MPII's pelvis, made of one vertex
    found, known = keypoints(posed, extra)
    assert known.all()
    np.testing.assert_allclose(found[:, :25], expected.joints[:, JOINT_MAP].detach(), atol=1e-5)
    np.testing.assert_allclose(found[:, 39], posed.vertices[:, 7])
    _, known = keypoints(posed, None)
    assert known.tolist() == [True] * 25 + [False] * 19


def test_the_free_body_is_as_the_trainers_have_it(poses: tuple[torch.Tensor, torch.Tensor]) -> None:
    path, (rotmats, betas) = ASSETS / "body_open.npz", poses
    posed, trained = SmplBody(path)(rotmats, betas), TorchBody(path)
    joints, landmarks = trained.points(rotmats, betas)
    np.testing.assert_allclose(posed.joints - posed.joints[:, :1], joints, atol=1e-5)
    assert posed.landmarks is not None
    np.testing.assert_allclose(posed.landmarks - posed.joints[:, :1], landmarks, atol=1e-5)
    np.testing.assert_allclose(posed.vertices - posed.joints[:, :1], trained.vertices(rotmats, betas), atol=1e-5)
    found, known = keypoints(posed, None)
    assert (known == ON_BODY).all()
    np.testing.assert_allclose(found[:, KEYPOINT_NAMES.index("left_elbow")], posed.joints[:, 18])
    np.testing.assert_allclose(found[:, KEYPOINT_NAMES.index("nose")], posed.landmarks[:, 0])


def test_bodies_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    for content, message in (
        ({"poses": np.zeros(3)}, "lacks v_template"),
        ([1, 2], "is no body"),
        ({**smpl_arrays(), "weights": np.zeros((6890, 52))}, r"weights is \(6890, 52\).*not SMPL-H"),
        ({**smpl_arrays(), "v_template": np.full((6890, 3), np.nan)}, "v_template is .* finite"),
    ):
        path.write_bytes(pickle.dumps(content, protocol=2))
        with pytest.raises(EngineError, match=message):
            SmplBody(path)
    path.write_bytes(b"")
    with pytest.raises(EngineError, match="ends too early"):
        SmplBody(path)
    path.write_bytes(pickle.dumps(Path("/")))
    with pytest.raises(EngineError, match="may be malicious"):
        SmplBody(path)
    with pytest.raises(EngineError, match="No such file"):
        SmplBody(tmp_path / "none.pkl")


def test_regressors_of_every_form(tmp_path: Path) -> None:
    regressor = np.random.default_rng(0).random((19, 50))
    pickled, plain, archive = tmp_path / "SMPL_to_J19.pkl", tmp_path / "J.npy", tmp_path / "J.npz"
    pickled.write_bytes(pickle.dumps(regressor, protocol=2))
    np.save(plain, regressor)
    np.savez(archive, J_regressor=regressor)
    for path in (pickled, plain, archive):
        np.testing.assert_array_equal(read_regressor(path), regressor)
    np.savez(archive, other=regressor)
    np.save(plain, regressor[0])
    pickled.write_bytes(b"no pickle")
    for path in (pickled, plain, archive):
        with pytest.raises(EngineError, match="joint regressor"):
            read_regressor(path)
    with pytest.raises(EngineError, match="cannot read"):
        read_regressor(tmp_path / "none.npz")
