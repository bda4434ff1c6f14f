"""Rotation of the head in the camera frame, by a robust fit of a neutral face to the points that no expression moves.

Head axes are those of the body's head joint at rest: x to the person's left, y up, z ahead.
"""

from __future__ import annotations

import math
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

_OUTER = [len(RIGID) - 4, len(RIGID) - 1]  # the outer corners
_MIDDLE = slice((len(RIGID) - 1) // 2, len(RIGID) // 2 + 1)  # of the sorted points, for a median without its overhead

_REWEIGHTINGS = 1
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
    size_m = math.dist(model[_OUTER[0]], model[_OUTER[1]])
    extent = seen - seen[0]
    if not math.isfinite(float(points_cam.sum())) or float(np.vdot(extent, extent)) < 1e-12:
        return None
    share = np.full(len(RIGID), 1 / len(RIGID))
    for _ in range(_REWEIGHTINGS + 1):
        seen_mean, model_mean = share @ seen, share @ model
        a, b = model - model_mean, seen - seen_mean
        weighted = b * share[:, None]
        R_cam_head = nearest_rotmat(weighted.T @ a)  # b @ R_cam_head comes nearest to a
        scale = float(np.vdot(weighted @ R_cam_head, a) / max(float(np.vdot(weighted, b)), 1e-12))
        off_m = scale * (b @ R_cam_head) - a
        off2_m = np.einsum("ij,ij->i", off_m, off_m)
        share = 1 / (1 + off2_m / (_OFF * size_m) ** 2)
        share /= share.sum()
    if scale <= 0:
        return None
    points_m = (points_cam - seen_mean.astype(np.float32)) @ (scale * R_cam_head).astype(np.float32)
    points_m += model_mean.astype(np.float32)
    return HeadFit(R_cam_head.astype(np.float32), points_m, math.sqrt(float(np.sort(off2_m)[_MIDDLE].mean())) / size_m)
