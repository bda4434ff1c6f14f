"""Detects foot contacts from how still feet are in the image.

A standing foot does not move in a static camera's image, whatever its depth. That is far more reliable than the height
or the speed of an estimated body's foot.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import Keypoints
from realtime.kernel.seen import VISIBLE

Array = NDArray[np.float32]
Floats = NDArray[np.floating]

_SPAN_S, _SHORTEST_S = 0.1, 0.05  # window of a speed measurement
_UP_DOWN = 1.5  # vertical image motion may be along the line of sight, which is hardly visible: it has more weight
_STOPS_M_S, _STARTS_M_S = 0.4, 0.7  # hysteresis: contact begins below the first speed and ends above the second
_FOOT_M = 0.08  # a point further above the other one of its foot is in the air
_LEVEL_M = 0.08  # near the floor or the last standing height, ...
_LEG_M = 0.12  # ... and near the lower foot, contact begins at once
_DWELL_S = 0.2  # elsewhere, as on a step, after this: at the top of a jump feet are still for half as long
_RISE_S, _FALL_S = 0.06, 0.12


class FootContacts:
    """Contacts of one person, frame by frame, causal."""

    def __init__(self) -> None:
        self._past: deque[tuple[float, Floats]] = deque()  # (t, (4, 2) px) over the last _SPAN_S
        self._slow_since = np.full(4, np.inf)
        self._stands = np.zeros(4, bool)
        self._contacts = np.zeros(4, np.float32)
        self._level_m = 0.0  # above the floor: the last apparent standing height

    def update(self, t: float, body: Keypoints, metres_per_px: float, height_m: Floats) -> Array:
        """Return (4,) 0..1 at time t (s), in the order of CONTACT_NAMES.

        metres_per_px at the person's distance; height_m (4,) of the body's heels and toes above the floor.
        """
        dt = t - self._past[-1][0] if self._past else 0.0
        points = body.layout.contacts
        speed_m_s = self._speed_px_s(t, body.image_px[points].astype(np.float64)) * metres_per_px
        slow = speed_m_s < np.where(self._stands, _STARTS_M_S, _STOPS_M_S)
        self._slow_since = np.where(slow, np.minimum(self._slow_since, t), np.inf)
        lowest_m = float(height_m.min())
        flat = height_m < height_m.reshape(2, 2).min(1).repeat(2) + _FOOT_M
        where_it_stood = min(abs(lowest_m), abs(lowest_m - self._level_m)) < _LEVEL_M
        likely = where_it_stood & (height_m < lowest_m + _LEG_M)
        settled = self._stands | likely | (t - self._slow_since >= _DWELL_S)
        self._stands = slow & flat & settled & (body.visibility[points] > VISIBLE)
        if self._stands.any():
            self._level_m = float(height_m[self._stands].min())

        step = np.where(self._stands, dt / _RISE_S, -dt / _FALL_S)
        self._contacts = np.clip(self._contacts + step, 0.0, 1.0).astype(np.float32)
        return self._contacts

    def _speed_px_s(self, t: float, points_px: Floats) -> Floats:
        """Return (4,) speeds over the last tenth of a second; infinite while unknown."""
        self._past.append((t, points_px))
        while t - self._past[0][0] > _SPAN_S + 1e-6:
            self._past.popleft()
        before, then_px = self._past[0]
        if t - before < _SHORTEST_S:
            return np.full(4, np.inf)
        across_px, down_px = (points_px - then_px).T
        return np.hypot(across_px, _UP_DOWN * down_px) / (t - before)
