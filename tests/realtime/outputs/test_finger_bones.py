from __future__ import annotations

import numpy as np

from engine.body.files import load_body
from engine.body.skeleton import FINGER_JOINTS, SMPL
from realtime.outputs.finger_bones import FINGER_NAMES, FINGER_PARENTS, SMPL_AND_FINGERS, FingerBones
from realtime.outputs.output import Run
from tests.realtime.outputs.fingers_and_faces import FINGERED_BODY
from tests.realtime.outputs.streams.synthetic_stream import BETAS, BODY


def test_every_finger_hangs_on_its_own_wrist() -> None:
    for name, parent in zip(FINGER_NAMES, FINGER_PARENTS, strict=True):
        side, _, joint = name.partition("_")
        before = "wrist" if joint.endswith("1") else FINGER_JOINTS[FINGER_JOINTS.index(joint) - 1]
        assert SMPL_AND_FINGERS.names[parent] == f"{side}_{before}"


def test_fingers_are_those_of_the_body_that_has_them() -> None:
    bones = FingerBones.of(Run(BODY, FINGERED_BODY, hands=True))
    assert bones is not None
    np.testing.assert_allclose(bones.rest_joints(BETAS), FINGERED_BODY.rest_joints(BETAS[None])[0, 22:], atol=1e-6)
    assert FingerBones.of(Run(BODY, FINGERED_BODY)) is None


def test_a_body_without_fingers_gets_some_of_the_size_of_its_hand() -> None:
    body = load_body("open")
    for betas in (np.zeros(10, np.float32), np.linspace(-2, 2, 10, dtype=np.float32)):
        for whole in (body, body.scaled_to_height(1.2)):
            rest, bones = whole.rest_joints(betas[None])[0], FingerBones.of_body(whole)
            joints = dict(zip(SMPL_AND_FINGERS.names, [*rest, *bones.rest_joints(betas)], strict=True))
            for side, outwards in (("left", 1), ("right", -1)):
                wrist, knuckle = joints[f"{side}_wrist"], joints[f"{side}_middle1"]
                hand = joints[f"{side}_hand"] - wrist
                assert abs(np.linalg.norm(knuckle - wrist) / np.linalg.norm(hand) - 1) < 0.01
                assert np.linalg.norm(knuckle - joints[f"{side}_hand"]) < 0.3 * np.linalg.norm(hand)
                along = [joints[f"{side}_middle{k}"][0] * outwards for k in (1, 2, 3)]
                assert wrist[0] * outwards < along[0] < along[1] < along[2]
                assert joints[f"{side}_thumb1"][2] > joints[f"{side}_index1"][2] - 0.03  # to the front
                assert joints[f"{side}_index1"][2] > joints[f"{side}_pinky1"][2]
    assert len(bones.template) == len(SMPL_AND_FINGERS) - len(SMPL)
