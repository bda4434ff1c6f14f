from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.files import load_body
from engine.body.hand import CHAINS, THUMB, HandGeometry, hand_of, mirrored_quaternion, published_hand
from engine.body.keypoints import HAND
from engine.body.model import BodyModel
from engine.body.skeleton import FINGER_JOINTS, FINGERS, SMPLH


def body_with_fingers(hand: HandGeometry) -> BodyModel:
    """SMPL-H's skeleton with this left hand at its wrist, and a cloud of vertices about each finger's last bone."""
    joints = np.zeros((len(SMPLH), 3), np.float32)
    wrist = joints[SMPLH.index("left_wrist")] = (0.7, 0.4, 0.0)
    numbers = SMPLH.indices(f"left_{joint}" for joint in FINGER_JOINTS)
    joints[numbers] = wrist + hand.points[CHAINS[:, :3]].reshape(-1, 3)
    vertices, weights = [], []
    for row, number in enumerate(numbers[2::3]):
        for share in np.linspace(0, 1, 20):
            vertices.append(joints[number] + share * hand.bones[row, 2])
            weights.append(np.eye(len(SMPLH))[number])
    count = len(vertices)
    return replace(
        load_body("open"),
        v_template=np.array(vertices, np.float32),
        joints_template=joints,
        weights=np.array(weights, np.float32),
        shapedirs=np.zeros((count, 3, 10), np.float32),
        skeleton=SMPLH,
    )


def test_points_are_those_of_published_proportions() -> None:
    """Index and middle finger, in parts of the hand's length: Buchholz et al. 1992, whatever the joints are."""
    hand = published_hand()
    lengths = np.linalg.norm(np.diff(hand.points[CHAINS], axis=1, prepend=0), axis=-1) / 0.19
    assert lengths[FINGERS.index("middle")].sum() == pytest.approx(0.446 + 0.266 + 0.170 + 0.108 + 0.03, abs=1e-3)
    assert lengths[FINGERS.index("index"), 2] == pytest.approx(0.143, abs=1e-3)
    assert (hand.points[HAND.index("wrist")] == 0).all()


def test_fingers_are_straight_and_lie_in_the_palm_s_plane_with_the_thumb_on_its_side() -> None:
    hand = published_hand()
    long = np.arange(5) != THUMB
    assert np.abs(hand.bones[long, :, 1]).max() < 1e-6
    knuckles = hand.points[HAND.indices(f"{finger}_mcp" for finger in ("index", "middle", "ring", "pinky"))]
    assert (np.diff(knuckles[:, 2]) < 0).all()
    assert hand.points[HAND.index("thumb_tip"), 2] > knuckles[:, 2].max()


def test_frames_are_rotations_whose_bends_close_the_hand() -> None:
    hand = published_hand()
    np.testing.assert_allclose(hand.frames @ hand.frames.swapaxes(1, 2), np.tile(np.eye(3), (5, 1, 1)), atol=1e-5)
    np.testing.assert_allclose(np.linalg.det(hand.frames), 1, atol=1e-5)
    for row in range(5):
        bent = hand.frames[row] @ Rotation.from_rotvec((0, 0, -0.5)).as_matrix() @ hand.frames[row].T
        towards = bent @ hand.bones[row, 2] - hand.bones[row, 2]
        if row == THUMB:
            assert towards[2] < 0  # across the palm
        else:
            assert towards[1] < 0  # to the palm's side


def test_a_mirrored_rotation_moves_as_a_mirror_image() -> None:
    turns = Rotation.random(20, np.random.default_rng(0))
    mirror = np.diag([-1.0, 1.0, 1.0])
    other = Rotation.from_quat(mirrored_quaternion(turns.as_quat()))
    np.testing.assert_allclose(other.as_matrix(), mirror @ turns.as_matrix() @ mirror, atol=1e-12)


def test_a_body_s_own_fingers_are_found_from_wrist_to_tip() -> None:
    hand = published_hand()
    found = hand_of(body_with_fingers(hand))
    np.testing.assert_allclose(found.points, hand.points, atol=0.005)
    assert Rotation.from_matrix(hand.frames.swapaxes(1, 2) @ found.frames).magnitude().max() < np.radians(20)


def test_a_body_without_skin_on_its_fingers_has_tips_too() -> None:
    body = body_with_fingers(published_hand())
    bare = hand_of(replace(body, weights=np.zeros_like(body.weights)))
    np.testing.assert_allclose(bare.bones[:, 2], bare.bones[:, 1], atol=1e-6)


def test_a_body_without_fingers_gets_the_published_ones() -> None:
    np.testing.assert_array_equal(hand_of(load_body("open").core).points, published_hand().points)
