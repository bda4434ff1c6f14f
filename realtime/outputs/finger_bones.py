"""Finger bones at rest, to go with a body of SMPL's 24 joints: thirty joints in SMPL-H's order, left hand first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from engine.body.model import Array, BodyModel
from engine.body.names import Indices
from engine.body.skeleton import SMPL, SMPLH, Skeleton
from realtime.outputs.output import Run

_SHARED = sum(name in SMPL.names for name in SMPLH.names)  # joints before the fingers
FINGER_NAMES = SMPLH.names[_SHARED:]


def _parents() -> Indices:
    names = SMPL.names + FINGER_NAMES
    return np.array([names.index(SMPLH.names[parent]) for parent in SMPLH.parents[_SHARED:]])


FINGER_PARENTS = _parents()  # (30,) indices into SMPL's 24 joints followed by these
SMPL_AND_FINGERS = Skeleton(SMPL.names + FINGER_NAMES, np.concatenate([SMPL.parents, FINGER_PARENTS]))


@dataclass(frozen=True)
class FingerBones:
    """Finger joints of the T-pose, in the frame of the body that they belong to. Metres."""

    template: Array  # (30, 3)
    shapedirs: Array  # (30, 3, 10)

    @classmethod
    def of(cls, run: Run) -> Self | None:
        """Take those of the run's body; None where hands are not looked for, or that body has no fingers."""
        return cls.of_body(run.drawn_body) if run.hands else None

    @classmethod
    def of_body(cls, body: BodyModel) -> Self | None:
        """Take those of a body; None if it has no fingers."""
        if FINGER_NAMES[0] not in body.skeleton.names:
            return None
        joints = body.skeleton.indices(FINGER_NAMES)
        return cls(body.joints_template[joints], body.joint_shapedirs[joints])

    def rest_joints(self, betas: Array) -> Array:
        """Joints (30, 3) for betas (10,)."""
        return self.template + self.shapedirs @ betas

    def offsets(self, betas: Array, rest_joints: Array) -> Array:
        """Vectors (30, 3) from parent to joint for betas (10,); rest_joints (24, 3) of the body for the same betas."""
        joints = self.rest_joints(betas)
        offsets: Array = joints - np.concatenate([rest_joints, joints])[FINGER_PARENTS]
        return offsets
