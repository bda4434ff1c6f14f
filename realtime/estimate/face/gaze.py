"""Gaze from the iris in the opening of an eye.

Geometry: an eyeball turns about a centre behind the middle of the eye's corners. The centre of the iris lies on a
sphere about it. The camera sees where the iris is across its line of sight, not how far. So the point of the sphere
with that place, on the side of the camera, tells the direction. In head axes yaw is to the person's left, pitch up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.body.expressions import BLENDSHAPES
from realtime.estimate.face.lids import CORNERS

Array = NDArray[np.float32]

IRIS = np.array([473, 468])  # centres of the left and the right one
# Measured on pictures of the free head, metres of an adult: the radius of that sphere as the iris network moves on it,
# and the eyeball's centre from the middle of its corners, (2, 3).
IRIS_M = 0.0083
MIDDLE_M = np.array([[0.0011, 0.0017, -0.0057], [-0.0011, 0.0017, -0.0057]])
PITCH_GAIN = 2.1  # lids cover the iris of an eye that looks up or down: its centre is found half as far away
MOST_RAD = np.radians((35.0, 25.0))  # of yaw and pitch, to either side
_RIM = 0.98  # sine of the largest angle that the place on the sphere may tell

_LOOKS = {  # coefficients by axis and sign of the gaze
    (0, 1): ("eyeLookOutLeft", "eyeLookInRight"),
    (0, -1): ("eyeLookInLeft", "eyeLookOutRight"),
    (1, 1): ("eyeLookUpLeft", "eyeLookUpRight"),
    (1, -1): ("eyeLookDownLeft", "eyeLookDownRight"),
}
_LOOK_INDICES = {key: [BLENDSHAPES.index(name) for name in names] for key, names in _LOOKS.items()}


def eye_gaze(points_m: Array, R_cam_head: Array) -> Array:
    """Return (2, 2) yaw and pitch of the left and the right eye, radians, for points (478, 3) in head axes."""
    middle = points_m[CORNERS].mean(axis=1)
    seen = (points_m[IRIS] - middle - MIDDLE_M) @ R_cam_head.T  # in camera axes; its depth is not known
    across = seen[:, :2] / IRIS_M
    length = np.linalg.norm(across, axis=1, keepdims=True)
    across = across * np.minimum(1.0, _RIM / np.maximum(length, 1e-9))
    towards = -np.sqrt(1 - (across * across).sum(axis=1, keepdims=True))
    ahead = np.concatenate([across, towards], axis=1) @ R_cam_head
    pitch = PITCH_GAIN * np.arcsin(ahead[:, 1].clip(-1, 1))
    return np.stack([np.arctan2(ahead[:, 0], ahead[:, 2]), pitch], axis=1)


def look_coefficients(gaze_rad: Array) -> dict[int, float]:
    """Return the coefficients of looking, by their index: 1 at the largest angle."""
    shares = gaze_rad / MOST_RAD
    return {
        index: float(min(max(sign * shares[axis], 0.0), 1.0))
        for (axis, sign), indices in _LOOK_INDICES.items()
        for index in indices
    }
