"""Outputs that open together: either all of them do, or none is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime.capture.source import SourceConfig
from realtime.outputs.live_status import LiveStatus
from realtime.run import fanout
from realtime.run.app import App
from realtime.run.config import LiveConfig


def test_ctrl_c_while_outputs_open_leaves_no_empty_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fanout, "open_film", interrupted)  # the recorder has begun by then
    config = LiveConfig(
        source=SourceConfig(demo=True), view="none", record=tmp_path / "s.npz", record_video=tmp_path / "film.mp4"
    )
    with pytest.raises(KeyboardInterrupt):
        App(config).run()
    assert not list(tmp_path.iterdir())


def test_the_views_are_told_the_camera_as_it_is_held_to_be() -> None:
    app = App(LiveConfig(source=SourceConfig(demo=True), view="none", seconds=60.0))
    told: list[str] = []

    def tell(status: LiveStatus) -> None:
        assert status.camera is not None
        told.append(status.camera.source)
        if told[-1] == "room":
            app.stop.set()

    report = app.run(tell)
    assert (told[0], told[-1], report.camera.source) == ("assumed", "room", "room")
