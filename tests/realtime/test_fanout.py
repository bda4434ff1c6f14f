"""Outputs that open together: either all of them do, or none is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime import fanout
from realtime.app import App
from realtime.capture.source import SourceConfig
from realtime.config import LiveConfig


def test_ctrl_c_while_outputs_open_leaves_no_empty_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fanout, "OverlayVideo", interrupted)  # the recorder has begun by then
    config = LiveConfig(
        source=SourceConfig(demo=True), view="none", record=tmp_path / "s.npz", record_video=tmp_path / "film.mp4"
    )
    with pytest.raises(KeyboardInterrupt):
        App(config).run()
    assert not list(tmp_path.iterdir())
