"""The VMC stream, read back by python-osc and stood up again as Unity would."""

from __future__ import annotations

import socket
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.files import load_body
from engine.body.kinematics import forward_kinematics
from engine.body.model import BodyModel
from engine.body.skeleton import JOINT_NAMES, PARENTS
from realtime.kernel.messages import Person, WorldPose
from realtime.outputs import parse_stream_url
from realtime.outputs.streams.url import StreamError
from realtime.outputs.streams.vmc.humanoid import BONES, HUMANOIDS
from realtime.outputs.streams.vmc.vmc_stream import VmcStream
from tests.realtime.outputs.streams.sockets import nothing_left_behind
from tests.realtime.outputs.streams.synthetic_stream import BODY, person_at, solved_at
from tests.realtime.outputs.streams.vmc.vmc_receiver import bones_of, received, sending

# Unity's HumanBodyBones (its documentation's list, less jaw, eyes and fingers): each bone's parent, written by hand.
UNITY_PARENTS = {
    "Hips": None,
    "Spine": "Hips",
    "Chest": "Spine",
    "UpperChest": "Chest",
    "Neck": "UpperChest",
    "Head": "Neck",
    "LeftShoulder": "UpperChest",
    "LeftUpperArm": "LeftShoulder",
    "LeftLowerArm": "LeftUpperArm",
    "LeftHand": "LeftLowerArm",
    "RightShoulder": "UpperChest",
    "RightUpperArm": "RightShoulder",
    "RightLowerArm": "RightUpperArm",
    "RightHand": "RightLowerArm",
    "LeftUpperLeg": "Hips",
    "LeftLowerLeg": "LeftUpperLeg",
    "LeftFoot": "LeftLowerLeg",
    "LeftToes": "LeftFoot",
    "RightUpperLeg": "Hips",
    "RightLowerLeg": "RightUpperLeg",
    "RightFoot": "RightLowerLeg",
    "RightToes": "RightFoot",
}

# A quarter turn of one joint, and where a reference vector of its child bone must then point in Unity's axes
# (x the avatar's RIGHT, y up, z forward): worked out on paper, by which way the limb goes on a person.
# (joint, axis of the turn in our frame, bone direction at rest in Unity, direction after in Unity)
LEFT, RIGHT, UP, DOWN, FRONT, BACK = (-1, 0, 0), (1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)
QUARTER_TURNS = [
    ("pelvis", "+y", FRONT, LEFT),  # the whole body turns to its left
    ("left_hip", "-x", DOWN, FRONT),  # thigh lifted to the front
    ("right_hip", "-x", DOWN, FRONT),
    ("left_hip", "+z", DOWN, LEFT),  # leg out to its own side
    ("right_hip", "-z", DOWN, RIGHT),
    ("spine1", "+x", UP, FRONT),  # bow
    ("left_knee", "+x", DOWN, BACK),  # heel to the rear
    ("right_knee", "+x", DOWN, BACK),
    ("spine2", "-z", UP, LEFT),  # lean to the left
    ("left_ankle", "-x", FRONT, UP),  # toes up
    ("right_ankle", "-x", FRONT, UP),
    ("spine3", "+z", UP, RIGHT),
    ("left_foot", "+y", FRONT, LEFT),  # toes out
    ("right_foot", "-y", FRONT, RIGHT),
    ("neck", "+x", UP, FRONT),  # nod
    ("left_collar", "+z", LEFT, UP),  # shrug
    ("right_collar", "-z", RIGHT, UP),
    ("head", "+y", FRONT, LEFT),  # look to the left
    ("left_shoulder", "-z", LEFT, DOWN),  # arm hangs down
    ("right_shoulder", "+z", RIGHT, DOWN),
    ("left_shoulder", "-y", LEFT, FRONT),  # arm to the front
    ("right_shoulder", "+y", RIGHT, FRONT),
    ("left_elbow", "-y", LEFT, FRONT),  # forearm to the front
    ("right_elbow", "+y", RIGHT, FRONT),
    ("left_wrist", "-z", LEFT, DOWN),
    ("right_wrist", "+z", RIGHT, DOWN),
]


def rotated(q: np.ndarray, v: np.ndarray) -> np.ndarray:
    """v turned by the quaternion x, y, z, w: the same formula in a left-handed frame, where Unity uses it too."""
    return v + 2 * np.cross(q[:3], np.cross(q[:3], v) + q[3] * v)


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.concatenate([a[3] * b[:3] + b[3] * a[:3] + np.cross(a[:3], b[:3]), [a[3] * b[3] - a[:3] @ b[:3]]])


def placed(which: str, person: Person, body: BodyModel) -> dict[str, np.ndarray]:
    humanoid = HUMANOIDS[which]
    return dict(zip(humanoid.names, humanoid.place(person, body).astype(float), strict=True))


def stood_up(bones: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """World positions and rotations of Unity's transforms with these local ones; left-handed throughout.

    An avatar without a bone hangs its children on the next one above.
    """
    places: dict[str, np.ndarray] = {}
    turns: dict[str, np.ndarray] = {}
    for name in [name for name in UNITY_PARENTS if name in bones]:
        p, q = bones[name][:3], bones[name][3:]
        parent = UNITY_PARENTS[name]
        while parent is not None and parent not in bones:
            parent = UNITY_PARENTS[parent]
        if parent is None:
            places[name], turns[name] = p, q
        else:
            places[name] = places[parent] + rotated(turns[parent], p)
            turns[name] = product(turns[parent], q)
    return places, turns


def posed(quaternions: np.ndarray) -> Person:
    person = person_at(0)
    pose = WorldPose(quaternions.astype(np.float32), np.zeros(3, np.float32), person.pose.joints)
    return replace(person, pose=pose)


def test_a_frame_is_the_protocols_messages() -> None:
    with sending() as (stream, receiver):
        stream.put(solved_at(0, 0))
        messages = received(receiver)
    ok, t, root, *bones = messages
    assert (ok.address, ok.params) == ("/VMC/Ext/OK", [1])
    assert t.address == "/VMC/Ext/T"
    assert 0 <= t.params[0] < 60
    assert (root.address, root.params) == ("/VMC/Ext/Root/Pos", ["root", 0, 0, 0, 0, 0, 0, 1])
    assert [bone.address for bone in bones] == ["/VMC/Ext/Bone/Pos"] * 22
    assert {bone.params[0] for bone in bones} == UNITY_PARENTS.keys()


def test_bones_hang_together_as_unitys_do() -> None:
    names = dict(zip(JOINT_NAMES, (BONES.get(name) for name in JOINT_NAMES), strict=True))
    for joint, name in enumerate(JOINT_NAMES):
        if names[name] is not None:
            parent = None if PARENTS[joint] < 0 else names[JOINT_NAMES[PARENTS[joint]]]
            assert UNITY_PARENTS[names[name]] == parent
    for side, other in (("left", "Left"), ("right", "Right")):
        assert all(bone.startswith(other) == joint.startswith(side) for joint, bone in BONES.items())


@pytest.mark.parametrize(("joint", "axis", "at_rest", "after"), QUARTER_TURNS)
def test_every_bone_turns_the_way_a_person_does(joint: str, axis: str, at_rest: tuple, after: tuple) -> None:
    quaternions = np.tile([0.0, 0.0, 0.0, 1.0], (24, 1))
    half = np.sqrt(0.5)
    quaternions[JOINT_NAMES.index(joint), "xyz".index(axis[1])] = half if axis[0] == "+" else -half
    quaternions[JOINT_NAMES.index(joint), 3] = half
    bones = placed("all", posed(quaternions), BODY)
    for name, bone in bones.items():
        expected = at_rest if name != BONES[joint] else after
        np.testing.assert_allclose(rotated(bone[3:].astype(float), np.array(at_rest, float)), expected, atol=1e-6)


def test_the_free_body_at_rest_is_a_t_pose_in_unity() -> None:
    person = replace(posed(np.tile([0.0, 0.0, 0.0, 1.0], (24, 1))), betas=np.zeros(10, np.float32))
    bones = placed("all", person, load_body("open"))
    places, _ = stood_up(bones)
    assert places["LeftHand"][0] < places["LeftUpperArm"][0] < 0 < places["RightUpperArm"][0] < places["RightHand"][0]
    assert places["Head"][1] > places["Hips"][1] > places["LeftFoot"][1]
    for side in ("Left", "Right"):
        assert places[f"{side}Toes"][2] > places[f"{side}Foot"][2] + 0.05  # feet point to the front
        arm = places[f"{side}Hand"] - places[f"{side}UpperArm"]
        assert abs(arm[0]) > 0.95 * np.linalg.norm(arm)  # arms out to the sides


def test_the_bones_land_on_our_joints() -> None:
    with sending() as (stream, receiver):
        for k in range(60):
            solved = solved_at(k / 10, k)
            stream.put(solved)
            places, turns = stood_up(bones_of(received(receiver)))
            ours = solved.people[0].pose.joints
            for joint, bone in BONES.items():
                mirrored = places[bone] * [-1, 1, 1]
                assert np.linalg.norm(mirrored - ours[JOINT_NAMES.index(joint)]) < 1e-4  # 0.1 mm
                assert abs(np.linalg.norm(turns[bone]) - 1) < 1e-5


# Unity's list of the bones without which it makes no Humanoid (Avatar documentation: 15 bones).
REQUIRED = {
    *("Hips", "Spine", "Head"),
    *(f"{side}{bone}" for side in ("Left", "Right") for bone in ("UpperLeg", "LowerLeg", "Foot")),
    *(f"{side}{bone}" for side in ("Left", "Right") for bone in ("UpperArm", "LowerArm", "Hand")),
}


def on_an_avatar_of(body: BodyModel, bones: dict[str, np.ndarray], lacking: set[str]) -> dict[str, np.ndarray]:
    """World positions, in our axes, of an avatar in the body's proportions that lacks some bones.

    A bone that it has and nobody sent stays as it is at rest.
    """
    rest = dict(zip(BONES.values(), body.rest_joints(np.zeros((1, 10), np.float32))[0][list(range(22))], strict=True))
    avatar: dict[str, np.ndarray] = {}
    for name, parent in UNITY_PARENTS.items():
        if name in lacking:
            continue
        while parent in lacking:
            parent = UNITY_PARENTS[parent]
        offset = (rest[name] - rest[parent]) * [-1, 1, 1] if parent else bones[name][:3]
        avatar[name] = np.concatenate([offset, bones[name][3:] if name in bones else [0, 0, 0, 1]])
    places, _ = stood_up(avatar)
    return {name: place * [-1, 1, 1] for name, place in places.items()}


def bent_person(seed: int, body: BodyModel) -> Person:
    """A back that bends by some 15 degrees in each of its joints, shoulders shrugged a little, arms and legs anyhow."""
    rng = np.random.default_rng(seed)
    angles = rng.normal(0, np.radians(25), (24, 3))
    angles[[JOINT_NAMES.index("left_collar"), JOINT_NAMES.index("right_collar")]] *= 0.2
    back = [JOINT_NAMES.index(name) for name in ("spine1", "spine2", "spine3", "neck")]
    angles[back] = rng.normal(0, np.radians(9), 3) + rng.normal(0, np.radians(4), (4, 3))
    quaternions = Rotation.from_rotvec(angles).as_quat().astype(np.float32)
    person = replace(posed(quaternions), betas=np.zeros(10, np.float32))
    rotmats = Rotation.from_quat(quaternions).as_matrix()[None].astype(np.float32)
    joints = forward_kinematics(rotmats, body.rest_joints(person.betas[None]))[1][0]
    return replace(person, pose=replace(person.pose, joints=joints))


def errors_m(which: str, lacking: set[str]) -> np.ndarray:
    """(people, bones) of an avatar that lacks some bones and gets those of `which`."""
    body = load_body("open")
    people = [bent_person(seed, body) for seed in range(60)]
    rows = []
    for person in people:
        ours = dict(zip(BONES.values(), person.pose.joints, strict=False))
        places = on_an_avatar_of(body, placed(which, person, body), lacking)
        rows.append([np.linalg.norm(places[name] - ours[name]) for name in places])
    return np.array(rows)


def test_required_bones_alone_are_sent_when_asked() -> None:
    with sending("?bones=required") as (stream, receiver):
        stream.put(solved_at(0, 0))
        bones = bones_of(received(receiver))
    assert bones.keys() == REQUIRED


@pytest.mark.parametrize(
    ("lacking", "all_mm", "required_mm"),
    [
        (set(), 0, 13),
        ({"UpperChest"}, 30, 12),
        ({"UpperChest", "Chest"}, 65, 12),
        (UNITY_PARENTS.keys() - REQUIRED, 74, 13),
    ],
)
def test_bends_of_missing_bones_go_into_those_that_are_there(lacking: set, all_mm: float, required_mm: float) -> None:
    """Mean error over an avatar's bones: what the bones it lacks would have turned is lost with `all`."""
    assert 1e3 * errors_m("all", lacking).mean() == pytest.approx(all_mm, abs=1)
    assert 1e3 * errors_m("required", lacking).mean() < required_mm


def test_heads_and_limbs_point_as_the_persons_do() -> None:
    body = load_body("open")
    for seed in range(20):
        person = bent_person(seed, body)
        _, everything = stood_up(placed("all", person, body))
        _, required = stood_up(placed("required", person, body))
        for name in REQUIRED - {"Spine"}:
            assert abs(everything[name] @ required[name]) > 1 - 1e-6


def test_a_person_at_rest_is_the_same_with_required_bones() -> None:
    body = load_body("open")
    person = replace(posed(np.tile([0.0, 0.0, 0.0, 1.0], (24, 1))), betas=np.zeros(10, np.float32))
    everything, _ = stood_up(placed("all", person, body))
    required, _ = stood_up(placed("required", person, body))
    for name, place in required.items():
        np.testing.assert_allclose(place, everything[name], atol=1e-6)


def test_one_person_is_sent_and_stays_the_one() -> None:
    one, two = person_at(0, id=1), person_at(5, id=2)
    with sending() as (stream, receiver):

        def hips(*people: Person) -> np.ndarray:
            stream.put(solved_at(0, 0, people=people))
            return bones_of(received(receiver))["Hips"][:3] * [-1, 1, 1]

        np.testing.assert_allclose(hips(one, two), one.pose.trans, atol=1e-6)
        np.testing.assert_allclose(hips(two, one), one.pose.trans, atol=1e-6)
        np.testing.assert_allclose(hips(two), two.pose.trans, atol=1e-6)
        np.testing.assert_allclose(hips(one, two), two.pose.trans, atol=1e-6)


def test_without_a_person_it_only_says_that_it_is_alive() -> None:
    sick = person_at(0)
    sick = replace(sick, pose=replace(sick.pose, trans=np.array([0, np.nan, 0], np.float32)))
    with sending() as (stream, receiver):
        for people in ((), (sick,)):
            stream.put(solved_at(0, 0, people=people))
            assert [m.address for m in received(receiver)] == ["/VMC/Ext/OK", "/VMC/Ext/T", "/VMC/Ext/Root/Pos"]


def test_quaternions_keep_their_sign() -> None:
    with sending() as (stream, receiver):
        person = person_at(0.3)
        stream.put(solved_at(0, 0, people=(person,)))
        before = bones_of(received(receiver))
        flipped = replace(person, pose=replace(person.pose, rotations=-person.pose.rotations))
        stream.put(solved_at(0, 1, people=(flipped,)))
        after = bones_of(received(receiver))
    for name in before:
        np.testing.assert_array_equal(before[name], after[name])


def test_nobody_needs_to_listen_and_whoever_comes_later_hears() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with nothing_left_behind():
        stream = VmcStream(parse_stream_url(f"vmc://127.0.0.1:{port}"), BODY)
        for k in range(20):
            stream.put(solved_at(k, k))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("127.0.0.1", port))
            receiver.settimeout(5)
            stream.put(solved_at(20, 20))  # this one may carry the last refusal
            stream.put(solved_at(21, 21))
            assert bones_of(received(receiver)).keys() == UNITY_PARENTS.keys()
        stream.close()
        stream.close()


def test_an_address_without_a_host_is_one_line() -> None:
    with nothing_left_behind(), pytest.raises(StreamError, match="there is no host") as caught:
        VmcStream(parse_stream_url("vmc://no.such.host.invalid:39539"), BODY)
    assert str(caught.value).endswith("give an address, for example vmc://127.0.0.1:39539")
    assert "\n" not in str(caught.value)
