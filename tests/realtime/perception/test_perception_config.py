from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from engine.config import ConfigError, from_dict
from engine.errors import UserError
from realtime.perception import PerceptionConfig, create_perception


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"max_people": 0}, r"perception\.max_people must be at least 1"),
        ({"min_presence": 1.5}, r"perception\.min_presence must lie between 0 and 1"),
        ({"backend": "opencv"}, "backend"),
        ({"max_peopel": 2}, "nearest known one is 'max_people'"),
        ({"person": "biggest"}, "person"),
        ({"quality": "bset"}, "quality"),
        ({"quality": "best", "model": "mine.task"}, "--quality names .* --detector-model: give one"),
        ({"quality": "fast", "backend": "mediapipe"}, "--detector mediapipe .* from --detector-model: leave --quality"),
    ],
)
def test_bad_values_are_named(data: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_dict(PerceptionConfig, data)


def test_mediapipe_must_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(UserError, match=r"pip install 'mediapipe>=1.2,<2'"):
        create_perception(PerceptionConfig(backend="mediapipe"))


def test_mediapipe_needs_a_model(tmp_path: Path) -> None:
    pytest.importorskip("mediapipe", reason="MediaPipe is optional")
    for model in (None, tmp_path / "gone.task"):
        with pytest.raises(UserError, match=r"needs a Pose Landmarker \.task file"):
            create_perception(PerceptionConfig(backend="mediapipe", model=model))


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        (None, "Unable to open zip archive"),
        ({}, "Unable to open zip archive"),
        ({"hand_detector.tflite": b"x"}, r"No file with name: pose_detector\.tflite"),
        ({"pose_detector.tflite": b"x", "pose_landmarks_detector.tflite": b"x"}, "not a valid Flatbuffer"),
    ],
)
def test_mediapipe_says_of_a_bundle_that_does_not_fit_why(
    tmp_path: Path, members: dict[str, bytes] | None, reason: str
) -> None:
    pytest.importorskip("mediapipe", reason="MediaPipe is optional")
    task = tmp_path / "mine.task"
    if members is None:
        task.write_text("hello")
    else:
        with zipfile.ZipFile(task, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
    with pytest.raises(UserError, match=rf"cannot use .*mine\.task as a Pose Landmarker: .*{reason}") as caught:
        create_perception(PerceptionConfig(backend="mediapipe", model=task))
    assert "\n" not in str(caught.value)
