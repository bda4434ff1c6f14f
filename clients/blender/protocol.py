"""Parses the stream's messages to validated records. Without bpy.

A message is a topic word, one space and UTF-8 JSON. Network data are untrusted: a message becomes a record whose arrays
have the right shapes and finite numbers, or a ProtocolError of one line.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

VERSION = 1
NUM_JOINTS = 24
NUM_BETAS = 10
JOINT_NAMES: tuple[str, ...] = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
    "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hand", "right_hand",
)  # fmt: skip
PARENTS = np.array([-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21])


class ProtocolError(ValueError):
    """Invalid message; one line with the reason."""


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

    def rest_joints(self, betas: Array, scale: float = 1.0) -> Array:
        """Return joints (24, 3) for a shape (10,) and a person's size relative to the body's."""
        return scale * (self.joints + self.joint_shapes @ betas)


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    id: int
    confidence: float
    valid: bool  # False while the tracker bridges frames without the person
    trans: Array  # (3,) the pelvis joint in the world, metres, Y up
    rotations: Array  # (24, 4) unit quaternions x, y, z, w, local; [0] rotates the root into the world
    betas: Array  # (10,)
    joint_confidence: Array | None = None  # (24,) 0..1, visibility of each joint; None: not in the stream
    scale: float = 1.0  # the person's size relative to the skeleton's


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


def _skeleton(fields: dict[str, Any], _: Joints) -> Skeleton:
    stream = _joints(fields.get("names"), fields.get("parents"))
    if fields.get("up_axis") != "Y":
        raise ProtocolError(f"the stream's up axis is {repr(fields.get('up_axis'))[:20]}, not 'Y'")
    joints = _numbers(fields, "offsets", (stream.count, 3))[stream.places]
    joint_shapes = np.zeros((NUM_JOINTS, 3, NUM_BETAS))
    if "shape_offsets" in fields:
        joint_shapes = _numbers(fields, "shape_offsets", (stream.count, 3, NUM_BETAS))[stream.places]
        joints -= joint_shapes @ _numbers(fields, "betas", (NUM_BETAS,))
    for joint in range(1, NUM_JOINTS):  # offsets are relative to the parent, which comes first
        joints[joint] += joints[PARENTS[joint]]
        joint_shapes[joint] += joint_shapes[PARENTS[joint]]
    body = fields.get("body")
    return Skeleton(joints, joint_shapes, str(body.get("name", ""))[:80] if isinstance(body, dict) else "", stream)


def _joints(names: Any, parents: Any) -> Joints:
    """Find SMPL's joints by name; others may hang on them, but not lie between."""
    lists = isinstance(names, list) and isinstance(parents, list) and len(names) == len(parents)
    if not lists or not all(isinstance(name, str) for name in names) or not set(JOINT_NAMES) <= set(names):
        raise ProtocolError("the stream's skeleton does not have SMPL's 24 joints")
    places = np.array([names.index(name) for name in JOINT_NAMES])
    if [parents[place] for place in places] != [-1, *places[PARENTS[1:]].tolist()]:
        raise ProtocolError("the joints of the stream's skeleton do not hang together as SMPL's do")
    return Joints(len(names), places)


def _pose(fields: dict[str, Any], joints: Joints) -> Pose:
    people = fields.get("people")
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise ProtocolError("a pose message has no list of people")
    return Pose(
        seq=_whole(fields, "seq"),
        t_capture=_number(fields, "t_capture"),
        t_publish=_number(fields, "t_publish"),
        fps=_number(fields, "fps"),
        people=tuple(_person(person, joints) for person in people),
    )


def _person(fields: dict[str, Any], joints: Joints) -> Person:
    rotations = _numbers(fields, "rotations", (joints.count, 4))[joints.places]
    norms = np.linalg.norm(rotations, axis=-1, keepdims=True)
    if np.abs(norms - 1).max() > 0.01:
        raise ProtocolError("a pose message has rotations that are not unit quaternions")
    confidence = _numbers(fields, "joint_confidence", (joints.count,)) if "joint_confidence" in fields else None
    scale = _number(fields, "scale") if "scale" in fields else 1.0
    if scale <= 0:
        raise ProtocolError("'scale' is not above 0")
    return Person(
        id=_whole(fields, "id"),
        confidence=_number(fields, "confidence"),
        valid=fields.get("valid") is True,
        trans=_numbers(fields, "trans", (3,)),
        rotations=rotations / norms,
        betas=_numbers(fields, "betas", (NUM_BETAS,)),
        joint_confidence=None if confidence is None else confidence[joints.places],
        scale=scale,
    )


def _status(fields: dict[str, Any], _: Joints) -> Status:
    return Status(*(str(fields.get(key, ""))[:200] for key in ("state", "source", "message")))


def _whole(fields: dict[str, Any], key: str) -> int:
    value = fields.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
        raise ProtocolError(f"'{key}' is not a whole number")
    return value


def _number(fields: dict[str, Any], key: str) -> float:
    return float(_numbers(fields, key, ()))


def _numbers(fields: dict[str, Any], key: str, shape: tuple[int, ...]) -> Array:
    try:
        array = np.array(fields.get(key))
    except ValueError:  # ragged lists
        array = np.empty(0)
    if array.shape != shape or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise ProtocolError(f"'{key}' is not {'x'.join(map(str, shape)) or 'one'} finite numbers")
    return array.astype(np.float64)


_READERS: dict[bytes, Callable[[dict[str, Any], Joints], Skeleton | Pose | Status]] = {
    b"skeleton": _skeleton,
    b"pose": _pose,
    b"status": _status,
}
