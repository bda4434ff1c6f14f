"""From stances before a camera that is known to its profile, and from steps to its roll."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from realtime.calibration.config import CameraConfig
from realtime.calibration.guide import Stance
from realtime.calibration.kept import KeptCamera
from realtime.calibration.measure import measured, rolled_by_steps
from realtime.calibration.watch import CameraWatch
from realtime.kernel.messages import Camera
from realtime.world.world import World
from tests.realtime.calibration.stances import BODY, SIZE, T_WORLD_CAM, person

TRUE = Camera(62.0, 14.0, 0.0, "room", 0.3)


def stances(left_m: float, true: Camera, held: Camera, count: int = 60) -> list[Stance]:
    """Somebody before the true camera, with a centimetre of noise, as they look through the one it is held to be."""
    rng = np.random.default_rng(round(1000 * left_m) % 97)
    turn = held.R_world_cam @ true.R_world_cam.T
    seen = person(left_m, turn=turn)
    joints_cam = (person(left_m).pose.joints - T_WORLD_CAM) @ true.R_world_cam
    return [Stance(i / 30, seen, held, (joints_cam + rng.normal(0, 0.01, 3)).astype(np.float32)) for i in range(count)]


def test_floor_origin_and_pose_are_those_of_whoever_stood() -> None:
    profile = measured(stances(0.3, TRUE, TRUE), TRUE, BODY, camera_name="cam", size=SIZE, stature_given=True)

    assert profile.T_world_cam == pytest.approx((T_WORLD_CAM[0] - 0.3, 1.5, 3.0), abs=0.005)  # they are the origin
    assert profile.camera == replace(TRUE, source="profile")
    assert profile.found_by == "room"
    np.testing.assert_allclose(profile.neutral_pose, person().pose.rotations, atol=2e-5)
    assert (profile.stature_m, profile.body_sha256) == (pytest.approx(BODY.stature_m, abs=1e-4), BODY.sha256)


def test_a_pose_seen_before_the_camera_was_known_is_turned_into_its_world() -> None:
    assumed = Camera(62.0, 12.0, 2.0, "assumed", 15.0)
    profile = measured(stances(0.0, TRUE, assumed), TRUE, BODY, camera_name="cam", size=SIZE, stature_given=True)
    np.testing.assert_allclose(profile.neutral_pose, person().pose.rotations, atol=1e-4)


def test_what_is_measured_is_used_as_it_was() -> None:
    """The next run's world is the calibration's: same camera, floor and origin, before anybody is seen."""
    profile = measured(stances(0.0, TRUE, TRUE), TRUE, BODY, camera_name="cam", size=SIZE, stature_given=True)
    watch, world = CameraWatch(CameraConfig()), World(BODY)
    KeptCamera([profile]).meet(SIZE, watch, world)

    assert watch.camera == profile.camera
    assert world.T_world_cam == pytest.approx(profile.T_world_cam, abs=1e-4)
    assert world.floor_m == pytest.approx(-1.5, abs=0.005)


@pytest.mark.parametrize("source", ["people", "assumed"])
@pytest.mark.parametrize("roll_deg", [-8.0, 5.0, 12.0])
def test_steps_tell_a_roll_that_nothing_else_told(roll_deg: float, source) -> None:
    true, held = replace(TRUE, roll_deg=roll_deg), Camera(62.0, 14.0, 0.0, source, 9.0)
    places = [stances(left_m, true, held) for left_m in (0.0, 0.4, -0.4)]

    rolled = rolled_by_steps(held, *places)

    assert rolled.roll_deg == pytest.approx(roll_deg, abs=0.7)
    assert (rolled.pitch_deg, rolled.fov_deg, rolled.source) == (14.0, 62.0, source)


@pytest.mark.parametrize(
    ("true", "held"),
    [
        (replace(TRUE, roll_deg=8.0), Camera(62.0, 14.0, 0.0, "room", 2.0)),  # a room knows better
        (replace(TRUE, roll_deg=8.0), Camera(62.0, 14.0, 0.0, "given", 0.0)),
        (replace(TRUE, roll_deg=1.5), Camera(62.0, 14.0, 0.0, "people", 9.0)),  # within the steps' own noise
        (replace(TRUE, roll_deg=35.0), Camera(62.0, 14.0, 0.0, "people", 9.0)),  # a body half out of the picture
    ],
)
def test_steps_change_nothing_where_they_tell_nothing(true: Camera, held: Camera) -> None:
    assert rolled_by_steps(held, *(stances(left_m, true, held) for left_m in (0.0, 0.4, -0.4))) is held


def test_a_sloping_floor_rolls_no_camera() -> None:
    """Feet at other heights, while the body says that the camera is level: better is not measurable."""
    held = Camera(62.0, 14.0, 0.0, "people", 9.0)
    places = [stances(left_m, TRUE, held) for left_m in (0.0, 0.4, -0.4)]
    for place, up_m in zip(places, (0.0, 0.05, -0.05), strict=True):
        place[:] = [replace(s, joints_cam=s.joints_cam + up_m * TRUE.up_cam) for s in place]
    assert rolled_by_steps(held, *places) is held


def test_feet_that_no_roll_brings_to_one_height_roll_no_camera() -> None:
    """Somebody who stood on something and stepped off it."""
    true, held = replace(TRUE, roll_deg=5.0), Camera(62.0, 14.0, 0.0, "people", 9.0)
    places = [stances(left_m, true, held) for left_m in (0.0, 0.4, -0.4)]
    assert rolled_by_steps(held, *places) is not held
    places[0] = [replace(s, joints_cam=s.joints_cam + 0.08 * true.up_cam) for s in places[0]]
    assert rolled_by_steps(held, *places) is held
