"""Posture of a body: local rotations and bones, which the stream resamples, guards and sends."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.body.kinematics import forward_kinematics
from engine.body.model import BodyModel
from engine.body.rotations import axis_angle_from_rotmat, rotmat_from_axis_angle, rotmat_from_quaternion
from engine.body.vectors import unit
from realtime.kernel.messages import Person

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Posture:
    """Posture of SMPL's 24 joints, without a place in the world."""

    rotmats: Floats  # (24, 3, 3) local, parent to child; [0] rotates the body's root frame into the world
    rest_joints: Floats  # (24, 3) metres, at the person's own size

    @classmethod
    def of(cls, person: Person, body: BodyModel) -> Posture:
        """Return a person's smoothed posture."""
        rest = person.scale * body.rest_joints(person.betas[None])[0]
        return cls(rotmat_from_quaternion(unit(person.pose.rotations.astype(np.float64))), rest.astype(np.float64))

    @cached_property
    def joints_root(self) -> Floats:
        """Joints (24, 3) in metres relative to the pelvis, in the body's root frame."""
        rotmats = self.rotmats.copy()
        rotmats[0] = np.eye(3)
        return forward_kinematics(rotmats[None], self.rest_joints)[1][0]

    def turns_to(self, other: Posture) -> Floats:
        """Return the turn of each joint from here to there, axis-angle (24, 3) in radians."""
        turns: Floats = axis_angle_from_rotmat(self.rotmats.swapaxes(-1, -2) @ other.rotmats)
        return turns

    def towards(self, other: Posture, share: float | NDArray[Any]) -> Posture:
        """Go a share of the way, each joint along its geodesic: 0 is here, 1 is there, more is beyond.

        share: one for all, or (24,) for each joint. Bones never grow beyond those of `other`.
        """
        turns = self.turns_to(other) * np.asarray(share)[..., None]
        grown = np.clip(np.min(share), 0.0, 1.0)
        rest = self.rest_joints + grown * (other.rest_joints - self.rest_joints)
        return Posture(self.rotmats @ rotmat_from_axis_angle(turns), rest)
