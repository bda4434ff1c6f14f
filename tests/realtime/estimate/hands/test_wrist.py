from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from engine.body.files import load_body
from engine.body.kinematics import forward_kinematics
from engine.body.skeleton import SMPL
from realtime.estimate.hands.wrist import ELBOW, WRIST, WRIST_TURN_RAD, Forearms

BODY = load_body("open")
ARMS = Forearms(BODY)


def poses(count: int) -> np.ndarray:
    turns = Rotation.from_rotvec(np.random.default_rng(0).normal(0, 0.5, (count * 24, 3)))
    return turns.as_matrix().reshape(count, 24, 3, 3)


def test_a_turn_moves_from_the_wrist_to_the_forearm_without_moving_hand_or_wrist() -> None:
    before = poses(20)
    angles, elbow_turn, _ = ARMS.of_pose(before)
    after = ARMS.turned(before, angles, elbow_turn, np.ones(2))
    rest = BODY.rest_joints(np.zeros((20, 10), np.float32))
    hands = [forward_kinematics(each.astype(np.float32), rest) for each in (before, after)]
    np.testing.assert_allclose(hands[0][0][:, WRIST], hands[1][0][:, WRIST], atol=1e-5)
    np.testing.assert_allclose(hands[0][1], hands[1][1], atol=1e-5)
    along = (rest[0, WRIST] - rest[0, ELBOW]) / np.linalg.norm(rest[0, WRIST] - rest[0, ELBOW], axis=-1, keepdims=True)
    for side in range(2):
        turn = Rotation.from_matrix(after[:, WRIST[side]]).as_quat()
        own = 2 * np.arctan2(turn[:, :3] @ along[side], turn[:, 3])
        assert np.abs(own).max() < WRIST_TURN_RAD + 1e-3


def test_arms_stay_the_body_s_own_without_a_hand() -> None:
    before = poses(3)
    angles, elbow_turn, _ = ARMS.of_pose(before)
    assert (ARMS.turned(before, angles + 0.3, elbow_turn, np.zeros(2)) == before).all()
    one = ARMS.turned(before, angles + 0.3, elbow_turn, np.array([1.0, 0.0]))
    still = np.setdiff1d(np.arange(24), SMPL.indices(("left_elbow", "left_wrist")))
    assert (one[:, still] == before[:, still]).all()


def test_angles_turn_the_way_they_say() -> None:
    """The left palm faces down at rest: it bends down, deviates back and turns back; the right one mirrors it."""
    for k, axis in enumerate([(1, 0, 0), (0, 0, -1), (0, 1, 0)]):
        rotmats = np.tile(np.eye(3), (24, 1, 1))
        rotmats[WRIST[0]] = Rotation.from_rotvec(0.4 * np.array(axis)).as_matrix()
        rotmats[WRIST[1]] = Rotation.from_rotvec(0.4 * np.array(axis) * (1, -1, -1)).as_matrix()
        np.testing.assert_allclose(ARMS.of_pose(rotmats)[0], 0.4 * np.eye(3)[[k, k]], atol=1e-4)


def test_a_palm_gives_the_angles_of_its_arm() -> None:
    pose = poses(1)[0]
    angles, _, forearms = ARMS.of_pose(pose)
    turned, _ = forward_kinematics(pose[None].astype(np.float32), BODY.rest_joints(np.zeros((1, 10), np.float32)))
    mirror = np.diag([-1.0, 1.0, 1.0])
    palms = np.stack((turned[0, WRIST[0]], mirror @ turned[0, WRIST[1]] @ mirror))
    np.testing.assert_allclose(ARMS.of_palms(forearms, palms), angles, atol=1e-5)
