"""Pictures from which the camera cannot be read, or not well: one line says so, and nobody jumps."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.body.files import load_body
from realtime.calibration.blend import CameraBlend
from realtime.calibration.config import CameraConfig
from realtime.calibration.upright import FEWEST
from realtime.calibration.watch import MOST_TRIES, CameraWatch
from realtime.kernel.messages import Camera, CameraPose, Frame
from realtime.world.world import World
from tests.realtime.calibration.rooms import draw_room
from tests.realtime.calibration.test_upright import joints_cam

SIZE = (1280, 720)
ROOM = draw_room(SIZE, fov_deg=65, pitch_deg=15, roll_deg=4)


def blank(level: int) -> np.ndarray:
    return np.clip(np.random.default_rng(0).normal(level, 4, (SIZE[1], SIZE[0], 3)), 0, 255).astype(np.uint8)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def watched(picture: np.ndarray, seconds: int = 20) -> CameraWatch:
    watch = CameraWatch(CameraConfig())
    for k in range(seconds):
        watch.look(Frame(picture, k, float(k)))
    return watch


@pytest.mark.parametrize(
    ("picture", "says"),
    [
        (blank(128), "too few straight edges in the picture to tell the camera"),
        (cv2.convertScaleAbs(ROOM, alpha=0.1), "the picture is very dark: the camera cannot be read"),
        (cv2.convertScaleAbs(ROOM, alpha=1.0, beta=245), "the picture is overexposed: the camera cannot be read"),
    ],
    ids=["no lines", "dark", "overexposed"],
)
def test_a_picture_that_does_not_tell_is_said_once_and_a_level_camera_assumed(picture, says, caplog):
    watch = watched(picture)

    (line,) = lines(caplog)
    assert line.startswith(says)
    assert "--fov, --pitch and --roll" in line
    assert (watch.camera.source, watch.camera.pitch_deg, watch.camera.roll_deg) == ("assumed", 0, 0)


def test_a_calibrated_camera_needs_no_edges(caplog):
    watch = CameraWatch(CameraConfig())
    watch.take_up(Camera(65.0, 15.0, 4.0, "profile", 1.0), SIZE)
    for k in range(20):
        watch.look(Frame(blank(128), k, float(k)))

    assert not lines(caplog)
    assert watch.camera.source == "profile"


def test_a_room_is_read_once_the_light_is_on(caplog):
    watch = CameraWatch(CameraConfig())
    for k in range(2 * MOST_TRIES):
        watch.look(Frame(blank(5), k, float(k)))
    watch.look(Frame(ROOM, k + 1, k + 1.0))

    assert watch.camera.source == "room"
    assert watch.camera.pitch_deg == pytest.approx(15, abs=1)


def test_the_light_goes_out_and_on_again_and_nothing_has_moved(caplog):
    watch = CameraWatch(CameraConfig())
    watch.take_up(Camera(65.0, 15.0, 4.0, "profile", 1.0), SIZE)
    for k in range(60):
        watch.look(Frame(blank(5) if 10 <= k < 40 else ROOM, k, float(k)))

    assert watch.camera.source == "profile"
    assert not lines(caplog)


def test_a_fisheye_is_said_once_and_gravity_found(caplog):
    watch = watched(draw_room(SIZE, fov_deg=120, pitch_deg=20, heading_deg=35, fisheye=True))

    (line,) = lines(caplog)
    assert "as a fisheye does" in line
    assert "straighten the pictures" in line
    assert watch.camera.source == "room"
    assert watch.camera.pitch_deg == pytest.approx(20, abs=1)


@pytest.mark.parametrize(
    ("roll_deg", "says"), [(180, "upside down: --roll 180"), (90, "its side: --roll 90"), (-90, "its side: --roll -90")]
)
@pytest.mark.parametrize("picture", [ROOM, blank(128)], ids=["room", "no lines"])
def test_people_on_their_heads_tell_of_a_camera_that_hangs_upside_down(roll_deg, says, picture, caplog):
    watch = CameraWatch(CameraConfig())
    for k in range(FEWEST + 10):
        watch.see_standing(joints_cam(10, roll_deg))
        watch.look(Frame(picture, k, k / 10))

    (line,) = lines(caplog)
    assert says in line
    assert abs(watch.camera.roll_deg) < 45  # nothing is turned over while somebody is there


def test_people_who_stand_say_nothing(caplog):
    watch = CameraWatch(CameraConfig())
    for k in range(FEWEST + 10):
        watch.see_standing(joints_cam(25, 10))
        watch.look(Frame(ROOM, k, k / 10))

    assert not lines(caplog)


def test_people_are_not_asked_for_long_where_the_room_has_told():
    watch = CameraWatch(CameraConfig())
    assert watch.wants_standing
    watch.look(Frame(ROOM, 0, 0.0))
    asked = 0
    while watch.wants_standing:
        watch.see_standing(joints_cam(10, 0))
        asked += 1
    assert asked == FEWEST
    assert not CameraWatch(CameraConfig(60.0, 0.0, 0.0)).wants_standing


def test_a_camera_that_was_moved_keeps_what_was_known_until_more_is():
    watch = watched(ROOM, 6)
    before = watch.camera
    for k in range(6, 20):
        watch.look(Frame(blank(128), k, float(k)))

    assert (watch.camera.fov_deg, watch.camera.pitch_deg) == (before.fov_deg, before.pitch_deg)
    assert watch.camera.doubt_deg > before.doubt_deg


def shaken(seconds: int, fps: int) -> list[np.ndarray]:
    """A picture a second: looks are no more often. The hand turns the camera by some degrees and shifts it aside."""
    rng = np.random.default_rng(1)
    angles = rng.normal(0, 3, (seconds, 3))
    pictures = [
        draw_room(SIZE, fov_deg=65, pitch_deg=15 + pitch, roll_deg=4 + roll, heading_deg=20 + heading)
        for pitch, roll, heading in angles
    ]
    return [pictures[k // fps] for k in range(seconds * fps)]


def test_a_camera_held_by_hand_is_said_once_and_a_body_that_stands_still_hardly_moves(caplog):
    fps = 10
    watch, body = CameraWatch(CameraConfig()), load_body("open")
    blend, world = CameraBlend(watch.camera), World(body, watch.camera)
    rotmats = np.tile(np.eye(3, dtype=np.float32), (24, 1, 1))
    rotmats[0] = np.diag([1.0, -1.0, -1.0])
    pose = CameraPose(rotmats, np.array([0.4, 0.1, 4.0], np.float32), np.zeros(10, np.float32))
    joints = []
    for k, picture in enumerate(shaken(25, fps)):
        t = k / fps
        watch.look(Frame(picture, k, t))
        world.see_through(blend.update(t, watch.camera, watched=k > 0))
        world.settle(t, *world.turn(pose))
        joints.append(world.place(pose).joints)

    assert len([line for line in lines(caplog) if "held by hand" in line]) == 1
    steps_m = np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(1)
    assert steps_m.max() < 0.02
    assert steps_m[6 * fps :].max() < 0.001


def test_a_camera_that_rests_again_is_read_again():
    watch = CameraWatch(CameraConfig())
    for k, picture in enumerate(shaken(15, 1)):
        watch.look(Frame(picture, k, float(k)))
    at_rest = draw_room(SIZE, fov_deg=65, pitch_deg=30, heading_deg=60)
    for k in range(15, 45):
        watch.look(Frame(at_rest, k, float(k)))

    assert watch.camera.pitch_deg == pytest.approx(30, abs=1)
    assert watch.camera.doubt_deg < 1
