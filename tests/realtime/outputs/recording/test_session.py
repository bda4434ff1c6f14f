from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.skeleton import PARENTS
from realtime.kernel.messages import CameraSource, SolvedFrame
from realtime.outputs.recording import session as session_module
from realtime.outputs.recording.journal_format import row_dtype
from realtime.outputs.recording.recorder import Recorder
from realtime.outputs.recording.sampling import sampler
from realtime.outputs.recording.session import Session, load_session, open_session
from realtime.outputs.recording.session_layout import CAMERA_DTYPE, SessionError
from tests.realtime.outputs.streams.synthetic_stream import (
    BETAS,
    BODY,
    JOINT_CONFIDENCE,
    NUM_TOKENS,
    contacts_at,
    person_at,
    pose_at,
    solved_at,
    stream,
)


def record(path: Path, frames: list[SolvedFrame]) -> None:
    recorder = Recorder(path, body=BODY, session_info={"source": "made up"}, blocking=True)
    recorder.start()
    for frame in frames:
        recorder.put(frame)
    outcome = recorder.close()
    assert outcome.failed == ""
    assert outcome.left_out == 0


@pytest.fixture(scope="module")
def sixty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("session") / "s.npz"
    record(path, stream(90, 60.0))
    return path


@pytest.fixture
def session(sixty: Path) -> Session:
    return load_session(sixty)


def test_amass_keys_types_and_shapes(sixty: Path) -> None:
    with np.load(sixty, allow_pickle=False) as data:
        assert (data["poses"].dtype, data["poses"].shape) == (np.float64, (90, 156))
        assert (data["trans"].dtype, data["trans"].shape) == (np.float64, (90, 3))
        assert (data["betas"].dtype, data["betas"].shape) == (np.float64, (16,))
        assert str(data["gender"]) == "neutral"
        assert int(data["mocap_framerate"]) == float(data["mocap_frame_rate"]) == 60
        assert not data["poses"][:, 66:].any()
        np.testing.assert_allclose(data["betas"], np.r_[BETAS, np.zeros(6)])


def test_what_the_smpl_add_on_for_blender_checks(tmp_path: Path) -> None:
    """It wants these keys, a rate that int() leaves at 30 or more whatever the source's, and indexes 52 joints."""
    for rate in (12.5, 24.0, 29.97, 59.94):
        path = tmp_path / f"{rate}.npz"
        record(path, stream(40, rate))
        with np.load(path, allow_pickle=False) as data:
            assert {"trans", "gender", "mocap_frame_rate", "betas", "poses"} <= set(data.files)
            assert int(data["mocap_frame_rate"]) >= 30
            assert float(data["mocap_frame_rate"]).is_integer()
            joints = data["poses"].reshape(len(data["poses"]), 52, 3)
            assert len(joints) == len(data["trans"])
            assert np.linalg.norm(joints, axis=-1).max() <= np.pi + 1e-6
            assert str(data["gender"].astype(str)) in ("neutral", "female", "male")


def test_what_aitviewers_amass_loader_reads(sixty: Path) -> None:
    """It reads mocap_framerate, gender by .item(), and cuts root, 21 body joints and two hands of 15 out of a pose."""
    with np.load(sixty, allow_pickle=False) as data:
        assert data["gender"].item() == "neutral"
        assert data["mocap_framerate"].item() == 60
        root, body, hands = np.split(data["poses"], [3, 66], axis=1)
        assert (root.shape[1], body.shape[1], hands.shape[1]) == (3, 21 * 3, 2 * 15 * 3)
        assert data["betas"][np.newaxis].shape == (1, 16)


@pytest.mark.parametrize("source", get_args(CameraSource))
def test_what_the_camera_is_known_by_fits_its_field_in_journal_and_session(source: str) -> None:
    row, camera = np.zeros(1, row_dtype(0)), np.zeros(1, CAMERA_DTYPE)
    row["camera"]["source"], camera["source"] = source, source
    assert row["camera"]["source"][0].decode() == camera["source"][0] == source


def test_our_keys(session: Session) -> None:
    assert (session.format, session.version, session.up_axis, session.person) == ("tokenmocap-session", 1, "Y", 1)
    assert session.body["name"] == "test body"
    assert session.body["sha256"] == "ab" * 32
    assert session.camera["size"].tolist() == [64, 48]
    angles = [np.degrees(session.camera[name]) for name in ("fov", "pitch", "roll")]
    np.testing.assert_allclose(angles, [60.0, -6.0, 3.0], atol=1e-4)
    assert session.camera["height"] == pytest.approx(1.4)
    assert (session.camera["source"], session.camera["doubt"]) == ("room", 0.5)
    assert json.loads(session.session) == {"source": "made up"}
    np.testing.assert_allclose(session.timestamps, np.arange(90) / 60)
    np.testing.assert_allclose(session.confidence, 0.9)
    assert session.valid.all()


def test_each_joints_confidence_is_kept(session: Session) -> None:
    assert session.joint_confidence is not None
    assert session.joint_confidence.dtype == np.float32
    np.testing.assert_allclose(session.joint_confidence, np.tile(JOINT_CONFIDENCE, (90, 1)), atol=1e-6)


def test_contacts_are_kept(session: Session) -> None:
    expected = [contacts_at(k / 60) for k in range(90)]
    np.testing.assert_allclose(session.contacts, expected, atol=1e-6)


def test_raw_part_is_what_was_put(session: Session) -> None:
    raw = [frame.people[0].raw for frame in stream(90, 60.0)]
    np.testing.assert_array_equal(session.raw_rotations, [pose.rotations for pose in raw])
    np.testing.assert_array_equal(session.raw_trans, [pose.trans for pose in raw])
    np.testing.assert_array_equal(session.raw_joints, [pose.joints for pose in raw])
    np.testing.assert_array_equal(session.raw_tokens, np.tile(np.arange(NUM_TOKENS), (90, 1)))
    np.testing.assert_array_equal(session.raw_seq, np.arange(90))
    np.testing.assert_allclose(session.raw_timestamps, np.arange(90) / 60, atol=1e-9)
    assert session.raw_valid.all()
    assert session.raw_tokens.dtype == np.int16


def test_poses_are_the_smoothed_rotations(session: Session) -> None:
    """At the source's own rate the samples lie on the frames, so nothing is interpolated."""
    expected = Rotation.from_quat(np.concatenate([pose_at(k / 60).rotations[:22] for k in range(90)]))
    ours = Rotation.from_rotvec(session.poses[:, :66].reshape(-1, 3))
    assert (ours.inv() * expected).magnitude().max() < 1e-5


def smpl_joints(session: Session) -> np.ndarray:
    """SMPL's forward kinematics, joint by joint, with scipy's rotations: joints = trans + FK about the rest pelvis."""
    rotations = session.poses.reshape(len(session.poses), 52, 3)[:, :22]
    world: list[Rotation] = []
    joints: list[np.ndarray] = []
    for joint, parent in enumerate(PARENTS):
        local = Rotation.from_rotvec(rotations[:, joint]) if joint < 22 else Rotation.identity(len(rotations))
        if parent < 0:
            world.append(local)
            joints.append(np.tile(session.rest_joints[0], (len(rotations), 1)))
        else:
            bone = session.rest_joints[joint] - session.rest_joints[parent]
            joints.append(joints[parent] + world[parent].apply(bone))
            world.append(world[parent] * local)
    return np.stack(joints, axis=1) + session.trans[:, None]


def test_smpl_from_the_file_gives_the_joints(session: Session) -> None:
    np.testing.assert_allclose(smpl_joints(session), session.joints, atol=2e-6)
    np.testing.assert_allclose(session.joints, [pose_at(k / 60).joints for k in range(90)], atol=2e-6)


def test_trans_is_smpls(session: Session) -> None:
    np.testing.assert_allclose(session.rest_joints, BODY.rest_joints(BETAS[None])[0], atol=1e-6)
    np.testing.assert_allclose(session.trans + session.rest_joints[0], session.joints[:, 0], atol=1e-6)


def test_a_25_hz_source_becomes_30_hz(tmp_path: Path) -> None:
    record(tmp_path / "s.npz", stream(50, 25.0))
    session = load_session(tmp_path / "s.npz")
    assert session.mocap_framerate == 30
    assert len(session.poses) == 59  # 0 .. 1.96 s
    assert session.raw_rotations.shape == (50, 24, 4)
    truth = np.array([pose_at(t).joints for t in session.timestamps])
    assert np.abs(session.joints - truth).max() < 2e-3  # a chord instead of an arc over 40 ms
    np.testing.assert_allclose(smpl_joints(session), session.joints, atol=2e-6)


def test_frames_without_the_person_are_held_and_marked(tmp_path: Path) -> None:
    frames = stream(60, 30.0)
    for k in (20, 21, 22):
        frames[k] = solved_at(k / 30, k, people=())
    frames[40] = solved_at(40 / 30, 40, people=(person_at(40 / 30, valid=False),))
    record(tmp_path / "s.npz", frames)
    session = load_session(tmp_path / "s.npz")
    assert np.flatnonzero(~session.valid).tolist() == [20, 21, 22, 40]
    assert np.flatnonzero(session.confidence == 0).tolist() == [20, 21, 22, 40]
    assert session.joint_confidence is not None
    assert np.flatnonzero((session.joint_confidence == 0).all(1)).tolist() == [20, 21, 22, 40]
    np.testing.assert_array_equal(session.poses[20:23], np.tile(session.poses[19], (3, 1)))
    np.testing.assert_array_equal(session.poses[40], session.poses[39])
    assert session.raw_seq.tolist() == [k for k in range(60) if k not in (20, 21, 22)]
    assert session.raw_seq[~session.raw_valid].tolist() == [40]


def test_nothing_is_left_beside_the_file(sixty: Path) -> None:
    assert [p.name for p in sixty.parent.iterdir()] == ["s.npz"]


@pytest.mark.parametrize("kept", [0, 1, 100, 0.3, 0.9, 0.999])
def test_refuses_a_truncated_file(sixty: Path, tmp_path: Path, kept: float) -> None:
    whole = sixty.read_bytes()
    path = tmp_path / "s.npz"
    path.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    with pytest.raises(SessionError, match="truncated or damaged") as raised:
        load_session(path)
    assert "\n" not in str(raised.value)


def test_refuses_damaged_bytes(sixty: Path, tmp_path: Path) -> None:
    data = bytearray(sixty.read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "s.npz").write_bytes(data)
    with pytest.raises(SessionError, match="truncated or damaged"):
        load_session(tmp_path / "s.npz")


def altered(sixty: Path, tmp_path: Path, **changes: object) -> Path:
    with np.load(sixty) as data:
        arrays = {key: data[key] for key in data.files}
    arrays |= changes
    np.savez(tmp_path / "s.npz", **{key: value for key, value in arrays.items() if value is not None})
    return tmp_path / "s.npz"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": np.int64(2)}, "newer version"),
        ({"format": "something else"}, "not a session of this program"),
        ({"format": None}, "not a session of this program"),
        ({"version": None}, "'version' is missing"),
        ({"trans": None}, "'trans' is missing"),
        ({"trans": np.zeros((89, 3))}, "'trans' is float64"),
        ({"trans": np.zeros(3)}, "'trans' is float64"),
        ({"poses": np.zeros((90, 156), np.float32)}, "'poses' is float32"),
        ({"version": "1"}, "'version' is"),
        ({"joint_confidence": np.zeros((90, 23), np.float32)}, "'joint_confidence' is float32"),
        ({"mocap_framerate": 0.0}, "frame rate is 0.0"),
        ({"mocap_frame_rate": -30.0}, "frame rate is -30.0"),
        ({"mocap_framerate": np.nan}, "frame rate is nan"),
        ({"mocap_framerate": 29.97}, "frame rate is 29.97"),
        ({"poses": np.full((90, 156), np.nan)}, "'poses' holds numbers that are not finite"),
        ({"joints": np.full((90, 24, 3), np.inf, np.float32)}, "'joints' holds numbers"),
        ({"trans": np.full((90, 3), 1e300)}, "'trans' holds numbers"),
        ({"rest_joints": np.full((24, 3), np.nan)}, "body or its start"),
        ({"timestamps": np.zeros(90)}, "do not ascend"),
        ({"recording": "x" * 2_000_000}, "'recording' is"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_refuses_what_is_not_a_session(sixty: Path, tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(SessionError, match=message):
        load_session(altered(sixty, tmp_path, **changes))


def test_a_session_of_before_lacks_the_later_keys(sixty: Path, tmp_path: Path) -> None:
    session = load_session(altered(sixty, tmp_path, start_s=None, joint_confidence=None))
    assert (session.start_s, session.joint_confidence) == (0.0, None)


def test_refuses_a_session_of_no_frames(sixty: Path, tmp_path: Path) -> None:
    with np.load(sixty) as data:
        none = {key: data[key][:0] for key in data.files if data[key].shape[:1] == (90,) and not key.startswith("raw")}
    with pytest.raises(SessionError, match="holds no frames"):
        load_session(altered(sixty, tmp_path, **none))


def test_reads_over_a_later_version_s_key_but_not_over_one_that_fills_the_memory(sixty: Path, tmp_path: Path) -> None:
    assert load_session(altered(sixty, tmp_path, heartbeat=np.zeros((90, 2)))).poses.shape == (90, 156)
    with np.load(sixty) as data:
        np.savez_compressed(tmp_path / "s.npz", **{key: data[key] for key in data.files}, heartbeat=np.zeros(5_000_000))
    tracemalloc.start()
    with pytest.raises(SessionError, match="'heartbeat' unpacks to 40 MB"):
        load_session(tmp_path / "s.npz")
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()


def test_frames_come_in_blocks_from_the_file_as_from_memory(sixty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "_BLOCK", 40)
    whole, opened = load_session(sixty), open_session(sixty)
    assert opened.frames == whole.frames == 90
    for source in (whole, opened):
        blocks = list(source.blocks("poses", "joints"))
        assert [len(poses) for poses, _ in blocks] == [40, 40, 10]
        np.testing.assert_array_equal(np.concatenate([joints for _, joints in blocks]), whole.joints)
    np.testing.assert_array_equal(opened.rest_joints, whole.rest_joints)


class Bomb:
    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("pickle-was-loaded"),))


def test_never_unpickles(sixty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SessionError, match="pickled objects"):
        load_session(altered(sixty, tmp_path, session=np.array([Bomb()], dtype=object)))
    assert not Path("pickle-was-loaded").exists()


def test_a_turning_body_is_no_leap_in_poses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rotation vectors go on past pi, also from one block of rows to the next."""
    monkeypatch.setattr(sampler, "_BLOCK", 16)
    frames = []
    for k in range(90):
        solved = solved_at(k / 60, k)
        (person,) = solved.people
        half = 1.9 * np.pi * k / 89 / 2
        rotations = person.pose.rotations.copy()
        rotations[0] = [0.0, np.sin(half), 0.0, np.cos(half)]
        frames.append(replace(solved, people=(replace(person, pose=replace(person.pose, rotations=rotations)),)))
    record(tmp_path / "s.npz", frames)
    root = load_session(tmp_path / "s.npz").poses[:, :3]
    np.testing.assert_allclose(root[:, 1], np.linspace(0, 1.9 * np.pi, 90), atol=1e-5)


def test_a_session_of_before_whose_camera_had_no_roll_is_read(sixty: Path, tmp_path: Path) -> None:
    path, members = tmp_path / "s.npz", dict(np.load(sixty))
    old = np.dtype([("fov", "f8"), ("size", "i4", (2,)), ("pitch", "f8"), ("height", "f8")])
    members["camera"] = np.array((1.05, (64, 48), -0.1, 1.4), old)
    np.savez(path, **members)
    camera = load_session(path).camera
    assert (camera["fov"], camera["pitch"], camera["height"]) == (1.05, -0.1, 1.4)
    assert "roll" not in camera
