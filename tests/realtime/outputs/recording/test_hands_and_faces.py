"""Hands and faces in journals and session files."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.expressions import BLENDSHAPES
from engine.body.kinematics import forward_kinematics
from engine.body.skeleton import SIDES, SMPLH, Side
from realtime import recover
from realtime.kernel.full_pose import full_rotmats
from realtime.kernel.messages import Hand, SolvedFrame
from realtime.outputs.finger_bones import FingerBones
from realtime.outputs.recording.assemble import journal_path
from realtime.outputs.recording.journal_format import ROW_LAYOUT, row_dtype
from realtime.outputs.recording.journal_reader import read_journal
from realtime.outputs.recording.recorder import Recorder
from realtime.outputs.recording.sampling import sampler
from realtime.outputs.recording.session import Session, load_session, open_session
from tests.realtime.outputs.fingers_and_faces import (
    FINGERED_BODY,
    blendshapes_at,
    face_at,
    fingers_at,
    handed_at,
    handed_frame,
)
from tests.realtime.outputs.streams.synthetic_stream import BODY, NUM_TOKENS, person_at, solved_at, stream

RATE_HZ = 60
HAND_KEYS = {"hand_confidence", "raw_hands", "raw_hand_confidence", "rest_fingers"}
FACE_KEYS = {"face_names", "face_blendshapes", "face_confidence", "gaze"}


def recorded(path: Path, frames: list[SolvedFrame], smoothing: str | None = None) -> Session:
    info = {} if smoothing is None else {"smoothing": smoothing}
    fingers = FingerBones.of_body(FINGERED_BODY)
    recorder = Recorder(path, body=BODY, fingers=fingers, session_info=info, blocking=True)
    recorder.start()
    for frame in frames:
        recorder.put(frame)
    (file,) = recorder.close().files
    return load_session(file)


def hands_of(session: Session) -> Rotation:
    """Rotations (N x 30,) of the fingers, left hand first."""
    return Rotation.from_rotvec(session.poses[:, 66:].reshape(-1, 3))


def true_hands(times_s: np.ndarray) -> Rotation:
    return Rotation.from_quat(np.concatenate([fingers_at(t, side) for t in times_s for side in SIDES]))


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    frames = [handed_frame(k / RATE_HZ, k) for k in range(60)]
    return recorded(tmp_path_factory.mktemp("hands") / "s.npz", frames)


def test_poses_hold_the_fingers_in_smplhs_order(session: Session) -> None:
    assert (hands_of(session).inv() * true_hands(session.timestamps)).magnitude().max() < 1e-5
    np.testing.assert_allclose(session.hand_confidence, np.full((60, 2), 0.9), atol=1e-6)


def test_the_face_is_kept(session: Session) -> None:
    assert session.face_names is not None
    assert session.face_names.tolist() == list(BLENDSHAPES)
    expected = [face_at(t) for t in session.timestamps]
    np.testing.assert_allclose(session.face_blendshapes, [face.blendshapes for face in expected], atol=1e-6)
    np.testing.assert_allclose(session.gaze, [face.gaze_rad for face in expected], atol=1e-6)
    np.testing.assert_allclose(session.face_confidence, np.full(60, 0.8), atol=1e-6)


def test_the_raw_hands_are_what_was_put(session: Session) -> None:
    raw = [[fingers_at(k / RATE_HZ, side, 0.05) for side in SIDES] for k in range(60)]
    np.testing.assert_array_equal(session.raw_hands, raw)
    np.testing.assert_allclose(session.raw_hand_confidence, np.full((60, 2), 0.9), atol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 0.73])
def test_finger_joints_from_the_file_are_those_of_the_body_with_fingers(tmp_path: Path, scale: float) -> None:
    """SMPL-H's forward kinematics of the file, against that of the performer."""
    frames = [solved_at(k / RATE_HZ, k, (handed_at(k / RATE_HZ, scale=scale),)) for k in range(40)]
    session = recorded(tmp_path / "s.npz", frames)
    assert session.rest_fingers is not None
    rest = np.concatenate([session.rest_joints[:22], session.rest_fingers])
    rotmats = Rotation.from_rotvec(session.poses.reshape(-1, 3)).as_matrix().reshape(-1, 52, 3, 3)
    for k in (0, 17, 39):
        _, joints = forward_kinematics(rotmats[k : k + 1].astype(np.float32), rest[None].astype(np.float32), SMPLH)
        person = frames[k].people[0]
        ours = full_rotmats(SMPLH, person.pose.rotations, person.hands, None)[None]
        _, expected = forward_kinematics(ours, scale * FINGERED_BODY.rest_joints(person.betas[None]), SMPLH)
        pelvis = session.trans[k] + session.rest_joints[0]
        np.testing.assert_allclose(joints[0] + pelvis, expected[0] + person.pose.trans, atol=1e-5)


def test_without_hands_and_faces_nothing_is_added(tmp_path: Path) -> None:
    session = recorded(tmp_path / "s.npz", stream(40, 60.0))
    with np.load(tmp_path / "s.npz", allow_pickle=False) as data:
        assert not set(data.files) & (HAND_KEYS | FACE_KEYS)
    assert not session.poses[:, 66:].any()
    assert not session.has_hands
    assert not session.has_face
    assert row_dtype(NUM_TOKENS) == row_dtype(NUM_TOKENS, ROW_LAYOUT - 1)


@pytest.mark.parametrize(("without", "lacking"), [("hands", HAND_KEYS), ("face", FACE_KEYS)])
def test_each_is_there_by_itself(tmp_path: Path, without: str, lacking: set[str]) -> None:
    nothing = {"hands": {}, "face": None}[without]
    frames = [solved_at(k / RATE_HZ, k, (replace(handed_at(k / RATE_HZ), **{without: nothing}),)) for k in range(40)]
    recorded(tmp_path / "s.npz", frames)
    with np.load(tmp_path / "s.npz", allow_pickle=False) as data:
        assert set(data.files) & (HAND_KEYS | FACE_KEYS) == (HAND_KEYS | FACE_KEYS) - lacking
    opened = open_session(tmp_path / "s.npz")
    assert (opened.has_hands, opened.has_face) == (without != "hands", without != "face")


def alternating(count: int, late_s: float) -> list[SolvedFrame]:
    """Each hand is measured in every second frame, keeps its measurement in the other, and is shown late."""

    def frame(k: int) -> SolvedFrame:
        def hand(side: Side) -> Hand:
            measured = k - (k + (side == "right")) % 2
            shown = fingers_at(k / RATE_HZ - late_s, side)
            return Hand(shown, fingers_at(max(0, measured) / RATE_HZ, side), 0.9)

        person = replace(handed_at(k / RATE_HZ), hands={side: hand(side) for side in SIDES})
        return solved_at(k / RATE_HZ, k, (person,))

    return [frame(k) for k in range(count)]


@pytest.mark.parametrize("level", ["light", "medium"])
def test_fingers_are_in_time_though_measured_in_every_second_frame_and_shown_late(tmp_path: Path, level: str) -> None:
    session = recorded(tmp_path / "s.npz", alternating(90, 0.05), level)

    def away_rad(late_s: float) -> float:
        away = (hands_of(session).inv() * true_hands(session.timestamps - late_s)).magnitude()
        return float(away.reshape(90, -1)[20:-20].mean())

    assert away_rad(0.0) < 0.1 * away_rad(0.05)
    assert away_rad(0.0) < 0.2 * away_rad(0.5 / RATE_HZ)  # which a repeated measurement would give


def test_a_hand_that_is_not_seen_is_as_it_was_shown(tmp_path: Path) -> None:
    relaxed = np.tile(Rotation.from_euler("z", -20, degrees=True).as_quat(), (15, 1)).astype(np.float32)

    def frame(k: int) -> SolvedFrame:
        person = handed_at(k / RATE_HZ)
        lost = Hand(relaxed, fingers_at(0, "left"), 0.0)
        return solved_at(k / RATE_HZ, k, (replace(person, hands={**person.hands, "left": lost}),))

    session = recorded(tmp_path / "s.npz", [frame(k) for k in range(60)], "light")
    np.testing.assert_allclose(
        Rotation.from_rotvec(session.poses[:, 66:111].reshape(-1, 3)).as_euler("xyz", degrees=True),
        np.tile([0, 0, -20], (60 * 15, 1)),
        atol=1e-3,
    )
    assert session.hand_confidence is not None
    assert not session.hand_confidence[:, 0].any()


@pytest.mark.parametrize("rate_hz", [30.0, 29.97, 25.0, 15.0])
@pytest.mark.parametrize("phase", [0.0, 0.25, 0.5])
def test_a_blink_keeps_its_height(
    tmp_path: Path, rate_hz: float, phase: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A blink of 100 ms whose highest frame lies between two samples of the file, however many are made at a time."""
    monkeypatch.setattr(sampler, "_BLOCK", 1 if phase == 0.25 else 2048)
    blink = BLENDSHAPES.index("eyeBlinkLeft")

    def frame(k: int) -> SolvedFrame:
        t = (k + phase) / rate_hz
        blendshapes = np.full(52, 0.1, np.float32)
        blendshapes[blink] = max(0.0, 0.9 - abs(k - 30) / rate_hz / 0.06)
        return solved_at(t, k + 1, (replace(handed_at(t), face=replace(face_at(t), blendshapes=blendshapes)),))

    session = recorded(tmp_path / "s.npz", [solved_at(0, 0, ()), *(frame(k) for k in range(60))])
    assert session.face_blendshapes is not None
    assert session.face_blendshapes[:, blink].max() == pytest.approx(0.9, abs=1e-6)
    highest_s = session.timestamps[session.face_blendshapes[:, blink].argmax()]
    assert abs(highest_s - (30 + phase) / rate_hz) <= 0.5 / session.mocap_framerate + 1e-6
    assert np.delete(session.face_blendshapes, blink, axis=1) == pytest.approx(0.1, abs=1e-6)


def test_a_hand_or_face_that_is_not_finite_does_not_cost_the_pose(tmp_path: Path) -> None:
    def frame(k: int) -> SolvedFrame:
        person = handed_at(k / RATE_HZ)
        if k == 20 and person.face is not None:
            left, bad = person.hands["left"], np.full((15, 4), np.nan, np.float32)
            hands = {**person.hands, "left": replace(left, rotations=bad)}
            face = replace(person.face, gaze_rad=np.array([np.nan, 0], np.float32))
            person = replace(person, hands=hands, face=face)
        return solved_at(k / RATE_HZ, k, (person,))

    session = recorded(tmp_path / "s.npz", [frame(k) for k in range(40)])
    assert session.valid.all()
    assert np.isfinite(session.poses).all()
    assert session.hand_confidence is not None
    assert session.face_confidence is not None
    assert np.flatnonzero(session.hand_confidence[:, 0] < 1e-6).tolist() == [20]
    assert np.flatnonzero(session.face_confidence < 1e-6).tolist() == [20]
    assert (session.hand_confidence[:, 1] > 0.8).all()


def test_held_frames_have_no_confidence(tmp_path: Path) -> None:
    frames = [handed_frame(k / RATE_HZ, k) for k in range(60)]
    frames[30] = solved_at(30 / RATE_HZ, 30, ())
    session = recorded(tmp_path / "s.npz", frames)
    assert session.hand_confidence is not None
    assert session.face_confidence is not None
    assert np.flatnonzero((session.hand_confidence == 0).all(1)).tolist() == [30]
    assert np.flatnonzero(session.face_confidence == 0).tolist() == [30]
    np.testing.assert_allclose(session.poses[30], session.poses[29], atol=1e-9)


def test_a_killed_recording_is_recovered_with_its_hands(tmp_path: Path) -> None:
    """The journal as a kill leaves it, torn in its last row; finished it equals the recording of the whole rows."""
    recorder = Recorder(tmp_path / "s.npz", body=BODY, fingers=FingerBones.of_body(FINGERED_BODY), blocking=True)
    recorder.start()
    for k in range(61):
        recorder.put(handed_frame(k / RATE_HZ, k))
    while recorder.status.frames < 61:
        pass
    shutil.copy(journal_path(tmp_path / "s.npz"), journal_path(tmp_path / "killed.npz"))
    recorder.close()
    with journal_path(tmp_path / "killed.npz").open("r+b") as file:
        file.truncate(file.seek(0, 2) - 100)
    assert read_journal(journal_path(tmp_path / "killed.npz")).lost == 1
    assert recover.main([str(tmp_path / "killed.npz")]) == 0
    killed, whole = load_session(tmp_path / "killed.npz"), load_session(tmp_path / "s.npz")
    assert len(killed.raw_hands) == 60  # type: ignore[arg-type]
    np.testing.assert_array_equal(killed.poses, whole.poses[:60])
    np.testing.assert_array_equal(killed.face_blendshapes, whole.face_blendshapes[:60])  # type: ignore[index]


def test_a_person_without_hands_among_some_with_them_has_open_ones(tmp_path: Path) -> None:
    """All rows of a journal are of one size: what the first person has decides."""
    frames = [
        solved_at(k / RATE_HZ, k, (handed_at(k / RATE_HZ, id=1), person_at(k / RATE_HZ, id=2))) for k in range(40)
    ]
    recorder = Recorder(tmp_path / "s.npz", body=BODY, blocking=True)
    recorder.start()
    for frame in frames:
        recorder.put(frame)
    first, second = (load_session(file) for file in recorder.close().files)
    assert first.has_hands
    assert first.rest_fingers is None  # no body with fingers
    assert second.hand_confidence is not None
    assert not second.hand_confidence.any()
    assert not second.poses[:, 66:].any()
    np.testing.assert_allclose(first.face_blendshapes, [blendshapes_at(t) for t in first.timestamps], atol=1e-6)
