"""Drawing on pictures: the skeleton, the picture's fit, the cards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.body.keypoints import FACE, HAND, KeypointLayout
from engine.body.skeleton import JOINT_NAMES, NUM_JOINTS
from realtime.kernel.messages import Camera, Guidance
from realtime.outputs.drawing.overlay import (
    CARD,
    SKELETON,
    LiveStatus,
    Writer,
    draw_figure,
    fitted,
    guidance_card,
    in_brief,
    keys_card,
    status_card,
)

STATUS = LiveStatus(fps=29.7, latency_ms=41.2, source="demo clip", smoothing="light", people=1)


def black(height: int = 120, width: int = 160) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


def joints_at(**places: tuple[float, float]) -> np.ndarray:
    """Joints of which only the named ones are anywhere."""
    joints = np.full((NUM_JOINTS, 2), np.nan, np.float32)
    for name, place in places.items():
        joints[JOINT_NAMES.index(name)] = place
    return joints


def test_a_bone_lies_between_its_joints_in_the_colour_of_its_side():
    left, right = black(), black()
    draw_figure(left, SKELETON, joints_at(left_knee=(40, 20), left_ankle=(40, 100)))
    draw_figure(right, SKELETON, joints_at(right_knee=(40, 20), right_ankle=(40, 100)))
    rows, columns = np.nonzero(left.any(axis=2))
    assert rows.min() >= 15
    assert rows.max() <= 105
    assert abs(columns.mean() - 40) < 0.5
    assert left[60, 40, 0] > left[60, 40, 2]  # left is warm, right is cool
    assert right[60, 40, 2] > right[60, 40, 0]


def test_joints_without_a_bone_between_them_are_not_joined():
    picture = black()
    draw_figure(picture, SKELETON, joints_at(left_ankle=(20, 60), right_ankle=(140, 60)))
    assert not picture[:, 40:120].any()
    assert picture[60, 20].any()


def test_what_is_not_finite_or_far_away_leaves_the_picture_alone():
    picture = black()
    draw_figure(picture, SKELETON, joints_at(left_knee=(1e9, 20), left_ankle=(-np.inf, np.nan)))
    assert not picture.any()


def test_the_bones_of_any_layout_are_drawn():
    hand = KeypointLayout("hand", ("wrist", "tip", "other"), edges=(("wrist", "tip"),))
    picture = black()
    draw_figure(picture, hand, np.array([[40, 20], [40, 100], [120, 60]], np.float32))
    assert picture[30:90, 40].any(axis=1).all()
    assert not picture[:, 60:100].any()
    assert picture[60, 120].any()


@pytest.mark.parametrize(("height", "width"), [(360, 640), (640, 360), (50, 40)])
def test_a_fitted_picture_carries_its_pixels_where_scale_and_offset_say(height, width):
    picture = black(height, width)
    y, x = height // 3, width // 4
    picture[y - 3 : y + 4, x - 3 : x + 4] = 255
    strip, scale, offset = fitted(picture, 300, 200)
    assert strip.shape[1] == 300
    assert strip.shape[0] <= 200
    rows, columns = np.nonzero(strip[..., 0] > 128)
    expected = np.array([x + 0.5, y + 0.5]) * scale + offset
    np.testing.assert_allclose([columns.mean() + 0.5, rows.mean() + 0.5], expected, atol=1.0)


def test_the_status_card_shows_the_picture_and_the_recording_dot_only_while_recording():
    writer, picture = Writer(), np.full((150, 300, 3), 200, np.uint8)
    idle = status_card(writer, picture, STATUS, 300, 1.0)
    recording = status_card(writer, picture, LiveStatus(30, 40, "demo clip", "light", recording=True), 300, 1.0)
    assert idle.shape[1] == 300
    assert (idle[:150] == 200).all()

    def red(card: np.ndarray) -> int:
        return int(((card[150:, :, 0] > 200) & (card[150:, :, 1] < 120)).sum())

    assert red(idle) == 0
    assert red(recording) > 50


@pytest.mark.parametrize(
    ("camera", "words"),
    [
        (Camera(36.2, 18.4, -2.6, "room", 0.52), "36° wide, 18° down, −3° roll, room ±0.5°"),
        (Camera(60.0, -4.8, 0.4, "people", 9.0), "60° wide, 5° up, people ±9°"),
        (Camera(60.0, 0.3, 12.0, "assumed", 15.0), "60° wide, level, +12° roll, assumed ±15°"),
        (Camera(50.0, 3.0, -2.0, "given", 0.0), "50° wide, 3° down, −2° roll, given"),
    ],
)
def test_the_camera_is_told_in_whole_degrees(camera, words):
    assert in_brief(camera) == words


def test_the_status_card_has_a_line_for_the_camera_and_cuts_nothing_of_it():
    writer, camera = Writer(), Camera(72.0, 37.0, -12.0, "assumed", 15.0)
    without, told = (status_card(writer, None, status, 344, 1.0) for status in (STATUS, replace(STATUS, camera=camera)))
    rows = told.shape[0] - without.shape[0]
    assert rows > 15
    last = (told[-14 - rows : -14] != CARD).any(axis=(0, 2))
    written = np.flatnonzero(last)
    assert written[-1] - written[0] == pytest.approx(writer.width(in_brief(camera), 15), abs=4)


def test_long_sources_are_cut_in_the_middle_to_what_fits():
    writer = Writer()
    name = "rtsp://a-very-long-host.example/with/a/very/long/path/stream.mp4"
    short = writer.fitting(name, 15, 200)
    assert writer.width(short, 15) <= 200
    assert short.startswith("rtsp")
    assert short.endswith(".mp4")
    assert "…" in short
    assert writer.fitting("cam 0", 15, 200) == "cam 0"


@pytest.mark.parametrize(
    "text", ["Stand still", "Calibrated for this run only: cannot keep the calibration in a folder"]
)
@pytest.mark.parametrize(("scale", "room"), [(1.0, 880), (0.625, 500), (2.0, 1760)])
def test_guidance_fits_and_fills_its_bar(text, scale, room):
    writer = Writer()
    empty, half, full = (guidance_card(writer, Guidance(text, share), room, scale) for share in (0.0, 0.5, 1.0))
    assert empty.shape[1] <= room
    assert empty.shape[1] % 4 == 0
    filled = [int((card != empty).any(axis=2).sum(axis=1).max()) for card in (empty, half, full)]
    assert filled[0] == 0
    assert filled[1] == pytest.approx(filled[2] / 2, abs=1)
    assert filled[2] > 0.8 * empty.shape[1] - 32 * scale


def test_guidance_is_large_and_an_end_has_its_colour():
    writer = Writer()
    cards = [
        guidance_card(writer, Guidance("Calibrated", 1.0, state), 880, 1.0) for state in ("going", "done", "failed")
    ]
    assert cards[0].shape[0] > 70
    assert len({tuple(card[card.shape[0] - 20, 40]) for card in cards}) == 3


def test_the_hidden_list_of_keys_is_a_small_card():
    writer = Writer()
    full, small = keys_card(writer, 1.0), keys_card(writer, 1.0, listed=False)
    assert small.size < full.size / 5
    assert full.shape[1] % 4 == 0  # rows of a texture are aligned to four bytes
    assert small.shape[1] % 4 == 0


def test_a_face_is_fine_dots_and_points_outside_leave_the_picture_alone():
    picture = black()
    points_px = np.full((len(FACE), 2), np.nan, np.float32)
    points_px[:3] = [[40, 20], [41, 60], [500, -3]]
    draw_figure(picture, FACE, points_px)
    assert np.argwhere(picture.any(axis=2)).tolist() == [[20, 40], [60, 41]]


def test_lines_of_a_small_hand_are_thin():
    def ink(size_px: float) -> int:
        points_px = np.full((len(HAND), 2), np.nan, np.float32)
        points_px[[0, 5]] = [[80 - size_px / 2, 60], [80 + size_px / 2, 60]]
        picture = black()
        draw_figure(picture, HAND, points_px)
        return int(picture[:, 80].sum())

    assert ink(20) < 0.8 * ink(100)
