"""A recording's file is in time with the person, whatever delay its poses were shown with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.skeleton import JOINT_NAMES
from realtime.kernel.messages import Person, SolvedFrame
from realtime.outputs.recording.recorder import Recorder
from realtime.outputs.recording.session import Session, load_session
from tests.realtime.outputs.streams import synthetic_stream
from tests.realtime.outputs.streams.synthetic_stream import BODY, person_at, pose_at, solved_at

LATE_S = 0.05
T_WORLD_CAM = np.array([0.3, 1.4, 4.0], np.float32)
SEEN = np.ones(24, np.float32)
LEFT_WRIST = JOINT_NAMES.index("left_wrist")


def late(t: float, joint_confidence: np.ndarray = SEEN) -> Person:
    """Estimated where the performer is, shown where he was."""
    return replace(person_at(t), raw=pose_at(t), pose=pose_at(t - LATE_S), joint_confidence=joint_confidence)


def recorded(
    path: Path, smoothing: str | None, frames: list[SolvedFrame], T_world_cam: np.ndarray | None = T_WORLD_CAM
) -> Session:
    info = {} if smoothing is None else {"smoothing": smoothing}
    return synthetic_stream.recorded(path, [replace(frame, T_world_cam=T_world_cam) for frame in frames], info)


def frames(count: int = 90, joint_confidence: np.ndarray = SEEN) -> list[SolvedFrame]:
    return [solved_at(k / 60, k, people=(late(k / 60, joint_confidence),)) for k in range(count)]


def away_m(session: Session, late_s: float) -> float:
    """Mean distance of the joints, away from the ends, from where the performer was that long ago."""
    expected = np.stack([pose_at(t - late_s).joints for t in session.timestamps])
    return float(np.linalg.norm(session.joints - expected, axis=-1)[20:-20].mean())


@pytest.mark.parametrize("level", ["light", "medium", "strong"])
def test_a_smoothed_recording_is_in_time_and_its_raw_part_as_it_was(tmp_path: Path, level: str) -> None:
    session = recorded(tmp_path / "s.npz", level, frames())
    assert session.smoothing_lag_s == 0
    assert away_m(session, 0.0) < 0.1 * away_m(session, LATE_S)
    np.testing.assert_array_equal(session.raw_rotations, [pose_at(k / 60).rotations for k in range(90)])


def test_noise_that_the_estimates_have_is_smoothed_away(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def shaken(k: int) -> SolvedFrame:
        pose = pose_at(k / 60)
        noise = Rotation.from_rotvec(rng.normal(0, 0.03, (24, 3)))
        rotations = (Rotation.from_quat(pose.rotations) * noise).as_quat().astype(np.float32)
        trans = (pose.trans + rng.normal(0, 0.02, 3)).astype(np.float32)
        person = replace(late(k / 60), raw=replace(pose, rotations=rotations, trans=trans))
        return solved_at(k / 60, k, people=(person,))

    session = recorded(tmp_path / "s.npz", "light", [shaken(k) for k in range(120)])
    pelvis = session.trans + session.rest_joints[0]
    expected = np.stack([pose_at(t).trans for t in session.timestamps])
    assert (pelvis - expected)[20:-20].std() < 0.5 * 0.02
    turns = Rotation.from_rotvec(session.poses[:, :66].reshape(-1, 3))
    truth = Rotation.from_quat(np.concatenate([pose_at(t).rotations[:22] for t in session.timestamps]))
    assert (turns.inv() * truth).magnitude().reshape(-1, 22)[20:-20].mean() < 0.5 * 0.03


def test_without_smoothing_the_file_holds_the_estimates(tmp_path: Path) -> None:
    session = recorded(tmp_path / "s.npz", "off", frames())
    assert session.smoothing_lag_s == 0
    np.testing.assert_allclose(session.joints, [pose_at(k / 60).joints for k in range(90)], atol=1e-5)


@pytest.mark.parametrize(("smoothing", "T_world_cam"), [(None, T_WORLD_CAM), ("light", None)])
def test_where_the_smoothing_or_the_camera_is_not_known_poses_stay_as_they_were_shown(
    tmp_path: Path, smoothing: str | None, T_world_cam: np.ndarray | None
) -> None:
    session = recorded(tmp_path / "s.npz", smoothing, frames(), T_world_cam)
    assert session.smoothing_lag_s is None
    np.testing.assert_allclose(session.joints, [pose_at(k / 60 - LATE_S).joints for k in range(90)], atol=1e-5)


def test_a_joint_that_nobody_sees_stays_as_calm_as_it_was_shown(tmp_path: Path) -> None:
    hidden = SEEN.copy()
    hidden[[LEFT_WRIST, JOINT_NAMES.index("left_hand")]] = 0.0  # what the elbow and the wrist carry
    calm = Rotation.from_rotvec([0.2, 0, 0]).as_quat().astype(np.float32)

    def calmed(frame: SolvedFrame) -> SolvedFrame:
        (person,) = frame.people
        rotations = person.pose.rotations.copy()
        rotations[LEFT_WRIST] = calm
        return replace(frame, people=(replace(person, pose=replace(person.pose, rotations=rotations)),))

    session = recorded(tmp_path / "s.npz", "light", [calmed(each) for each in frames(90, hidden)])
    np.testing.assert_allclose(
        session.poses.reshape(90, 52, 3)[:, LEFT_WRIST], np.tile([0.2, 0, 0], (90, 1)), atol=1e-5
    )


def test_a_floor_that_moves_takes_the_person_along(tmp_path: Path) -> None:
    """Where the camera is held to be changes from frame to frame: that is no motion across the view."""
    moving = []
    for k, frame in enumerate(frames()):
        drop = np.array([0, 0.2 * (k >= 45), 0], np.float32)
        (person,) = frame.people
        raw = replace(person.raw, trans=person.raw.trans + drop)
        moving.append(replace(frame, people=(replace(person, raw=raw),), T_world_cam=T_WORLD_CAM + drop))
    recorder = Recorder(tmp_path / "s.npz", body=BODY, session_info={"smoothing": "light"})
    recorder.start()
    for frame in moving:
        recorder.put(frame)
    recorder.close()
    session = load_session(tmp_path / "s.npz")
    height_m = (session.trans + session.rest_joints[0])[:, 1]
    expected = np.array([pose_at(k / 60).trans[1] + 0.2 * (k >= 45) for k in range(90)])
    np.testing.assert_allclose(height_m, expected, atol=2e-3)


def test_a_stretch_of_a_long_track_is_smoothed_like_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = recorded(tmp_path / "a.npz", "light", frames())
    monkeypatch.setattr("realtime.outputs.recording.sampling.row_poses._CENTRES", 7)
    monkeypatch.setattr("realtime.outputs.recording.sampling.sampler._BLOCK", 11)
    parts = recorded(tmp_path / "b.npz", "light", frames())
    np.testing.assert_allclose(parts.joints, whole.joints, atol=1e-6)
    np.testing.assert_allclose(parts.poses, whole.poses, atol=1e-6)
