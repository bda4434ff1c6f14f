"""Blends from the current camera to a new estimate, so that people do not jump."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from realtime.kernel.messages import Camera

TIME_S = 0.25  # time constant: two thirds of the change
THERE_DEG = 0.02


class CameraBlend:
    """Camera for each frame, blended over time. Called by one thread."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self._t: float | None = None

    def update(self, t: float, known: Camera, *, watched: bool) -> Camera:
        """Return the camera for the frame at time t (s), closer to `known`.

        Without a visible person (`watched` is False), and on the first frame, it is `known` at once.
        """
        watched = watched and self._t is not None
        dt = 0.0 if self._t is None else max(0.0, t - self._t)
        self._t = t
        if known != self.camera:
            self.camera = _between(self.camera, known, -math.expm1(-dt / TIME_S)) if watched else known
        return self.camera


def _between(a: Camera, b: Camera, share: float) -> Camera:
    """Interpolate by `share` from a to b; return b once the difference is below THERE_DEG."""
    up = (1 - share) * a.up_cam.astype(np.float64) + share * b.up_cam
    up /= np.linalg.norm(up)
    tangents = math.tan(math.radians(a.fov_deg / 2)), math.tan(math.radians(b.fov_deg / 2))
    fov_deg = math.degrees(2 * math.atan(tangents[0] ** (1 - share) * tangents[1] ** share))
    pitch_deg = -math.degrees(math.asin(up[2]))
    roll_deg = math.degrees(math.atan2(up[0], -up[1]))
    left_deg = max(abs(fov_deg - b.fov_deg), abs(pitch_deg - b.pitch_deg), abs(roll_deg - b.roll_deg))
    return b if left_deg < THERE_DEG else replace(b, fov_deg=fov_deg, pitch_deg=pitch_deg, roll_deg=roll_deg)
