"""Maps fingers and gaze to the bones of Unity's Humanoid, in Unity's frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from engine.body.keypoints import BLAZEPOSE
from engine.body.model import BodyModel
from engine.body.rotations import quaternion_from_rotmat
from engine.body.skeleton import FINGER_JOINTS, JOINT_NAMES, SIDES, Side
from realtime.kernel.full_pose import gaze_rotmat
from realtime.kernel.messages import Array, Face, Hand, Person
from realtime.outputs.avatar.thumbs import AFTER, VrmThumb
from realtime.outputs.finger_bones import FingerBones
from realtime.outputs.output import Run
from realtime.outputs.streams.osc.unity import in_unity

EYE_BONES = ("LeftEye", "RightEye")
_EYES = BLAZEPOSE.indices(("left_eye", "right_eye"))
_HEAD = JOINT_NAMES.index("head")


@dataclass(frozen=True)
class HumanoidHands:
    """Places fingers: their bones at rest, and how an avatar's thumbs rest otherwise than the body's.

    As for the body, positions are the person's own offsets at rest. Both rest poses have straight fingers along the
    arm, so SMPL-H's rotations are the avatar's. Thumbs differ (`realtime.outputs.avatar.thumbs`).
    """

    fingers: FingerBones
    thumbs: dict[Side, VrmThumb]

    @classmethod
    def of(cls, run: Run) -> Self | None:
        """Return those of the run's body; None where hands are not looked for."""
        return cls.of_body(run.drawn_body) if run.hands else None

    @classmethod
    def of_body(cls, body: BodyModel) -> Self:
        """Return those of a body, or of published proportions if it has no fingers."""
        return cls(FingerBones.of_body(body), {side: VrmThumb.of(body, side) for side in SIDES})

    def place(self, side: Side, hand: Hand, person: Person, body: BodyModel) -> Array:
        """Return one hand's bones (15, 7) in the order of `FINGER_BONES`."""
        offsets = person.scale * self.fingers.offsets(person.betas, body.rest_joints(person.betas[None])[0])
        first = len(FINGER_JOINTS) * SIDES.index(side)
        positions, rotations = offsets[first : first + len(FINGER_JOINTS)].copy(), hand.rotations.copy()
        thumb = self.thumbs[side]
        rotations[AFTER:] = thumb.rotations(rotations[AFTER:])
        positions[AFTER:] = thumb.offsets(positions[AFTER:])
        return in_unity(positions, rotations)


def place_eyes(face: Face, person: Person, body: BodyModel) -> Array:
    """Return both eyes (2, 7) in the order of `EYE_BONES`: in the middle of the eyeballs, turned by the gaze."""
    head_m = body.rest_joints(person.betas[None])[0, _HEAD]
    eyes_m = body.landmark_rest[_EYES] + body.landmark_shapedirs[_EYES] @ person.betas
    turn = quaternion_from_rotmat(gaze_rotmat(face.gaze_rad)[None])
    return in_unity(person.scale * (eyes_m - head_m), np.tile(turn, (2, 1)))
