"""Maps fingers and gaze to the bones of Unity's Humanoid, in Unity's frame (`realtime.outputs.streams.humanoid`)."""

from __future__ import annotations

import numpy as np

from engine.body.keypoints import BLAZEPOSE
from engine.body.model import BodyModel
from engine.body.rotations import quaternion_from_rotmat
from engine.body.skeleton import FINGER_JOINTS, FINGERS, JOINT_NAMES, SIDES, Side
from realtime.kernel.full_pose import gaze_rotmat
from realtime.kernel.messages import Array, Face, Hand, Person
from realtime.outputs.finger_bones import FingerBones
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


def place_hand(side: Side, hand: Hand, person: Person, body: BodyModel, fingers: FingerBones) -> Array:
    """Return one hand's bones (15, 7) in the order of `FINGER_BONES`.

    As for the body, positions are the person's own offsets at rest, and both rest poses are T-poses, so SMPL-H's
    rotations are the avatar's.
    """
    offsets = person.scale * fingers.offsets(person.betas, body.rest_joints(person.betas[None])[0])
    first = len(FINGER_JOINTS) * SIDES.index(side)
    return in_unity(offsets[first : first + len(FINGER_JOINTS)], hand.rotations)


def place_eyes(face: Face, person: Person, body: BodyModel) -> Array:
    """Return both eyes (2, 7) in the order of `EYE_BONES`: in the middle of the eyeballs, turned by the gaze."""
    head_m = body.rest_joints(person.betas[None])[0, _HEAD]
    eyes_m = body.landmark_rest[_EYES] + body.landmark_shapedirs[_EYES] @ person.betas
    turn = quaternion_from_rotmat(gaze_rotmat(face.gaze_rad)[None])
    return in_unity(person.scale * (eyes_m - head_m), np.tile(turn, (2, 1)))
