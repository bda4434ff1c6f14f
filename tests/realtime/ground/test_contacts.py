from __future__ import annotations

import numpy as np
import pytest

from engine.body.keypoints import BLAZEPOSE
from realtime.ground.contacts import FootContacts
from tests.realtime.seen_people import seen_body

M_PER_PX = 0.005  # somebody five metres from a camera with a focal length of 1,000 px
SEEN = np.ones(len(BLAZEPOSE), np.float32)
FLAT = np.zeros(4)


def run(speeds_m_s, fps: float = 30.0, heights_m=None, visibility=SEEN, seconds: float = 0.5) -> np.ndarray:
    """Contacts (frames, 4) of points that move to the right at these speeds (4,) or (frames, 4)."""
    frames = round(seconds * fps)
    speeds = np.broadcast_to(np.asarray(speeds_m_s, float), (frames, 4))
    heights = np.broadcast_to(FLAT if heights_m is None else heights_m, (frames, 4))
    x_px = np.cumsum(speeds, axis=0) / fps / M_PER_PX
    contacts, told = FootContacts(), []
    for k in range(frames):
        image_px = np.zeros((len(BLAZEPOSE), 2), np.float32)
        image_px[BLAZEPOSE.contacts, 0] = x_px[k]
        told.append(contacts.update(k / fps, seen_body(image_px, visibility=visibility), M_PER_PX, heights[k]))
    return np.array(told)


@pytest.mark.parametrize("fps", [15, 30, 60, 120])
def test_what_is_still_stands_and_what_moves_does_not(fps: float) -> None:
    told = run([0.0, 0.1, 1.0, 2.0], fps)
    np.testing.assert_array_equal(told[-1], [1, 1, 0, 0])
    assert told[0].max() == 0  # nothing is known of the first frame
    assert told[round(0.25 * fps)].tolist()[:2] == [1, 1]


def test_what_stands_may_shake_faster_than_what_comes_to_stand() -> None:
    told = run([[0.0] * 4] * 10 + [[0.55] * 4] * 10, seconds=20 / 30)
    assert told[-1].min() == 1
    assert run([0.55] * 4)[-1].max() == 0


def test_a_foot_that_leaves_fades_out() -> None:
    told = run([[0.0] * 4] * 15 + [[2.0] * 4] * 9, seconds=24 / 30)
    assert told[14].min() == 1
    assert told[-1].max() == 0
    assert (np.diff(told[15:], axis=0) >= -0.3).all()


def test_what_the_detector_does_not_see_does_not_stand() -> None:
    hidden = SEEN.copy()
    hidden[BLAZEPOSE.contacts[2:]] = 0.1
    np.testing.assert_array_equal(run(FLAT, visibility=hidden)[-1], [1, 1, 0, 0])


def test_a_raised_heel_does_not_stand() -> None:
    np.testing.assert_array_equal(run(FLAT, heights_m=[0.15, 0.0, 0.0, 0.0])[-1], [0, 1, 1, 1])


def test_the_top_of_a_jump_is_no_contact() -> None:
    """Feet that fly up 30 cm and come down again, as stones do, beside the camera's line of sight."""
    fps, t = 60.0, np.arange(-60, 60) / 60
    height_m = np.clip(0.3 - 4.905 * t**2, 0, None)
    contacts, told = FootContacts(), []
    for k in range(len(t)):
        image_px = np.zeros((len(BLAZEPOSE), 2), np.float32)
        image_px[BLAZEPOSE.contacts, 1] = -height_m[k] / M_PER_PX
        told.append(contacts.update(k / fps, seen_body(image_px), M_PER_PX, np.full(4, height_m[k])))
    flying = height_m > 0.25  # contacts have had time to fade
    assert np.array(told)[flying].max() < 0.5
    assert np.array(told)[:30].max() == 1
    assert np.array(told)[-1].min() == 1


def test_a_foot_on_a_step_stands_a_little_later() -> None:
    told = run(FLAT, heights_m=[0.2, 0.2, 0.0, 0.0])
    assert told[6, :2].max() == 0 < told[6, 2:].min()
    assert told[-1].min() == 1
