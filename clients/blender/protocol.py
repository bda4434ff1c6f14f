"""Parses the stream's messages to validated records. Without bpy.

A message is a topic word, one space and UTF-8 JSON. Network data are untrusted: a message becomes a record whose arrays
have the right shapes and finite numbers, or a ProtocolError of one line.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .fields import Array, Fields, ProtocolError, number, numbers, quaternions, whole
from .hands_face import expression, eye_rotations, finger_offsets, finger_rotations
from .joints import ALL_PARENTS, BLENDSHAPES, JOINT_NAMES, NUM_JOINTS, PARENTS

VERSION = 1
NUM_BETAS = 10


class VersionError(ProtocolError):
    """Stream of another version of the wire format."""


@dataclass(frozen=True, slots=True, eq=False)
class Joints:
    """The joints of a stream: how many it has, and which of them are SMPL's."""

    count: int
    places: NDArray[np.intp]  # (24,)


SMPL = Joints(NUM_JOINTS, np.arange(NUM_JOINTS))


@dataclass(frozen=True, slots=True, eq=False)
class Skeleton:
    """Joints at rest and their shape directions, sent every second; metres, Y up, facing +Z."""

    joints: Array  # (24, 3) for the average shape
    joint_shapes: Array  # (24, 3, 10)
    body_name: str
    of_stream: Joints  # to parse its pose messages by
    fingers: Array | None = None  # (30, 3) from their parents; None for a stream without hands

    def rest_joints(self, betas: Array, scale: float = 1.0) -> Array:
        """Return joints (54, 3), or (24, 3) without hands, for a shape (10,) and a size relative to the body's."""
        return self.with_fingers(scale * (self.joints + self.joint_shapes @ betas), scale)

    def with_fingers(self, rest_joints: Array, scale: float = 1.0) -> Array:
        """Add the stream's fingers, if it has any, to the wrists of a body (24, 3)."""
        if self.fingers is None:
            return rest_joints
        joints = np.concatenate([rest_joints, scale * self.fingers])
        for joint in range(NUM_JOINTS, len(joints)):  # parents come first
            joints[joint] += joints[ALL_PARENTS[joint]]
        return joints


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    id: int
    confidence: float
    valid: bool  # False while the tracker bridges frames without the person
    trans: Array  # (3,) the pelvis joint in the world, metres, Y up
    # (56, 4) unit quaternions x, y, z, w, local; [0] rotates the root into the world; NaN where the stream has none
    rotations: Array
    betas: Array  # (10,)
    joint_confidence: Array | None = None  # (56,) 0..1, visibility of each joint; None: not in the stream
    scale: float = 1.0  # the person's size relative to the skeleton's
    blendshapes: Array = field(default_factory=lambda: np.full(len(BLENDSHAPES), np.nan))  # (52,) 0..1, NaN: not sent


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    seq: int
    t_capture: float  # Unix time, s, on the sender's clock
    t_publish: float
    fps: float
    people: tuple[Person, ...]


@dataclass(frozen=True, slots=True)
class Status:
    state: str
    source: str
    message: str


def parse(message: bytes, joints: Joints = SMPL) -> Skeleton | Pose | Status | None:
    """Parse one message; None for an unknown topic. joints: of the newest skeleton message. Raises ProtocolError."""
    topic, _, body = message.partition(b" ")
    read = _READERS.get(topic)
    if read is None:
        return None
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a {topic.decode()} message is not JSON") from error
    if not isinstance(fields, dict):
        raise ProtocolError(f"a {topic.decode()} message is not a JSON object")
    if fields.get("v") != VERSION:
        raise VersionError(
            f"the stream speaks version {repr(fields.get('v'))[:20]} of the wire format, this extension version "
            f"{VERSION}: install the one that came with the program"
        )
    return read(fields, joints)


def _skeleton(fields: Fields, _: Joints) -> Skeleton:
    stream = _joints(fields.get("names"), fields.get("parents"))
    if fields.get("up_axis") != "Y":
        raise ProtocolError(f"the stream's up axis is {repr(fields.get('up_axis'))[:20]}, not 'Y'")
    joints = numbers(fields, "offsets", (stream.count, 3))[stream.places]
    joint_shapes = np.zeros((NUM_JOINTS, 3, NUM_BETAS))
    if "shape_offsets" in fields:
        joint_shapes = numbers(fields, "shape_offsets", (stream.count, 3, NUM_BETAS))[stream.places]
        joints -= joint_shapes @ numbers(fields, "betas", (NUM_BETAS,))
    for joint in range(1, NUM_JOINTS):  # offsets are relative to the parent, which comes first
        joints[joint] += joints[PARENTS[joint]]
        joint_shapes[joint] += joint_shapes[PARENTS[joint]]
    body = fields.get("body")
    body_name = str(body.get("name", ""))[:80] if isinstance(body, dict) else ""
    return Skeleton(joints, joint_shapes, body_name, stream, finger_offsets(fields))


def _joints(names: Any, parents: Any) -> Joints:
    """Find SMPL's joints by name; others may hang on them, but not lie between."""
    lists = isinstance(names, list) and isinstance(parents, list) and len(names) == len(parents)
    if not lists or not all(isinstance(name, str) for name in names) or not set(JOINT_NAMES) <= set(names):
        raise ProtocolError("the stream's skeleton does not have SMPL's 24 joints")
    places = np.array([names.index(name) for name in JOINT_NAMES])
    if [parents[place] for place in places] != [-1, *places[PARENTS[1:]].tolist()]:
        raise ProtocolError("the joints of the stream's skeleton do not hang together as SMPL's do")
    return Joints(len(names), places)


def _pose(fields: Fields, joints: Joints) -> Pose:
    people = fields.get("people")
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise ProtocolError("a pose message has no list of people")
    return Pose(
        seq=whole(fields, "seq"),
        t_capture=number(fields, "t_capture"),
        t_publish=number(fields, "t_publish"),
        fps=number(fields, "fps"),
        people=tuple(_person(person, joints) for person in people),
    )


def _person(fields: Fields, joints: Joints) -> Person:
    body = quaternions(fields, "rotations", joints.count)[joints.places]
    fingers, hand_confidence = finger_rotations(fields)
    eyes, face_confidence = eye_rotations(fields)
    confidence = None
    if "joint_confidence" in fields:
        body_confidence = numbers(fields, "joint_confidence", (joints.count,))[joints.places]
        confidence = np.concatenate([body_confidence, hand_confidence, face_confidence])
    scale = number(fields, "scale") if "scale" in fields else 1.0
    if scale <= 0:
        raise ProtocolError("'scale' is not above 0")
    return Person(
        id=whole(fields, "id"),
        confidence=number(fields, "confidence"),
        valid=fields.get("valid") is True,
        trans=numbers(fields, "trans", (3,)),
        rotations=np.concatenate([body, fingers, eyes]),
        betas=numbers(fields, "betas", (NUM_BETAS,)),
        joint_confidence=confidence,
        scale=scale,
        blendshapes=expression(fields),
    )


def _status(fields: Fields, _: Joints) -> Status:
    return Status(*(str(fields.get(key, ""))[:200] for key in ("state", "source", "message")))


_READERS: dict[bytes, Callable[[Fields, Joints], Skeleton | Pose | Status]] = {
    b"skeleton": _skeleton,
    b"pose": _pose,
    b"status": _status,
}
