"""Maps fingers and gaze to the bones of Unity's Humanoid, in Unity's frame (`realtime.outputs.streams.humanoid`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from engine.body.hand import THUMB, hand_of, mirrored_quaternion
from engine.body.keypoints import BLAZEPOSE
from engine.body.model import BodyModel
from engine.body.rotations import quaternion_from_rotmat, rotmat_from_quaternion
from engine.body.skeleton import FINGER_JOINTS, FINGERS, JOINT_NAMES, SIDES, Side
from engine.body.vectors import unit
from realtime.kernel.full_pose import gaze_rotmat
from realtime.kernel.messages import Array, Face, Hand, Person
from realtime.outputs.finger_bones import FingerBones
from realtime.outputs.output import Run
from realtime.outputs.streams.humanoid import in_unity

_UNITY_FINGERS = {finger: finger.title() for finger in FINGERS} | {"pinky": "Little"}
_UNITY_JOINTS = {"1": "Proximal", "2": "Intermediate", "3": "Distal"}
# Names in HumanBodyBones, in the order of `FINGER_JOINTS`: LeftIndexProximal, LeftIndexIntermediate ...
FINGER_BONES: dict[Side, tuple[str, ...]] = {
    side: tuple(f"{side.title()}{_UNITY_FINGERS[joint[:-1]]}{_UNITY_JOINTS[joint[-1]]}" for joint in FINGER_JOINTS)
    for side in SIDES
}
EYE_BONES = ("LeftEye", "RightEye")
_EYES = BLAZEPOSE.indices(("left_eye", "right_eye"))
_HEAD = JOINT_NAMES.index("head")
# A left thumb in VRM's T-pose: along the bone, out of the nail, and across, as columns.
_VRM_THUMB = np.array([[0.5**0.5, -(0.5**0.5), 0], [0, 0, -1], [0.5**0.5, 0.5**0.5, 0]], np.float32)
_IDENTITY = np.array([[0, 0, 0, 1]], np.float32)
_INVERSE = np.array([-1, -1, -1, 1], np.float32)


@dataclass(frozen=True)
class HumanoidHands:
    """Places fingers: their bones at rest, and how an avatar's thumbs rest otherwise than the body's.

    As for the body, positions are the person's own offsets at rest. Both rest poses have straight fingers along the
    arm, so SMPL-H's rotations are the avatar's. Thumbs differ. A VRM avatar's are level, halfway between the arm and
    the front, with the nail away from the arm (VRM 1.0, T-pose, definition 1.8). Their rotations begin at that pose,
    so that they point as the person's do.
    """

    fingers: FingerBones
    thumbs: dict[Side, Array]  # (3, 4) quaternions from VRM's rest pose to the body's, a bone

    @classmethod
    def of(cls, run: Run) -> Self | None:
        """Return those of the run's body; None where hands are not looked for."""
        return cls.of_body(run.drawn_body) if run.hands else None

    @classmethod
    def of_body(cls, body: BodyModel) -> Self:
        """Return those of a body, or of published proportions if it has no fingers."""
        hand = hand_of(body)
        along = unit(hand.bones[THUMB])
        nail = hand.nails[THUMB]
        back = unit(nail - (along @ nail)[:, None] * along)
        axes = np.stack((along, back, np.cross(along, back)), axis=-1)
        left = quaternion_from_rotmat(axes @ _VRM_THUMB.T)
        return cls(FingerBones.of_body(body), {"left": left, "right": mirrored_quaternion(left)})

    def place(self, side: Side, hand: Hand, person: Person, body: BodyModel) -> Array:
        """Return one hand's bones (15, 7) in the order of `FINGER_BONES`."""
        offsets = person.scale * self.fingers.offsets(person.betas, body.rest_joints(person.betas[None])[0])
        first = len(FINGER_JOINTS) * SIDES.index(side)
        positions, rotations = offsets[first : first + len(FINGER_JOINTS)].copy(), hand.rotations.copy()
        thumb, after = self.thumbs[side], FINGERS.index("thumb") * 3
        before = np.concatenate([_IDENTITY, thumb[:-1]]) * _INVERSE  # of the bone above each
        rotations[after:] = _product(_product(before, rotations[after:]), thumb)
        positions[after:] = (rotmat_from_quaternion(before) @ positions[after:, :, None])[..., 0]
        return in_unity(positions, rotations)


def place_eyes(face: Face, person: Person, body: BodyModel) -> Array:
    """Return both eyes (2, 7) in the order of `EYE_BONES`: in the middle of the eyeballs, turned by the gaze."""
    head_m = body.rest_joints(person.betas[None])[0, _HEAD]
    eyes_m = body.landmark_rest[_EYES] + body.landmark_shapedirs[_EYES] @ person.betas
    turn = quaternion_from_rotmat(gaze_rotmat(face.gaze_rad)[None])
    return in_unity(person.scale * (eyes_m - head_m), np.tile(turn, (2, 1)))


def _product(a: Array, b: Array) -> Array:
    """Multiply quaternions (N, 4): first b turns, then a. The sign follows theirs, so that it stays over time."""
    (u, v), (s, t) = (a[:, :3], b[:, :3]), (a[:, 3:], b[:, 3:])
    return np.concatenate([s * v + t * u + np.cross(u, v), s * t - (u * v).sum(1, keepdims=True)], axis=1)
