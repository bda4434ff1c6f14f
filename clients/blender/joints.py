"""Names joints and expressions, in the order of every array of the extension. Without bpy.

First come SMPL's 24 joints, then SMPL-H's 15 of either hand, then the eyes. Expressions are ARKit's.
"""

from __future__ import annotations

import numpy as np

JOINT_NAMES: tuple[str, ...] = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
    "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hand", "right_hand",
)  # fmt: skip
NUM_JOINTS = len(JOINT_NAMES)
PARENTS = np.array([-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21])

SIDES = ("left", "right")
FINGER_NAMES = tuple(
    f"{side}_{finger}{joint}"
    for side in SIDES
    for finger in ("index", "middle", "pinky", "ring", "thumb")
    for joint in (1, 2, 3)
)
EYE_NAMES = ("left_eye", "right_eye")
ALL_NAMES = (*JOINT_NAMES, *FINGER_NAMES, *EYE_NAMES)
NUM_ALL = len(ALL_NAMES)
NUM_WITH_FINGERS = NUM_JOINTS + len(FINGER_NAMES)


def _parent(name: str) -> str:
    if name in EYE_NAMES:
        return "head"
    finger, joint = name[:-1], int(name[-1])
    return f"{name.split('_')[0]}_wrist" if joint == 1 else f"{finger}{joint - 1}"


ALL_PARENTS = np.array([*PARENTS, *(ALL_NAMES.index(_parent(name)) for name in ALL_NAMES[NUM_JOINTS:])])

BLENDSHAPES = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
    "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft",
    "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip
