"""Conclusions about the camera, frame by frame."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from realtime.calibration.config import CameraConfig
from realtime.calibration.room import read_room
from realtime.calibration.upright import FEWEST
from realtime.calibration.watch import CameraWatch, across_width_deg
from realtime.kernel.messages import Camera, Frame
from tests.realtime.calibration.rooms import draw_room
from tests.realtime.calibration.test_upright import joints_cam

ROOM = draw_room((1280, 720), fov_deg=65, pitch_deg=15, roll_deg=4)
BLANK = np.full((720, 1280, 3), 128, np.uint8)


def watched(*pictures: np.ndarray, given: CameraConfig | None = None, every_s: float = 0.5) -> CameraWatch:
    watch = CameraWatch(given or CameraConfig())
    for k, picture in enumerate(pictures):
        watch.look(Frame(picture, k, k * every_s))
    return watch


def test_a_room_tells_the_camera():
    told: list[Camera] = []
    watch = CameraWatch(CameraConfig())
    watch.on_change = told.append
    watch.look(Frame(ROOM, 0, 0.0))

    assert watch.camera.source == "room"
    assert (watch.camera.fov_deg, watch.camera.pitch_deg, watch.camera.roll_deg) == pytest.approx((65, 15, 4), abs=1)
    assert watch.camera.doubt_deg < 1
    assert told[-1] == watch.camera


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280)])
def test_where_nothing_tells_60_degrees_across_the_longer_side_are_assumed(size):
    camera = watched(np.full((size[1], size[0], 3), 128, np.uint8)).camera

    assert (camera.source, camera.pitch_deg, camera.roll_deg) == ("assumed", 0, 0)
    assert camera.fov_deg == pytest.approx(60.0 if size[0] > size[1] else 36.0, abs=0.1)
    assert camera.fov_deg == across_width_deg(60.0, size)


def test_what_the_user_gives_is_taken_and_the_rest_found_under_it():
    camera = watched(ROOM, given=CameraConfig(fov_deg=65.0, roll_deg=0.0)).camera

    assert (camera.fov_deg, camera.roll_deg) == (65.0, 0.0)
    assert camera.pitch_deg == pytest.approx(15, abs=1)


def test_a_camera_that_is_given_whole_is_never_looked_for():
    camera = watched(ROOM, given=CameraConfig(50.0, 3.0, -2.0)).camera

    assert camera == Camera(50.0, 3.0, -2.0, "given", 0.0)


def test_standing_people_tell_where_the_room_does_not():
    watch = CameraWatch(CameraConfig())
    for k in range(FEWEST + 1):
        watch.see_standing(joints_cam(25, 0))
        watch.look(Frame(BLANK, k, k / 10))

    assert watch.camera.source == "people"
    assert watch.camera.pitch_deg == pytest.approx(25, abs=4)


def test_people_do_not_overrule_a_room():
    watch = watched(ROOM)
    for k in range(2 * FEWEST):
        watch.see_standing(joints_cam(40, 0))
        watch.look(Frame(ROOM, k, 1 + k / 10))

    assert watch.camera.source == "room"
    assert watch.camera.pitch_deg == pytest.approx(15, abs=1)


def test_a_camera_that_is_moved_is_solved_anew():
    other = draw_room((1280, 720), fov_deg=65, pitch_deg=30, roll_deg=0, heading_deg=60)
    watch = watched(*[ROOM] * 6, *[other] * 30, every_s=1.0)

    assert watch.camera.pitch_deg == pytest.approx(30, abs=1)


def test_a_picture_of_another_size_is_another_camera():
    watch = watched(ROOM, np.full((1280, 720, 3), 128, np.uint8))

    assert watch.camera.source == "assumed"
    assert watch.camera.fov_deg == pytest.approx(36.0, abs=0.1)


def test_a_survey_settles_the_camera_before_the_first_frame():
    watch = CameraWatch(CameraConfig())
    watch.survey(Frame(draw_room((1280, 720), fov_deg=65, pitch_deg=15, roll_deg=4, seed=k), k, 0.0) for k in range(3))

    assert (watch.camera.source, watch.camera.fov_deg) == ("room", pytest.approx(65, abs=1))


def test_a_survey_reads_its_pictures_side_by_side(monkeypatch):
    """One by one, the first picture waited for a second one that never came."""
    both = threading.Barrier(2, timeout=20)

    def read(*arguments, **options):
        both.wait()
        return read_room(*arguments, **options)

    monkeypatch.setattr("realtime.calibration.watch.read_room", read)
    watch = CameraWatch(CameraConfig())
    watch.survey(Frame(draw_room((1280, 720), fov_deg=65, pitch_deg=15, roll_deg=4, seed=k), k, 0.0) for k in range(4))

    assert watch.camera.source == "room"


def test_pictures_read_side_by_side_tell_the_camera_that_they_tell_one_by_one():
    sizes = (1280, 720), (1280, 720), (720, 1280), (960, 720), (960, 720)  # each size begins anew
    frames = [
        Frame(draw_room(size, fov_deg=65, pitch_deg=15, roll_deg=4, seed=k), k, 0.0) for k, size in enumerate(sizes)
    ]
    together, one_by_one = CameraWatch(CameraConfig(fov_deg=60.0)), CameraWatch(CameraConfig(fov_deg=60.0))
    together.survey(frames)
    for frame in frames:
        one_by_one.survey([frame])

    assert together.camera == one_by_one.camera
    assert together.camera.source == "room"


PROFILE = Camera(65.0, 15.0, 4.0, "profile", 0.4)


def calibrated(profile: Camera, *pictures: np.ndarray, given: CameraConfig | None = None) -> CameraWatch:
    watch = CameraWatch(given or CameraConfig())
    watch.take_up(profile, (1280, 720))
    for k, picture in enumerate(pictures):
        watch.look(Frame(picture, k, float(k)))
    return watch


@pytest.mark.parametrize("picture", [ROOM, BLANK], ids=["the room agrees", "nothing tells"])
def test_a_calibrated_camera_is_so_from_the_first_frame_on(picture):
    assert calibrated(PROFILE).camera == PROFILE
    assert calibrated(PROFILE, *[picture] * 5).camera == PROFILE


def test_what_the_user_gives_wins_over_a_calibration():
    camera = calibrated(PROFILE, BLANK, given=CameraConfig(fov_deg=50.0)).camera
    assert camera == Camera(50.0, 15.0, 4.0, "profile", 0.4)

    whole = CameraWatch(CameraConfig(50.0, 3.0, -2.0))
    assert not whole.take_up(PROFILE, (1280, 720))
    assert whole.camera == Camera(50.0, 3.0, -2.0, "given", 0.0)


@pytest.mark.parametrize(
    ("profile", "by"),
    [
        (Camera(65.0, 9.0, 4.0, "profile", 0.4), "6"),
        (Camera(65.0, 15.0, -1.0, "profile", 0.4), "5"),
        (Camera(58.0, 15.0, 4.0, "profile", 0.4), "7"),
    ],
    ids=["pitch", "roll", "field of view"],
)
def test_a_calibration_that_the_room_denies_is_said_once_and_given_up(profile, by, caplog):
    misfits = []
    with caplog.at_level("WARNING"):
        watch = calibrated(profile)
        watch.on_misfit = lambda: misfits.append(watch.camera)
        for k in range(2):
            watch.look(Frame(ROOM, k, float(k)))
        assert watch.camera == profile  # one picture may err
        for k in range(2, 8):
            watch.look(Frame(ROOM, k, float(k)))
    assert watch.camera.source == "room"
    assert (watch.camera.fov_deg, watch.camera.pitch_deg, watch.camera.roll_deg) == pytest.approx((65, 15, 4), abs=1)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == (
        f"the calibration is not used any more, as the room's edges differ from it by {by} degrees; "
        "--calibrate makes a new one"
    )
    assert len(misfits) == 1


def test_a_calibration_that_the_room_denies_by_two_degrees_is_kept():
    near = Camera(67.0, 13.5, 5.0, "profile", 0.4)
    assert calibrated(near, *[ROOM] * 6).camera == near


def test_a_camera_that_has_moved_is_calibrated_no_longer(caplog):
    watch = calibrated(PROFILE, *[ROOM] * 2)
    for k in range(2, 6):
        watch.look(Frame(np.roll(ROOM, 60, axis=1), k, float(k)))
    assert watch.camera.source == "room"
    assert "the calibration is not used any more, as the camera has moved" in caplog.text


def test_pictures_of_another_size_are_not_the_calibrated_ones(caplog):
    watch = calibrated(PROFILE, BLANK)
    watch.look(Frame(BLANK[:, :960], 1, 1.0))
    assert watch.camera.source == "assumed"
    assert "the calibration is not used any more, as the picture has another size" in caplog.text


def test_a_calibration_made_in_the_middle_of_a_run_holds_from_the_next_look_on():
    watch = watched(BLANK, BLANK)
    assert watch.take_up(PROFILE, (1280, 720))
    watch.look(Frame(BLANK, 2, 2.0))
    assert watch.camera == PROFILE


def test_pictures_read_ahead_of_an_offline_run_deny_a_calibration_at_once():
    watch = CameraWatch(CameraConfig())
    watch.survey([Frame(ROOM, k, float(k)) for k in range(3)])
    assert not watch.take_up(Camera(65.0, 5.0, 4.0, "profile", 0.4), (1280, 720))
    assert watch.camera.source == "room"


def test_a_calibration_made_where_nothing_told_gives_way_to_what_is_found():
    by_people, by_nothing = replace(PROFILE, doubt_deg=9.0), replace(PROFILE, doubt_deg=15.0)
    assert calibrated(by_people, ROOM).camera.source == "room"
    assert calibrated(by_people, BLANK).camera == by_people

    watch = calibrated(by_nothing, BLANK)
    assert watch.camera == by_nothing
    for k in range(FEWEST + 1):
        watch.see_standing(joints_cam(25, 0))
        watch.look(Frame(BLANK, k, 1 + k / 10))
    assert watch.camera.source == "people"
