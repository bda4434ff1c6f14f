"""Sessions as .rrd files, read back by Rerun's own reader."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import numpy as np
import pytest

from engine.body.files import load_body
from engine.errors import UserError
from realtime.outputs.export import export
from realtime.outputs.export.motion import posed_joints
from realtime.outputs.finger_bones import FingerBones
from realtime.outputs.recording.recorder import Recorder
from realtime.outputs.recording.session import load_session, open_session
from tests.realtime.outputs.export.recording import FRAMES, record
from tests.realtime.outputs.fingers_and_faces import handed_frame
from tests.realtime.outputs.rerun.rrd_file import RrdFile

JOINTS = "/world/people/1/joints", "Points3D:positions"


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("takes") / "take.npz", load_body("open").core)


def test_joints_frames_and_times_are_the_sessions(take: Path, tmp_path: Path) -> None:
    assert export(open_session(take), tmp_path / "take.rrd") == "open"
    session, file = load_session(take), RrdFile(tmp_path / "take.rrd")
    times, joints = file.arrays(*JOINTS)
    assert len(times) == FRAMES
    np.testing.assert_array_equal(times, np.round(session.timestamps * 1e9).astype(int))
    np.testing.assert_allclose(joints, session.joints, atol=1e-6)
    assert file.timelines == {"capture"}
    assert file.has_blueprint
    assert "/world/camera" not in file.entities
    _, contacts = file.arrays("/curves/contacts/1", "Scalars:scalars")
    np.testing.assert_allclose(contacts, session.contacts, atol=1e-6)


def test_hands_and_faces_follow(tmp_path: Path) -> None:
    full = load_body("open-hands")
    recorder = Recorder(tmp_path / "take.npz", body=full.core, fingers=FingerBones.of_body(full), blocking=True)
    recorder.start()
    for k in range(12):
        recorder.put(handed_frame(k / 30, k))
    recorder.close()
    session = load_session(tmp_path / "take.npz")
    export(session, tmp_path / "take.rrd")
    file = RrdFile(tmp_path / "take.rrd")
    _, joints = file.arrays(*JOINTS)
    np.testing.assert_allclose(joints, posed_joints(session, session.trans, session.poses), atol=1e-5)
    _, gaze = file.arrays("/world/people/1/gaze", "Arrows3D:vectors")
    assert np.shape(gaze) == (session.frames, 2, 3)
    _, values = file.arrays("/face/1", "BarChart:values")
    assert len(values) == session.frames


def test_the_package_may_be_missing(take: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(UserError, match=r"^writing \.rrd needs rerun-sdk: pip install rerun-sdk$"):
        export(open_session(take), tmp_path / "take.rrd")


def test_nothing_is_left_of_a_failure(take: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        export(open_session(take), tmp_path / "nowhere" / "take.rrd")
    assert not list(tmp_path.iterdir())
