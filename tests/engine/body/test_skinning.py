from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from engine.body.files import OPEN_BODY, load_body
from engine.body.keypoints import BLAZEPOSE
from engine.body.model import BodyModel
from engine.body.skeleton import JOINT_NAMES
from engine.body.skinning import Skinner

SEEDS = st.integers(0, 2**31)
IDENTITY = np.tile(np.eye(3, dtype=np.float32), (24, 1, 1))
NO_SHAPE = np.zeros(10, dtype=np.float32)


def _pose(rng: np.random.Generator, batch: int = 1) -> np.ndarray:
    rotations = Rotation.random(24 * batch, rng=rng).as_matrix()
    return rotations.reshape(batch, 24, 3, 3).astype(np.float32)


def _betas(rng: np.random.Generator, batch: int = 1) -> np.ndarray:
    return rng.normal(size=(batch, 10)).astype(np.float32)


def vertices(body: BodyModel, rotmats: np.ndarray, betas: np.ndarray, pelvis: np.ndarray) -> np.ndarray:
    return body.vertices(rotmats[None], betas[None])[0] + pelvis


def test_skinning_equals_smplx(tmp_path, smpl_arrays):
    import smplx
    import torch

    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(pickle.dumps(smpl_arrays, protocol=2))
    body = load_body(path)
    reference = smplx.SMPL(str(path), batch_size=1)
    skinner = Skinner(body)
    rng = np.random.default_rng(3)
    for _ in range(5):
        rotmats, betas, smpl_trans = _pose(rng)[0], _betas(rng)[0], rng.normal(size=3).astype(np.float32)
        with torch.no_grad():
            expected = reference(
                body_pose=torch.from_numpy(rotmats[None, 1:]),
                global_orient=torch.from_numpy(rotmats[None, :1]),
                betas=torch.from_numpy(betas[None]),
                transl=torch.from_numpy(smpl_trans[None]),
                pose2rot=False,
            )
        pelvis = smpl_trans + body.rest_joints(betas[None])[0, 0]
        np.testing.assert_allclose(skinner.vertices(rotmats, betas, pelvis), expected.vertices[0].numpy(), atol=1e-5)
        np.testing.assert_allclose(vertices(body, rotmats, betas, pelvis), expected.vertices[0].numpy(), atol=1e-5)
        joints, _ = body.landmarks(rotmats[None], betas[None])
        np.testing.assert_allclose(joints[0] + pelvis, expected.joints[0, :24].numpy(), atol=1e-5)


def test_a_person_of_another_size_is_the_body_grown_about_the_pelvis(open_body):
    rng = np.random.default_rng(5)
    rotmats, betas, pelvis = _pose(rng)[0], _betas(rng)[0], np.array([0.3, 0.9, -2.0], np.float32)
    grown = Skinner(open_body).vertices(rotmats, betas, pelvis, 0.8)
    expected = pelvis + 0.8 * (vertices(open_body, rotmats, betas, pelvis) - pelvis)
    np.testing.assert_allclose(grown, expected, atol=1e-5)


@given(SEEDS)
@settings(max_examples=20)
def test_the_fast_skinner_equals_the_plain_one(open_body, seed):
    rng = np.random.default_rng(seed)
    rotmats, betas, trans = _pose(rng)[0], _betas(rng)[0], rng.normal(size=3).astype(np.float32)
    expected = vertices(open_body, rotmats, betas, trans)
    np.testing.assert_allclose(Skinner(open_body).vertices(rotmats, betas, trans), expected, atol=3e-6)


@given(SEEDS)
@settings(max_examples=20)
def test_turning_the_root_turns_the_whole_body(open_body, seed):
    rng = np.random.default_rng(seed)
    rotmats, betas = _pose(rng), _betas(rng)
    turn = Rotation.random(rng=rng).as_matrix().astype(np.float32)
    turned = rotmats.copy()
    turned[:, 0] = turn @ rotmats[:, 0]
    for before, after in zip(open_body.landmarks(rotmats, betas), open_body.landmarks(turned, betas), strict=True):
        np.testing.assert_allclose(after, before @ turn.T, atol=5e-6)


def test_what_was_returned_is_not_overwritten(open_body):
    skinner = Skinner(open_body)
    first = skinner.vertices(IDENTITY, NO_SHAPE, np.zeros(3, np.float32))
    kept = first.copy()
    skinner.vertices(IDENTITY, NO_SHAPE, np.ones(3, np.float32))
    np.testing.assert_array_equal(first, kept)


def test_the_rest_pose_is_the_template(open_body):
    trans = np.array([1, 2, 3], dtype=np.float32)
    vertices = Skinner(open_body).vertices(IDENTITY, NO_SHAPE, trans)
    np.testing.assert_allclose(vertices, open_body.v_template + trans - open_body.joints_template[0], atol=2e-6)
    joints, landmarks = open_body.landmarks(IDENTITY[None], NO_SHAPE[None])
    pelvis = open_body.joints_template[0]
    np.testing.assert_allclose(joints[0], open_body.joints_template - pelvis, atol=1e-6)
    np.testing.assert_allclose(landmarks[0], open_body.landmark_rest - pelvis, atol=1e-6)


def test_a_bent_elbow_moves_the_hand_and_nothing_above(open_body):
    bent = IDENTITY.copy()
    bent[JOINT_NAMES.index("left_elbow")] = Rotation.from_euler("y", -90, degrees=True).as_matrix()  # towards +Z
    joints, landmarks = open_body.landmarks(bent[None], NO_SHAPE[None])
    elbow, wrist = (joints[0, JOINT_NAMES.index(name)] for name in ("left_elbow", "left_wrist"))
    forearm_m = np.linalg.norm(open_body.joints_template[20] - open_body.joints_template[18])
    np.testing.assert_allclose(wrist - elbow, [0, 0, forearm_m], atol=2e-3)
    still = BLAZEPOSE.indices(("nose", "left_shoulder", "right_wrist", "left_heel"))
    np.testing.assert_allclose(landmarks[0, still], open_body.landmark_rest[still], atol=1e-6)


@given(st.floats(0.9, 2.2), SEEDS)
@settings(max_examples=20)
def test_a_stated_height_holds_for_every_shape(open_body, height_m, seed):
    rng = np.random.default_rng(seed)
    scaled = open_body.scaled_to_height(height_m)
    assert scaled.stature_m == pytest.approx(height_m, abs=1e-5)
    vertices = Skinner(scaled).vertices(IDENTITY, _betas(rng)[0], np.zeros(3, np.float32))
    assert np.ptp(vertices[:, 1]) == pytest.approx(height_m, abs=0.015)


def test_the_stature_of_a_shape_is_that_of_its_template(open_body):
    betas = np.array([1.2, -0.7, *np.zeros(8)], np.float32)
    skin = open_body.vertices(IDENTITY[None], betas[None])[0]
    assert open_body.stature_of(betas) == pytest.approx(np.ptp(skin[:, 1]), abs=2e-3)
    assert open_body.scaled_to_height(1.55).stature_of(betas) == pytest.approx(1.55, abs=1e-5)


def test_a_stated_height_scales_joints_landmarks_and_pose_shapes_with_the_skin(open_body):
    rng = np.random.default_rng(1)
    posedirs = rng.normal(0, 1e-3, (len(open_body.v_template), 3, 207)).astype(np.float32)
    body = replace(open_body, posedirs=posedirs)
    scaled = body.scaled_to_height(2 * body.stature_m)
    rotmats = _pose(rng)
    for before, after in zip(
        body.landmarks(rotmats, NO_SHAPE[None]), scaled.landmarks(rotmats, NO_SHAPE[None]), strict=True
    ):
        np.testing.assert_allclose(after, 2 * before, atol=1e-5)
    origin = np.zeros(3, np.float32)
    np.testing.assert_allclose(
        Skinner(scaled).vertices(rotmats[0], NO_SHAPE, origin),
        2 * vertices(body, rotmats[0], NO_SHAPE, origin),
        atol=1e-5,
    )


def test_the_joints_of_a_shape_are_those_of_its_skin(open_body: BodyModel):
    betas = _betas(np.random.default_rng(5))
    shaped = open_body.v_template + open_body.shapedirs @ betas[0]
    with np.load(OPEN_BODY) as data:
        regressor = data["J_regressor"]
    np.testing.assert_allclose(open_body.rest_joints(betas)[0], regressor @ shaped, atol=2e-6)
