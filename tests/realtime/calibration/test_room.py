"""Field of view and gravity read off rooms whose camera is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from realtime.calibration.consensus import LEAST_SUPPORT, MOST_FOV_DOUBT_DEG, MOST_UP_DOUBT_DEG, Consensus
from realtime.calibration.room import RoomReading, angle_deg, read_room
from tests.realtime.calibration import acted
from tests.realtime.calibration.rooms import R_cam_world, draw_room

CAMERAS = [
    # size, fov across the longer side, pitch, roll, heading
    ((1280, 720), 60, 0, 0, 20),
    ((1280, 720), 78, 15, 3, 35),
    ((720, 1280), 65, 20, -8, 10),
    ((640, 480), 50, -5, 5, 45),
    ((1920, 1080), 90, 30, 0, 15),
]


def up(pitch_deg: float, roll_deg: float) -> np.ndarray:
    return R_cam_world(pitch_deg, roll_deg) @ np.array([0.0, 1.0, 0.0])


@pytest.mark.parametrize(("size", "fov_deg", "pitch_deg", "roll_deg", "heading_deg"), CAMERAS)
def test_one_picture_of_a_room_tells_field_of_view_and_gravity(size, fov_deg, pitch_deg, roll_deg, heading_deg):
    picture = draw_room(size, fov_deg=fov_deg, pitch_deg=pitch_deg, roll_deg=roll_deg, heading_deg=heading_deg)

    reading = read_room(picture)

    assert reading is not None
    assert reading.fov_deg == pytest.approx(fov_deg, abs=1.5)
    assert angle_deg(reading.up_cam, up(pitch_deg, roll_deg)) < 0.5
    assert reading.fov_doubt_deg < 2.0
    assert reading.up_doubt_deg < 1.0


@pytest.mark.parametrize("distortion", [-0.05, -0.1])
@pytest.mark.parametrize(("size", "fov_deg", "pitch_deg", "roll_deg", "heading_deg"), CAMERAS[:3])
def test_the_bulge_of_a_webcam_lens_does_not_break_it(size, fov_deg, pitch_deg, roll_deg, heading_deg, distortion):
    picture = draw_room(
        size,
        fov_deg=fov_deg,
        pitch_deg=pitch_deg,
        roll_deg=roll_deg,
        heading_deg=heading_deg,
        distortion=distortion,
    )

    reading = read_room(picture)

    assert reading is not None
    assert reading.fov_deg == pytest.approx(fov_deg, abs=2.5)
    assert angle_deg(reading.up_cam, up(pitch_deg, roll_deg)) < 1.0


@pytest.mark.parametrize("pitch_deg", [0, 20])
@pytest.mark.parametrize(("fov_deg", "middle_deg"), [(100, 82.2), (120, 92.6), (150, 105.2)])
def test_a_fisheye_is_known_as_one_and_tells_gravity_and_the_field_of_view_of_its_middle(
    fov_deg, middle_deg, pitch_deg
):
    """Equidistant: a length in the picture is an angle. Its middle, continued as a pinhole, spans 2 atan(fov / 2)."""
    reading = read_room(draw_room((1280, 720), fov_deg=fov_deg, pitch_deg=pitch_deg, heading_deg=35, fisheye=True))

    assert reading is not None
    assert reading.fisheye
    assert angle_deg(reading.up_cam, up(pitch_deg, 0)) < 0.5
    assert reading.fov_deg == pytest.approx(middle_deg, abs=5)


def test_a_usual_lens_is_no_fisheye():
    reading = read_room(draw_room((1280, 720), fov_deg=78, pitch_deg=15, distortion=-0.1))

    assert reading is not None
    assert not reading.fisheye


def test_a_mirrored_picture_leans_to_the_other_side_and_is_read_alike():
    picture = draw_room((1280, 720), fov_deg=65, pitch_deg=15, roll_deg=4)

    reading = read_room(np.ascontiguousarray(picture[:, ::-1]))

    assert reading is not None
    assert reading.fov_deg == pytest.approx(65, abs=1.5)
    assert angle_deg(reading.up_cam, up(15, -4)) < 0.5


def test_a_wall_seen_square_on_tells_gravity_but_not_the_field_of_view():
    reading = read_room(draw_room((1280, 720), fov_deg=60, heading_deg=0))

    assert reading is not None
    assert angle_deg(reading.up_cam, up(0, 0)) < 0.5
    assert reading.fov_doubt_deg > MOST_FOV_DOUBT_DEG


def test_a_known_field_of_view_is_kept_and_gravity_found():
    picture = draw_room((1280, 720), fov_deg=70, pitch_deg=12, roll_deg=-4)

    reading = read_room(picture, 70.0)

    assert reading is not None
    assert reading.fov_deg == pytest.approx(70.0, abs=1e-3)
    assert angle_deg(reading.up_cam, up(12, -4)) < 0.5


def scribbles() -> np.ndarray:
    rng = np.random.default_rng(0)
    picture = np.full((720, 1280, 3), 200, np.uint8)
    for _ in range(300):
        start = rng.integers(0, [1280, 720])
        end = start + rng.normal(0, 60, 2).astype(int)
        cv2.line(picture, start.tolist(), end.tolist(), rng.integers(0, 150, 3).tolist(), 2, cv2.LINE_AA)
    return picture


def blots() -> np.ndarray:
    noise = np.random.default_rng(1).normal(size=(720, 1280)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 12)
    return cv2.cvtColor((255 * (smooth > 0)).astype(np.uint8), cv2.COLOR_GRAY2BGR)


@pytest.mark.parametrize("picture", [scribbles(), blots()], ids=["lines without order", "curves"])
def test_a_picture_that_does_not_tell_is_not_believed(picture):
    consensus = Consensus()

    reading = read_room(picture)
    if reading is not None:
        consensus.add(reading)
        assert reading.support < LEAST_SUPPORT or reading.up_doubt_deg > MOST_UP_DOUBT_DEG

    assert consensus.reading is None


@pytest.mark.parametrize("shade", [0, 255])
def test_black_and_overexposed_pictures_tell_nothing(shade):
    assert read_room(np.full((480, 640, 3), shade, np.uint8)) is None


def test_somebody_before_a_bare_wall_tells_nothing_of_the_room():
    """Their edges alone gave a camera that looks 68 degrees down, surely to within a degree."""
    assert read_room(acted.picture(0.0, bare=True)) is None


def test_edges_within_a_persons_box_do_not_count():
    picture = draw_room((1280, 720), fov_deg=65, pitch_deg=15, roll_deg=4)
    striped = picture.copy()
    for x in range(420, 860, 12):  # a coat of stripes that lean
        cv2.line(striped, (x, 120), (x + 90, 700), (0, 0, 0), 2, cv2.LINE_AA)
    box = np.array([440.0, 120, 920, 700])

    misled, told = read_room(striped), read_room(striped, people=[box])

    assert misled is None or angle_deg(misled.up_cam, up(15, 4)) > 3
    assert told is not None
    assert angle_deg(told.up_cam, up(15, 4)) < 1


def test_a_reading_that_stands_alone_is_outvoted():
    consensus = Consensus()
    for fov_deg, tilt in ((60.0, 0.2), (60.5, 0.21), (30.0, 0.5), (59.5, 0.19)):
        consensus.add(RoomReading(fov_deg, np.array([0, -np.cos(tilt), -np.sin(tilt)]), 0.5, 0.4, 0.4))

    fused = consensus.reading

    assert fused is not None
    assert fused.fov_deg == pytest.approx(60.0, abs=0.5)
    assert fused.up_doubt_deg > 0.4  # one in four disagrees: that is some doubt
