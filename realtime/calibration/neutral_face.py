"""Takes a person's face at rest from a calibration: somebody who stands still looks ahead, and makes no face."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.body.projection import PinholeCamera
from engine.body.rotations import rotmat_from_axis_angle
from engine.face.expression import ExpressionSolver
from engine.face.head import EYE_CORNERS, fit_head
from engine.face.rig import MESH, load_rig
from realtime.calibration.guide import Stance
from realtime.estimate.face.gaze import IRIS
from realtime.estimate.face.lids import LID_POINTS
from realtime.estimate.face.neutral import believable
from realtime.kernel.messages import Camera

Array = NDArray[np.float32]

LEAST_FRAMES = 10
_MISFIT, _AHEAD = 0.1, 0.85  # most, of the rigid points; least cosine between face and line of sight
_MOST_PITCH_RAD = np.radians(12.0)  # by which a head that looks ahead may seem to look up or down


def neutral_face(standing: Sequence[Stance], camera: Camera, size: tuple[int, int]) -> Array | None:
    """Return the median face (468, 3) in the axes of a level head, metres; None where faces were hardly seen.

    camera: of the calibration. size: (width, height) of the images.
    """
    rig, lens = load_rig(), PinholeCamera(*size, camera.fov_deg)
    faces, lids_seen, pitches_rad = [], [], []
    for seen in (stance.person.keypoints.get("face") for stance in standing):
        fit = None if seen is None else fit_head(seen.world_m, rig.neutral_m)
        if seen is None or fit is None or fit.misfit > _MISFIT or -fit.R_cam_head[2, 2] < _AHEAD:
            continue
        faces.append(fit.points_m[:MESH])
        lids_seen.append(seen.visibility[IRIS] > 0.5)
        ahead = camera.R_world_cam @ lens.ray_rotation(seen.image_px[list(EYE_CORNERS)].mean(axis=0)) @ fit.R_cam_head
        pitches_rad.append(float(np.arcsin(np.clip(ahead[1, 2], -1.0, 1.0))))
    if len(faces) < LEAST_FRAMES:
        return None
    stacked, seen_eyes = np.stack(faces), np.stack(lids_seen)
    points_m = np.median(stacked, axis=0)
    for side, lids in enumerate(LID_POINTS):
        looked_into = stacked[seen_eyes[:, side]][:, lids]
        points_m[lids] = np.median(looked_into, axis=0) if len(looked_into) else rig.neutral_m[lids]
    points_m = believable(points_m, rig, ExpressionSolver(rig))
    pitch_rad = float(np.clip(np.median(pitches_rad), -_MOST_PITCH_RAD, _MOST_PITCH_RAD))
    level = rotmat_from_axis_angle(np.array([-pitch_rad, 0.0, 0.0]))
    return (points_m @ level.T).astype(np.float32)
