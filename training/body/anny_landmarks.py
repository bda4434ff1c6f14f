"""Places BlazePose's 33 points on the free body.

Limb points have the offsets from joint centres that were measured on the detector; the others lie on the skin.
Distances are metres on an adult of average height, in the T-pose (x left, y up, z forward).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import BLAZEPOSE
from engine.body.skeleton import JOINT_NAMES, MIRROR_JOINTS, NUM_JOINTS, PARENTS

_LIMB_JOINTS = BLAZEPOSE.joint_indices(JOINT_NAMES)

Array = NDArray[np.float64]

_MIRROR = np.array([-1.0, 1.0, 1.0])

# Limb point: its offset from the joint, and the bone it moves with: the joint's own, the parent's, or half of both.
_LIMB_OFFSETS = {
    "left_shoulder": ((0.0, 0.020, 0.0), "parent"),  # on the collar
    "left_elbow": ((0.0, 0.0, 0.0), "own"),
    "left_wrist": ((0.0, 0.0, 0.0), "own"),
    "left_hip": ((-0.008, -0.025, 0.0), "both"),  # half pelvis, half thigh
    "left_knee": ((0.0, -0.018, 0.0), "own"),
    "left_ankle": ((0.0, 0.020, 0.0), "parent"),  # on the shin
}

# Points at an offset from a marker inside the body (see anny_rig.MARKER_BONES).
_MARKER_OFFSETS = {
    "left_eye_inner": ("left_eye", (-0.013, 0.0, 0.010)),
    "left_eye": ("left_eye", (0.0, 0.0, 0.013)),
    "left_eye_outer": ("left_eye", (0.015, 0.0, 0.006)),
    "left_pinky": ("left_pinky", (0.0, 0.0, 0.0)),
    "left_index": ("left_index", (0.0, 0.0, 0.0)),
    "left_thumb": ("left_thumb", (0.0, 0.0, 0.0)),
}


@dataclass(frozen=True)
class LandmarkPoints:
    """Landmarks bound to a skin vertex, a marker or (limb points) a joint, at an offset fixed in the T-pose."""

    rows: NDArray[np.intp]  # (33,) into the skin's vertices and markers; -1 for the limb points
    offsets: Array  # (33, 3)
    weights: Array  # (33, 24)

    def positions(self, points: Array, joints: Array) -> Array:
        """Return landmarks (..., 33, 3) of T-posed bodies with points (..., P, 3) and joints (..., 24, 3)."""
        followed = points[..., self.rows, :]
        followed[..., BLAZEPOSE.on_joints, :] = joints[..., _LIMB_JOINTS, :]
        return followed + self.offsets


def place_landmarks(points: Array, weights: Array, markers: dict[str, int]) -> LandmarkPoints:
    """Choose the landmarks on one symmetric T-posed body: vertices and markers (P, 3) with weights (P, 24)."""
    rows = np.full(len(BLAZEPOSE), -1)
    offsets = np.zeros((len(BLAZEPOSE), 3))
    landmark_weights = np.zeros((len(BLAZEPOSE), NUM_JOINTS))
    for name, (marker, offset) in _MARKER_OFFSETS.items():
        index = BLAZEPOSE.index(name)
        rows[index], offsets[index] = markers[marker], offset
    skin = points[: min(markers.values())]
    for name, row in _skin_points(skin, weights[: len(skin)], points[markers["left_eye"]]).items():
        rows[BLAZEPOSE.index(name)] = row
    placed = rows >= 0
    landmark_weights[placed] = weights[rows[placed]]
    for landmark, joint in zip(BLAZEPOSE.on_joints, _LIMB_JOINTS, strict=True):
        name = BLAZEPOSE.names[landmark]
        if name in _LIMB_OFFSETS:
            offsets[landmark], holder = _LIMB_OFFSETS[name]
            own = {"own": 1.0, "both": 0.5, "parent": 0.0}[holder]
            landmark_weights[landmark, joint], landmark_weights[landmark, PARENTS[joint]] = own, 1.0 - own

    for left, right in enumerate(BLAZEPOSE.mirror):  # every left point comes before its right one
        if left < right and BLAZEPOSE.names[left].startswith(("left", "mouth_left")):
            if rows[left] >= 0:
                rows[right] = _nearest(points, points[rows[left]] * _MIRROR)
            offsets[right] = offsets[left] * _MIRROR
            landmark_weights[right] = landmark_weights[left][MIRROR_JOINTS]
    return LandmarkPoints(rows, offsets, landmark_weights)


def _skin_points(skin: Array, weights: Array, left_eye: Array) -> dict[str, int]:
    """Find the vertices of the skin's landmarks (left side) by their position relative to the left eye's centre."""
    x, y, _ = skin.T
    nose_ridge = (np.abs(x) < 0.006) & (y < left_eye[1] - 0.015) & (y > left_eye[1] - 0.060)
    foot = weights[:, 7] + weights[:, 10] > 0.5
    return {
        "nose": _furthest(skin, nose_ridge, [0.0, 0.0, 1.0]),
        "left_ear": _nearest(skin, left_eye + np.array([0.050, -0.022, -0.075])),
        "mouth_left": _nearest(skin, left_eye + np.array([-0.008, -0.073, 0.022])),
        "left_heel": _furthest(skin, foot, [0.0, -0.3, -1.0]),
        "left_foot_index": _furthest(skin, foot, [-0.3, 0.0, 1.0]),
    }


def _nearest(points: Array, target: Array) -> int:
    return int(np.linalg.norm(points - target, axis=1).argmin())


def _furthest(points: Array, allowed: NDArray[np.bool_], direction: list[float]) -> int:
    candidates = np.flatnonzero(allowed)
    return int(candidates[(points[candidates] @ np.array(direction)).argmax()])
