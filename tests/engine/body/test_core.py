"""Bodies with fingers, jaw and eyes, and the body of SMPL's 24 joints in each."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.files import BodyFileError, load_body
from engine.body.keypoints import BLAZEPOSE
from engine.body.model import BodyModel
from engine.body.skeleton import FINGER_JOINTS, SIDES, SMPL, SMPLH, SMPLX, smpl_owners, smpl_places
from engine.body.skinning import Skinner

NOWHERE = np.zeros(3, np.float32)


@pytest.fixture(scope="module")
def smplh(tmp_path_factory: pytest.TempPathFactory, smplh_arrays: dict[str, np.ndarray]) -> Path:
    path = tmp_path_factory.mktemp("bodies") / "SMPLH_MALE.pkl"
    path.write_bytes(pickle.dumps(smplh_arrays | {"bs_style": "lbs"}, protocol=2))
    return path


@pytest.fixture(scope="module")
def smplx_file(tmp_path_factory: pytest.TempPathFactory, smplx_arrays: dict[str, np.ndarray]) -> Path:
    path = tmp_path_factory.mktemp("bodies") / "SMPLX_NEUTRAL.npz"
    np.savez(path, part2num=np.array({"head": 1}, dtype=object), **smplx_arrays)  # a pickled key, which stays unread
    return path


@pytest.fixture(scope="module", params=["SMPL-H", "SMPL-X"])
def full(request: pytest.FixtureRequest, smplh: Path, smplx_file: Path) -> BodyModel:
    return load_body(smplh if request.param == "SMPL-H" else smplx_file)


def _rotmats(count: int, seed: int = 4) -> np.ndarray:
    return Rotation.random(count, rng=np.random.default_rng(seed)).as_matrix().astype(np.float32)


def _betas(seed: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=10).astype(np.float32)


def test_smplh_moves_as_smplx_moves_it(smplh: Path, smplh_arrays: dict[str, np.ndarray]) -> None:
    import smplx
    import torch

    body = load_body(smplh)
    assert body.skeleton is SMPLH
    rotmats, betas = _rotmats(52), _betas()
    given = {
        "global_orient": rotmats[:1], "body_pose": rotmats[1:22], "left_hand_pose": rotmats[22:37],
        "right_hand_pose": rotmats[37:], "betas": betas,
    }  # fmt: skip
    reference = smplx.SMPLHLayer(str(smplh), num_betas=10)
    with torch.no_grad():
        expected = reference(**{name: torch.from_numpy(value[None]) for name, value in given.items()})
    pelvis = body.rest_joints(betas[None])[0, 0]
    np.testing.assert_allclose(Skinner(body).vertices(rotmats, betas, pelvis), expected.vertices[0].numpy(), atol=1e-5)


def test_smplx_moves_as_smplx_moves_it(smplx_file: Path) -> None:
    import smplx
    import torch

    body = load_body(smplx_file)
    assert body.skeleton is SMPLX
    rotmats, betas = _rotmats(55), _betas()
    given = {
        "global_orient": rotmats[:1], "body_pose": rotmats[1:22], "jaw_pose": rotmats[22:23],
        "leye_pose": rotmats[23:24], "reye_pose": rotmats[24:25], "left_hand_pose": rotmats[25:40],
        "right_hand_pose": rotmats[40:], "betas": betas,
    }  # fmt: skip
    reference = smplx.SMPLXLayer(str(smplx_file), ext="npz", num_betas=10, use_face_contour=False)
    with torch.no_grad():
        expected = reference(**{name: torch.from_numpy(value[None]) for name, value in given.items()})
    pelvis = body.rest_joints(betas[None])[0, 0]
    np.testing.assert_allclose(Skinner(body).vertices(rotmats, betas, pelvis), expected.vertices[0].numpy(), atol=1e-5)


def test_the_core_is_the_same_body_where_nothing_but_smpls_joints_turns(full: BodyModel) -> None:
    core = full.core
    assert core.skeleton is SMPL
    assert (core.weights.shape, core.posedirs.shape[-1]) == ((len(full.v_template), 24), 207)
    np.testing.assert_allclose(core.weights.sum(axis=1), 1, atol=1e-5)
    rotmats = np.tile(np.eye(3, dtype=np.float32), (len(full.skeleton), 1, 1))
    rotmats[:22] = _rotmats(22)
    body_rotmats = np.concatenate([rotmats[:22], rotmats[22:24]])
    betas = _betas()
    np.testing.assert_allclose(
        core.vertices(body_rotmats[None], betas[None]), full.vertices(rotmats[None], betas[None]), atol=1e-5
    )
    for ours, theirs in zip(
        core.landmarks(body_rotmats[None], betas[None]), full.landmarks(rotmats[None], betas[None]), strict=True
    ):
        np.testing.assert_allclose(ours[:, :22], theirs[:, :22], atol=1e-5)


def test_a_cores_hand_is_at_the_middle_knuckle_and_turns_all_fingers(full: BodyModel) -> None:
    core, skeleton = full.core, full.skeleton
    rest = full.rest_joints(_betas()[None])[0]
    for side in SIDES:
        hand = SMPL.index(f"{side}_hand")
        np.testing.assert_array_equal(
            core.rest_joints(_betas()[None])[0, hand], rest[skeleton.index(f"{side}_middle1")]
        )
        fingers = skeleton.indices(f"{side}_{joint}" for joint in FINGER_JOINTS)
        np.testing.assert_allclose(core.weights[:, hand], full.weights[:, fingers].sum(axis=1), atol=1e-6)
    np.testing.assert_array_equal(core.joints_template[:22], full.joints_template[:22])


def test_a_core_is_made_once_and_a_body_of_24_joints_is_its_own(full: BodyModel, open_body: BodyModel) -> None:
    assert full.core is full.core
    assert open_body.core is open_body
    assert full.core.core is full.core


def test_a_stated_height_gives_the_core_and_the_body_one_size(full: BodyModel) -> None:
    tall = full.scaled_to_height(1.9)
    assert tall.stature_m == pytest.approx(1.9, abs=1e-5)
    np.testing.assert_allclose(tall.core.v_template, full.core.scaled_to_height(1.9).v_template, atol=1e-6)
    np.testing.assert_allclose(tall.core.joint_shapedirs, full.core.scaled_to_height(1.9).joint_shapedirs, atol=1e-6)


def test_every_joint_has_its_place_and_owner_in_smpl() -> None:
    assert smpl_places(SMPL).tolist() == smpl_owners(SMPL).tolist() == list(range(24))
    assert smpl_places(SMPLH).tolist() == [*range(22), 25, 40]
    assert smpl_owners(SMPLH).tolist() == [*range(22), *[22] * 15, *[23] * 15]
    assert smpl_owners(SMPLX).tolist() == [*range(22), 15, 15, 15, *[22] * 15, *[23] * 15]


def test_only_smpls_own_shapes_are_smpls(full: BodyModel, tmp_path: Path, smpl_arrays, open_body: BodyModel) -> None:
    del smpl_arrays["posedirs"]
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(smpl_arrays))
    assert load_body(tmp_path / "m.pkl").shape_space == "SMPL"
    assert full.core.shape_space == full.shape_space in ("SMPL-H", "SMPL-X")
    assert open_body.shape_space == "open"


def test_points_on_the_skin_are_the_published_vertices_of_each_mesh(full: BodyModel) -> None:
    vertices = {"nose": 332, "left_heel": 3387} if full.skeleton is SMPLH else {"nose": 9120, "left_heel": 8846}
    for name, vertex in vertices.items():
        np.testing.assert_array_equal(full.landmark_rest[BLAZEPOSE.index(name)], full.v_template[vertex])
        np.testing.assert_array_equal(full.landmark_weights[BLAZEPOSE.index(name)], full.weights[vertex])
    np.testing.assert_allclose(full.landmark_weights.sum(axis=1), 1, atol=1e-5)


def test_shape_components_are_the_first_ten_and_expressions_are_left_out(
    full: BodyModel, smplh_arrays: dict[str, np.ndarray], smplx_arrays: dict[str, np.ndarray]
) -> None:
    arrays = smplh_arrays if full.skeleton is SMPLH else smplx_arrays
    np.testing.assert_allclose(full.shapedirs, arrays["shapedirs"][..., :10], atol=1e-6)


@pytest.mark.parametrize("model", ["SMPL-H", "SMPL-X"])
def test_another_tree_is_refused_by_one_line(tmp_path: Path, model: str, smplh_arrays, smplx_arrays) -> None:
    arrays = dict(smplh_arrays if model == "SMPL-H" else smplx_arrays)
    del arrays["posedirs"]
    arrays["kintree_table"] = arrays["kintree_table"].copy()
    arrays["kintree_table"][0, 30] = 3
    np.savez(tmp_path / "m.npz", **arrays)
    with pytest.raises(BodyFileError, match=f"another order than {model}'s") as caught:
        load_body(tmp_path / "m.npz")
    assert "\n" not in str(caught.value)


def test_pose_shapes_of_another_model_are_refused(tmp_path: Path, smplh_arrays) -> None:
    np.savez(tmp_path / "m.npz", **smplh_arrays | {"posedirs": np.zeros((6890, 3, 207), np.float16)})
    with pytest.raises(BodyFileError, match=r"an SMPL-H model has \(6890, 3, 459\)"):
        load_body(tmp_path / "m.npz")
