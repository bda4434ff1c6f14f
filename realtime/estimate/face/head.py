"""Rotation of the head in the camera frame, by a robust fit of a neutral face to the points that no expression moves.

Head axes are those of the body's head joint at rest: x to the person's left, y up, z ahead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.body.rotations import nearest_rotmat

Array = NDArray[np.float32]

# Forehead and temples, bridge of the nose, and corners of the eyes, by MediaPipe's numbers.
FOREHEAD = (10, 151, 9, 8, 67, 109, 338, 297, 103, 332, 54, 284, 21, 251, 162, 389, 127, 356)
NOSE_BRIDGE = (168, 6, 197, 195, 122, 351)
EYE_CORNERS = (33, 133, 362, 263)
RIGID = np.array([*FOREHEAD, *NOSE_BRIDGE, *EYE_CORNERS])

_REWEIGHTINGS = 2
_OFF = 0.03  # of the face's size: a point this far off has half the weight


@dataclass(frozen=True, slots=True)
class HeadFit:
    """Fit of the neutral face to one frame."""

    R_cam_head: Array  # (3, 3)
    points_m: Array  # (N, 3) all points in head axes, at the neutral face's size and place
    misfit: float  # median distance of the rigid points from it, over the distance of the eyes' outer corners


def fit_head(points_cam: Array, neutral_m: Array) -> HeadFit | None:
    """Fit a neutral face (468, 3) in head axes to points (N, 3) in camera axes, of any unit and origin.

    A similarity by Kabsch (1976) and Umeyama (1991), reweighted by Cauchy's function of the distances. None for points
    that are all in one place, or not finite.
    """
    seen, model = points_cam[RIGID].astype(np.float64), neutral_m[RIGID].astype(np.float64)
    size_m = float(np.linalg.norm(neutral_m[EYE_CORNERS[0]] - neutral_m[EYE_CORNERS[3]]))
    if not np.isfinite(points_cam).all() or np.ptp(seen, axis=0).max() < 1e-6:
        return None
    weights = np.full(len(RIGID), 1 / len(RIGID))
    for _ in range(_REWEIGHTINGS + 1):
        share = (weights / weights.sum())[:, None]
        seen_mean, model_mean = (share * seen).sum(axis=0), (share * model).sum(axis=0)
        a, b = model - model_mean, seen - seen_mean
        R_cam_head = nearest_rotmat((b * share).T @ a)  # b @ R_cam_head comes nearest to a
        turned = b @ R_cam_head
        scale = float((share * turned * a).sum() / max((share * b * b).sum(), 1e-12))
        off_m = np.linalg.norm(scale * turned - a, axis=1)
        weights = 1 / (1 + (off_m / (_OFF * size_m)) ** 2)
    if scale <= 0:
        return None
    points_m = scale * (points_cam - seen_mean) @ R_cam_head + model_mean
    return HeadFit(R_cam_head.astype(np.float32), points_m.astype(np.float32), float(np.median(off_m)) / size_m)
