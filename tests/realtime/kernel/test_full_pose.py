"""Tests that body, hands and gaze are joined by name, whatever joints the body has."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.skeleton import FINGER_JOINTS, SMPL, SMPLH, SMPLX, Skeleton
from realtime.kernel.full_pose import full_rotmats
from realtime.kernel.messages import Face, Hand

RNG = np.random.default_rng(3)


def quaternions(count: int) -> np.ndarray:
    return Rotation.random(count, random_state=RNG).as_quat().astype(np.float32)


@pytest.mark.parametrize("skeleton", [SMPL, SMPLH, SMPLX], ids=len)
def test_every_joint_gets_the_rotation_of_its_name(skeleton: Skeleton) -> None:
    body, left, right = quaternions(24), quaternions(15), quaternions(15)
    named = dict(zip(SMPL.names, body, strict=True))
    for side, rotations in (("left", left), ("right", right)):
        named |= {f"{side}_{joint}": each for joint, each in zip(FINGER_JOINTS, rotations, strict=True)}
    rotmats = full_rotmats(skeleton, body, {"left": Hand(left, left, 1.0), "right": Hand(right, right, 1.0)}, None)
    for name, rotmat in zip(skeleton.names, rotmats, strict=True):
        wanted = Rotation.from_quat(named[name]).as_matrix() if name in named else np.eye(3)
        np.testing.assert_allclose(rotmat, wanted, atol=1e-5, err_msg=name)


def test_eyes_look_to_the_persons_left_and_up() -> None:
    face = Face(np.zeros(52, np.float32), np.array([0.3, 0.2], np.float32), 1.0)
    rotmats = full_rotmats(SMPLX, quaternions(24), {}, face)
    for side in ("left", "right"):
        x, y, z = rotmats[SMPLX.index(f"{side}_eye_smplhf")] @ [0.0, 0.0, 1.0]
        assert np.arctan2(x, z) == pytest.approx(0.3, abs=1e-6)
        assert np.arcsin(y) == pytest.approx(0.2, abs=1e-6)


def test_fingers_hang_from_their_wrist() -> None:
    assert (len(SMPLH), len(SMPLX)) == (52, 55)
    for skeleton in (SMPLH, SMPLX):
        for side in ("left", "right"):
            for finger in ("index", "middle", "pinky", "ring", "thumb"):
                chain = skeleton.index(f"{side}_{finger}3")
                names = []
                while chain >= 0:
                    names.append(skeleton.names[chain])
                    chain = int(skeleton.parents[chain])
                assert names[:4] == [f"{side}_{finger}{n}" for n in (3, 2, 1)] + [f"{side}_wrist"]
