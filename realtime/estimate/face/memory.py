"""Face of one person between frames: the latest measurement, and the ways to it and to a neutral face.

A face is measured in most frames, an eye in every second one. A face that is lost or unsure eases to a neutral one, and
the head to the body's own; a found face eases back. A head that leaps is believed when the next frame agrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.body.expressions import BLENDSHAPES
from engine.body.rotations import angle_between, axis_angle_from_rotmat
from realtime.estimate.face.gaze import IRIS
from realtime.estimate.face.lids import CORNERS, LID_POINTS
from realtime.estimate.face.neutral import NeutralFace
from realtime.kernel.easing import smoothstep

Array = NDArray[np.float32]

SURE = 0.3  # confidence from which a measurement counts
HOLD_S, HOLD_FRAMES = 0.15, 3  # a face is taken as seen for so long after a measurement
EYE_HOLD_S = 0.15  # an eye that was measured so long ago tells as it did; then the other one tells for both
LOST_S, FOUND_S = 0.5, 0.2  # in which a face eases to the neutral one, and back
MOST_SHARE = 0.4  # of a way in one frame, however slow the frames are
LEAP_RAD = np.radians(50.0)  # of a head between two frames
FROM_BODY_RAD = np.radians(100.0)  # of a head from the body's own: farther, it is another face, or none


@dataclass(frozen=True, slots=True)
class Measured:
    """One face in one frame."""

    R_cam_head: Array  # (3, 3)
    coefficients: Array  # (52,) 0..1
    confidence: float  # 0..1


class FaceMemory:
    """State of one person's face."""

    def __init__(self) -> None:
        self.neutral: NeutralFace | None = None  # made with the first measurement
        self._forget()

    def _forget(self) -> None:
        self.coefficients = np.zeros(len(BLENDSHAPES), np.float32)  # measured last
        self.turn = np.zeros(3, np.float32)  # axis-angle, from the body's head to the measured one, in its axes
        self.openings = np.ones(2, np.float32)  # of the eyes, measured last
        self.gaze_rad = np.zeros(2, np.float32)  # yaw and pitch, mean of the eyes
        self._gazes_rad = np.zeros((2, 2), np.float32)
        self._eyes_t, self._gaze_t = np.full(2, -np.inf), np.full(2, -np.inf)
        self._eyes_px: list[tuple[float, Array] | None] = [None, None]
        self._confidence = self._share = 0.0
        self._t = self._measured_t = -np.inf
        self._R_cam_head: Array | None = None
        self._doubted: Array | None = None

    @property
    def share(self) -> float:
        """Share, 0..1, of the way from a neutral face and the body's head to the measured ones."""
        return smoothstep(self._share)

    @property
    def confidence(self) -> float:
        """Confidence, 0..1."""
        return self._confidence * self._share

    def begin(self, t: float) -> None:
        """Begin the frame at time t (s); if time stood still or went back, everything but the neutral face is new."""
        if t <= self._t:
            self._forget()

    def see_openings(self, t: float, openings: Array, seen: NDArray[np.bool_]) -> Array:
        """Store the openings (2,) of the eyes that are seen (2,); return those of both. NaN: not known."""
        self.openings = np.where(seen, openings, self.openings)
        self._eyes_t = np.where(seen, t, self._eyes_t)
        return _of_both(self.openings, t - self._eyes_t <= EYE_HOLD_S)

    def see_eyes(self, t: float, image_px: Array, seen: NDArray[np.bool_]) -> Array:
        """Store lids and irises of the eyes that are seen (2,); return the points (478, 2) with both eyes' latest."""
        points_px = image_px.copy()
        for side, (start, end) in enumerate(CORNERS):
            middle = image_px[[start, end]].mean(axis=0)
            rows = [*LID_POINTS[side], *range(IRIS[side], IRIS[side] + 5)]
            if seen[side]:
                self._eyes_px[side] = t, image_px[rows] - middle
            elif (kept := self._eyes_px[side]) is not None and t - kept[0] <= EYE_HOLD_S:
                points_px[rows] = middle + kept[1]
        return points_px

    def see_gaze(self, t: float, gaze_rad: Array, seen: NDArray[np.bool_]) -> None:
        """Store the gaze (2, 2), radians, of the eyes that are seen (2,), at least one; an eye tells for a while."""
        self._gazes_rad = np.where(seen[:, None], gaze_rad, self._gazes_rad)
        self._gaze_t = np.where(seen, t, self._gaze_t)
        self.gaze_rad = self._gazes_rad[self._gaze_t >= t - EYE_HOLD_S].mean(axis=0)

    def update(self, t: float, measured: Measured | None, R_cam_head: Array) -> None:
        """Follow the frame at time t (s), later than the last; R_cam_head: (3, 3) of the body's own head."""
        dt = t - self._t if np.isfinite(self._t) else 0.0
        self._t = t
        hold_s = max(HOLD_S, HOLD_FRAMES * dt)
        if measured is not None and measured.confidence >= SURE:
            self._take(t, measured, R_cam_head, hold_s)
        seen = t - self._measured_t <= hold_s
        step = min(dt / FOUND_S, MOST_SHARE) if seen else -min(dt / LOST_S, MOST_SHARE)
        self._share = min(max(self._share + step, 0.0), 1.0)

    def _take(self, t: float, measured: Measured, R_cam_body: Array, hold_s: float) -> None:
        turn = axis_angle_from_rotmat(R_cam_body.T @ measured.R_cam_head)
        if float(np.linalg.norm(turn)) > FROM_BODY_RAD:
            return
        last, doubted, self._doubted = self._R_cam_head, self._doubted, None
        recent = last is not None and t - self._measured_t <= hold_s
        if recent and _leaps(measured.R_cam_head, last) and _leaps(measured.R_cam_head, doubted):
            self._doubted = measured.R_cam_head
            return
        if recent and last is not None and _leaps(measured.R_cam_head, last):
            self._share = 0.0  # the new place is approached
        gain = 0.3 if recent else 1.0
        self._confidence += gain * (measured.confidence - self._confidence)
        self._R_cam_head, self._measured_t = measured.R_cam_head, t
        self.coefficients, self.turn = measured.coefficients, turn


def _leaps(now: Array, before: Array | None) -> bool:
    return before is None or float(angle_between(now, before)) > LEAP_RAD


def _of_both(values: Array, known: NDArray[np.bool_]) -> Array:
    if known.all():
        return values
    return np.where(known, values, values[::-1] if known.any() else np.float32(np.nan))
