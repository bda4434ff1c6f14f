"""The solver beside estimating: it counts who was there, and begins anew with another camera."""

from __future__ import annotations

import numpy as np
import pytest

from engine.body.files import load_body
from engine.body.model import BodyModel
from realtime.estimate.estimator import FrameByFrame
from realtime.kernel.messages import Camera, CameraPose, Estimate, EstimatedFrame, Frame, Sighting
from realtime.run.solver import Solver
from realtime.smoothing.pose_smoother import SmoothingConfig
from realtime.world.world import World
from tests.realtime.seen_people import somebody

UPRIGHT = np.diag([1.0, -1.0, -1.0]).astype(np.float32)


class Told(FrameByFrame):
    """An estimator that says what it is told: where the pelvis is, in metres from the camera."""

    name = backend = "told"

    def __init__(self) -> None:
        self.camera = Camera(60.0)
        self.T_cam_root = (0.0, 0.0, 3.0)
        self.confidence = 0.5

    def people(self, sighting: Sighting) -> tuple[Estimate, ...]:
        rotmats = np.tile(np.eye(3, dtype=np.float32), (24, 1, 1))
        rotmats[0] = UPRIGHT
        pose = CameraPose(rotmats, np.array(self.T_cam_root, np.float32), np.zeros(10, np.float32))
        tokens, joints = np.zeros(1, np.int16), np.ones(24, np.float32)
        return tuple(Estimate(person, self.confidence, tokens, pose, pose, joints) for person in sighting.people)

    def set_token_smoothing(self, smoothing: object) -> None: ...

    def close(self) -> None: ...


class Run:
    def __init__(self, body: BodyModel) -> None:
        self.estimator = Told()
        self.solver = Solver(self.estimator, SmoothingConfig("strong"), World(body))
        self.seq = 0

    def step(self, size: tuple[int, int], *ids: int) -> list[np.ndarray]:
        frame = Frame(np.zeros((size[1], size[0], 3), np.uint8), self.seq, 100 + self.seq / 30)
        self.seq += 1
        people = tuple(somebody(id) for id in ids)
        return [person.pose.joints for person in self.solver.solve(Sighting(frame, people))[0].people]


@pytest.fixture
def run() -> Run:
    return Run(load_body("open"))


def test_a_turned_phone_is_another_camera(run: Run) -> None:
    """The same person is nearer by 9/16 and stands lower in its frame; nothing of that is a movement."""
    for _ in range(30):
        before = run.step((640, 360), 0)[0]
    run.estimator.T_cam_root = (0.2, 0.7, 1.7)
    after = run.step((360, 640), 0)[0]
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_a_stream_that_changes_its_resolution_keeps_the_world(run: Run) -> None:
    for _ in range(30):
        before = run.step((640, 360), 0)[0]
    run.estimator.T_cam_root = (0.0, 0.0, 2.0)
    after = run.step((1280, 720), 0)[0]
    np.testing.assert_allclose(after - before, [[0, 0, 1]] * 24, atol=1e-5)  # and is not smoothed over the change


def test_it_counts_who_was_there(run: Run) -> None:
    run.step((640, 360))
    for _ in range(3):
        run.step((640, 360), 4)
    run.estimator.confidence = 0.8
    run.step((640, 360), 4, 7)
    run.step((640, 360))  # held for a moment: not seen
    first, second = run.solver.attendance.people()
    assert (first.id, first.frames, second.id, second.frames) == (4, 4, 7, 1)
    assert (first.mean_confidence, second.mean_confidence) == pytest.approx((0.575, 0.8))
    assert (first.first_s, first.last_s) == pytest.approx((1 / 30, 4 / 30))


def test_a_file_tells_that_somebody_has_gone_and_is_not_held_for_a_moment() -> None:
    """Held for 0.3 s a body stood in an empty picture."""
    solver = Solver(Told(), SmoothingConfig("light"), World(load_body("open")), look_ahead=True)
    there = [*range(10), *range(13, 20)]
    film = []
    for seq in range(50):
        frame = Frame(np.zeros((36, 64, 3), np.uint8), seq, seq / 30)
        people = (somebody(0),) if seq in there else ()
        film += solver.solve(Sighting(frame, people))
    film += solver.finish()
    assert [solved.frame.seq for solved in film if solved.people] == list(range(20))
    assert [solved.frame.seq for solved in film for person in solved.people if not person.valid] == [10, 11, 12]


class Lagging(Told):
    """An estimator that knows of a frame only when two later ones have come."""

    def __init__(self) -> None:
        super().__init__()
        self._held: list[EstimatedFrame] = []

    def estimate(self, sighting: Sighting) -> tuple[EstimatedFrame, ...]:
        self._held += super().estimate(sighting)
        return (self._held.pop(0),) if len(self._held) > 2 else ()

    def finish(self) -> tuple[EstimatedFrame, ...]:
        rest, self._held = tuple(self._held), []
        return rest


@pytest.mark.parametrize("look_ahead", [False, True], ids=["live", "offline"])
def test_an_estimator_that_lags_gives_every_frame_its_own_people(open_body: BodyModel, look_ahead: bool) -> None:
    films = []
    for estimator, lag in ((Told(), 0), (Lagging(), 2)):
        solver = Solver(estimator, SmoothingConfig("strong"), World(open_body), look_ahead=look_ahead)
        film, came = [], []
        for seq in range(12):
            size = (64, 36) if seq < 8 else (36, 64)  # the phone is turned: what is held is of the picture before
            frame = Frame(np.zeros((size[1], size[0], 3), np.uint8), seq, seq / 30)
            film += solver.solve(Sighting(frame, tuple(somebody(id) for id in range(seq % 3))))
            came.append(len(film))
        films.append([*film, *solver.finish()])
        assert came[7] == (0 if look_ahead else 8 - lag)
        assert (solver.frames_solved, solver.frames_empty) == (8, 4)
    at_once, later = films
    assert [solved.frame.seq for solved in later] == list(range(12))
    for a, b in zip(at_once, later, strict=True):
        assert [person.id for person in a.people] == [person.id for person in b.people]
        for one, other in zip(a.people, b.people, strict=True):
            np.testing.assert_array_equal(one.pose.joints, other.pose.joints)
