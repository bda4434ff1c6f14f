"""Faces whose head, expression, lids and gaze are known: points made of the rig's, and an anatomical eyeball."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.body.expressions import BLENDSHAPES
from engine.body.keypoints import FACE, Keypoints
from engine.body.rotations import rotmat_from_axis_angle
from engine.face.rig import load_rig
from realtime.estimate.face.gaze import IRIS, IRIS_M, MIDDLE_M, PITCH_GAIN
from realtime.estimate.face.lids import CORNERS, LID_POINTS

RIG = load_rig()
FACING = np.diag([1.0, -1.0, -1.0])  # from head axes to the camera's, of somebody who looks into it
UNITS = [BLENDSHAPES[unit] for unit in RIG.units]
PX_PER_M = 1500.0


def turned(yaw_deg: float = 0.0, pitch_deg: float = 0.0, roll_deg: float = 0.0) -> np.ndarray:
    """R_cam_head of a head turned to its own left, then up, then towards its right shoulder, from looking ahead."""
    angles = np.radians([[0, yaw_deg, 0], [-pitch_deg, 0, 0], [0, 0, roll_deg]])
    yaw, pitch, roll = rotmat_from_axis_angle(angles)
    return FACING @ yaw @ pitch @ roll


def face(
    expression: Mapping[str, float] | None = None,
    *,
    R_cam_head: np.ndarray = FACING,
    shut: tuple[float, float] = (0.0, 0.0),
    gaze_deg: tuple[float, float] = (0.0, 0.0),
    neutral_m: np.ndarray = RIG.neutral_m,
    eyes: tuple[bool, bool] = (True, True),
    noise_m: float = 0.0,
    seed: int = 0,
    at_px: tuple[float, float] = (320.0, 240.0),
    presence: float = 1.0,
) -> Keypoints:
    """Keypoints of a face. shut: share of the opening that the left and the right eye lost. eyes: looked into."""
    head = neutral_m.astype(np.float64).copy()
    for name, value in (expression or {}).items():
        head += value * RIG.moves_m[UNITS.index(name)]
    yaw, pitch = np.radians(gaze_deg)
    irises = np.zeros((10, 3))
    for side in (0, 1):
        corners = head[CORNERS[side]]
        lids = LID_POINTS[side]
        head[lids, 1] += shut[side] * (corners[:, 1].mean() - head[lids, 1])
        pitched = pitch / PITCH_GAIN
        ahead = np.array([np.sin(yaw) * np.cos(pitched), np.sin(pitched), np.cos(yaw) * np.cos(pitched)])
        row = int(IRIS[side]) - 468
        irises[row : row + 5] = corners.mean(axis=0) + MIDDLE_M[side] + IRIS_M * ahead
    points = np.concatenate([head, irises]) @ R_cam_head.T
    for side in (0, 1):  # an iris has the depth of its eye's corners, as the networks know no better
        row = int(IRIS[side])
        points[row : row + 5, 2] = points[CORNERS[side], 2].mean()
    points += np.random.default_rng(seed).normal(0, noise_m, points.shape)
    visibility = np.ones(len(FACE), np.float32)
    for side in (0, 1):
        row = int(IRIS[side])
        visibility[row : row + 5] = eyes[side]
    image_px = points[:, :2] * PX_PER_M + at_px
    return Keypoints(FACE, image_px.astype(np.float32), points.astype(np.float32), visibility, presence)
