"""The skeleton that every package speaks: SMPL's 24 joints.

Joint order and parents are SMPL's (Loper et al. 2015). Keypoints are in `engine.body.keypoints`.
Only names and indices live here; geometry belongs to a body file.
"""

from __future__ import annotations

import numpy as np

JOINT_NAMES: tuple[str, ...] = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
    "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hand", "right_hand",
)  # fmt: skip
PARENTS = np.array([-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21])
NUM_JOINTS = 24
NUM_BODY_JOINTS = 21  # joints 1..21: what a pose token sequence describes; 0 is the root, 22 and 23 are the hands


def _mirrored(names: tuple[str, ...]) -> np.ndarray:
    """Index of each name's left/right counterpart (itself where it has none)."""

    def other(name: str) -> str:
        if "left" in name:
            return name.replace("left", "right")
        return name.replace("right", "left")

    return np.array([names.index(other(name)) for name in names])


MIRROR_JOINTS = _mirrored(JOINT_NAMES)

# Hip, knee, ankle and ball of the foot, left and right: (2, 4).
LEG_JOINTS = np.array([[1, 4, 7, 10], [2, 5, 8, 11]])

# Parts that may stand on the floor, in the order of contacts.
CONTACT_NAMES = ("left_heel", "left_toe", "right_heel", "right_toe")
