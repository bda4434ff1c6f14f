"""Blends the gravity input of the landmark estimator over time, so that no pose jumps."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from realtime.kernel.messages import Camera

Array = NDArray[np.float32]

TIME_S = 0.25  # time constant: two thirds of the change, as for the camera itself
MOST_DOUBT_DEG = 5.0  # above a room's; gravity from standing people, also in a profile, has more


class ToldGravity:
    """Unit vector against gravity in camera axes; shorter while it is blended in, zeros while unknown."""

    def __init__(self) -> None:
        self._up_cam = np.zeros(3, np.float32)
        self._t: float | None = None

    def update(self, t: float, camera: Camera, *, watched: bool) -> Array:
        """Return (3,) for the frame at time t (s), blended; immediate if nobody is visible (`watched` is False)."""
        wanted = camera.up_cam if is_known(camera) else np.zeros(3, np.float32)
        share = 1.0 if self._t is None or not watched else -math.expm1(-max(0.0, t - self._t) / TIME_S)
        self._t = t
        self._up_cam = self._up_cam + np.float32(share) * (wanted - self._up_cam)
        return self._up_cam


def is_known(camera: Camera) -> bool:
    """Return whether gravity comes from the user or a room. Gravity from bodies came from this network's own output."""
    return camera.source not in ("people", "assumed") and camera.doubt_deg <= MOST_DOUBT_DEG
