"""The estimator learns where up is while it runs: nobody jumps."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.files import OPEN_BODY, load_body
from engine.body.model import BodyModel
from engine.body.projection import PinholeCamera
from engine.body.skeleton import JOINT_NAMES
from realtime.estimate.gravity import TIME_S, ToldGravity
from realtime.estimate.landmarks import LandmarkEstimator
from realtime.kernel.messages import Camera, Frame, Sighting
from tests.realtime.seen_people import seen_body, somebody

SIZE, FPS = (1280, 720), 30
ABOVE = Camera(58.0, pitch_deg=37.0, source="room", doubt_deg=1.0)


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body(OPEN_BODY)


def standing(body: BodyModel, k: int = 0) -> Sighting:
    """Somebody upright, arms down, seen from behind by ABOVE, through a detector whose 3D is upright in the picture."""
    rotmats = np.tile(np.eye(3), (1, 24, 1, 1))
    rotmats[0, 0] = ABOVE.R_world_cam.T @ Rotation.from_rotvec([0, math.pi, 0]).as_matrix()
    for side, name in ((1, "left_shoulder"), (-1, "right_shoulder")):
        rotmats[0, JOINT_NAMES.index(name)] = Rotation.from_rotvec([0, 0, -1.1 * side]).as_matrix()
    _, points = body.landmarks(rotmats.astype(np.float32), np.zeros((1, 10), np.float32))
    image_px = PinholeCamera(*SIZE, ABOVE.fov_deg).project(points[0] + np.array([0.0, 0.1, 3.0], np.float32))
    upright = Rotation.from_rotvec([math.radians(ABOVE.pitch_deg), 0, 0])
    world_m = upright.apply(points[0] - points[0, 23:25].mean(0)).astype(np.float32)
    frame = Frame(np.zeros((SIZE[1], SIZE[0], 3), np.uint8), k, k / FPS)
    return Sighting(frame, (somebody(0, seen_body(image_px, world_m, 0.98)),))


def angle_deg(a: np.ndarray, b: np.ndarray) -> float:
    return math.degrees(Rotation.from_matrix(a.T @ b).magnitude())


def test_what_people_tell_of_up_is_not_told_again(body: BodyModel) -> None:
    def rotmats(source: str, doubt_deg: float) -> np.ndarray:
        camera = replace(ABOVE, source=source, doubt_deg=doubt_deg)
        return LandmarkEstimator(body, camera=camera).people(standing(body))[0].raw.rotmats

    untold, told = rotmats("assumed", 15.0), rotmats("room", 1.0)
    assert angle_deg(untold[0], told[0]) > 1
    for source, doubt_deg, expected in (
        ("people", 9.0, untold),
        ("profile", 9.0, untold),
        ("profile", 1.0, told),
        ("given", 0.0, told),
    ):
        np.testing.assert_array_equal(rotmats(source, doubt_deg), expected)


def test_nobody_jumps_when_the_room_has_told(body: BodyModel) -> None:
    estimator = LandmarkEstimator(body, camera=replace(ABOVE, source="assumed"))
    roots = []
    for k in range(4 * FPS):
        if k == 10:
            estimator.camera = ABOVE
        roots.append(estimator.people(standing(body, k))[0].raw.rotmats[0])
    (told,) = LandmarkEstimator(body, camera=ABOVE).people(standing(body))
    way_deg = angle_deg(roots[0], told.raw.rotmats[0])
    assert way_deg > 1
    steps_deg = [angle_deg(a, b) for a, b in pairwise(roots)]
    assert max(steps_deg[:9]) < 0.01
    assert max(steps_deg) < 0.4 * way_deg  # an eighth of the way to up a frame, the body sooner than later
    assert angle_deg(roots[-1], told.raw.rotmats[0]) < 0.05 * way_deg


def test_up_is_taken_up_over_a_time_and_at_once_before_an_empty_room() -> None:
    told = ToldGravity()
    assumed = replace(ABOVE, source="assumed")
    assert not told.update(0.0, assumed, watched=True).any()
    on_the_way = told.update(TIME_S, assumed, watched=True), told.update(2 * TIME_S, ABOVE, watched=True)
    np.testing.assert_allclose(np.linalg.norm(on_the_way, axis=-1), [0, 1 - math.exp(-1)], atol=1e-6)
    np.testing.assert_allclose(told.update(2 * TIME_S, ABOVE, watched=False), ABOVE.up_cam)
    assert ToldGravity().update(0.0, ABOVE, watched=True) == pytest.approx(ABOVE.up_cam)  # the first frame knows
    back = told.update(3 * TIME_S, replace(ABOVE, source="people"), watched=True)
    assert np.linalg.norm(back) == pytest.approx(math.exp(-1), abs=1e-6)
