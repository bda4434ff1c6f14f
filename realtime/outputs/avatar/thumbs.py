"""Turns thumbs into those of a VRM avatar, whose rest pose has them otherwise than the body's.

A VRM avatar's thumbs are level, halfway between the arm and the front, with the nail away from the arm (VRM 1.0,
T-pose, definition 1.8).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from engine.body.hand import THUMB, hand_of, mirrored_quaternion
from engine.body.model import Array, BodyModel
from engine.body.rotations import quaternion_from_rotmat, rotmat_from_quaternion
from engine.body.skeleton import FINGER_JOINTS, Side
from engine.body.vectors import unit

# A left thumb in VRM's T-pose: along the bone, out of the nail, and across, as columns.
_VRM_THUMB = np.array([[0.5**0.5, -(0.5**0.5), 0], [0, 0, -1], [0.5**0.5, 0.5**0.5, 0]], np.float32)
_IDENTITY = np.array([[0, 0, 0, 1]], np.float32)
_INVERSE = np.array([-1, -1, -1, 1], np.float32)
AFTER = FINGER_JOINTS.index("thumb1")  # the thumb's joints are the last three of a hand's


@dataclass(frozen=True)
class VrmThumb:
    """One thumb's rotations and offsets from the avatar's rest pose, so that it points as the person's does."""

    to_body: Array  # (3, 4) quaternions from VRM's rest pose to the body's, a bone

    @classmethod
    def of(cls, body: BodyModel, side: Side) -> Self:
        """Return that of a body, or of published proportions if it has no fingers."""
        hand = hand_of(body)
        along = unit(hand.bones[THUMB])
        nail = hand.nails[THUMB]
        back = unit(nail - (along @ nail)[:, None] * along)
        axes = np.stack((along, back, np.cross(along, back)), axis=-1)
        left = quaternion_from_rotmat(axes @ _VRM_THUMB.T)
        return cls(left if side == "left" else mirrored_quaternion(left))

    @property
    def _before(self) -> Array:
        """(3, 4) the turn back to VRM's rest pose of the bone above each."""
        return np.concatenate([_IDENTITY, self.to_body[:-1]]) * _INVERSE

    def rotations(self, rotations: Array) -> Array:
        """Convert local quaternions (..., 3, 4). The sign follows theirs, so that it stays over time."""
        return _product(_product(self._before, rotations), self.to_body)

    def offsets(self, offsets: Array) -> Array:
        """Convert vectors (3, 3) from parent to joint at rest."""
        turned: Array = (rotmat_from_quaternion(self._before) @ offsets[:, :, None])[..., 0]
        return turned


def _product(a: Array, b: Array) -> Array:
    """Multiply quaternions (..., 4): first b turns, then a."""
    (u, s), (v, t) = (a[..., :3], a[..., 3:]), (b[..., :3], b[..., 3:])
    vector = s * v + t * u + np.cross(u, v)
    return np.concatenate([vector, s * t - (u * v).sum(-1, keepdims=True)], axis=-1)
