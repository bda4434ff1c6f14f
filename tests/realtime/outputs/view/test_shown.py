"""The part of a solved frame that views show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.body.keypoints import KeypointLayout, Keypoints
from realtime.outputs.drawing.overlay import SKELETON
from realtime.outputs.view.shown import people_shown
from tests.realtime.calibration.stances import frame, person

HAND = KeypointLayout("hand", ("wrist", "tip"), edges=(("wrist", "tip"),))


def test_other_parts_than_the_body_are_shown_by_their_layout_where_they_are_visible() -> None:
    somebody = person()
    hand_px = np.array([[10, 20], [30, 40]], np.float32)
    hand = Keypoints(HAND, hand_px, np.zeros((2, 3), np.float32), np.array([0.9, 0.1], np.float32))
    (alone,) = people_shown(frame(0.0, somebody), 0.5)
    (both,) = people_shown(frame(0.0, replace(somebody, keypoints={**somebody.keypoints, "left_hand": hand})), 0.5)
    assert [layout for layout, _ in alone.figures] == [SKELETON]
    (_, joints_px), (layout, points_px) = both.figures
    assert layout is HAND
    np.testing.assert_array_equal(points_px, [[5, 10], [np.nan, np.nan]])
    np.testing.assert_array_equal(joints_px, alone.figures[0][1])
    assert joints_px.shape == (24, 2)
