"""Packs one frame as a message of the SONIC protocol: the topic, a JSON header of 1280 bytes, the fields' bytes."""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

TOPIC = b"pose"
HEADER_BYTES = 1280
VERSIONS = ("3", "2")
NUM_JOINTS = 29  # of the robot
WRIST_JOINTS = slice(23, 29)

_SHAPES: dict[str, tuple[str, tuple[int, ...]]] = {  # of one frame, in the order of their bytes
    "smpl_joints": ("f32", (1, 24, 3)),
    "smpl_pose": ("f32", (1, 21, 3)),
    "body_quat": ("f32", (1, 4)),
    "frame_index": ("i64", (1,)),
    "joint_pos": ("f32", (1, NUM_JOINTS)),
    "joint_vel": ("f32", (1, NUM_JOINTS)),
}
_ONLY_IN_3 = ("joint_pos", "joint_vel")
_NUMPY = {"f32": "<f4", "i64": "<i8"}


class Packer:
    """Packs the frames of one version of the protocol."""

    def __init__(self, version: str) -> None:
        self._fields = {name: field for name, field in _SHAPES.items() if version == "3" or name not in _ONLY_IN_3}
        fields = [{"name": name, "dtype": kind, "shape": shape} for name, (kind, shape) in self._fields.items()]
        header = {"v": int(version), "endian": "le", "count": 1, "fields": fields}
        self._head = TOPIC + json.dumps(header, separators=(",", ":")).encode().ljust(HEADER_BYTES, b"\0")

    def packed(self, **values: NDArray[np.float64] | int) -> bytes:
        """Return the message with these fields, by name."""
        parts = [
            np.asarray(values[name], _NUMPY[kind]).reshape(shape).tobytes()
            for name, (kind, shape) in self._fields.items()
        ]
        return b"".join((self._head, *parts))
