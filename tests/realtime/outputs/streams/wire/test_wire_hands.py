"""Fingers, expressions and gaze in the wire's messages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.expressions import BLENDSHAPES
from engine.body.kinematics import forward_kinematics
from engine.body.skeleton import FINGER_JOINTS, SIDES, SMPLH
from realtime.kernel.full_pose import full_rotmats
from realtime.outputs.finger_bones import FingerBones
from realtime.outputs.output import Run
from realtime.outputs.streams.wire.wire import Wire
from tests.realtime.outputs.fingers_and_faces import FINGERED_BODY, handed_at
from tests.realtime.outputs.streams.synthetic_stream import BODY, person_at, solved_at
from tests.realtime.outputs.streams.wire.test_wire import check, received_joints

RUN = Run(BODY, FINGERED_BODY, hands=True)


def wire() -> Wire:
    return Wire(BODY, fingers=FingerBones.of(RUN))


def test_a_person_carries_hands_and_face_by_the_schema() -> None:
    person = handed_at(0.4)
    (sent,) = check(wire().pose(solved_at(0.4, 0, (person,)), fps=30))["people"]
    assert list(sent["hands"]) == ["left", "right"]
    for side in SIDES:
        assert sent["hands"][side]["confidence"] == pytest.approx(0.9)
        np.testing.assert_allclose(sent["hands"][side]["rotations"], person.hands[side].rotations, atol=1e-6)
    assert person.face is not None
    assert list(sent["face"]["blendshapes"]) == list(BLENDSHAPES)
    np.testing.assert_allclose(list(sent["face"]["blendshapes"].values()), person.face.blendshapes, atol=5.1e-4)
    np.testing.assert_allclose(sent["face"]["gaze"], person.face.gaze_rad, atol=5.1e-5)
    assert sent["face"]["confidence"] == pytest.approx(0.8)


def test_without_hands_and_face_no_key_is_sent() -> None:
    (sent,) = check(wire().pose(solved_at(0.4, 0, (person_at(0.4),)), fps=30))["people"]
    assert not sent.keys() & {"hands", "face"}
    skeleton = check(Wire(BODY, fingers=FingerBones.of(Run(BODY, FINGERED_BODY))).skeleton())
    assert not any(key.startswith("hand_") for key in skeleton)


@pytest.mark.parametrize("scale", [1.0, 0.73])
def test_finger_joints_from_the_messages_are_those_of_the_body_with_fingers(scale: float) -> None:
    sender, person = wire(), handed_at(0.7, scale=scale)
    (sent,) = check(sender.pose(solved_at(0.7, 0, (person,)), fps=30))["people"]
    skeleton = check(sender.skeleton())
    assert skeleton["hand_names"] == [f"{side}_{joint}" for side in SIDES for joint in FINGER_JOINTS]
    names = skeleton["names"] + skeleton["hand_names"]
    assert names[skeleton["hand_parents"][0]] == "left_wrist"
    assert names[skeleton["hand_parents"][16]] == "right_index1"
    whole = skeleton | {
        "parents": skeleton["parents"] + skeleton["hand_parents"],
        "offsets": skeleton["offsets"] + skeleton["hand_offsets"],
        "shape_offsets": skeleton["shape_offsets"] + np.zeros((30, 3, 10)).tolist(),
    }
    rotations = sent["rotations"] + sent["hands"]["left"]["rotations"] + sent["hands"]["right"]["rotations"]
    read = received_joints(whole, sent | {"rotations": rotations})

    rotmats = full_rotmats(SMPLH, person.pose.rotations, person.hands, None)[None]
    _, ours = forward_kinematics(rotmats, scale * FINGERED_BODY.rest_joints(person.betas[None]), SMPLH)
    np.testing.assert_allclose(read[24:], ours[0, 22:] + person.pose.trans, atol=1e-4)


def test_finger_quaternions_keep_their_sign() -> None:
    sender, person = wire(), handed_at(0.4)
    left = person.hands["left"]
    signs = np.where(np.arange(15) % 2, 1, -1)[:, None].astype(np.float32)
    flipped = replace(person, hands={**person.hands, "left": replace(left, rotations=signs * left.rotations)})
    sent = [
        check(sender.pose(solved_at(0.4, k, (each,)), fps=30))["people"][0]["hands"]["left"]["rotations"]
        for k, each in enumerate((person, flipped))
    ]
    np.testing.assert_array_equal(sent[0], sent[1])
    assert Rotation.from_quat(sent[1]).approx_equal(Rotation.from_quat(left.rotations), atol=1e-5).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["rotations", "confidence", "blendshapes", "gaze_rad", "face_confidence"])
def test_a_hand_or_face_that_is_not_finite_is_left_out_alone(bad: float, where: str) -> None:
    person = handed_at(0.4)
    left, face = person.hands["left"], person.face
    assert face is not None
    rotations, blendshapes, gaze = left.rotations.copy(), face.blendshapes.copy(), face.gaze_rad.copy()
    for array in (rotations, blendshapes, gaze):
        array.flat[1] = bad
    sick = {
        "rotations": replace(person, hands={**person.hands, "left": replace(left, rotations=rotations)}),
        "confidence": replace(person, hands={**person.hands, "left": replace(left, confidence=bad)}),
        "blendshapes": replace(person, face=replace(face, blendshapes=blendshapes)),
        "gaze_rad": replace(person, face=replace(face, gaze_rad=gaze)),
        "face_confidence": replace(person, face=replace(face, confidence=bad)),
    }[where]
    message = wire().pose(solved_at(0.4, 0, (sick,)), fps=30)
    (sent,) = check(message)["people"]
    of_hand = where in ("rotations", "confidence")
    assert list(sent["hands"]) == (["right"] if of_hand else ["left", "right"])
    assert ("face" in sent) == of_hand
    assert b"NaN" not in message
    assert b"Infinity" not in message
