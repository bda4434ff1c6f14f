"""A reader of the SONIC protocol, written from its description and not from our sender, and SMPL's joints from it."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

SIZES = {"f32": ("f", 4), "f64": ("d", 8), "i32": ("i", 4), "i64": ("q", 8), "bool": ("?", 1), "u8": ("B", 1)}
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
BASE = Rotation.from_quat([0.5, 0.5, 0.5, 0.5])
UP = Rotation.from_euler("x", 90, degrees=True)


def read(message: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The header, and the fields of the one frame, each without its first dimension."""
    assert message[:4] == b"pose"
    text, body = message[4 : 4 + 1280], message[4 + 1280 :]
    assert len(text) == 1280
    header = json.loads(text.rstrip(b"\0"))
    assert header["endian"] == "le"
    fields, at = {}, 0
    for field in header["fields"]:
        letter, size = SIZES[field["dtype"]]
        count = math.prod(field["shape"])
        numbers = struct.unpack(f"<{count}{letter}", body[at : at + count * size])
        fields[field["name"]] = np.array(numbers).reshape(field["shape"])[0]
        at += count * size
    assert at == len(body), "bytes that no field describes"
    return header, fields


def root_of(fields: dict[str, np.ndarray]) -> Rotation:
    """SMPL's root in a world with Y up: the steps of `body_quat` undone."""
    w, x, y, z = fields["body_quat"]
    return UP.inv() * Rotation.from_quat([x, y, z, w]) * BASE


def joints_of(fields: dict[str, np.ndarray], rest: np.ndarray) -> np.ndarray:
    """SMPL's joints (24, 3) less the pelvis, Y up, by forward kinematics of `smpl_pose` and `body_quat`."""
    turns = [root_of(fields)]
    places = [np.zeros(3)]
    for joint in range(1, 24):
        above = PARENTS[joint]
        places.append(places[above] + turns[above].apply(rest[joint] - rest[above]))
        local = Rotation.from_rotvec(fields["smpl_pose"][joint - 1]) if joint <= 21 else Rotation.identity()
        turns.append(turns[above] * local)
    return np.array(places)


def sent_joints_of(fields: dict[str, np.ndarray]) -> np.ndarray:
    """The same from `smpl_joints` and `body_quat` alone: out of the robot's root frame, then Y up again."""
    w, x, y, z = fields["body_quat"]
    return UP.inv().apply(Rotation.from_quat([x, y, z, w]).apply(fields["smpl_joints"]))


def wrists_of(fields: dict[str, np.ndarray]) -> np.ndarray:
    """The six wrist angles that belong to `smpl_pose`, in the order of joints 23 to 28."""
    angles = []
    for elbow, wrist, side in ((17, 19, 1), (18, 20, -1)):
        x, y, z, w = Rotation.from_rotvec(fields["smpl_pose"][elbow]).as_quat()
        twist = Rotation.from_quat([0, y, 0, w])
        swing = (twist.inv() * Rotation.from_quat([x, y, z, w])).as_euler("XYZ")
        own = Rotation.from_rotvec(fields["smpl_pose"][wrist]).as_euler("XYZ")
        angles.append((side * (swing[0] + own[0]), side * own[1], swing[2] + own[2]))
    (left_roll, left_pitch, left_yaw), (right_roll, right_pitch, right_yaw) = angles
    return np.array([left_roll, right_roll, left_pitch, right_pitch, left_yaw, right_yaw])
