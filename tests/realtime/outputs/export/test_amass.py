"""The AMASS export, read as SMPL's kinematics say, by smplcodec and by smplx, and the body that it is for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from smplcodec import SMPLCodec, SMPLVersion

from engine.body.files import OPEN_BODY, load_body
from engine.body.skeleton import PARENTS
from realtime.export import main
from realtime.outputs.export.amass import write_amass
from realtime.outputs.export.smpl_shape import SmplShape, fitted_betas
from realtime.outputs.recording.session import Session, load_session
from tests.realtime.outputs.export.recording import FRAMES, MM, RATE_HZ, record
from tests.training.smpl_files import smpl_pickle

# Joint 0 of J_regressor @ v_template of SMPL's neutral file, as stands in public code (EDGE, MDM and others).
SMPL_PELVIS = np.array([-0.00179506, -0.22333345, 0.02821913])


def read(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as data:
        return dict(data)


def joints_of(amass: dict[str, Any], rest: np.ndarray) -> np.ndarray:
    """SMPL's kinematics: (N, 22, 3) with Z up, of a body whose T-pose has its joints at `rest`."""
    turns = Rotation.from_rotvec(amass["poses"][:, :66].reshape(-1, 3)).as_matrix().reshape(-1, 22, 3, 3)
    world, joints = [turns[:, 0]], [np.tile(rest[0], (len(turns), 1))]
    for j in range(1, 22):
        joints.append(joints[PARENTS[j]] + world[PARENTS[j]] @ (rest[j] - rest[PARENTS[j]]))
        world.append(world[PARENTS[j]] @ turns[:, j])
    return np.stack(joints, axis=1) + amass["trans"][:, None]


def z_up(points: np.ndarray) -> np.ndarray:
    x, y, z = np.moveaxis(points, -1, 0)
    return np.stack([x, -z, y], axis=-1)


@pytest.fixture(scope="module")
def amass(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("amass") / "amass.npz"
    assert main([str(path), str(out)]) == 0
    return out


def test_both_dialects_say_the_same(amass: Path) -> None:
    data = read(amass)
    parts = np.concatenate([data["root_orient"], data["pose_body"], data["pose_hand"]], axis=1)
    np.testing.assert_array_equal(parts, data["poses"])
    assert [data[key].shape[1] for key in ("root_orient", "pose_body", "pose_hand", "poses")] == [3, 63, 90, 156]
    assert data["dmpls"].shape == (FRAMES, 8)
    assert not data["dmpls"].any()
    assert (str(data["surface_model_type"]), str(data["gender"])) == ("smplh", "neutral")
    assert data["mocap_framerate"] == data["mocap_frame_rate"] == RATE_HZ


def test_contacts_are_kept(amass: Path, session: Session) -> None:
    with np.load(amass) as file:
        np.testing.assert_array_equal(file["contacts"], session.contacts)


def test_smplcodec_takes_it_for_an_smplh_body(amass: Path, session: Session) -> None:
    codec = SMPLCodec.from_amass_npz(str(amass))
    assert codec.smpl_version == SMPLVersion.SMPLH
    assert (codec.frame_count, codec.frame_rate) == (FRAMES, RATE_HZ)
    read_back = {"poses": codec.body_pose.reshape(FRAMES, -1), "trans": codec.body_translation}
    rest = session.rest_joints - session.rest_joints[0] + SMPL_PELVIS
    assert np.abs(joints_of(read_back, rest) - z_up(session.joints[:, :22])).max() < MM


def test_smplx_poses_our_body_from_the_newer_keys(tmp_path: Path) -> None:
    """As retargeting programs do: the parts of the pose, the betas and trans go into a body of the smplx package."""
    import smplx
    import torch

    file = smpl_pickle(tmp_path / "SMPL_NEUTRAL.pkl")
    path = record(tmp_path / "s.npz", load_body(file))
    assert main([str(path), str(tmp_path / "amass.npz")]) == 0
    data, session = read(tmp_path / "amass.npz"), load_session(path)

    def given(key: str) -> torch.Tensor:
        return torch.from_numpy(data[key].astype(np.float32))

    hands = torch.zeros(FRAMES, 6)  # SMPL's two, where SMPL-H has fingers
    with torch.no_grad():
        posed = smplx.SMPL(str(file), batch_size=FRAMES)(
            global_orient=given("root_orient"),
            body_pose=torch.cat([given("pose_body"), hands], dim=1),
            betas=given("betas")[None, :10].repeat(FRAMES, 1),
            transl=given("trans"),
        )
    assert np.abs(posed.joints[:, :24].numpy() - z_up(session.joints)).max() < MM


def test_the_free_body_is_exported_for_smpls_mean_body(
    amass: Path, session: Session, capsys: pytest.CaptureFixture[str], path: Path, tmp_path: Path
) -> None:
    """SMPL's pelvis lands where ours was: the origin is that of SMPL's template, the betas are not the free body's."""
    data = read(amass)
    assert session.betas.any()
    assert not data["betas"].any()
    np.testing.assert_allclose(data["trans"] + SMPL_PELVIS, z_up(session.joints[:, 0]), atol=1e-4)
    assert "mean shape" in str(data["body"])
    main([str(path), str(tmp_path / "again.npz")])
    assert "SMPL neutral, mean shape" in capsys.readouterr().out


def test_betas_are_fitted_to_an_smpl_file(path: Path, session: Session, tmp_path: Path) -> None:
    file = smpl_pickle(tmp_path / "SMPL_NEUTRAL.pkl")
    assert main([str(path), str(tmp_path / "fitted.npz"), "--smpl", str(file)]) == 0
    data, smpl = read(tmp_path / "fitted.npz"), load_body(file)
    rest = smpl.rest_joints(data["betas"][None, :10].astype(np.float32))[0].astype(np.float64)
    read_back = joints_of(data, rest)
    np.testing.assert_allclose(read_back[:, 0], z_up(session.joints[:, 0]), atol=1e-5)

    def off(rest_joints: np.ndarray) -> float:
        return float(np.abs((rest_joints - rest_joints[0]) - (session.rest_joints - session.rest_joints[0])).mean())

    assert off(rest) < off(smpl.joints_template)
    assert "SMPL_NEUTRAL" in str(data["body"])


def test_a_fit_finds_the_betas_that_made_the_joints() -> None:
    body = load_body("open")
    betas = np.array([1.2, -0.8, 0.5, 0.3, -0.4, 0.2, 0.1, -0.2, 0.3, -0.1])
    joints = body.rest_joints(betas[None].astype(np.float32))[0].astype(np.float64)
    fitted = fitted_betas(body, joints + np.array([0.1, -0.3, 0.2]))  # wherever the origin is
    refitted = body.rest_joints(fitted[None].astype(np.float32))[0]
    assert np.abs((refitted - refitted[0]) - (joints - joints[0])).max() < 2 * MM


def test_a_session_on_smpl_keeps_its_betas(session: Session, tmp_path: Path) -> None:
    shape = SmplShape(session.betas[:10], session.rest_joints[0], "mine")
    write_amass(session, shape, tmp_path / "amass.npz")
    data = read(tmp_path / "amass.npz")
    np.testing.assert_array_equal(data["betas"], session.betas)
    assert np.abs(joints_of(data, session.rest_joints) - z_up(session.joints[:, :22])).max() < 1e-5


def test_the_root_goes_on_past_half_a_turn(session: Session, tmp_path: Path) -> None:
    poses = session.poses.copy()
    poses[:, :3] = np.linspace(0, 1.9 * np.pi, FRAMES)[:, None] * [0.0, 1.0, 0.0]
    shortest = Rotation.from_rotvec(poses[:, :3]).as_rotvec()
    assert np.linalg.norm(np.diff(shortest, axis=0), axis=1).max() > 6  # it turns over
    poses[:, :3] = shortest
    write_amass(replace(session, poses=poses), SmplShape(np.zeros(10), SMPL_PELVIS, "mine"), tmp_path / "amass.npz")
    steps = np.diff(read(tmp_path / "amass.npz")["root_orient"], axis=0)
    assert np.linalg.norm(steps, axis=1).max() < 0.5  # a frame turns by 0.15


def test_smpl_is_for_amass_files_and_takes_smpls_own(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for out, file, why in (
        ("s.bvh", "SMPL_NEUTRAL.pkl", "--smpl is for AMASS files"),
        ("s.npz", str(OPEN_BODY), "is the free body"),
        ("s.npz", str(tmp_path / "none.pkl"), "there is no body file"),
    ):
        assert main([str(path), str(tmp_path / out), "--smpl", file]) == 2
        error = capsys.readouterr().err
        assert why in error
        assert error.count("\n") == 1
        assert not (tmp_path / out).exists()
