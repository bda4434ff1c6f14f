"""Ramps of visibility, and joint confidences from them."""

from __future__ import annotations

import numpy as np
import pytest

from engine.body.keypoints import BLAZEPOSE
from engine.body.skeleton import JOINT_NAMES, MIRROR_JOINTS
from realtime.kernel import seen as seen_module
from realtime.kernel.messages import Array
from tests.realtime.seen_people import seen_body

SIZE = (640, 480)


def joint_confidence(visibility: Array) -> Array:
    """Of landmarks that all lie inside the picture."""
    return seen_module.joint_confidence(seen_body(np.full((len(BLAZEPOSE), 2), 100), visibility=visibility), SIZE)


def unseen(*landmarks: str) -> set[str]:
    """The joints that are not fully seen where these landmarks are not seen at all."""
    visibility = np.ones(len(BLAZEPOSE), np.float32)
    visibility[BLAZEPOSE.indices(landmarks)] = 0.0
    return {name for name, seen in zip(JOINT_NAMES, joint_confidence(visibility), strict=True) if seen < 0.99}


def test_nobody_hidden_is_all_one_and_everything_hidden_all_zero() -> None:
    np.testing.assert_allclose(joint_confidence(np.ones(len(BLAZEPOSE), np.float32)), 1.0, atol=1e-6)
    assert not joint_confidence(np.zeros(len(BLAZEPOSE), np.float32)).any()


@pytest.mark.parametrize(
    ("hidden", "joints"),
    [
        (("left_ankle",), {"left_ankle"}),
        (("right_foot_index",), {"right_foot"}),
        (("left_index",), {"left_hand"}),
        (("left_elbow", "left_wrist"), {"left_elbow", "left_wrist"}),
        (("right_shoulder",), {"right_collar", "right_shoulder", "neck", "spine1", "spine2", "spine3"}),
        (("left_hip", "right_hip"), {"left_hip", "right_hip", "pelvis", "spine1", "spine2", "spine3"}),
        (("nose",), {"head"}),
    ],
)
def test_each_joint_is_seen_by_its_own_landmarks(hidden: tuple[str, ...], joints: set[str]) -> None:
    assert unseen(*hidden) == joints


def test_the_back_goes_over_from_hips_to_shoulders() -> None:
    visibility = np.ones(len(BLAZEPOSE), np.float32)
    visibility[BLAZEPOSE.indices(("left_hip", "right_hip"))] = 0.0
    back = [JOINT_NAMES.index(name) for name in ("pelvis", "spine1", "spine2", "spine3", "neck")]
    np.testing.assert_allclose(joint_confidence(visibility)[back], [0, 0.25, 0.5, 0.75, 1])


@pytest.mark.parametrize(
    ("at_px", "expected"),
    [((320, 470), 1), ((320, 480), 1), ((320, 493), 0), ((-20, 200), 0), ((660, 200), 0), ((320, -13), 0)],
)
def test_nothing_is_seen_beyond_the_pictures_edge(at_px: tuple[float, float], expected: float) -> None:
    """The detector says 0.4 of knees that lie 50 pixels below a desk view."""
    image_px = np.full((len(BLAZEPOSE), 2), 100, np.float32)
    image_px[BLAZEPOSE.index("left_knee")] = at_px
    seen = seen_module.joint_confidence(seen_body(image_px), SIZE)
    assert seen[JOINT_NAMES.index("left_knee")] == expected
    assert seen[JOINT_NAMES.index("right_knee")] == 1


def test_sides_are_alike_and_numbers_are_in_range_whatever_comes_in() -> None:
    visibility = np.random.default_rng(0).uniform(-0.5, 1.5, len(BLAZEPOSE)).astype(np.float32)
    seen = joint_confidence(visibility)
    np.testing.assert_allclose(joint_confidence(visibility[BLAZEPOSE.mirror]), seen[MIRROR_JOINTS], atol=1e-6)
    visibility[::3] = np.nan
    seen = joint_confidence(visibility)
    assert seen.dtype == np.float32
    assert ((seen >= 0) & (seen <= 1)).all()


def test_a_ramp_rises_between_its_ends() -> None:
    ramp = seen_module.Ramp(0.2, 0.6)
    np.testing.assert_allclose(
        ramp(np.array([-1, 0.2, 0.3, 0.4, 0.6, 2], np.float32)), [0, 0, 0.25, 0.5, 1, 1], atol=1e-6
    )


def test_legs_are_sure_when_each_keypoint_of_them_is() -> None:
    visibility = np.where(np.isin(np.arange(len(BLAZEPOSE)), BLAZEPOSE.matching("hip", "knee", "ankle")), 0.51, 0.0)
    assert seen_module.legs_are_sure(seen_body(visibility=visibility))
    visibility[BLAZEPOSE.index("left_knee")] = 0.49
    assert not seen_module.legs_are_sure(seen_body(visibility=visibility))
