"""Smooths expressions and gaze without eating blinks: a One-Euro filter for each coefficient.

At rest it is slow. A lid that moves raises the cutoff of its own coefficient within a frame.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from realtime.kernel.messages import Face
from realtime.smoothing.one_euro import OneEuroVector
from realtime.smoothing.pose_smoother import SmoothingLevel


class FaceFilters:
    """Speed-adaptive smoother of one person's face."""

    def __init__(self, level: SmoothingLevel) -> None:
        self._coefficients = OneEuroVector(level.face)
        self._gaze = OneEuroVector(level.face)

    def update(self, t: float, face: Face) -> Face:
        """Return the face smoothed at time t (s), later than the last."""
        coefficients = self._coefficients.update(t, face.blendshapes[:, None])[:, 0]
        gaze_rad = self._gaze.update(t, face.gaze_rad)
        return replace(
            face,
            blendshapes=coefficients.clip(0.0, 1.0).astype(np.float32),
            gaze_rad=gaze_rad.astype(np.float32),
        )
