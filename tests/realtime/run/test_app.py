from __future__ import annotations

import gc
import weakref
from contextlib import ExitStack

import pytest

from realtime.assets import DEMO_CLIP, fetch
from realtime.capture.source import SourceConfig
from realtime.perception.looks import Looks
from realtime.run import app as apps
from realtime.run.app import App
from realtime.run.config import LiveConfig
from realtime.run.parts import Parts, open_parts
from realtime.run.readout import Readout


def test_a_run_that_is_over_leaves_no_part_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    left: weakref.WeakSet[object] = weakref.WeakSet()

    def watched(config: LiveConfig, readout: Readout, cleanup: ExitStack, looks: Looks | None) -> Parts:
        parts = open_parts(config, readout, cleanup, looks)
        left.update((parts.solver, parts.fan_out, parts.watch, parts.reader))
        return parts

    monkeypatch.setattr(apps, "open_parts", watched)
    app = App(LiveConfig(source=SourceConfig(video=fetch(DEMO_CLIP)), view="none", offline=True, seconds=0.1))
    gc.disable()  # as good as: a run makes too few objects for Python to look for rings
    try:
        for _ in range(2):
            report = app.run()
            assert report.frames_in > 0
            assert not list(left)
    finally:
        gc.enable()
