from __future__ import annotations

import numpy as np

from clients.blender.joints import ALL_NAMES, FINGER_NAMES, NUM_ALL
from clients.blender.rigs.unseen import UnseenLimbs

FPS = 30


def without(*names: str) -> np.ndarray:
    return np.array([0.01 if name in names else 1.0 for name in ALL_NAMES])


def left_alone(limbs: UnseenLimbs, start_s: float, seconds: float, confidence: np.ndarray | None) -> set[str]:
    """The joints whose bones do not follow at the end of that time."""
    left = np.zeros(NUM_ALL, bool)
    for k in range(round(seconds * FPS)):
        left = limbs.update(start_s + k / FPS, confidence)
    return {name for name, is_left in zip(ALL_NAMES, left, strict=True) if is_left}


def test_a_limb_is_left_alone_after_half_a_second_until_it_is_seen() -> None:
    limbs, hidden = UnseenLimbs(), without("left_knee", "left_ankle", "left_foot")
    assert left_alone(limbs, 0.0, 0.5, hidden) == set()
    assert left_alone(limbs, 0.5, 0.5, hidden) == {"left_hip", "left_knee", "left_ankle", "left_foot"}
    assert left_alone(limbs, 1.0, 0.5, np.where(hidden < 0.5, 0.2, 1.0)) == {
        "left_hip", "left_knee", "left_ankle", "left_foot",
    }  # fmt: skip
    assert left_alone(limbs, 1.5, 0.1, without()) == set()


def test_a_bone_is_seen_by_any_joint_beyond_it() -> None:
    assert left_alone(UnseenLimbs(), 0, 2, without("right_elbow", "right_hand")) == {"right_wrist", "right_hand"}
    assert left_alone(UnseenLimbs(), 0, 2, without("left_ankle", "left_foot")) == {
        "left_knee", "left_ankle", "left_foot",
    }  # fmt: skip


def test_a_stream_that_says_nothing_of_joints_is_followed() -> None:
    assert left_alone(UnseenLimbs(), 0, 2, None) == set()


def test_fingers_and_eyes_are_seen_by_themselves() -> None:
    left_hand = [name for name in FINGER_NAMES if name.startswith("left")]
    assert left_alone(UnseenLimbs(), 0, 2, without(*left_hand)) == set(left_hand)
    assert left_alone(UnseenLimbs(), 0, 2, without("left_eye", "right_eye")) == {"left_eye", "right_eye"}


def test_a_clock_that_goes_back_starts_afresh() -> None:
    limbs, hidden = UnseenLimbs(), without("left_knee", "left_ankle", "left_foot")
    left_alone(limbs, 100.0, 2, without())
    assert left_alone(limbs, 0.0, 0.3, hidden) == set()
