"""The extension's reading of messages: the program's own, and anything else that a network may bring."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.blender import joints
from clients.blender.protocol import Pose, ProtocolError, Skeleton, Status, VersionError, parse
from engine.body import expressions, skeleton
from realtime.kernel.messages import Frame, SolvedFrame
from realtime.outputs.live_status import LiveStatus
from realtime.outputs.streams.wire.wire import Wire
from tests.clients.blender.blender_performance import BETAS, JOINT_CONFIDENCE, open_body, person_at

BODY = open_body()


def pose_message(*ids: int) -> bytes:
    frame = Frame(np.zeros((4, 4, 3), np.uint8), 7, 100.0)
    people = tuple(person_at(1.0, id) for id in ids)
    return Wire(BODY).pose(SolvedFrame(frame, people, t_solved=100.0), fps=29.97)


def changed(message: bytes, **fields: object) -> bytes:
    topic, _, body = message.partition(b" ")
    return topic + b" " + json.dumps(json.loads(body) | fields).encode()


def test_speaks_of_the_same_joints_as_the_program() -> None:
    assert joints.JOINT_NAMES == skeleton.JOINT_NAMES
    assert np.array_equal(joints.PARENTS, skeleton.PARENTS)
    smplh = skeleton.SMPLH
    assert smplh.names[22:] == joints.FINGER_NAMES
    above = dict(zip(smplh.names, [smplh.names[parent] for parent in smplh.parents], strict=True))
    parents = joints.ALL_PARENTS[joints.NUM_JOINTS :]
    assert [joints.ALL_NAMES[parent] for parent in parents] == [*(above[n] for n in smplh.names[22:]), "head", "head"]
    assert joints.BLENDSHAPES == expressions.BLENDSHAPES


def test_reads_the_programs_pose() -> None:
    pose = parse(pose_message(3, 8))
    assert isinstance(pose, Pose)
    assert (pose.seq, pose.fps, [person.id for person in pose.people]) == (7, 29.97, [3, 8])
    sent = person_at(1.0, 3)
    assert np.allclose(pose.people[0].trans, sent.pose.trans, atol=1e-5)
    dots = np.abs((pose.people[0].rotations[:24] * sent.pose.rotations).sum(-1))
    assert np.allclose(dots, 1, atol=1e-6)
    assert pose.people[0].valid
    confidence = pose.people[0].joint_confidence
    assert confidence is not None
    np.testing.assert_allclose(confidence[:24], JOINT_CONFIDENCE, atol=1e-3)


def test_each_joints_confidence_is_optional_but_right() -> None:
    person = json.loads(pose_message(3).partition(b" ")[2])["people"][0]
    del person["joint_confidence"]
    pose = parse(changed(pose_message(3), people=[person]))
    assert isinstance(pose, Pose)
    assert pose.people[0].joint_confidence is None
    with pytest.raises(ProtocolError, match="'joint_confidence' is not 24"):
        parse(changed(pose_message(3), people=[person | {"joint_confidence": [0.5] * 23}]))


def test_a_persons_scale_is_optional_but_right() -> None:
    person = json.loads(pose_message(3).partition(b" ")[2])["people"][0]
    pose = parse(changed(pose_message(3), people=[person | {"scale": 0.7}]))
    assert isinstance(pose, Pose)
    assert pose.people[0].scale == 0.7
    del person["scale"]
    pose = parse(changed(pose_message(3), people=[person]))
    assert isinstance(pose, Pose)
    assert pose.people[0].scale == 1.0
    for bad in (0, -0.5, "1", [1.0]):
        with pytest.raises(ProtocolError, match="'scale' is not"):
            parse(changed(pose_message(3), people=[person | {"scale": bad}]))


@pytest.mark.parametrize("betas", [np.zeros(10, np.float32), BETAS])
def test_rest_joints_of_any_shape_come_from_the_skeleton(betas: np.ndarray) -> None:
    wire = Wire(BODY)
    wire.pose(SolvedFrame(Frame(np.zeros((4, 4, 3), np.uint8), 0, 0.0), (person_at(0.0),), t_solved=0.0), fps=30)
    read = parse(wire.skeleton())
    assert isinstance(read, Skeleton)
    assert np.abs(read.rest_joints(betas) - BODY.rest_joints(betas[None])[0]).max() < 1e-4
    assert np.abs(read.rest_joints(betas, 0.7) - 0.7 * BODY.rest_joints(betas[None])[0]).max() < 1e-4


def test_a_skeleton_without_shapes_is_enough() -> None:
    fields = json.loads(Wire(BODY).skeleton().removeprefix(b"skeleton "))
    del fields["shape_offsets"], fields["betas"]
    read = parse(b"skeleton " + json.dumps(fields).encode())
    assert isinstance(read, Skeleton)
    assert np.abs(read.rest_joints(BETAS) - BODY.joints_template).max() < 1e-4


def test_reads_the_programs_status() -> None:
    status = LiveStatus(state="lost", source="cam 0", estimator="landmarks", backend="openvino", dropped=3, message="x")
    assert parse(Wire(BODY).status(status)) == Status("lost", "cam 0", "x")


def test_another_version_is_refused_by_name() -> None:
    with pytest.raises(VersionError, match="speaks version 2 of the wire format, this extension version 1"):
        parse(changed(pose_message(1), v=2))


def test_unknown_topics_and_keys_are_ignored() -> None:
    assert parse(b"weather {}") is None
    assert isinstance(parse(changed(pose_message(1), mood="good")), Pose)


@pytest.mark.parametrize(
    "fields",
    [
        {"people": None},
        {"people": [1]},
        {"people": [{}]},
        {"seq": True},
        {"seq": 10**30},
        {"t_capture": "now"},
        {"fps": [30]},
        {"t_capture": float("nan")},
        {"t_capture": 10**400},
    ],
)
def test_broken_poses_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ProtocolError):
        parse(changed(pose_message(1), **fields))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rotations", [[0, 0, 0, 1]] * 23),
        ("rotations", [[0, 0, 0, 2]] * 24),
        ("rotations", [[0, 0, 0, 1]] * 23 + [[0, 0, 1]]),
        ("trans", [0, 0, float("inf")]),
        ("trans", [False, True, False]),
        ("betas", "0000000000"),
    ],
)
def test_broken_people_are_refused(key: str, value: object) -> None:
    fields = json.loads(pose_message(1).removeprefix(b"pose "))
    fields["people"][0][key] = value
    with pytest.raises(ProtocolError, match=r"^[^\n]+$"):
        parse(b"pose " + json.dumps(fields).encode())


def test_another_skeleton_is_refused() -> None:
    message = Wire(BODY).skeleton()
    with pytest.raises(ProtocolError, match="up axis is 'Z'"):
        parse(changed(message, up_axis="Z"))
    with pytest.raises(ProtocolError, match="24 joints"):
        parse(changed(message, names=["hips"]))


def with_fingers(fields: dict[str, Any], key: str, extra: Any) -> list[Any]:
    """The list of a message with the joints in another order, and one more that hangs on the left hand."""
    return [extra, *reversed(fields[key])]


def test_a_skeleton_that_has_smpls_joints_and_others_is_read_by_name() -> None:
    plain = Wire(BODY).skeleton()
    fields = json.loads(plain.removeprefix(b"skeleton "))
    others = {key: with_fingers(fields, key, fields[key][0]) for key in ("offsets", "shape_offsets")}
    others["names"] = with_fingers(fields, "names", "left_index1")
    names = others["names"]
    pairs = zip(fields["names"], fields["parents"], strict=True)
    above = {name: fields["names"][parent] for name, parent in pairs if parent >= 0}
    others["parents"] = [names.index((above | {"left_index1": "left_hand"}).get(name, name)) for name in names]
    others["parents"][names.index("pelvis")] = -1
    read, as_ever = parse(changed(plain, **others)), parse(plain)
    assert isinstance(read, Skeleton)
    assert isinstance(as_ever, Skeleton)
    np.testing.assert_allclose(read.rest_joints(BETAS), as_ever.rest_joints(BETAS))

    pose = json.loads(pose_message(1).removeprefix(b"pose "))
    (person,) = pose["people"]
    more = {key: with_fingers(person, key, person[key][0]) for key in ("rotations", "joint_confidence")}
    message = changed(pose_message(1), people=[person | more])
    with pytest.raises(ProtocolError, match="24x4"):
        parse(message)  # before anything is known of the skeleton
    moved, still = parse(message, read.of_stream), parse(pose_message(1))
    assert isinstance(moved, Pose)
    assert isinstance(still, Pose)
    np.testing.assert_allclose(moved.people[0].rotations, still.people[0].rotations)
    np.testing.assert_allclose(moved.people[0].joint_confidence, still.people[0].joint_confidence)


def test_a_skeleton_whose_joints_hang_together_otherwise_is_refused() -> None:
    message = Wire(BODY).skeleton()
    parents = json.loads(message.removeprefix(b"skeleton "))["parents"]
    for other in ([0], 3, [*parents[:-1], 0], [[], *parents[1:]]):
        with pytest.raises(ProtocolError, match=r"24 joints|hang together"):
            parse(changed(message, parents=other))


SCALARS = st.none() | st.booleans() | st.floats() | st.text("aZ0\n", max_size=3) | st.integers()
JSON = st.recursive(
    SCALARS, lambda kids: st.lists(kids, max_size=3) | st.dictionaries(st.just("v"), kids), max_leaves=8
)
KEYS = st.sampled_from(["v", "seq", "people", "names", "offsets", "shape_offsets", "betas", "body", "up_axis", "fps"])
MESSAGES = (pose_message(1), Wire(BODY).skeleton())


@given(st.sampled_from([b"pose ", b"skeleton ", b"status "]), st.binary())
def test_garbage_is_refused_and_nothing_else(topic: bytes, garbage: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse(topic + garbage)


@given(st.dictionaries(KEYS, JSON, max_size=3), st.sampled_from(MESSAGES))
def test_damaged_messages_are_read_or_refused(fields: dict[str, object], message: bytes) -> None:
    damaged = changed(message, **fields)
    try:
        read = parse(damaged)
    except ProtocolError:
        with pytest.raises(ProtocolError, match=r"\A[^\n]+\Z"):
            parse(damaged)
    else:
        assert isinstance(read, Pose | Skeleton)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(ProtocolError):
        parse(b'pose {"v":1,"people":' + b"[" * 200_000 + b"]" * 200_000 + b"}")
