"""Finger bones at rest, to go with a body of SMPL's 24 joints: thirty joints in SMPL-H's order, left hand first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from engine.body.hand import CHAINS, published_hand
from engine.body.model import Array, BodyModel
from engine.body.names import Indices
from engine.body.skeleton import FINGERS, SIDES, SMPL, SMPLH, Skeleton
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
        """Take those of the run's body; None where hands are not looked for."""
        return cls.of_body(run.drawn_body) if run.hands else None

    @classmethod
    def of_body(cls, body: BodyModel) -> Self:
        """Take those of a body; one without fingers gets fingers of published proportions, of the size of its hand."""
        if FINGER_NAMES[0] not in body.skeleton.names:
            return cls._published(body)
        joints = body.skeleton.indices(FINGER_NAMES)
        return cls(body.joints_template[joints], body.joint_shapedirs[joints])

    @classmethod
    def _published(cls, body: BodyModel) -> Self:
        left = published_hand()
        joints_m = left.points[CHAINS[:, :3]].reshape(-1, 3)  # of the left hand, from the wrist
        knuckle_m = float(np.linalg.norm(left.roots[FINGERS.index("middle")]))
        template, shapedirs = [], []
        for side, hand_m in zip(SIDES, (joints_m, joints_m * np.array((-1, 1, 1))), strict=True):
            wrist, hand = body.skeleton.indices((f"{side}_wrist", f"{side}_hand"))  # the latter at the middle knuckle
            away = body.joints_template[hand] - body.joints_template[wrist]
            grows = body.joint_shapedirs[hand] - body.joint_shapedirs[wrist]
            length_m = np.linalg.norm(away)
            template.append(body.joints_template[wrist] + length_m / knuckle_m * hand_m)
            size_dirs = (away / length_m) @ grows / knuckle_m  # (10,)
            shapedirs.append(body.joint_shapedirs[wrist] + hand_m[..., None] * size_dirs)
        return cls(np.concatenate(template).astype(np.float32), np.concatenate(shapedirs).astype(np.float32))

    def rest_joints(self, betas: Array) -> Array:
        """Joints (30, 3) for betas (10,)."""
        return self.template + self.shapedirs @ betas

    def offsets(self, betas: Array, rest_joints: Array) -> Array:
        """Vectors (30, 3) from parent to joint for betas (10,); rest_joints (24, 3) of the body for the same betas."""
        joints = self.rest_joints(betas)
        offsets: Array = joints - np.concatenate([rest_joints, joints])[FINGER_PARENTS]
        return offsets
