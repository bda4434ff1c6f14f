"""People of several heights, through estimator and solver: on one floor, as far apart as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from engine.body.files import load_body
from engine.body.keypoints import BLAZEPOSE
from realtime.estimate.estimator import EstimatorConfig, FrameByFrame, create_estimator
from realtime.kernel.messages import Estimate, Frame, Person, Sighting, SolvedFrame
from realtime.run.solver import Solver
from realtime.smoothing.pose_smoother import SmoothingConfig
from realtime.world.world import World
from tests.benchmarks.world.scenes import Scene, camera, sightings
from tests.realtime.ground.test_stature import ADULT, CAMERA, CHILD, PICTURE, Run, Stander
from tests.realtime.seen_people import seen_body

FPS = 15
APART_M = 1.2
LAST = 2 * FPS  # frames that are judged


def solved(pitch_deg: float, seconds: float, *heights_m: float) -> list[SolvedFrame]:
    true, place_m = camera(pitch_deg)
    body = load_body("open")
    places = ((-APART_M / 2, 0.0), (APART_M / 2, 0.0))
    scene = Scene(
        (1.55, 1.90),
        lambda figures: tuple(
            figure.standing(seconds).turned(10.0, at_m) for figure, at_m in zip(figures, places, strict=True)
        ),
    )
    people = scene.people(body, FPS)
    body = body.scaled_to_height(heights_m[0])
    estimator = create_estimator(EstimatorConfig(), body)
    solver = Solver(estimator, SmoothingConfig(), World(body, true), heights_m=heights_m)
    return [frame for seen in sightings(people, true, place_m) for frame in solver.solve(seen)]


def feet_mm(person: Person) -> float:
    """Of the lowest joint above the floor, less what lies between it and the sole of who stands."""
    body = load_body("open")
    rest = body.joints_template[:, 1].min() - body.landmark_rest[:, 1].min()
    return 1e3 * float(person.pose.joints[:, 1].min() - person.scale * rest)


def apart_m(frames: Sequence[SolvedFrame]) -> float:
    pelvis = np.array([[person.pose.joints[0] for person in frame.people] for frame in frames])
    return float(np.linalg.norm((pelvis[:, 0] - pelvis[:, 1])[:, [0, 2]], axis=-1).mean())


@pytest.mark.parametrize(
    ("pitch_deg", "seconds", "heights_m"), [(10.0, 4.0, (1.55, 1.90)), (25.0, 8.0, (1.55,))], ids=["given", "learnt"]
)
def test_feet_are_on_the_floor_and_the_two_are_as_far_apart_as_they_are(
    pitch_deg: float, seconds: float, heights_m: tuple[float, ...]
) -> None:
    last = solved(pitch_deg, seconds, *heights_m)[-LAST:]
    assert np.abs([[feet_mm(person) for person in frame.people] for frame in last]).max() < 20
    assert apart_m(last) == pytest.approx(APART_M, rel=0.1)
    assert [person.scale for person in last[-1].people] == pytest.approx([1.0, 1.90 / 1.55], rel=0.03)


class Told(FrameByFrame):
    """An estimator that sees people exactly, but at the body's size."""

    name = backend = "told"

    def __init__(self, *comings: tuple[float, Stander]) -> None:
        self.camera = CAMERA
        self._comings = comings  # since when, and who
        self._run = Run(load_body("open").scaled_to_height(1.7))

    def people(self, sighting: Sighting) -> tuple[Estimate, ...]:
        t = sighting.frame.t_capture
        return tuple(self._run.estimate(who) for since, who in self._comings if t >= since)

    def set_token_smoothing(self, smoothing: object) -> None: ...

    def close(self) -> None: ...


def test_a_child_who_comes_to_an_adult_moves_no_floor() -> None:
    """At the adult's size the child lies 0.9 m under it: that is seen at the first look."""
    body = load_body("open").scaled_to_height(1.7)
    told = Told((0.0, ADULT), (2.0, CHILD))
    solver = Solver(told, SmoothingConfig("off"), World(body, CAMERA), heights_m=(1.7,))
    frames = [solver.solve(Sighting(Frame(PICTURE, k, k / 30), ()))[0] for k in range(300)]
    adult = np.array([frame.people[0].pose.joints[0, 1] for frame in frames])
    assert np.ptp(adult) < 0.01
    assert frames[60].people[1].raw.joints[:, 1].min() < -0.5
    for frame in (frames[62], frames[-1]):
        assert abs(feet_mm(frame.people[1])) < 5
    assert np.linalg.norm(frames[-1].people[1].pose.joints[0] - frames[-1].people[0].pose.joints[0]) < 1.3


class Moving(Told):
    """Sees the feet move through the picture by two metres a second, so that nobody is held to stand."""

    def people(self, sighting: Sighting) -> tuple[Estimate, ...]:
        moved_px = np.float32(2.0 * sighting.frame.t_capture) + np.zeros((len(BLAZEPOSE), 2), np.float32)
        return tuple(
            replace(each, person=replace(each.person, keypoints={"body": seen_body(moved_px)}))
            for each in super().people(sighting)
        )


@pytest.mark.parametrize("estimator", [Told, Moving], ids=["standing", "moving"])
def test_of_three_people_at_different_heights_the_lowest_is_on_the_floor(estimator: type[Told]) -> None:
    """15 cm apart. A floor that follows each person by itself comes to lie under the middle one."""
    body = load_body("open").scaled_to_height(1.7)
    raised_m = (0.15, 0.0, 0.30)
    people = (Stander(k, 1.0, k - 1.0, raised_m=each) for k, each in enumerate(raised_m))
    told = estimator(*((0.0, who) for who in people))
    solver = Solver(told, SmoothingConfig("off"), World(body, CAMERA), heights_m=(1.7,) * 3)
    frames = [solver.solve(Sighting(Frame(PICTURE, k, k / 30), ()))[0] for k in range(90)]
    sole_m = body.joints_template[:, 1].min() - body.landmark_rest[:, 1].min()
    feet_m = [[person.raw.joints[:, 1].min() - sole_m for person in frame.people] for frame in frames[60:]]
    np.testing.assert_allclose(feet_m, [raised_m] * 30, atol=0.01)
