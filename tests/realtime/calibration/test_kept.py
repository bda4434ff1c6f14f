"""The use of what a calibration kept, when the first picture has come."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from engine.body.files import load_body
from realtime.calibration.config import CameraConfig
from realtime.calibration.kept import KeptCamera
from realtime.calibration.watch import CameraWatch
from realtime.world.world import World
from tests.realtime.calibration.profiles import PROFILE, profile

BODY = load_body("open")
SIZE = PROFILE.size


def met(*profiles, size=SIZE, given=None, body=BODY) -> tuple[CameraWatch, World]:
    watch, world = CameraWatch(given or CameraConfig()), World(body)
    KeptCamera(profiles).meet(size, watch, world)
    return watch, world


def test_camera_and_floor_are_there_before_the_first_body() -> None:
    watch, world = met(PROFILE)
    assert watch.camera == world.camera == PROFILE.camera
    np.testing.assert_allclose(world.T_world_cam, PROFILE.T_world_cam, atol=1e-5)
    assert world.floor_m == pytest.approx(-1.4)


def test_a_camera_that_was_never_calibrated_is_as_before() -> None:
    watch, world = met()
    assert (watch.camera.source, world.T_world_cam) == ("assumed", None)


def test_a_calibration_at_another_size_is_said_in_one_line_and_not_used(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        watch, world = met(PROFILE, profile(size=(1920, 1080)), size=(640, 480))
    assert (watch.camera.source, world.T_world_cam) == ("assumed", None)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == (
        "this camera was calibrated at 1280x720 and 1920x1080, its picture has 640x480 now: not used; "
        "--calibrate does it anew"
    )


def test_of_several_sizes_the_one_of_the_picture_is_taken() -> None:
    watch, _ = met(profile(size=(640, 480), fov_deg=50.0), PROFILE)
    assert watch.camera.fov_deg == 65.0


def test_under_angles_that_the_user_gives_the_floor_is_looked_for() -> None:
    watch, world = met(PROFILE, given=CameraConfig(pitch_deg=2.0))
    assert (watch.camera.pitch_deg, watch.camera.roll_deg) == (2.0, 4.0)
    assert world.T_world_cam is None


def test_a_stature_that_was_given_is_known_the_next_time() -> None:
    assert KeptCamera([profile(stature_given=False), PROFILE]).stature_m == 1.8
    assert KeptCamera([profile(stature_given=False)]).stature_m is None
    assert KeptCamera([]).stature_m is None


def test_lengths_that_were_true_to_scale_only_take_todays_scale() -> None:
    small = profile(stature_given=False, stature_m=1.6)
    _, world = met(small, body=BODY.scaled_to_height(2.0))
    np.testing.assert_allclose(world.T_world_cam, np.array(small.T_world_cam) * 2.0 / 1.6, atol=1e-5)

    _, world = met(PROFILE, body=BODY.scaled_to_height(1.6))  # somebody else before a camera whose height is known
    np.testing.assert_allclose(world.T_world_cam, PROFILE.T_world_cam, atol=1e-5)


def test_the_first_picture_alone_decides() -> None:
    watch, world, kept = CameraWatch(CameraConfig()), World(BODY), KeptCamera([PROFILE])
    kept.meet((640, 480), watch, world)
    kept.meet(SIZE, watch, world)
    assert watch.camera.source == "assumed"
