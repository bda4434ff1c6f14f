"""Fingers, eyes and expressions in the VMC stream, read back by python-osc from a socket."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pythonosc.osc_message import OscMessage
from scipy.spatial.transform import Rotation

from engine.body.expressions import BLENDSHAPES
from engine.body.files import load_body
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import rotmat_from_quaternion
from engine.body.skeleton import FINGER_JOINTS, SIDES, SMPLH, Side
from realtime.kernel.full_pose import full_rotmats
from realtime.kernel.messages import Face, Hand, Person
from realtime.outputs import open_stream
from realtime.outputs.avatar.bones import FINGER_BONES
from realtime.outputs.avatar.expressions import VRM_PRESETS, expressions
from realtime.outputs.finger_bones import SMPL_AND_FINGERS
from realtime.outputs.output import Run
from realtime.outputs.streams.vmc.humanoid import HUMANOIDS
from realtime.outputs.streams.vmc.humanoid_parts import HumanoidHands
from tests.realtime.outputs.fingers_and_faces import FINGERED_BODY, face_at, handed_at
from tests.realtime.outputs.streams.synthetic_stream import person_at, solved_at
from tests.realtime.outputs.streams.vmc.test_vmc import DOWN, FRONT, LEFT, RIGHT, UNITY_PARENTS, UP, rotated, stood_up
from tests.realtime.outputs.streams.vmc.vmc_receiver import bones_of, datagrams, received, sending

HANDS = HumanoidHands.of_body(FINGERED_BODY)
# Unity's HumanBodyBones of one hand, from its documentation, in the order of SMPL-H's joints.
UNITY_HAND = (
    "IndexProximal", "IndexIntermediate", "IndexDistal", "MiddleProximal", "MiddleIntermediate", "MiddleDistal",
    "LittleProximal", "LittleIntermediate", "LittleDistal", "RingProximal", "RingIntermediate", "RingDistal",
    "ThumbProximal", "ThumbIntermediate", "ThumbDistal",
)  # fmt: skip
FINGER_PARENTS = {
    f"{side}{bone}": f"{side}Hand" if bone.endswith("Proximal") else f"{side}{UNITY_HAND[k - 1]}"
    for side in ("Left", "Right")
    for k, bone in enumerate(UNITY_HAND)
}
EYES = {"LeftEye", "RightEye"}


def values_of(messages: list[OscMessage]) -> dict[str, float]:
    return {m.params[0]: m.params[1] for m in messages if m.address == "/VMC/Ext/Blend/Val"}


def sent(person: Person, options: str = "") -> list[OscMessage]:
    with sending(options, HANDS) as (stream, receiver):
        stream.put(solved_at(0, 0, (person,)))
        return received(receiver)


def with_face(**coefficients: float) -> Person:
    blendshapes = np.array([coefficients.get(name, 0.0) for name in BLENDSHAPES], np.float32)
    return replace(handed_at(0), face=replace(face_at(0), blendshapes=blendshapes))


def test_every_bone_and_expression_comes_with_every_frame_in_packets_of_its_own() -> None:
    with sending("", HANDS) as (stream, receiver):
        for k in range(30):
            stream.put(solved_at(k / 30, k, (handed_at(k / 30),)))
            messages = received(receiver)  # which holds every datagram to one packet
            assert bones_of(messages).keys() == UNITY_PARENTS.keys() | FINGER_PARENTS.keys() | EYES
            assert values_of(messages).keys() == {*BLENDSHAPES, *VRM_PRESETS, *VRM_PRESETS.values()}
            addresses = [message.address for message in messages]
            assert addresses[:3] == ["/VMC/Ext/OK", "/VMC/Ext/T", "/VMC/Ext/Root/Pos"]
            assert addresses[-1] == "/VMC/Ext/Blend/Apply"
            assert addresses.count("/VMC/Ext/Blend/Apply") == 1
        stream.put(solved_at(2, 60, (handed_at(2),)))
        assert len(datagrams(receiver)) == 6


def test_a_person_without_hands_and_face_has_bones_of_the_body_alone() -> None:
    messages = sent(person_at(0))
    assert bones_of(messages).keys() == UNITY_PARENTS.keys()
    assert not any(message.address.startswith("/VMC/Ext/Blend") for message in messages)
    one_handed = replace(handed_at(0), hands={"right": handed_at(0).hands["right"]}, face=None)
    assert bones_of(sent(one_handed)).keys() - UNITY_PARENTS.keys() == {f"Right{bone}" for bone in UNITY_HAND}


@pytest.mark.parametrize("scale", [1.0, 0.73])
def test_finger_bones_land_on_the_joints_of_the_body_with_fingers(
    scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bone, parent in FINGER_PARENTS.items():
        monkeypatch.setitem(UNITY_PARENTS, bone, parent)
    for t in (0.0, 0.4, 1.3):
        person = handed_at(t, scale=scale)
        places, _ = stood_up(bones_of(sent(person)))
        rotmats = full_rotmats(SMPLH, person.pose.rotations, person.hands, None)[None]
        _, joints = forward_kinematics(rotmats, scale * FINGERED_BODY.rest_joints(person.betas[None]), SMPLH)
        for side in SIDES:
            for k, bone in enumerate(UNITY_HAND):
                joint = joints[0, SMPLH.index(f"{side}_{FINGER_JOINTS[k]}")] + person.pose.trans
                assert np.linalg.norm(places[f"{side.title()}{bone}"] * [-1, 1, 1] - joint) < 1e-4


@pytest.mark.parametrize(
    ("side", "turn_deg", "at_rest"), [("left", -90, LEFT), ("right", 90, RIGHT)], ids=["left", "right"]
)
def test_fingers_curl_towards_the_palm(side: Side, turn_deg: float, at_rest: tuple) -> None:
    """In the T-pose, palms down, a curled finger points to the floor."""
    curled = np.tile(Rotation.from_euler("z", turn_deg, degrees=True).as_quat(), (15, 1)).astype(np.float32)
    person = handed_at(0)
    person = replace(person, hands={**person.hands, side: Hand(curled, curled, 1.0)})
    bones = bones_of(sent(person))
    for bone in (bone for bone in UNITY_HAND if not bone.startswith("Thumb")):
        turned = rotated(bones[f"{side.title()}{bone}"][3:], np.array(at_rest, float))
        np.testing.assert_allclose(turned, DOWN, atol=1e-6)


@pytest.mark.parametrize("spec", ["open-hands", "open"])
def test_an_avatars_thumbs_point_as_the_bodys_do(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An avatar in VRM's T-pose: thumbs level, halfway to the front, nails away from the arm; of another length."""
    for bone, parent in FINGER_PARENTS.items():
        monkeypatch.setitem(UNITY_PARENTS, bone, parent)
    body = load_body(spec)
    hands, core = HumanoidHands.of_body(body), body.core
    person = replace(handed_at(0.3), betas=np.zeros(10, np.float32))
    rest = np.concatenate([core.rest_joints(person.betas[None])[0], hands.fingers.rest_joints(person.betas)])
    turns = np.concatenate([person.pose.rotations, *(hand.rotations for hand in person.hands.values())])
    _, ours = forward_kinematics(rotmat_from_quaternion(turns)[None], rest[None], SMPL_AND_FINGERS)
    bones = dict(zip(HUMANOIDS["all"].names, HUMANOIDS["all"].place(person, core).astype(float), strict=True))
    for side in SIDES:
        placed = hands.place(side, person.hands[side], person, core).astype(float)
        bones |= dict(zip(FINGER_BONES[side], placed, strict=True))
    for side, outwards in (("Left", -1), ("Right", 1)):  # Unity's +X is the right
        for bone in ("Intermediate", "Distal"):
            bones[f"{side}Thumb{bone}"][:3] = 0.05 * np.array([outwards, 0, 1]) / np.sqrt(2)
    places, _ = stood_up(bones)
    for side in ("Left", "Right"):
        for k, (bone, after) in enumerate((("Proximal", "Intermediate"), ("Intermediate", "Distal")), start=1):
            shown = (places[f"{side}Thumb{after}"] - places[f"{side}Thumb{bone}"]) * [-1, 1, 1]
            a, b = (SMPL_AND_FINGERS.index(f"{side.lower()}_thumb{j}") for j in (k, k + 1))
            along = (ours[0, b] - ours[0, a]) / np.linalg.norm(ours[0, b] - ours[0, a])
            np.testing.assert_allclose(shown, 0.05 * along, atol=1e-6)


@pytest.mark.parametrize(("yaw_deg", "pitch_deg", "expected"), [(90, 0, LEFT), (0, 90, UP), (0, 0, FRONT)])
def test_eyes_look_where_the_person_does(yaw_deg: float, pitch_deg: float, expected: tuple) -> None:
    gaze = np.radians([yaw_deg, pitch_deg]).astype(np.float32)
    bones = bones_of(sent(replace(handed_at(0), face=Face(np.zeros(52, np.float32), gaze, 1.0))))
    for eye in EYES:
        np.testing.assert_allclose(rotated(bones[eye][3:], np.array(FRONT, float)), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("parts", "bones", "has_face"),
    [
        ("body", UNITY_PARENTS.keys(), False),
        ("hands", FINGER_PARENTS.keys(), False),
        ("face", EYES, True),
        ("body,face", UNITY_PARENTS.keys() | EYES, True),
    ],
)
def test_parts_are_sent_as_they_are_asked_for(parts: str, bones: set[str], has_face: bool) -> None:
    messages = sent(handed_at(0), f"?parts={parts}")
    assert bones_of(messages).keys() == bones
    assert bool(values_of(messages)) == has_face
    has_root = "/VMC/Ext/Root/Pos" in {message.address for message in messages}
    assert has_root == ("body" in parts)  # otherwise it is that of the other tracker


@pytest.mark.parametrize(
    ("options", "looked_for", "told"),
    [
        ("?parts=hands", False, ["nothing of the part 'hands' is sent; add --hands to look for it"]),
        ("?parts=body,face", False, ["nothing of the part 'face' is sent; add --face to look for it"]),
        ("?parts=body,hands,face", True, []),
        ("", False, []),
    ],
)
def test_a_part_that_is_not_looked_for_is_told(
    options: str, looked_for: bool, told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    url = f"vmc://127.0.0.1:39539{options}"
    open_stream(url, Run(FINGERED_BODY.core, FINGERED_BODY, hands=looked_for, faces=looked_for)).close()
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == [f"{url}: {line}" for line in told]


@pytest.mark.parametrize(
    ("which", "names"), [("arkit", {*BLENDSHAPES}), ("vrm", {*VRM_PRESETS, *VRM_PRESETS.values()})]
)
def test_expressions_have_the_names_that_are_asked_for(which: str, names: set[str]) -> None:
    assert values_of(sent(handed_at(0), f"?expressions={which}")).keys() == names


def test_arkits_coefficients_are_the_faces() -> None:
    values = values_of(sent(handed_at(0.7)))
    np.testing.assert_allclose([values[name] for name in BLENDSHAPES], face_at(0.7).blendshapes, atol=1e-7)


@pytest.mark.parametrize(
    ("coefficients", "presets"),
    [
        ({"eyeBlinkLeft": 1, "eyeBlinkRight": 1}, {"blink": 1}),
        ({"eyeBlinkLeft": 0.9, "eyeBlinkRight": 0.2}, {"blink": 0.2, "blinkLeft": 0.7}),
        ({"eyeBlinkRight": 1}, {"blinkRight": 1}),
        ({"jawOpen": 0.8}, {"aa": 0.8}),
        ({"jawOpen": 1, "mouthClose": 1}, {}),  # the jaw drops behind closed lips
        ({"jawOpen": 0.5, "mouthFunnel": 1}, {"oh": 0.5, "ou": 0.5}),
        ({"mouthPucker": 1}, {"ou": 1}),
        ({"jawOpen": 1, "mouthStretchLeft": 1, "mouthStretchRight": 1}, {"ee": 1}),
        ({"mouthStretchLeft": 1, "mouthStretchRight": 1}, {"ih": 1}),
        ({"mouthSmileLeft": 1, "mouthSmileRight": 1}, {}),  # a smile opens no mouth
        ({"eyeLookUpLeft": 0.6, "eyeLookUpRight": 0.6}, {"lookUp": 0.6}),
        ({"eyeLookOutLeft": 0.6, "eyeLookInRight": 0.6}, {"lookLeft": 0.6}),
        ({"eyeLookInLeft": 0.6, "eyeLookOutRight": 0.6}, {"lookRight": 0.6}),
    ],
)
def test_presets_of_both_vrms_follow_the_face(coefficients: dict[str, float], presets: dict[str, float]) -> None:
    values = values_of(sent(with_face(**coefficients)))
    for name, older in VRM_PRESETS.items():
        assert values[name] == pytest.approx(presets.get(name, 0.0), abs=1e-6)
        assert values[older] == values[name]


def test_what_an_avatar_adds_up_never_exceeds_one() -> None:
    rng = np.random.default_rng(3)
    for _ in range(500):
        values = expressions(rng.uniform(0, 1, 52).astype(np.float32))
        assert sum(values[vowel] for vowel in ("aa", "ih", "ou", "ee", "oh")) <= 1 + 1e-6
        assert values["blink"] + values["blinkLeft"] == pytest.approx(values["eyeBlinkLeft"])
        assert values["blink"] + values["blinkRight"] == pytest.approx(values["eyeBlinkRight"])
        assert min(values.values()) >= 0
