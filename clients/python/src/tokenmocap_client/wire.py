"""Parses the stream's messages: a topic word, one space, UTF-8 JSON (docs/wire-format.md of tokenmocap)."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from .frame import Face, Frame, Hand, Person, Status
from .skeleton import FINGER_NAMES, JOINT_NAMES, Array, Skeleton

VERSION = 1
_BETAS, _FINGERS_A_HAND = 10, 15
_LARGEST = 1e12


class StreamError(ValueError):
    """Stream that cannot be followed; one line with the mend."""


class MessageError(ValueError):
    """Message that is damaged, or not the program's."""


def fields_of(message: bytes) -> tuple[str, dict[str, Any]]:
    """Return topic and content of a message. Raises MessageError; StreamError for another version of the format."""
    topic, _, body = message.partition(b" ")
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MessageError("it is not JSON") from error
    if not isinstance(fields, dict):
        raise MessageError("it is no JSON object")
    if fields.get("v") != VERSION:
        raise StreamError(
            f"the stream speaks version {str(fields.get('v'))[:20]} of the wire format, this client version {VERSION}: "
            "install the client that came with the program"
        )
    return topic.decode("ascii", "replace"), fields


def skeleton_of(fields: dict[str, Any]) -> Skeleton:
    """Read a `skeleton` message. Raises MessageError."""
    names = fields.get("names")
    if not isinstance(names, list) or tuple(names) != JOINT_NAMES:
        raise MessageError("its joints are not SMPL's 24")
    parents = _whole_numbers(fields, "parents", len(JOINT_NAMES))
    offsets = _numbers(fields, "offsets", len(JOINT_NAMES), 3)
    if fields.get("hand_names") == list(FINGER_NAMES):
        parents += _whole_numbers(fields, "hand_parents", len(FINGER_NAMES))
        offsets = np.concatenate([offsets, _numbers(fields, "hand_offsets", len(FINGER_NAMES), 3)])
    if any(not 0 <= parent < joint for joint, parent in enumerate(parents[1:], 1)):
        raise MessageError("its joints do not follow their parents")
    body = fields.get("body")
    shapes, betas = np.zeros((len(JOINT_NAMES), 3, _BETAS)), np.zeros(_BETAS)
    if "shape_offsets" in fields:
        shapes = _numbers(fields, "shape_offsets", len(JOINT_NAMES), 3, _BETAS)
        betas = _numbers(fields, "betas", _BETAS)
    return Skeleton(parents, offsets, shapes, betas, str(body.get("name", "")) if isinstance(body, dict) else "")


def frame_of(fields: dict[str, Any], skeleton: Skeleton) -> Frame:
    """Read a `pose` message. Raises MessageError."""
    people = fields.get("people")
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise MessageError("it has no list of people")
    return Frame(
        seq=_whole(fields, "seq"),
        t_capture=_number(fields, "t_capture"),
        t_publish=_number(fields, "t_publish"),
        fps=_number(fields, "fps"),
        people=tuple(_person(person, skeleton) for person in people),
        performer=_whole(fields, "performer") if "performer" in fields else None,
        skeleton=skeleton,
    )


def status_of(fields: dict[str, Any]) -> Status:
    """Read a `status` message."""
    return Status(*(str(fields.get(key, "")) for key in ("state", "message", "source")))


def _person(fields: dict[str, Any], skeleton: Skeleton) -> Person:
    hands, joints = fields.get("hands", {}), len(JOINT_NAMES)
    if not isinstance(hands, dict):
        raise MessageError("its hands are no object")
    return Person(
        id=_whole(fields, "id"),
        confidence=_number(fields, "confidence"),
        valid=fields.get("valid") is True,
        trans=_numbers(fields, "trans", 3),
        rotations=_numbers(fields, "rotations", joints, 4),
        betas=_numbers(fields, "betas", _BETAS),
        scale=_number(fields, "scale") if "scale" in fields else 1.0,
        skeleton=skeleton,
        joint_confidence=_numbers(fields, "joint_confidence", joints) if "joint_confidence" in fields else None,
        contacts=_numbers(fields, "contacts", 4) if "contacts" in fields else None,
        hands={side: _hand(hands[side]) for side in ("left", "right") if side in hands},
        face=_face(fields["face"]) if "face" in fields else None,
    )


def _hand(fields: Any) -> Hand:
    return Hand(_number(fields, "confidence"), _numbers(fields, "rotations", _FINGERS_A_HAND, 4))


def _face(fields: Any) -> Face:
    shapes = _value(fields, "blendshapes")
    if not isinstance(shapes, dict):
        raise MessageError("its blendshapes are no object")
    values = {str(name): _number(shapes, name) for name in shapes}
    return Face(_number(fields, "confidence"), values, _numbers(fields, "gaze", 2))


def _value(fields: Any, key: str) -> Any:
    if not isinstance(fields, dict) or key not in fields:
        raise MessageError(f"it has no '{key}'")
    return fields[key]


def _number(fields: Any, key: str) -> float:
    value = _value(fields, key)
    if not isinstance(value, (int, float)) or not abs(value) < _LARGEST:
        raise MessageError(f"its '{key}' is no finite number")
    return float(value)


def _whole(fields: Any, key: str) -> int:
    value = _value(fields, key)
    if not isinstance(value, int):
        raise MessageError(f"its '{key}' is no whole number")
    return value


def _whole_numbers(fields: Any, key: str, count: int) -> tuple[int, ...]:
    value = _value(fields, key)
    if not isinstance(value, list) or len(value) != count or not all(isinstance(each, int) for each in value):
        raise MessageError(f"its '{key}' are not {count} whole numbers")
    return tuple(value)


def _numbers(fields: Any, key: str, *shape: int) -> Array:
    try:
        array = np.array(_value(fields, key), np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise MessageError(f"its '{key}' are no numbers") from error
    if array.shape != shape or not math.isfinite(array.sum()):  # finite if all of them are, and quicker
        raise MessageError(f"its '{key}' are not finite numbers of shape {shape}")
    return array
