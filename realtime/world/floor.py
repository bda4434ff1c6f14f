"""Estimates the height of the floor from the lowest points of bodies over time, and from where they stand."""

from __future__ import annotations

import math
from collections import deque
from statistics import median

_OUTLIER_FRAMES, _OUTLIER_S = 5, 0.15  # median filter: a leg that is wrong for a frame or two does not move the floor
_AIRBORNE_S = 0.7  # longer than a jump: until then the floor stays, however high the body is
_SINK_TIME_S = 0.1  # nobody is below the floor, so it sinks at once
_RISE_TIME_S = 0.5
_KNOWN_S, _FORGOTTEN_S = 1.0, 3.0  # known after the first of standing, until nobody stood for the second
_FAR_M = 0.08  # standing further below moves it at once
_DIP_M = 0.03  # tolerance for moving people below a known floor


class Floor:
    """Tracker of the lowest point of bodies before a camera with uncertain pitch and distance.

    Standing people are the best evidence: the floor moves to them within half a second, both ways. Before anybody has
    stood for a second, a body that stays above for more than 0.7 s raises it. A lower body lowers it within a tenth of
    a second. So feet neither sink nor float for long, and jumps stay jumps.
    """

    def __init__(self, level_m: float) -> None:
        """Initialise; level_m is the height of the first body's lowest point."""
        self.height_m = level_m
        self._levels, self._others = _Levels(), _Levels()
        self._t = -math.inf  # time of the latest update
        self._stood_s, self._stood_at = 0.0, -math.inf

    def follow(self, t: float, level_m: float, *, stands: bool = False) -> None:
        """Update with the height of the body's lowest point at time t (s), in the frame of height_m.

        stands: it rests on the floor there.
        """
        dt, self._t = self._levels.add(t, level_m), t
        lowest_m, now_m = self._levels.lowest_m, self._levels.now_m
        if stands:
            self._stood_s, self._stood_at = self._stood_s + dt, t
            self._go(now_m, dt, _SINK_TIME_S if now_m < self.height_m - _FAR_M else _RISE_TIME_S)
        elif not self.is_known(t):
            self._go(lowest_m, dt, _SINK_TIME_S if lowest_m < self.height_m else _RISE_TIME_S)
        else:
            self._go(min(self.height_m, lowest_m + _DIP_M), dt, _SINK_TIME_S)

    def give_way(self, t: float, level_m: float) -> None:
        """Sink to another person's lowest point at time t (s), if it is lower; once a frame, besides `follow`."""
        dt, self._t = self._others.add(t, level_m) or max(0.0, t - self._t), t
        dip_m = _DIP_M if self.is_known(t) else 0.0
        self._go(min(self.height_m, self._others.lowest_m + dip_m), dt, _SINK_TIME_S)

    def doubt(self) -> None:
        """Mark the floor as unknown: the next standing person sets it at any height."""
        self._stood_s = 0.0

    def shift(self, by_m: float) -> None:
        """Subtract `by_m` from every height, because the estimated camera position has changed."""
        self.height_m += by_m
        self._levels.shift(by_m)
        self._others.shift(by_m)

    def is_known(self, t: float) -> bool:
        """Return whether people have stood on it long enough, and recently."""
        return self._stood_s >= _KNOWN_S and 0 <= t - self._stood_at <= _FORGOTTEN_S

    def _go(self, target_m: float, dt: float, time_s: float) -> None:
        self.height_m += -math.expm1(-dt / time_s) * (target_m - self.height_m)


class _Levels:
    """Heights of a person's lowest point over the last 0.7 s, without outliers."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, float]] = deque(maxlen=_OUTLIER_FRAMES)
        self._steady: deque[tuple[float, float]] = deque()  # (t, median level)

    def add(self, t: float, level_m: float) -> float:
        """Add a height; return the seconds since the previous one, 0 at the beginning and after a gap."""
        last_t = self._steady[-1][0] if self._steady else t
        if t - last_t > _AIRBORNE_S or t < last_t:  # a gap, or a clip that restarted
            self._recent.clear()
            self._steady.clear()
        self._recent.append((t, level_m))
        self._steady.append((t, median(level for at, level in self._recent if t - at <= _OUTLIER_S)))
        while t - self._steady[0][0] > _AIRBORNE_S:
            self._steady.popleft()
        return max(0.0, t - last_t)

    @property
    def lowest_m(self) -> float:
        return min(level for _, level in self._steady)

    @property
    def now_m(self) -> float:
        return self._steady[-1][1]

    def shift(self, by_m: float) -> None:
        self._recent = deque(((t, level + by_m) for t, level in self._recent), maxlen=_OUTLIER_FRAMES)
        self._steady = deque((t, level + by_m) for t, level in self._steady)
