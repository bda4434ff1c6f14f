"""A new detector and a new estimator are a module each: found by name, run with the rest of the pose path."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from engine.body.files import load_body
from engine.body.keypoints import BLAZEPOSE, KeypointLayout, Keypoints
from engine.errors import UserError
from realtime.capture.source import SourceConfig
from realtime.estimate import estimator as estimators
from realtime.estimate.estimator import EstimatorConfig, FrameByFrame, create_estimator
from realtime.estimate.memory import EstimatorMemory
from realtime.kernel.messages import LEVEL, CameraPose, Estimate, Frame, Sighting, TrackedPerson
from realtime.kernel.tracks import Tracks
from realtime.perception import PerceptionConfig, create_perception
from realtime.run.app import App
from realtime.run.config import LiveConfig
from realtime.run.solver import Solver
from realtime.smoothing.pose_smoother import SmoothingConfig
from realtime.world.world import World

TOY: Any = "toy"
HAND = KeypointLayout("hand", ("wrist", "tip"), edges=(("wrist", "tip"),))
# A detector of its own, with fewer keypoints in another order.
FEW = KeypointLayout(
    "few", tuple(name for name in reversed(BLAZEPOSE.names) if "eye" not in name), floor=BLAZEPOSE.floor
)


def keypoints(layout: KeypointLayout) -> Keypoints:
    count = len(layout)
    image_px = np.full((count, 2), 20, np.float32)
    return Keypoints(layout, image_px, np.zeros((count, 3), np.float32), np.ones(count, np.float32))


class ToyDetector:
    description = "toy"

    def observe(self, frame: Frame) -> Sighting:
        parts = {"body": keypoints(FEW), "left_hand": keypoints(HAND)}
        return Sighting(frame, (TrackedPerson(3, parts, np.zeros(4, np.float32)),))

    def close(self) -> None: ...


class ToyEstimator(FrameByFrame):
    name = backend = "toy"

    def __init__(self) -> None:
        self.camera = LEVEL
        self.tracks: Tracks[EstimatorMemory] = Tracks(lambda _: EstimatorMemory())

    def people(self, sighting: Sighting) -> tuple[Estimate, ...]:
        rotmats = np.tile(np.eye(3, dtype=np.float32), (24, 1, 1))
        rotmats[0] = np.diag([1, -1, -1])
        pose = CameraPose(rotmats, np.array([0, 0, 3], np.float32), np.zeros(10, np.float32))
        seen = np.ones(24, np.float32)
        return tuple(Estimate(each, 0.5, np.zeros(1, np.int16), pose, pose, seen) for each in sighting.people)

    def set_token_smoothing(self, smoothing: object) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two modules, as if they were files of their rooms, and the word in the list of estimators."""
    for room, made in (
        ("perception", lambda config, live: ToyDetector()),
        ("estimate", lambda config, body: ToyEstimator()),
    ):
        module = ModuleType(f"realtime.{room}.toy")
        monkeypatch.setattr(module, "create", made, raising=False)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(estimators, "get_args", lambda _: ("landmarks", "tokenhmr", "toy"))


@pytest.mark.usefixtures("toys")
def test_they_run_with_the_rest_and_their_other_parts_come_out() -> None:
    body, smoothing = load_body("open"), SmoothingConfig()
    perception = create_perception(PerceptionConfig(backend=TOY))
    estimator = create_estimator(EstimatorConfig(TOY), body)
    solver = Solver(estimator, smoothing, World(body))
    for k in range(10):
        (solved,) = solver.solve(perception.observe(Frame(np.zeros((36, 64, 3), np.uint8), k, k / 30)))
    (person,) = solved.people
    assert person.id == 3
    assert set(person.keypoints) == {"body", "left_hand"}
    assert person.contacts.min() == 1  # told by the toy's own heels and toes, which lie elsewhere in its layout
    assert person.pose.joints[:, 1].min() == pytest.approx(0.0, abs=0.05)


def test_an_engine_that_nobody_runs_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = LiveConfig(source=SourceConfig(video=tmp_path / "gone.mp4"), engine=tmp_path / "engine", view="none")
    with pytest.raises(UserError, match="there is no file"), App(config):
        pass
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert told == [f"the engine {tmp_path / 'engine'} is not used: it is of --estimator tokenhmr"]
