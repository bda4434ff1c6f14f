"""Completes estimates with faces: from the points of a face to expression, gaze, and the head's rotation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.body.expressions import BLENDSHAPES
from engine.body.keypoints import Keypoints
from engine.body.projection import PinholeCamera
from engine.body.rotations import rotmat_from_axis_angle
from engine.face.expression import ExpressionSolver
from engine.face.head import EYE_CORNERS, HeadFit, fit_head
from engine.face.rig import MESH, FaceRig, load_rig
from realtime.estimate.face.gaze import IRIS, MOST_RAD, eye_gaze, look_coefficients
from realtime.estimate.face.lids import BLINK, SQUINT, WIDE, lid_coefficients, openings
from realtime.estimate.face.memory import SURE, FaceMemory, Measured
from realtime.estimate.face.neck import head_of, turned
from realtime.estimate.face.neutral import NeutralFace
from realtime.kernel.messages import Estimate, Face
from realtime.kernel.seen import Ramp

Array = NDArray[np.float32]

Coefficients = Callable[[Array], Array]  # from a face's points (478, 2) in pixels to the 52 coefficients

# Confidence by what speaks for it: the distance of the eyes' outer corners in pixels, the misfit of the rigid points,
# and the cosine between the face and the line of sight, as profiles hide half of it.
_TRUST = Ramp(np.array((12.0, 0.15, 0.34)), np.array((30.0, 0.08, 0.70)))
_OPEN = 0.55  # share of the neutral opening from which an eye tells where it looks


class FaceCompletion:
    """Completes the people of a run who have faces."""

    def __init__(
        self, rig: FaceRig | None = None, *, neutral_m: Array | None = None, network: Coefficients | None = None
    ) -> None:
        """Load the shipped rig by default.

        neutral_m: (468, 3) in head axes, the calibrated face of the person who appears first. network: gives the
        coefficients in place of the geometry.
        """
        self._rig = load_rig() if rig is None else rig
        self._solver = ExpressionSolver(self._rig)
        self._given_m = neutral_m
        self._network = network

    def complete(self, t: float, lens: PinholeCamera, estimate: Estimate, memory: FaceMemory) -> Estimate:
        """Return the estimate of the frame at time t (s) with a face, and with the head as that says."""
        memory.begin(t)
        seen = estimate.person.keypoints.get("face")
        R_cam_body = head_of(estimate.raw)
        memory.update(t, None if seen is None else self._measure(t, lens, seen, memory), R_cam_body)
        share = np.float32(memory.share)
        gaze_rad = (share * memory.gaze_rad).clip(-MOST_RAD, MOST_RAD).astype(np.float32)
        face = Face(share * memory.coefficients, gaze_rad, memory.confidence)
        if share == 0:
            return replace(estimate, face=face)
        kinds = (estimate.raw,) if estimate.steady is estimate.raw else (estimate.raw, estimate.steady)
        rotmats = turned(np.stack([pose.rotmats for pose in kinds]), rotmat_from_axis_angle(share * memory.turn))
        poses = [replace(pose, rotmats=each) for pose, each in zip(kinds, rotmats, strict=True)]
        return replace(estimate, raw=poses[0], steady=poses[-1], face=face)

    def _measure(self, t: float, lens: PinholeCamera, seen: Keypoints, memory: FaceMemory) -> Measured | None:
        if not math.isfinite(float(seen.image_px.sum())):
            return None
        if memory.neutral is None:
            memory.neutral = NeutralFace(self._rig, self._solver, self._given_m)
            self._given_m = None
        neutral = memory.neutral
        fit = fit_head(seen.world_m, neutral.fit_m)
        if fit is None:
            return None
        confidence = _confidence(seen, fit)
        R_cam_head = lens.ray_rotation(seen.image_px[EYE_CORNERS, :].mean(axis=0)) @ fit.R_cam_head
        if confidence < SURE:
            return Measured(R_cam_head, memory.coefficients, confidence)
        looked_into = seen.visibility[IRIS] > 0.5
        neutral.see(t, fit.points_m, -float(fit.R_cam_head[2, 2]), looked_into)
        opening = memory.see_openings(t, openings(fit.points_m), looked_into)
        opened = looked_into & (opening > _OPEN * neutral.openings)
        if opened.any():
            memory.see_gaze(t, eye_gaze(fit.points_m, fit.R_cam_head), opened)
        if self._network is not None:
            points_px = memory.see_eyes(t, seen.image_px, looked_into)
            return Measured(R_cam_head, self._network(points_px), confidence)
        coefficients = np.zeros(len(BLENDSHAPES), np.float32)
        coefficients[self._rig.units] = neutral.coefficients(fit.points_m)
        if np.isfinite(opening).all():
            pitch_rad = float(memory.gaze_rad[1])
            coefficients[[BLINK, WIDE, SQUINT]] = lid_coefficients(opening, neutral.openings, pitch_rad)
        for index, value in look_coefficients(memory.gaze_rad).items():
            coefficients[index] = value
        return Measured(R_cam_head, coefficients, confidence)


def _confidence(seen: Keypoints, fit: HeadFit) -> float:
    """Return the detector's presence times what size, direction, fit and the picture's edge leave of it."""
    outer_px = math.dist(seen.image_px[EYE_CORNERS[0]], seen.image_px[EYE_CORNERS[3]])
    eyes_px = outer_px / max(abs(float(fit.R_cam_head[0, 0])), 0.3)
    trust = _TRUST(np.array((eyes_px, fit.misfit, -float(fit.R_cam_head[2, 2])))).prod()
    return float(seen.presence * trust * seen.visibility[:MESH].mean())
