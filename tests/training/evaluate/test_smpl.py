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
from tests.training.smpl_files import JOINT_MAP, smpl_pickle
from training.evaluate.smpl import keypoints, posed, read_regressor
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
    people = posed(TorchBody(path), rotmats, betas)
    np.testing.assert_allclose(people.joints, expected.joints[:, :24].detach(), atol=1e-5)
    np.testing.assert_allclose(people.vertices, expected.vertices.detach(), atol=1e-5)

    extra = torch.zeros(19, 6890)
    extra[14, 7] = 1  # MPII's pelvis, made of one vertex
    found, known = keypoints(people, extra)
    assert known.all()
    np.testing.assert_allclose(found[:, :25], expected.joints[:, JOINT_MAP].detach(), atol=1e-5)
    np.testing.assert_allclose(found[:, 39], people.vertices[:, 7])
    _, known = keypoints(people, None)
    assert known.tolist() == [True] * 25 + [False] * 19


def test_keypoints_of_the_free_body_lie_on_its_joints_and_landmarks(poses: tuple[torch.Tensor, torch.Tensor]) -> None:
    body = TorchBody("open")
    people = posed(body, *poses)
    np.testing.assert_allclose(people.joints[:, 0], body.rest_joints(poses[1])[:, 0], atol=1e-6)
    found, known = keypoints(people, None)
    assert (known == ON_BODY).all()
    np.testing.assert_allclose(found[:, KEYPOINT_NAMES.index("left_elbow")], people.joints[:, 18])
    np.testing.assert_allclose(found[:, KEYPOINT_NAMES.index("nose")], people.landmarks[:, 0])


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
