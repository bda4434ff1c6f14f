"""Decides how far keypoints and joints count as seen: every threshold of visibility, and the confidence of joints.

A keypoint's visibility combines the detector's and its heat map's. Beyond the image's edge it is 0, because the
detector sees a replicated edge there. A joint that is not seen has a guessed pose.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import KeypointLayout, Keypoints
from engine.body.skeleton import JOINT_NAMES, NUM_JOINTS

Array = NDArray[np.float32]


class Ramp(NamedTuple):
    """Linear weight of values: 0 up to `none`, 1 from `full`; arrays are ramps side by side, one a column."""

    none: float | NDArray[np.float64]
    full: float | NDArray[np.float64]

    def __call__(self, values: NDArray[Any]) -> NDArray[Any]:
        """Map values of any shape to 0..1."""
        return ((values - self.none) / (self.full - self.none)).clip(0.0, 1.0)


BY_HEAT = Ramp(0.35, 0.75)  # of a keypoint's heat map: trust in the detector's visibility
PULLS = Ramp(0.3, 0.9)  # of visibility: weight of a keypoint in the refinement
JOINT = Ramp(0.05, 0.3)  # of confidence: visibility of a joint, as opposed to a guess
VISIBLE = 0.3  # visibility of keypoints that make the box, stand on the floor, or move it
SURE = 0.5  # visibility, and confidence, of legs that determine gravity, sizes and the calibration

_BEYOND = 0.02  # of the image's longer side: visibility falls from full at the edge to zero this far outside
_HIPS, _SHOULDERS = ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")


def joint_confidence(body: Keypoints, size_px: tuple[int, int]) -> Array:
    """Compute (24,) 0..1 for SMPL's joints from the body's keypoints in an image of size_px (width, height).

    Each limb joint has a keypoint. The back has none, so it is interpolated from the hips' to the shoulders'.
    Non-finite values count as 0.
    """
    beyond_px = np.maximum(-body.image_px, body.image_px - np.array(size_px, np.float32)).max(-1)
    inside = (1 - beyond_px / (_BEYOND * max(size_px))).clip(0.0, 1.0)
    visible = body.visibility * inside
    confidence = _informed_by(body.layout) @ np.where(np.isfinite(visible), visible, np.float32(0))
    return confidence.clip(0.0, 1.0).astype(np.float32)


def legs_are_sure(body: Keypoints) -> bool:
    """Return whether hips, knees and ankles are all surely seen."""
    return bool((body.visibility[leg_keypoints(body.layout)] > SURE).all())


@cache
def leg_keypoints(layout: KeypointLayout) -> NDArray[np.intp]:
    """The keypoints of hips, knees and ankles."""
    return layout.matching("hip", "knee", "ankle")


@cache
def foot_keypoints(layout: KeypointLayout) -> NDArray[np.intp]:
    """The keypoints of ankles, heels and toes."""
    return layout.matching("ankle", "heel", "foot_index")


@cache
def _informed_by(layout: KeypointLayout) -> Array:
    """Return (24, K) the weight of each keypoint in a joint; rows sum to one."""
    shares: dict[str, dict[str, float]] = {"pelvis": _even(*_HIPS), "neck": _even(*_SHOULDERS)}
    shares["head"] = _even("nose", "left_ear", "right_ear")
    for joint, upper in (("spine1", 0.25), ("spine2", 0.5), ("spine3", 0.75)):
        shares[joint] = _even(*_HIPS, of=1 - upper) | _even(*_SHOULDERS, of=upper)
    for side in ("left", "right"):
        own = {"collar": "shoulder", "hand": "index", "foot": "foot_index"}
        own |= {name: name for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")}
        shares |= {f"{side}_{joint}": {f"{side}_{keypoint}": 1.0} for joint, keypoint in own.items()}
    matrix = np.zeros((NUM_JOINTS, len(layout)), np.float32)
    for joint, keypoints in shares.items():
        for keypoint, share in keypoints.items():
            matrix[JOINT_NAMES.index(joint), layout.index(keypoint)] = share
    return matrix


def _even(*keypoints: str, of: float = 1.0) -> dict[str, float]:
    return dict.fromkeys(keypoints, of / len(keypoints))
