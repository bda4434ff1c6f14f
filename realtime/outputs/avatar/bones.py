"""Names of bones in Unity's HumanBodyBones and in VRM 1."""

from __future__ import annotations

from engine.body.skeleton import FINGER_JOINTS, FINGERS, SIDES, Side

# SMPL's joints in their order, with the name in Unity's HumanBodyBones of the bone that begins there. SMPL's two hand
# joints have no counterpart. Each of these bones has the same parent in both trees.
BONES: dict[str, str] = {
    "pelvis": "Hips",
    "left_hip": "LeftUpperLeg",
    "right_hip": "RightUpperLeg",
    "spine1": "Spine",
    "left_knee": "LeftLowerLeg",
    "right_knee": "RightLowerLeg",
    "spine2": "Chest",
    "left_ankle": "LeftFoot",
    "right_ankle": "RightFoot",
    "spine3": "UpperChest",
    "left_foot": "LeftToes",
    "right_foot": "RightToes",
    "neck": "Neck",
    "left_collar": "LeftShoulder",
    "right_collar": "RightShoulder",
    "head": "Head",
    "left_shoulder": "LeftUpperArm",
    "right_shoulder": "RightUpperArm",
    "left_elbow": "LeftLowerArm",
    "right_elbow": "RightLowerArm",
    "left_wrist": "LeftHand",
    "right_wrist": "RightHand",
}
_UNITY_FINGERS = {finger: finger.title() for finger in FINGERS} | {"pinky": "Little"}
_UNITY_JOINTS = {"1": "Proximal", "2": "Intermediate", "3": "Distal"}
# Names in HumanBodyBones, in the order of `FINGER_JOINTS`: LeftIndexProximal, LeftIndexIntermediate ...
FINGER_BONES: dict[Side, tuple[str, ...]] = {
    side: tuple(f"{side.title()}{_UNITY_FINGERS[joint[:-1]]}{_UNITY_JOINTS[joint[-1]]}" for joint in FINGER_JOINTS)
    for side in SIDES
}
_THUMBS = {"ThumbProximal": "ThumbMetacarpal", "ThumbIntermediate": "ThumbProximal"}


def vrm_name(bone: str) -> str:
    """Return a bone's name in VRM 1: HumanBodyBones' but for the thumb, whose first bone is the metacarpal there."""
    for unity, vrm in _THUMBS.items():
        if bone.endswith(unity):
            bone = bone.removesuffix(unity) + vrm
            break
    return bone[0].lower() + bone[1:]
