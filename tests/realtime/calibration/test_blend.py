from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from realtime.calibration.blend import TIME_S, CameraBlend
from realtime.calibration.room import angle_deg
from realtime.kernel.messages import Camera

ASSUMED, KNOWN = Camera(60.0, source="assumed"), Camera(36.0, 23.0, 13.0, "room", 0.5)


def test_before_an_empty_picture_the_camera_is_known_at_once():
    assert CameraBlend(ASSUMED).update(0.0, KNOWN, watched=False) is KNOWN


def test_what_is_known_before_the_first_frame_is_not_blended_in():
    """A camera that was calibrated once took half a second to turn somebody upright who was there from the start."""
    assert CameraBlend(ASSUMED).update(0.0, KNOWN, watched=True) is KNOWN


def test_before_a_person_it_turns_without_a_leap_and_arrives():
    blend = CameraBlend(ASSUMED)
    blend.update(-1 / 30, ASSUMED, watched=True)
    cameras = [blend.update(i / 30, KNOWN, watched=True) for i in range(90)]

    turns = [angle_deg(a.up_cam, b.up_cam) for a, b in pairwise(cameras)]
    assert max(turns) < 5.0  # of 26 degrees in all
    assert cameras[0].fov_deg > 55
    assert cameras[-1] is KNOWN
    fovs = np.array([camera.fov_deg for camera in cameras])
    assert (np.diff(fovs) <= 1e-9).all()


def test_its_pace_is_that_of_the_clock_and_not_of_the_frames():
    slow, fast = CameraBlend(ASSUMED), CameraBlend(ASSUMED)
    for blend in (slow, fast):
        blend.update(0.0, ASSUMED, watched=True)
    for i in range(8):
        last_slow = slow.update(i * TIME_S / 7, KNOWN, watched=True)
    for i in range(71):
        last_fast = fast.update(i * TIME_S / 70, KNOWN, watched=True)

    expected = math.tan(math.radians(30)) ** math.exp(-1) * math.tan(math.radians(18)) ** (1 - math.exp(-1))
    for camera in (last_slow, last_fast):
        assert math.tan(math.radians(camera.fov_deg / 2)) == pytest.approx(expected, rel=1e-6)
