from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engine.config import ConfigError, from_dict
from realtime.errors import UserError
from realtime.perception import PerceptionConfig, create_perception


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"max_people": 0}, "max_people must be at least 1"),
        ({"min_presence": 1.5}, "min_presence must lie between 0 and 1"),
        ({"backend": "opencv"}, "backend"),
        ({"max_persons": 2}, "nearest known one is 'max_people'"),
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
