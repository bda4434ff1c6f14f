"""Gravity as the landmark estimator is told it: where up is, taken up and let go gradually, so that no pose jumps."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from realtime.kernel.messages import Camera

Array = NDArray[np.float32]

TIME_S = 0.25  # in which two thirds of the way are gone, as of the camera itself
MOST_DOUBT_DEG = 5.0  # above a room's; what people who stand told, kept in a profile or not, has more


class ToldGravity:
    """The unit vector against gravity in camera axes; short while it becomes known, zeros while it is not."""

    def __init__(self) -> None:
        self._up_cam = np.zeros(3, np.float32)
        self._t: float | None = None

    def update(self, t: float, camera: Camera, *, watched: bool) -> Array:
        """(3,) for the frame at time t (s): on its way to what is known; at once where nobody is seen (`watched`)."""
        wanted = camera.up_cam if is_known(camera) else np.zeros(3, np.float32)
        share = 1.0 if self._t is None or not watched else -math.expm1(-max(0.0, t - self._t) / TIME_S)
        self._t = t
        self._up_cam = self._up_cam + np.float32(share) * (wanted - self._up_cam)
        return self._up_cam


def is_known(camera: Camera) -> bool:
    """Whether gravity is, from a user's numbers or a room. What bodies told came from the network: no news to it."""
    return camera.source not in ("people", "assumed") and camera.doubt_deg <= MOST_DOUBT_DEG
