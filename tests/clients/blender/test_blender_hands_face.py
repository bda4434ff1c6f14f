"""Hands and faces that the extension reads, fits to armatures and finds shape keys for. Without Blender."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from clients.blender.joints import ALL_NAMES, ALL_PARENTS, BLENDSHAPES, FINGER_NAMES, NUM_ALL, NUM_WITH_FINGERS
from clients.blender.pose_math import ROTATION_BLENDER_STREAM, world_rotations
from clients.blender.protocol import Person, Pose, ProtocolError, Skeleton, parse
from clients.blender.rigs.bone_map import PRESETS, load_preset, matched
from clients.blender.rigs.expressions import found
from clients.blender.rigs.rig import RestBone, Rig, mapped_rig, smpl_rig
from clients.blender.rigs.vrm import with_presets
from clients.blender.stream.jitter_buffer import JitterBuffer
from clients.blender.stream.take import motion_of, resampled
from engine.body.skeleton import FINGER_JOINTS, SIDES
from realtime.kernel.full_pose import gaze_rotmat
from realtime.kernel.messages import Frame, SolvedFrame
from realtime.outputs.avatar.expressions import VRM_PRESETS, expressions
from realtime.outputs.streams.wire.wire import Wire
from tests.clients.blender.blender_performance import finger_bones, open_body, person_at
from tests.clients.blender.test_blender_pose_math import posed_heads
from tests.realtime.outputs.fingers_and_faces import face_at, hand_at

BODY, FINGERS = open_body(), finger_bones()


def skeleton() -> Skeleton:
    read = parse(Wire(BODY, fingers=FINGERS).skeleton())
    assert isinstance(read, Skeleton)
    return read


def pose_message(t: float = 1.0) -> bytes:
    person = replace(person_at(t), hands={side: hand_at(t, side) for side in SIDES}, face=face_at(t))
    frame = Frame(np.zeros((4, 4, 3), np.uint8), 7, t)
    return Wire(BODY, fingers=FINGERS).pose(SolvedFrame(frame, (person,), t_solved=t), fps=30)


def read_person(message: bytes) -> Person:
    pose = parse(message)
    assert isinstance(pose, Pose)
    (person,) = pose.people
    return person


def changed(message: bytes, change: Any) -> bytes:
    """The message after `change` was done to its fields (of a skeleton), or to those of its person."""
    topic, _, body = message.partition(b" ")
    fields = json.loads(body)
    change(fields["people"][0] if "people" in fields else fields)
    return topic + b" " + json.dumps(fields).encode()


def test_fingers_gaze_and_expression_are_read() -> None:
    person, sent = read_person(pose_message()), {side: hand_at(1.0, side) for side in SIDES}
    fingers = np.concatenate([sent[side].rotations for side in SIDES])
    np.testing.assert_allclose(person.rotations[24:54], fingers, atol=2e-6)
    np.testing.assert_allclose(person.blendshapes, face_at(1.0).blendshapes, atol=6e-4)
    eyes = Rotation.from_quat(person.rotations[54:]).as_matrix()
    np.testing.assert_allclose(eyes, np.tile(gaze_rotmat(face_at(1.0).gaze_rad), (2, 1, 1)), atol=1e-4)
    assert person.joint_confidence is not None
    np.testing.assert_allclose(person.joint_confidence[24:], [*[0.9] * 30, 0.8, 0.8])


def test_what_is_not_sent_is_not_known() -> None:
    def without_left(person: dict[str, Any]) -> None:
        del person["hands"]["left"], person["face"]

    person = read_person(changed(pose_message(), without_left))
    unknown = np.isnan(person.rotations).all(axis=-1)
    assert [ALL_NAMES[joint] for joint in np.flatnonzero(unknown)] == [*FINGER_NAMES[:15], "left_eye", "right_eye"]
    assert np.isnan(person.blendshapes).all()
    plain = parse(Wire(BODY).skeleton())
    assert isinstance(plain, Skeleton)
    assert plain.fingers is None
    assert plain.rest_joints(np.zeros(10)).shape == (24, 3)


@pytest.mark.parametrize("scale", [1.0, 0.8])
def test_fingers_at_rest_hang_on_the_wrists(scale: float) -> None:
    rest = skeleton().rest_joints(np.zeros(10), scale)
    assert np.abs(rest[24:] - scale * FINGERS.template).max() < 1e-4


def test_a_skeletons_fingers_are_read_by_name() -> None:
    def shuffled(fields: dict[str, Any]) -> None:
        order = list(reversed(range(30)))
        place = {24 + k: 24 + order.index(k) for k in range(30)}
        fields["hand_parents"] = [place.get(fields["hand_parents"][k], fields["hand_parents"][k]) for k in order]
        for key in ("hand_names", "hand_offsets"):
            fields[key] = [fields[key][k] for k in order]

    message = Wire(BODY, fingers=FINGERS).skeleton()
    read, as_ever = parse(changed(message, shuffled)), parse(message)
    assert isinstance(read, Skeleton)
    assert isinstance(as_ever, Skeleton)
    np.testing.assert_array_equal(read.fingers, as_ever.fingers)


BROKEN_PEOPLE = [
    ("hands", []), ("hands", {"left": 3}), ("hands", {"left": {}}),
    ("hands", {"left": {"confidence": 1, "rotations": [[0, 0, 0, 1]] * 14}}),
    ("hands", {"left": {"confidence": 1, "rotations": [[0, 0, 0, 3]] * 15}}),
    ("hands", {"left": {"confidence": "1", "rotations": [[0, 0, 0, 1]] * 15}}),
    ("face", 1), ("face", {"gaze": [0]}), ("face", {"gaze": [0, float("nan")], "confidence": 1}),
    ("face", {"gaze": [0, 0]}), ("face", {"blendshapes": {"jawOpen": "wide"}}), ("face", {"blendshapes": []}),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), BROKEN_PEOPLE)
def test_broken_hands_and_faces_are_refused(key: str, value: object) -> None:
    with pytest.raises(ProtocolError, match=r"\A[^\n]+\Z"):
        parse(changed(pose_message(), lambda person: person.update({key: value})))


BROKEN_SKELETONS = [
    ("hand_names", ["left_index1"]), ("hand_names", 3), ("hand_parents", [20] * 30), ("hand_parents", None),
    ("hand_offsets", [[0, 0, 0]] * 29),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), BROKEN_SKELETONS)
def test_broken_fingers_of_a_skeleton_are_refused(key: str, value: object) -> None:
    with pytest.raises(ProtocolError, match=r"\A[^\n]+\Z"):
        parse(changed(Wire(BODY, fingers=FINGERS).skeleton(), lambda fields: fields.update({key: value})))


NUMBERS = st.floats() | st.integers() | st.none() | st.text(max_size=2)
ANYTHING = st.recursive(
    NUMBERS,
    lambda kids: (
        st.lists(kids, max_size=3)
        | st.dictionaries(st.sampled_from(["left", "right", "rotations", "confidence", "blendshapes", "jawOpen"]), kids)
    ),
    max_leaves=8,
)
PARTS = st.dictionaries(st.sampled_from(["hands", "face"]), ANYTHING, min_size=1)
FINGER_KEYS = st.dictionaries(st.sampled_from(["hand_names", "hand_parents", "hand_offsets"]), ANYTHING, min_size=1)


@given(PARTS, FINGER_KEYS)
def test_damaged_hands_and_faces_are_read_or_refused(parts: dict[str, Any], fingers: dict[str, Any]) -> None:
    for message, damage in ((pose_message(), parts), (Wire(BODY, fingers=FINGERS).skeleton(), fingers)):
        damaged = changed(message, lambda fields, damage=damage: fields.update(damage))
        try:
            read = parse(damaged)
        except ProtocolError:
            with pytest.raises(ProtocolError, match=r"\A[^\n]+\Z"):
                parse(damaged)
        else:
            assert isinstance(read, Pose | Skeleton)


def test_between_two_frames_fingers_and_face_are_between() -> None:
    first, second = read_person(pose_message(1.0)), read_person(pose_message(1.1))
    buffer = JitterBuffer(0.05)
    for t, person in ((0.0, first), (0.1, second)):
        buffer.push(Pose(0, t, t, 30.0, (person,)), t)
    shown = buffer.sample(0.1)
    assert shown is not None
    middle = shown.people[0]
    np.testing.assert_allclose(middle.blendshapes, (first.blendshapes + second.blendshapes) / 2)
    halves = [
        Rotation.from_quat(a.rotations).inv() * Rotation.from_quat(b.rotations)
        for a, b in ((first, middle), (middle, second))
    ]
    np.testing.assert_allclose(halves[0].as_matrix(), halves[1].as_matrix(), atol=1e-9)


def test_a_take_knows_when_hands_were_there() -> None:
    handed = read_person(pose_message(1.0))
    bare = replace(handed, rotations=handed.rotations.copy(), blendshapes=np.full(52, np.nan))
    bare.rotations[24:] = np.nan
    people = (bare, bare, handed, handed, handed)
    motion = motion_of([Pose(k, 0.1 * k, 0.1 * k, 10.0, (person,)) for k, person in enumerate(people)], 1)
    assert motion is not None
    for each in (motion, resampled(motion, 10.0)):
        assert np.isfinite(each.rotations[:, 30, 0]).tolist() == [False, False, True, True, True]
        assert np.isfinite(each.blendshapes[:, 5]).tolist() == [False, False, True, True, True]
        assert np.isfinite(each.rotations[:, :24]).all()


def all_rest_joints() -> np.ndarray:
    """(56, 3): the performer's, and eyes in the head."""
    rest = skeleton().rest_joints(np.zeros(10))
    return np.concatenate([rest, rest[15] + [[0.03, 0.08, 0.08], [-0.03, 0.08, 0.08]]])


def armature_of(rest: np.ndarray, seed: int) -> dict[str, RestBone]:
    """Bones in Blender's axes, turned any way at all, by our names."""
    turns = Rotation.random(NUM_ALL, random_state=seed).as_quat()
    heads = rest @ ROTATION_BLENDER_STREAM.T
    return {
        name: RestBone(ALL_NAMES[ALL_PARENTS[j]] if j else None, heads[j], turns[j]) for j, name in enumerate(ALL_NAMES)
    }


def positions(rest: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """(56, 3) by forward kinematics about the pelvis's place at rest."""
    world, joints = Rotation.from_quat(world_rotations(rotations)), rest.copy()
    for joint in range(1, len(rest)):
        above = ALL_PARENTS[joint]
        joints[joint] = joints[above] + world[int(above)].apply(rest[joint] - rest[above])
    return joints


def shown(rig: Rig, bones: dict[str, RestBone], rest: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    channels, location = rig.channels(rotations[None], rest[:1])
    return posed_heads(bones, list(rig.bones), channels[0], location[0])


def test_our_armatures_fingers_land_on_the_joints() -> None:
    rest, rotations = all_rest_joints()[:NUM_WITH_FINGERS], read_person(pose_message()).rotations
    bones = {name: bone for name, bone in armature_of(all_rest_joints(), 1).items() if "eye" not in name}
    ours = positions(rest, rotations[:NUM_WITH_FINGERS]) @ ROTATION_BLENDER_STREAM.T
    assert np.abs(shown(smpl_rig(bones), bones, rest, rotations) - ours).max() < 1e-6


def test_relaxed_hands_with_turned_palms_point_as_the_performers() -> None:
    """An armature whose palms face the front, fingers bent: straight fingers of the performer are straight there."""
    rest, rotations = all_rest_joints(), read_person(pose_message()).rotations
    theirs = rest.copy()
    bend = Rotation.from_euler("z", -20, degrees=True)
    for side, wrist, flip in (("left", 20, 1), ("right", 21, -1)):
        palm = Rotation.from_euler("x", -70, degrees=True)
        for name in FINGER_NAMES:
            if name.startswith(side):
                joint = ALL_NAMES.index(name)
                bent = Rotation.from_rotvec(flip * (int(name[-1]) - 1) * bend.as_rotvec())
                offset = rest[joint] - rest[ALL_PARENTS[joint]]
                theirs[joint] = theirs[ALL_PARENTS[joint]] + palm.apply(bent.apply(1.2 * offset))
        theirs[wrist + 2] = theirs[wrist] + palm.apply(rest[wrist + 2] - rest[wrist])
    bones = armature_of(theirs, 2)
    everything = {name: [name] for name in ALL_NAMES}
    posed = shown(mapped_rig(bones, everything, rest[:NUM_WITH_FINGERS]), bones, rest, rotations)
    ours = positions(rest, rotations) @ ROTATION_BLENDER_STREAM.T
    for side in SIDES:
        for name in FINGER_JOINTS:
            joint = ALL_NAMES.index(f"{side}_{name}")
            above = ALL_PARENTS[joint]
            bone, wanted = posed[joint] - posed[above], ours[joint] - ours[above]
            cosine = bone @ wanted / np.linalg.norm(bone) / np.linalg.norm(wanted)
            assert np.degrees(np.arccos(min(cosine, 1))) < 0.1, name


def test_eyes_look_where_the_performer_does() -> None:
    rest, rotations = all_rest_joints(), read_person(pose_message()).rotations
    bones = armature_of(rest, 3)
    rig = mapped_rig(bones, {name: [name] for name in ALL_NAMES}, rest[:NUM_WITH_FINGERS])
    channels, _ = rig.channels(rotations[None], rest[:1])
    eye = rig.bones.index("left_eye")
    local = Rotation.from_quat(np.roll(channels[0, eye], -1))  # in the eye's own axes at rest
    own = Rotation.from_quat(bones["left_eye"].rotation)
    in_blender = Rotation.from_matrix(ROTATION_BLENDER_STREAM) * Rotation.from_quat(rotations[54])
    wanted = in_blender * Rotation.from_matrix(ROTATION_BLENDER_STREAM).inv()
    assert (own * local * own.inv() * wanted.inv()).magnitude() < 1e-6


def test_parts_that_are_turned_off_leave_the_rest_as_it_is() -> None:
    rest, rotations = all_rest_joints(), read_person(pose_message()).rotations
    bones = armature_of(rest, 4)
    rig = mapped_rig(bones, {name: [name] for name in ALL_NAMES}, rest[:NUM_WITH_FINGERS])
    body = rig.without((*FINGER_NAMES, "left_eye", "right_eye"))
    assert body.bones == ALL_NAMES[:24]
    whole, _ = rig.channels(rotations[None], rest[:1])
    fewer, _ = body.channels(rotations[None], rest[:1])
    np.testing.assert_allclose(fewer[0], whole[0, :24])


@pytest.mark.parametrize("path", sorted(PRESETS.glob("*.json")), ids=lambda path: path.stem)
def test_presets_know_every_finger_and_do_without(path: Any) -> None:
    preset = load_preset(path)
    assert [name for name in FINGER_NAMES if name not in preset.bones] == []
    for joint, (bone,) in ((name, preset.bones[name]) for name in FINGER_NAMES):
        side, finger = joint.split("_")
        assert finger[:-1] in bone.lower()
        assert finger[-1] in bone
        assert bone.startswith(side.title()) or bone.endswith(f".{side[0].upper()}")
    body = [bone for joint, bones in preset.bones.items() if joint in ALL_NAMES[:24] for bone in bones]
    two_fingers = [*body, *preset.bones["left_index1"], *preset.bones["right_thumb1"]]
    assert matched(preset, body, "Mitten").keys() == set(preset.bones) & set(ALL_NAMES[:24])
    assert set(matched(preset, two_fingers, "Crab")) - set(ALL_NAMES[:24]) == {"left_index1", "right_thumb1"}


SPELLINGS = [
    ("eyeBlinkLeft", "eyeBlinkLeft"), ("EyeBlink_L", "eyeBlinkLeft"), ("blendShape1.eyeBlinkLeft", "eyeBlinkLeft"),
    ("eyeBlink.L", "eyeBlinkLeft"), ("Head:eyeBlink_left", "eyeBlinkLeft"), ("brow_down_right", "browDownRight"),
    ("JAWOPEN", "jawOpen"), ("mouthLeft", "mouthLeft"), ("mouth_R", "mouthRight"), ("browInnerUp_L", "browInnerUp"),
    ("bs.mouthSmile_R", "mouthSmileRight"), ("noseSneer R", "noseSneerRight"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "expression"), SPELLINGS)
def test_shape_keys_are_found_by_the_usual_spellings(name: str, expression: str) -> None:
    assert found([name]) == {name: BLENDSHAPES.index(expression)}


def test_other_shape_keys_are_left_alone() -> None:
    assert found(["Basis", "Key 1", "", "L", ".R", "smile", "Left", "eyeBlinkLeftish"]) == {}
    assert len(found(BLENDSHAPES)) == len(BLENDSHAPES)


def test_presets_of_vrm_are_the_programs() -> None:
    shapes = np.random.default_rng(1).uniform(size=(20, 52)).astype(np.float32)
    ours = with_presets(shapes.astype(float))
    for row, shape in zip(ours, shapes, strict=True):
        theirs = expressions(shape)
        np.testing.assert_allclose(row, [theirs[name] for name in (*BLENDSHAPES, *VRM_PRESETS)], atol=1e-6)


def test_a_mesh_without_arkits_names_takes_vrms_presets() -> None:
    names = (*BLENDSHAPES, *VRM_PRESETS)
    for keys in (VRM_PRESETS.keys(), [VRM_PRESETS[name] for name in VRM_PRESETS]):
        assert [names[index] for index in found(keys).values()] == list(VRM_PRESETS)
    vroid = found(["Fcl_ALL_Joy", "Fcl_EYE_Close", "Fcl_EYE_Close_R", "Fcl_MTH_Up", "Fcl_MTH_A"])
    assert {key: names[index] for key, index in vroid.items()} == {
        "Fcl_EYE_Close": "blink", "Fcl_EYE_Close_R": "blinkRight", "Fcl_MTH_A": "aa",
    }  # fmt: skip
    assert found(["aa", "jawOpen", "blink"]) == {"jawOpen": BLENDSHAPES.index("jawOpen")}  # they would add up
    alone = found(["Blink_L", "Blink_R"])  # nothing shows what both do
    assert [names[index] for index in alone.values()] == ["eyeBlinkLeft", "eyeBlinkRight"]
