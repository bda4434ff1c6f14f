"""The part of a solved frame that views show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from engine.body.expressions import BLENDSHAPES
from engine.body.files import load_body
from engine.body.keypoints import KeypointLayout, Keypoints
from engine.body.model import BodyModel
from engine.body.skinning import Skinner
from realtime.kernel.messages import Face, Hand
from realtime.outputs.drawing.overlay import SKELETON
from realtime.outputs.view.shown import RecentParts, people_shown
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


def test_hands_that_alternate_are_shown_steadily_and_lost_ones_go() -> None:
    somebody, recent = person(), RecentParts()
    hand = Keypoints(HAND, np.zeros((2, 2), np.float32), np.zeros((2, 3), np.float32), np.ones(2, np.float32))

    def parts(t: float, *seen: str) -> set[str]:
        keypoints = {**somebody.keypoints, **dict.fromkeys(seen, hand)}
        (only,) = recent.added(frame(t, replace(somebody, keypoints=keypoints))).people
        return set(only.keypoints) - {"body"}

    assert parts(0.0, "left_hand") == {"left_hand"}
    assert parts(0.033, "right_hand") == {"left_hand", "right_hand"}
    assert parts(0.067, "left_hand") == {"left_hand", "right_hand"}
    assert parts(0.15, "face") == {"left_hand", "face"}
    assert parts(0.4) == set()
    other = replace(somebody, id=9)
    assert parts(0.5, "face") == {"face"}
    assert "face" not in recent.added(frame(0.51, other)).people[0].keypoints


def test_fingers_expression_and_gaze_are_drawn_on_a_body_that_has_them(open_body: BodyModel) -> None:
    fist = Rotation.from_euler("z", [[-80]] * 15, degrees=True).as_quat().astype(np.float32)
    hand = Hand(fist, fist, 1.0)
    smile = np.eye(52, dtype=np.float32)[BLENDSHAPES.index("mouthSmileLeft")]
    face = Face(smile, np.array([0.4, 0.0], np.float32), 1.0)
    somebody = person()
    (plain,) = people_shown(frame(0.0, somebody), 1.0)
    (shown,) = people_shown(frame(0.0, replace(somebody, hands={"left": hand, "right": hand}, face=face)), 1.0)
    full = load_body("open-hands")
    moved_m = np.linalg.norm(shown.vertices(Skinner(full)) - plain.vertices(Skinner(full)), axis=1)
    weights = dict(zip(full.skeleton.names, full.weights.T, strict=True))
    assert moved_m[weights["left_index3"] > 0.9].min() > 0.05
    assert moved_m[weights["left_eye_smplhf"] > 0.9].max() > 0.003
    mouth = (weights["jaw"] > 0.3) & (full.v_template[:, 0] > 0.01)
    assert moved_m[mouth].max() > 0.005
    assert moved_m[weights["left_elbow"] > 0.9].max() < 1e-5
    np.testing.assert_allclose(shown.vertices(Skinner(open_body)), plain.vertices(Skinner(open_body)), atol=1e-6)
