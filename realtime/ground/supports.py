"""Estimates the height of the surface under each foot: the floor, or a step above it.

The apparent height of a body depends on its apparent distance, which drifts. So a foot that comes down is compared with
the person's other foot, or with their last standing height, instead of the floor.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from realtime.kernel.messages import Array

Floats = NDArray[np.floating]

STANDS = 0.5  # minimum contact of a heel or toe that measures its surface
STEP_M = 0.08  # a surface nearer to the floor is the floor; one nearer to the other foot's step is that step
_ROLLING_STEP_M, _REMEMBERED_STEP_M = 0.12, 0.15  # the same beside a rolling foot, and without a standing foot
_FLAT = 0.9  # contact of both heel and toe of a foot that does not roll, which measures the drift
_FINDS_S = 0.1  # time to determine the surface after a foot came down
_REMEMBERS_S = 1.0  # without a standing foot
_STEP_LASTS_S = 20.0  # after this, a person's surface is the floor


class Supports:
    """Surfaces under the feet of one person, frame by frame."""

    def __init__(self) -> None:
        self.heights_m: Array = np.zeros(2, np.float32)  # above the floor, of the surfaces under left and right foot
        self.drift_m = 0.0  # apparent height above the true one: the floor's error, as seen from this person
        self._ground_m = 0.0  # the floor's height from feet that have stood for a while
        self._stood_s = np.zeros(2)  # standing time of each foot
        self._raised_s = 0.0
        self._t: float | None = None
        self._last_stood = -math.inf

    def update(self, t: float, contacts: Array, feet_m: Floats, *, floor_m: float, floor_is_known: bool) -> bool:
        """Update with contacts (4,) and heights (4,) of heels and toes above the floor; return whether a foot stands.

        floor_m: the floor's own height, relative to the camera. It moves, and people do not move with it.
        """
        dt = 0.0 if self._t is None else t - self._t
        self._t = t
        points = contacts.reshape(2, 2) > STANDS
        stands: NDArray[np.bool_] = points[:, 0] | points[:, 1]
        seen_m = np.where(points, feet_m.reshape(2, 2), np.inf).min(axis=1) + floor_m
        if not stands.any():
            self._stood_s[:] = 0.0
            return False
        found: NDArray[np.bool_] = stands & (self._stood_s > _FINDS_S)
        flat: NDArray[np.bool_] = found & (contacts.reshape(2, 2).min(axis=1) > _FLAT)
        if flat.any():
            self._ground_m = float((seen_m - self.heights_m)[flat].mean())
            self._last_stood = t
        elif t - self._last_stood > _REMEMBERS_S:
            self._ground_m = floor_m
        for foot in range(2):
            if stands[foot] and not found[foot]:
                self.heights_m[foot] = self._level_m(
                    float(seen_m[foot]), float(seen_m[1 - foot]), 1 - foot, found, flat
                )
        self._stood_s = np.where(stands, self._stood_s + dt, 0.0)
        self._raised_s = self._raised_s + dt if (self.heights_m[stands] > 0).all() else 0.0
        if not floor_is_known or self._raised_s > _STEP_LASTS_S:
            self.heights_m = np.zeros(2, np.float32)
        self.drift_m = float((seen_m - self.heights_m)[stands].mean()) - floor_m
        return True

    def _level_m(
        self, foot_m: float, other_m: float, other: int, found: NDArray[np.bool_], flat: NDArray[np.bool_]
    ) -> float:
        """Return the height above the floor of the surface under a foot that appears at foot_m."""
        ground_m, step_m, other_support_m = self._ground_m, _REMEMBERED_STEP_M, float(self.heights_m[other])
        if flat[other]:
            step_m = STEP_M
        elif found[other]:
            ground_m, step_m = other_m - other_support_m, _ROLLING_STEP_M
        height_m = foot_m - ground_m
        if found[other] and abs(height_m - other_support_m) < step_m:
            return other_support_m
        return height_m if height_m > step_m else 0.0
