"""Resamples postures on capture time to any moment, a constant time after they usually arrive.

A posture of capture time t is sent at t + latency + `DELAY_S`; the latency, from capture until arrival, is measured.
If a later posture is there by then, the sample lies between two. Otherwise it is predicted from the last two at a
constant angular velocity, damped and bounded. Waiting for the next one would add a whole frame of the camera.
`tests/benchmarks/robots.py` measures the choices.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

from realtime.outputs.streams.sonic.posture import Posture

DELAY_S = 0.020  # added to the latency
STALE_S = 0.150  # age since capture from which a posture is no longer sent
_DAMPING = 0.7  # share of the velocity that lasts: estimates are noisy, and limbs slow down
_HORIZON_S = 0.050  # of a prediction; a source at 15 fps needs 47 ms
_BASE_S = 0.012  # least time between the two postures that give the velocity
_MOST_TURN_RAD = np.radians(20.0)  # of a joint by prediction
_KEPT = 8  # postures: enough for a source at 240 fps
_SETTLES_S = 1.0  # time constant of the measured latency


class _Timed(NamedTuple):
    t_capture: float
    posture: Posture


class Resampler:
    """Memory of one person's last postures. Nothing queues: a sample uses the newest ones that fit its time."""

    def __init__(self) -> None:
        self._kept: deque[_Timed] = deque(maxlen=_KEPT)
        self._latency_s: float | None = None

    def clear(self) -> None:
        """Drop all postures, after a gap or for another person. The measured latency stays."""
        self._kept.clear()

    def add(self, t_now: float, t_capture: float, posture: Posture) -> None:
        """Store a posture that arrives at t_now. A gap, or a clock that was set back, drops earlier ones."""
        since_last_s = t_capture - self._kept[-1].t_capture if self._kept else 0.0
        if not 0 < since_last_s <= STALE_S:
            since_last_s = 0.0
            self.clear()
        latency_s = min(max(t_now - t_capture, 0.0), STALE_S)
        if self._latency_s is None:
            self._latency_s = latency_s
        self._latency_s += (latency_s - self._latency_s) * since_last_s / _SETTLES_S
        self._kept.append(_Timed(t_capture, posture))

    def is_stale(self, t_now: float) -> bool:
        """Return whether the newest posture is too old at t_now, or there is none."""
        return not self._kept or abs(t_now - self._kept[-1].t_capture) > STALE_S

    def at(self, t_now: float) -> Posture:
        """Return the posture to send at t_now. There must be one."""
        t = t_now - (self._latency_s or 0.0) - DELAY_S
        after = self._kept[-1]
        if t >= after.t_capture:
            return self._predicted(t - after.t_capture)
        for before in list(self._kept)[-2::-1]:
            if before.t_capture <= t:
                share = (t - before.t_capture) / (after.t_capture - before.t_capture)
                return before.posture.towards(after.posture, share)
            after = before
        return after.posture

    def _predicted(self, ahead_s: float) -> Posture:
        """Return the posture `ahead_s` after the newest one."""
        newest = self._kept[-1]
        base = next((each for each in list(self._kept)[-2::-1] if newest.t_capture - each.t_capture >= _BASE_S), None)
        if base is None:
            return newest.posture
        beyond = _DAMPING * min(ahead_s, _HORIZON_S) / (newest.t_capture - base.t_capture)
        turns_rad = np.linalg.norm(base.posture.turns_to(newest.posture), axis=-1)
        bound = _MOST_TURN_RAD / np.maximum(turns_rad, 1e-9)
        return base.posture.towards(newest.posture, 1 + np.minimum(beyond, bound))
