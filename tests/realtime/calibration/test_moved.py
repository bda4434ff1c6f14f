"""A camera that is moved, told from people who move and lights that are lit."""

from __future__ import annotations

import cv2
import numpy as np

from realtime.calibration.moved import CameraMoved
from tests.realtime.calibration import acted
from tests.realtime.calibration.rooms import draw_room

ROOM = draw_room((1280, 720), fov_deg=60)


def looks(moved: CameraMoved, *pictures: np.ndarray) -> list[bool]:
    return [moved.look(picture) for picture in pictures]


def with_person(x_px: int) -> np.ndarray:
    picture = ROOM.copy()
    cv2.rectangle(picture, (x_px, 150), (x_px + 180, 719), (60, 40, 90), -1)
    cv2.circle(picture, (x_px + 90, 110), 60, (120, 150, 190), -1)
    return picture


def test_people_who_walk_through_do_not_move_the_camera():
    assert not any(looks(CameraMoved(), ROOM, *(with_person(x) for x in range(0, 1100, 60))))


def test_a_light_that_is_lit_does_not_move_the_camera():
    assert not any(looks(CameraMoved(), ROOM, cv2.convertScaleAbs(ROOM, alpha=0.6, beta=60), ROOM))


def test_a_nudge_of_two_degrees_is_noticed_at_the_second_look_and_told_once():
    nudged = np.roll(ROOM, 1280 * 2 // 60, axis=1)

    assert looks(CameraMoved(), ROOM, ROOM, nudged, nudged, nudged) == [False, False, False, True, False]


def test_a_camera_turned_to_another_room_is_noticed():
    other = draw_room((1280, 720), fov_deg=60, heading_deg=200, seed=5)

    assert sum(looks(CameraMoved(), ROOM, *[other] * 10)) == 1


def noisy(picture: np.ndarray, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 4, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def test_a_bare_wall_is_unlike_itself_and_that_is_no_move():
    wall = np.full((480, 640, 3), 150, np.uint8)

    assert sum(looks(CameraMoved(), *(noisy(wall, k) for k in range(60)))) == 0


def test_somebody_who_steps_about_before_a_bare_wall_does_not_move_the_camera():
    """All that the picture shows shifts, but it is a person."""
    moved, told = CameraMoved(), []
    for k in range(60):
        left_m = round(0.5 * np.sin(k / 5), 1)
        box = np.array([-50.0, 115, 50, 368]) + np.array([1, 0, 1, 0]) * (320 + 105 * left_m)
        told.append(moved.look(noisy(acted.picture(left_m, bare=True), k), [box]))

    assert sum(told) == 0


def test_a_nudge_is_noticed_beside_somebody_who_stands():
    pictures = [with_person(500)] * 2 + [np.roll(with_person(500), 1280 * 2 // 60, axis=1)] * 2
    moved = CameraMoved()

    assert [moved.look(picture, [np.array([500.0, 50, 720, 719])]) for picture in pictures] == [False] * 3 + [True]


def test_somebody_who_fills_the_picture_hides_whether_it_moved():
    moved = CameraMoved()

    assert not any(
        moved.look(picture, [np.array([0.0, 0, 1280, 720])]) for picture in [ROOM, *[np.roll(ROOM, 90, 1)] * 9]
    )
