"""Each form of motion capture, read from a tiny file of exactly that form."""

from __future__ import annotations

import logging
import pickle
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.body.files import OPEN_BODY
from engine.body.skeleton import JOINT_NAMES, PARENTS
from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import rotmat_from_axis_angle
from engine.errors import EngineError
from training.data.mocap import load_mocap
from training.readers import amass, bvh, moyo, poses, session
from training.readers.clip import PoseClip
from training.readers.files import LayoutError
from training.readers.poses import thinned, write_mocap

LYING_BACK = np.array([np.pi / 2, 0.0, 0.0])  # in a world with Z up, a T-pose that stands


# AMASS ---------------------------------------------------------------------------------------------------------------


def test_amass_of_both_kinds(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(0)
    smplh, smplx = 0.3 * rng.normal(size=(8, 156)), 0.3 * rng.normal(size=(4, 165))
    smplh[:, :3] = LYING_BACK
    folder = tmp_path / "CMU" / "01"
    folder.mkdir(parents=True)
    other = {"trans": np.zeros((8, 3)), "betas": np.zeros(16), "gender": np.array("male"), "dmpls": np.zeros((8, 8))}
    np.savez(folder / "01_01_poses.npz", poses=smplh, mocap_framerate=np.array(120.0), **other)
    np.savez(folder / "jump_stageii.npz", poses=smplx, mocap_frame_rate=np.array(60.0), surface_model_type="smplx")
    np.savez(folder / "neutral_stagei.npz", betas=np.zeros(16))
    np.savez(folder / "shape.npz", betas=np.zeros(16))
    (folder / "01_02_poses.npz").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        clips = amass.read(tmp_path)
    assert "skipped 1 of" in caplog.text
    assert "01_02_poses.npz" in caplog.text
    assert [(clip.name, clip.fps, len(clip.axis_angle)) for clip in clips] == [
        ("01/01_01_poses", 120.0, 8),
        ("01/jump_stageii", 60.0, 4),
    ]
    assert np.allclose(clips[0].axis_angle[:, 0], 0, atol=1e-6)  # upright in a world with Y up
    assert np.allclose(clips[0].axis_angle[:, 1:].reshape(8, 63), smplh[:, 3:66], atol=1e-6)


def test_amass_that_is_not(tmp_path: Path) -> None:
    (tmp_path / "CMU.tar.bz2").write_bytes(b"packed")
    with pytest.raises(LayoutError, match=r"form of AMASS: expected .*, saw CMU\.tar\.bz2"):
        amass.read(tmp_path)
    np.savez(tmp_path / "a_poses.npz", poses=np.zeros((3, 156)))
    with pytest.raises(EngineError, match="lacks mocap_framerate"):
        amass.read(tmp_path)
    np.savez(tmp_path / "a_poses.npz", poses=np.full((3, 156), np.nan), mocap_framerate=np.array(30.0))
    with pytest.raises(EngineError, match="not finite"):
        amass.read(tmp_path)


# MOYO ----------------------------------------------------------------------------------------------------------------


def test_moyo_of_both_kinds(tmp_path: Path) -> None:
    full = np.random.default_rng(0).normal(size=(5, 165)) * 0.2
    full[:, :3] = LYING_BACK
    smpl = {"global_orient": full[:, :3], "body_pose": full[:, 3:72], "transl": np.zeros((5, 3)), "betas": np.zeros(10)}
    for name, content in {
        "mosh/train/a.pkl": {"fullpose": full, "gender": "female"},
        "mosh_smpl/val/b.pkl": smpl,
    }.items():
        path = tmp_path / "20220923_20220926_with_hands" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(pickle.dumps(content))
    clips = moyo.read(tmp_path)
    assert [clip.name for clip in clips] == ["a", "b"]
    for clip in clips:
        assert np.allclose(clip.axis_angle[:, 0], 0, atol=1e-6)
        assert np.allclose(clip.axis_angle[:, 1:].reshape(5, 63), full[:, 3:66], atol=1e-6)
    with pytest.raises(LayoutError, match="form of MOYO"):
        moyo.read(tmp_path / "20220923_20220926_with_hands" / "mosh")


# Our own -------------------------------------------------------------------------------------------------------------


def test_our_own_recordings_split_where_they_are_not_valid(tmp_path: Path) -> None:
    full = np.random.default_rng(0).normal(size=(6, 156)) * 0.2
    good = {"format": "tokenmocap-session", "poses": full, "mocap_frame_rate": 30}
    np.savez(tmp_path / "take.npz", valid=np.array([1, 1, 0, 1, 1, 1], bool), **good)
    clips = session.read(tmp_path)
    assert [(clip.name, len(clip.axis_angle)) for clip in clips] == [("take#0", 2), ("take#1", 3)]
    assert np.allclose(clips[1].axis_angle.reshape(3, 66), full[3:, :66], atol=1e-6)
    np.savez(tmp_path / "take.npz", valid=np.ones(6, bool), **{**good, "format": "other"})
    with pytest.raises(EngineError, match="says that it is other"):
        session.read(tmp_path)


# BVH -----------------------------------------------------------------------------------------------------------------

MIXAMO = {
    "pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2", "neck": "Neck", "head": "Head",
    "hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "ToeBase", "collar": "Shoulder", "shoulder": "Arm",
    "elbow": "ForeArm", "wrist": "Hand", "hand": "HandMiddle1",
}  # fmt: skip


def mixamo(name: str) -> str:
    side, _, part = name.rpartition("_")
    return f"mixamorig:{side.capitalize()}{MIXAMO[part]}"


def bvh_file(path: Path, names: list[str], rest: np.ndarray, axis_angle: np.ndarray) -> None:
    """Depth first, the root with positions, Euler angles in the order Z X Y."""
    order: list[int] = []

    def lines(joint: int) -> list[str]:
        order.append(joint)
        children = [child for child in range(24) if PARENTS[child] == joint]
        offset = rest[joint] - rest[PARENTS[joint]] if joint else np.zeros(3)
        position = "6 Xposition Yposition Zposition" if joint == 0 else "3"
        inside = [line for child in children for line in lines(child)] or ["End Site", "{", "OFFSET 0 0 0.1", "}"]
        head = f"{'ROOT' if joint == 0 else 'JOINT'} {names[joint]}"
        numbers = " ".join(f"{value:.6f}" for value in offset)
        return [head, "{", f"OFFSET {numbers}", f"CHANNELS {position} Zrotation Xrotation Yrotation", *inside, "}"]

    hierarchy = lines(0)
    rows = []
    for pose in axis_angle:
        angles = Rotation.from_rotvec(pose[order]).as_euler("ZXY", degrees=True)
        rows.append(" ".join(f"{value:.7f}" for value in (0, 1, 0, *angles.ravel())))
    text = ["HIERARCHY", *hierarchy, "MOTION", f"Frames: {len(rows)}", "Frame Time: 0.0333333", *rows]
    path.write_text("\n".join(text) + "\n")


@pytest.fixture(scope="module")
def body() -> TorchBody:
    return TorchBody(OPEN_BODY)


@pytest.mark.parametrize("names", [list(JOINT_NAMES), [mixamo(name) for name in JOINT_NAMES]])
def test_bvh_in_smpl_s_rest_pose_keeps_its_rotations(tmp_path: Path, body: TorchBody, names: list[str]) -> None:
    axis_angle = 0.4 * np.random.default_rng(0).normal(size=(3, 24, 3))
    bvh_file(tmp_path / "walk.bvh", names, body.joints_template.numpy(), axis_angle)
    (clip,) = bvh.read(tmp_path)
    assert clip.fps == pytest.approx(30.0, abs=0.01)
    found, right = (Rotation.from_rotvec(pose.reshape(-1, 3)) for pose in (clip.axis_angle, axis_angle[:, :22]))
    assert (found.inv() * right).magnitude().max() < 1e-4


def test_bvh_of_another_rest_pose_keeps_the_directions_of_bones(tmp_path: Path, body: TorchBody) -> None:
    """A skeleton whose arms hang at rest: the body posed by what was read has its bones where the file has them."""
    rest = body.joints_template.numpy().astype(np.float64).copy()
    down = np.array([0.0, -1.0, 0.0])
    for chain in ((16, 18, 20, 22), (17, 19, 21, 23)):
        for parent, child in pairwise(chain):
            rest[child] = rest[parent] + down * np.linalg.norm(
                body.joints_template[child] - body.joints_template[parent]
            )
    axis_angle = np.zeros((2, 24, 3))
    axis_angle[1, 18] = (-1.2, 0, 0)  # the left forearm swings forward
    bvh_file(tmp_path / "hang.bvh", [mixamo(name) for name in JOINT_NAMES], rest, axis_angle)
    (clip,) = bvh.read(tmp_path)
    rotmats = rotmat_from_axis_angle(torch.from_numpy(clip.axis_angle))
    joints = body.landmarks(rotmats, torch.zeros(2, 10))[0].numpy()

    def direction(frame: int, a: int, b: int) -> np.ndarray:
        bone = joints[frame, b] - joints[frame, a]
        return bone / np.linalg.norm(bone)

    assert np.allclose(direction(0, 16, 18), down, atol=1e-4)
    assert np.allclose(direction(0, 19, 21), down, atol=1e-4)
    assert np.allclose(direction(1, 18, 20), [0, -np.cos(1.2), np.sin(1.2)], atol=1e-4)
    assert np.allclose(direction(1, 16, 18), down, atol=1e-4)


def test_bvh_that_is_cut_short_or_of_no_body(tmp_path: Path, body: TorchBody) -> None:
    path = tmp_path / "a.bvh"
    bvh_file(path, list(JOINT_NAMES), body.joints_template.numpy(), np.zeros((2, 24, 3)))
    whole = path.read_text()
    path.write_text(whole[: whole.rindex(" ")])
    with pytest.raises(EngineError, match="frames of 75 channels"):
        bvh.read(tmp_path)
    path.write_text(whole.replace("left_knee", "tail"))
    with pytest.raises(EngineError, match=r"no joint that is the"):
        bvh.read(tmp_path)


# The mocap file ------------------------------------------------------------------------------------------------------


def test_clips_are_thinned_to_their_middle() -> None:
    frames = np.arange(120, dtype=np.float32)[:, None, None] * np.ones((1, 22, 3), np.float32)
    kept = thinned(PoseClip("a", frames, 120.0), 30.0, 0.6)
    assert kept.axis_angle[:, 0, 0].tolist() == list(range(24, 96, 4))
    assert kept.fps == 30.0
    assert len(thinned(PoseClip("a", frames, 25.0), 30.0, 1.0).axis_angle) == 120


def test_a_mocap_file_is_what_the_trainers_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    still = np.zeros((6, 22, 3), np.float32)
    jumping = still.copy()
    jumping[3:, 5, 0] = 1.5
    clips = [PoseClip("still", still, 30.0), PoseClip("jumping", jumping, 30.0), PoseClip("slow", still, 24.0)]
    with caplog.at_level(logging.WARNING):
        assert write_mocap(clips, tmp_path / "m.npz", "val", 30.0) == 12
    assert "left out 1 clip(s) slower than 30 fps, the first: slow" in caplog.text
    mocap = load_mocap([tmp_path / "m.npz"], "val")
    assert mocap.clip_names == ("still", "jumping")
    assert len(mocap) == 10  # without both frames beside the jump
    with pytest.raises(EngineError, match="lower --fps"):
        write_mocap(clips[2:], tmp_path / "m.npz", "val", 30.0)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    np.savez(tmp_path / "in" / "a_poses.npz", poses=np.zeros((9, 156)), mocap_framerate=np.array(60.0))
    options = ["--form", "amass", "--folder", str(tmp_path / "in"), "--out", str(tmp_path / "m.npz")]
    assert poses.main(options) == 0
    assert "5 frames of 1 clips" in capsys.readouterr().out
    assert len(load_mocap([tmp_path / "m.npz"], "train")) == 5
    assert poses.main(["--form", "bvh", *options[2:]]) == 2
    assert "form of BVH" in capsys.readouterr().err
    assert poses.main([*options[:-1], str(tmp_path / "none" / "m.npz")]) == 2
    assert "cannot write" in capsys.readouterr().err
    assert poses.main([*options, "--middle", "0"]) == 2
    assert "--middle above 0" in capsys.readouterr().err
