"""Chooses who is looked at in a frame, while there is no time to look at everybody.

Each person costs a run of the landmark network. Once all of them take longer than the camera's next frame, far people
have their turn more seldom, and are held still meanwhile (`realtime.smoothing.coasting`). Nobody near waits for them.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import ParamSpec, Protocol, TypeVar

from realtime.perception.roi import Roi

BUDGET = 0.9  # share of the time between two frames for looking at people
LONGEST_S = 0.25  # without a look at somebody, who is held for 0.3 s
_RECENT = 31  # looks, and frames, of which the median counts


class Tracked(Protocol):
    """Track of somebody."""

    @property
    def id(self) -> int | None:
        """Return the number; None: nobody was told of them."""

    @property
    def roi(self) -> Roi:
        """Return the square in which to look next."""

    @property
    def seen_t(self) -> float:
        """Return the time (s) of the frame in which they were looked at last."""


T = TypeVar("T", bound=Tracked)
P = ParamSpec("P")
Result = TypeVar("Result")


class Turns:
    """Turns of the people of one live source."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """Begin without knowing how long a look takes: at first everybody is looked at."""
        self._clock = clock
        self._looks_s: deque[float] = deque(maxlen=_RECENT)
        self._frames_s: deque[float] = deque(maxlen=_RECENT)
        self._last: tuple[int, float] | None = None  # number and time of the last frame

    def timed(self, look: Callable[P, Result]) -> Callable[P, Result]:
        """Return the same function, whose calls are timed."""

        def timed(*args: P.args, **named: P.kwargs) -> Result:
            began = self._clock()
            result = look(*args, **named)
            self._looks_s.append(self._clock() - began)
            return result

        return timed

    def due(self, tracks: Sequence[T], seq: int, t: float, performer: int | None = None) -> list[T]:
        """Return who is to be looked at in frame number `seq` at time t (s), in the order of `tracks`.

        The nearest (the largest square) and the performer (an id) always are; others as there is time, whoever has
        waited longest first. Nobody waits for longer than they can be held.
        """
        if self._last is not None and seq > self._last[0] and t > self._last[1]:
            self._frames_s.append((t - self._last[1]) / (seq - self._last[0]))
        self._last = seq, t
        room = self._room()
        if len(tracks) <= room:
            return list(tracks)
        nearest = max(tracks, key=lambda track: track.roi.size_px)
        always = [track for track in tracks if track is nearest or track.id == performer is not None]
        others = sorted((track for track in tracks if track not in always), key=lambda track: track.seen_t)
        count = max(0, int(room) - len(always))
        chosen = [*always, *others[:count], *(each for each in others[count:] if not 0 <= t - each.seen_t < LONGEST_S)]
        return [track for track in tracks if track in chosen]

    def _room(self) -> float:
        """Return for how many looks there is time in a frame."""
        if not self._looks_s or not self._frames_s:
            return float("inf")
        return BUDGET * statistics.median(self._frames_s) / max(statistics.median(self._looks_s), 1e-9)
