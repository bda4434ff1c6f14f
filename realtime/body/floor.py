"""The height of the floor, from how low the body comes over time."""

from __future__ import annotations

import math
from collections import deque
from statistics import median

_OUTLIER_FRAMES, _OUTLIER_S = 5, 0.15  # a median over so many: a leg that is wrong for a frame or two moves no floor
_AIRBORNE_S = 0.7  # longer than a jump: until then the floor stays, however high the body is
_SINK_TIME_S = 0.1  # nobody goes through the floor, so it gives way at once
_RISE_TIME_S = 0.5


class Floor:
    """Follows the lowest point of a body whose camera's pitch and distance are known only roughly.

    A body that comes lower than the floor takes it along within a tenth of a second; one that stays above for more
    than 0.7 s pulls it up over half a second. So feet neither sink nor float for long, and jumps stay jumps. The
    price: stairs and chairs that one stands on become floor.
    """

    def __init__(self, level_m: float) -> None:
        """level_m: height of the first body's lowest point."""
        self.height_m = level_m
        self._recent: deque[tuple[float, float]] = deque(maxlen=_OUTLIER_FRAMES)
        self._steady: deque[tuple[float, float]] = deque()  # (t, median level) of the last _AIRBORNE_S

    def follow(self, t: float, level_m: float) -> None:
        """Take in the height of the body's lowest point at time t (s), measured as height_m is."""
        last_t = self._steady[-1][0] if self._steady else t
        if t - last_t > _AIRBORNE_S or t < last_t:  # not seen for a while, or a clip began anew
            self._recent.clear()
            self._steady.clear()
        self._recent.append((t, level_m))
        self._steady.append((t, median(level for at, level in self._recent if t - at <= _OUTLIER_S)))
        while t - self._steady[0][0] > _AIRBORNE_S:
            self._steady.popleft()
        target_m = min(level for _, level in self._steady)
        time_s = _SINK_TIME_S if target_m < self.height_m else _RISE_TIME_S
        self.height_m += -math.expm1(-max(0.0, t - last_t) / time_s) * (target_m - self.height_m)

    def shift(self, by_m: float) -> None:
        """Measure every height from `by_m` lower: the camera from which they are measured is held to be elsewhere."""
        self.height_m += by_m
        self._recent = deque(((t, level + by_m) for t, level in self._recent), maxlen=_OUTLIER_FRAMES)
        self._steady = deque((t, level + by_m) for t, level in self._steady)
