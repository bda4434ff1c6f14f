"""Computes the confidence of SMPL's joints from the visibility of BlazePose's landmarks, which both estimators have.

A landmark's visibility combines the detector's and its heat map's (`realtime.perception.landmarker.trust`). Beyond the
image's edge it is 0, because the detector sees a replicated edge there. A joint that is not visible has a guessed pose.
"""

from __future__ import annotations

import numpy as np

from engine.body.keypoints import BLAZEPOSE
from engine.body.skeleton import JOINT_NAMES, NUM_JOINTS
from realtime.kernel.messages import Array

UNSEEN, SEEN = 0.05, 0.3  # confidence up to which a joint is a guess, and from which it is visible

_BEYOND = 0.02  # of the image's longer side: visibility falls from full at the edge to zero this far outside
_HIPS, _SHOULDERS = ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")


def joint_confidence(visibility: Array, image_px: Array, size_px: tuple[int, int]) -> Array:
    """Compute (24,) 0..1 for SMPL's joints from BlazePose's landmarks; non-finite values count as 0.

    visibility (33,) 0..1; image_px (33, 2) in an image of size_px (width, height). Each limb joint has a landmark. The
    back has none, so it is interpolated from the hips' to the shoulders'.
    """
    beyond_px = np.maximum(-image_px, image_px - np.array(size_px, np.float32)).max(-1)
    inside = (1 - beyond_px / (_BEYOND * max(size_px))).clip(0.0, 1.0)
    return (_INFORMED_BY @ np.nan_to_num(visibility * inside)).clip(0.0, 1.0).astype(np.float32)


def _informed_by() -> Array:
    """Return (24, 33) the weight of each landmark in a joint; rows sum to one."""
    shares: dict[str, dict[str, float]] = {"pelvis": _even(*_HIPS), "neck": _even(*_SHOULDERS)}
    shares["head"] = _even("nose", "left_ear", "right_ear")
    for joint, upper in (("spine1", 0.25), ("spine2", 0.5), ("spine3", 0.75)):
        shares[joint] = _even(*_HIPS, of=1 - upper) | _even(*_SHOULDERS, of=upper)
    for side in ("left", "right"):
        own = {"collar": "shoulder", "hand": "index", "foot": "foot_index"}
        own |= {name: name for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")}
        shares |= {f"{side}_{joint}": {f"{side}_{landmark}": 1.0} for joint, landmark in own.items()}
    matrix = np.zeros((NUM_JOINTS, len(BLAZEPOSE)), np.float32)
    for joint, landmarks in shares.items():
        for landmark, share in landmarks.items():
            matrix[JOINT_NAMES.index(joint), BLAZEPOSE.index(landmark)] = share
    return matrix


def _even(*landmarks: str, of: float = 1.0) -> dict[str, float]:
    return dict.fromkeys(landmarks, of / len(landmarks))


_INFORMED_BY = _informed_by()
