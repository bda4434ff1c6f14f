"""Outputs that open together: either all of them do, or none is left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.body.files import load_body
from realtime.capture.source import SourceConfig
from realtime.estimate.estimator import EstimatorConfig, create_estimator
from realtime.kernel.messages import Camera, Frame, SolvedFrame
from realtime.outputs.live_status import LiveStatus
from realtime.outputs.output import Outcome, Output
from realtime.run import fanout
from realtime.run.app import App
from realtime.run.config import LiveConfig
from realtime.run.fanout import FanOut, close_outputs
from realtime.run.readout import Readout
from realtime.run.solver import Solver
from realtime.smoothing.pose_smoother import SmoothingConfig
from realtime.world.world import World


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


class Toy(Output):
    """Takes nothing, and may fail to close."""

    def __init__(self, error: Exception | None = None) -> None:
        self.closed = 0
        self._error = error

    def close(self) -> Outcome:
        self.closed += 1
        if self._error is not None:
            raise self._error
        return Outcome("toy", left_out=self.closed)


def test_an_output_that_cannot_close_keeps_none_of_the_others_open() -> None:
    first, broken, last = Toy(), Toy(ZeroDivisionError()), Toy()
    with pytest.raises(ZeroDivisionError):
        close_outputs([first, broken, last])
    assert (first.closed, broken.closed, last.closed) == (1, 1, 1)
    assert close_outputs([first, last]) == (Outcome("toy", left_out=2), Outcome("toy", left_out=2))


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


class Listener(Toy):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[LiveStatus] = []

    def put(self, solved: SolvedFrame) -> None:
        pass

    def tell(self, status: LiveStatus) -> None:
        self.told.append(status)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FanOut, Listener]]:
    """A fan-out whose only output listens."""
    listener = Listener()
    monkeypatch.setattr(fanout, "open_outputs", lambda *_: [listener])
    body = load_body("open")
    with closing(create_estimator(EstimatorConfig(), body)) as estimator:
        world = World(body)
        solver = Solver(estimator, SmoothingConfig(), world)
        config = LiveConfig(source=SourceConfig(demo=True), view="none")
        yield FanOut(config, world, body, estimator, solver, Readout(), next_person=lambda: None), listener


def test_a_change_of_the_performer_is_told_once(heard: tuple[FanOut, Listener]) -> None:
    out, listener = heard
    frame = SolvedFrame(Frame(np.zeros((2, 2, 3), np.uint8), 0, 0.0), (), 0.0)
    for performer in (None, 3, 3, 1):
        out.put(replace(frame, performer=performer))
    assert [status.performer for status in listener.told] == [3, 1]


def test_a_new_camera_and_a_new_performer_change_no_state(heard: tuple[FanOut, Listener]) -> None:
    out, listener = heard
    camera = Camera(55.0, 5.0, 0.0, "room", 1.0)
    frame = SolvedFrame(Frame(np.zeros((2, 2, 3), np.uint8), 0, 0.0), (), 0.0)
    out.tell_source("lost", "the cable was pulled")
    out.tell_camera(camera)
    out.put(replace(frame, performer=3))
    assert [(status.state, status.message) for status in listener.told] == 3 * [("lost", "the cable was pulled")]
    assert listener.told[1].camera == camera
    out.tell_source("connected", "")
    out.end("the file is over")
    out.tell_camera(replace(camera, pitch_deg=9.0))  # the look that was under way
    assert [(status.state, status.message) for status in listener.told[3:]] == [
        ("running", ""),
        *(2 * [("ended", "the file is over")]),
    ]
