"""Layouts of keypoints: BlazePose's, and any other."""

from __future__ import annotations

import numpy as np
import pytest

from engine.body.keypoints import BLAZEPOSE, KeypointLayout, Keypoints
from engine.body.skeleton import CONTACT_NAMES, JOINT_NAMES

# A hand of two fingers, as another detector might give it.
HAND = KeypointLayout(
    "hand",
    ("wrist", "thumb_tip", "index_tip"),
    joints={"wrist": "left_wrist"},
    edges=(("wrist", "thumb_tip"), ("wrist", "index_tip")),
)


def test_blazepose_has_the_order_that_mediapipe_documents() -> None:
    assert len(BLAZEPOSE) == 33
    ends = {0: "nose", 11: "left_shoulder", 16: "right_wrist", 24: "right_hip", 29: "left_heel", 32: "right_foot_index"}
    assert {k: BLAZEPOSE.names[k] for k in ends} == ends


def test_limb_keypoints_sit_on_joints() -> None:
    names = [BLAZEPOSE.names[k] for k in BLAZEPOSE.on_joints]
    assert names == [JOINT_NAMES[j] for j in BLAZEPOSE.joint_indices(JOINT_NAMES)]
    assert len(names) == 12
    with pytest.raises(ValueError, match="not in tuple"):
        BLAZEPOSE.joint_indices(("pelvis", "left_hip"))


def test_contacts_are_told_of_heels_and_toes() -> None:
    assert [BLAZEPOSE.names[k].replace("foot_index", "toe") for k in BLAZEPOSE.contacts] == list(CONTACT_NAMES)


@pytest.mark.parametrize("layout", [BLAZEPOSE, HAND], ids=lambda layout: layout.name)
def test_a_mirror_exchanges_sides_and_bones_join_neighbours(layout: KeypointLayout) -> None:
    np.testing.assert_array_equal(layout.mirror[layout.mirror], np.arange(len(layout)))
    assert sorted(np.unique(layout.bones)) == list(range(len(layout)))  # every keypoint is drawn
    mirrored = {frozenset(bone) for bone in layout.mirror[layout.bones].tolist()}
    assert mirrored == {frozenset(bone) for bone in layout.bones.tolist()}


def test_keypoints_are_found_by_name_and_by_word() -> None:
    assert BLAZEPOSE.indices(("right_knee", "nose")).tolist() == [26, 0]
    assert BLAZEPOSE.matching("hip", "knee", "ankle").tolist() == [23, 24, 25, 26, 27, 28]
    assert BLAZEPOSE.matching("nose", "eye", "ear", "mouth").tolist() == list(range(11))
    assert HAND.mirror.tolist() == [0, 1, 2]
    assert HAND.contacts.shape == (0,)
    with pytest.raises(ValueError, match="not in tuple"):
        BLAZEPOSE.index("tail")


def test_keypoints_keep_to_their_layout() -> None:
    image_px, world_m, visibility = np.zeros((3, 2)), np.zeros((3, 3)), np.ones(3)
    assert Keypoints(HAND, image_px, world_m, visibility).presence == 1.0
    with pytest.raises(ValueError, match="blazepose has 33 keypoints"):
        Keypoints(BLAZEPOSE, image_px, world_m, visibility)


def test_mirrored_twice_they_are_the_same_and_once_depth_and_sides_change() -> None:
    rng = np.random.default_rng(0)
    count = len(BLAZEPOSE)
    seen = Keypoints(BLAZEPOSE, rng.normal(size=(count, 2)), rng.normal(size=(count, 3)), rng.uniform(size=count), 0.7)
    once = seen.mirrored()
    left, right = BLAZEPOSE.indices(("left_wrist", "right_wrist"))
    np.testing.assert_allclose(once.image_px[left], seen.image_px[right])
    np.testing.assert_allclose(once.world_m[left], seen.world_m[right] * [1, 1, -1])
    for name in ("image_px", "world_m", "visibility", "presence"):
        np.testing.assert_allclose(getattr(once.mirrored(), name), getattr(seen, name))
