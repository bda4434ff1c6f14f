"""A recording of Rerun on one time line, in which what is gone is cleared."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import rerun as rr

TIMELINE = "capture"
FOREVER = math.inf


class Canvas:
    """Logger of entities by their paths. Rerun shows the latest value of each, so one that ends must be cleared."""

    def __init__(self, recording: rr.RecordingStream) -> None:
        self.t_s = 0.0
        self._recording = recording
        self._known: set[str] = set()  # with a static part
        self._until: dict[str, float] = {}  # when to clear each entity, unless it is logged again

    def begin(self, t_s: float) -> None:
        """Go to a time, in seconds of capture time since the first frame. Times must increase."""
        self.t_s = t_s
        self._recording.set_time(TIMELINE, duration=np.timedelta64(round(t_s * 1e9), "ns"))

    def once(self, entity: str, part: Callable[[], rr.AsComponents]) -> None:
        """Log what never changes of an entity, the first time only; `part` makes it."""
        if entity not in self._known:
            self._known.add(entity)
            self._recording.log(entity, part(), static=True)

    def log(self, entity: str, part: rr.AsComponents, kept_s: float = 0.0) -> None:
        """Log the entity at the present time; it stays for `kept_s`, and until `end` of the next frame after."""
        self._recording.log(entity, part)
        self._until[entity] = self.t_s + kept_s

    def end(self) -> None:
        """Clear the entities whose time is over."""
        for entity in [entity for entity, until in self._until.items() if until < self.t_s]:
            self._recording.log(entity, rr.Clear(recursive=False))
            del self._until[entity]
