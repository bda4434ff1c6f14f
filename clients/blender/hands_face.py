"""Parses a message's hands and face, which a stream may lack. Without bpy."""

from __future__ import annotations

import numpy as np

from .fields import Array, Fields, ProtocolError, names, number, numbers, part, quaternions
from .joints import BLENDSHAPES, FINGER_NAMES, SIDES
from .pose_math import multiply

_FINGERS = len(FINGER_NAMES) // 2


def finger_offsets(fields: Fields) -> Array | None:
    """Parse a skeleton message's fingers: (30, 3) from their parents at rest, metres; None without any."""
    if "hand_names" not in fields:
        return None
    body, fingers = names(fields, "names"), names(fields, "hand_names")
    parents = fields.get("hand_parents")
    offsets = numbers(fields, "hand_offsets", (len(fingers), 3))
    missing = [name for name in FINGER_NAMES if name not in fingers]
    if missing:
        raise ProtocolError(f"the stream's hands lack {', '.join(missing)}")
    everything = [*body, *fingers]
    for finger in FINGER_NAMES:
        above = f"{finger.split('_')[0]}_wrist" if finger.endswith("1") else f"{finger[:-1]}{int(finger[-1]) - 1}"
        if not isinstance(parents, list) or parents[fingers.index(finger) :][:1] != [everything.index(above)]:
            raise ProtocolError("the fingers of the stream's skeleton do not hang together as SMPL-H's do")
    return offsets[[fingers.index(name) for name in FINGER_NAMES]]


def finger_rotations(fields: Fields) -> tuple[Array, Array]:
    """Parse a person's fingers: local quaternions (30, 4), NaN for a hand that is not sent, and confidence (30,)."""
    rotations, confidence = np.full((2, _FINGERS, 4), np.nan), np.ones((2, _FINGERS))
    sent = part(fields, "hands")
    for index, side in enumerate(SIDES):
        if side in sent:
            hand = part(sent, side)
            rotations[index] = quaternions(hand, "rotations", _FINGERS)
            confidence[index] = number(hand, "confidence")
    return rotations.reshape(-1, 4), confidence.ravel()


def expression(fields: Fields) -> Array:
    """Parse a person's blend shapes (52,) 0..1, NaN for those that are not sent."""
    values = np.full(len(BLENDSHAPES), np.nan)
    sent = part(part(fields, "face"), "blendshapes")
    for index, name in enumerate(BLENDSHAPES):
        if name in sent:
            values[index] = np.clip(number(sent, name), 0, 1)
    return values


def eye_rotations(fields: Fields) -> tuple[Array, Array]:
    """Parse a person's gaze: quaternions (2, 4) of both eyes in the head, NaN without a face, and confidence (2,)."""
    face = part(fields, "face")
    if "gaze" not in face:
        return np.full((2, 4), np.nan), np.ones(2)
    yaw, pitch = numbers(face, "gaze", (2,)) / 2  # to the person's left, about Y, and up, about -X
    to_the_side, up = (0, np.sin(yaw), 0, np.cos(yaw)), (-np.sin(pitch), 0, 0, np.cos(pitch))
    return np.tile(multiply(np.array(to_the_side), np.array(up)), (2, 1)), np.full(2, number(face, "confidence"))
