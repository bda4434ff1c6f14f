"""A camera that is moved, told from people who move and lights that are lit."""

from __future__ import annotations

import cv2
import numpy as np

from realtime.calibration.moved import CameraMoved
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
