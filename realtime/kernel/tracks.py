"""State of people between frames: one track for each person, made when they appear and dropped after they left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

FORGET_S = 10.0  # unseen for longer: perception reuses ids of several people for as long
MAX_GAP_S = 0.3  # after a longer gap a filter's past is invalid

State = TypeVar("State")
Track_co = TypeVar("Track_co", covariant=True)


class Tracks(Generic[Track_co]):
    """Tracks of all people, in order of appearance.

    make: builds a track from a new id.
    """

    def __init__(self, make: Callable[[int], Track_co]) -> None:
        self._make = make
        self._kept: dict[int, tuple[float, Track_co]] = {}  # id -> (when last seen, track)

    def of(self, person_id: int, t: float) -> Track_co:
        """Return the track of a person who is visible at time t (s)."""
        kept = self._kept.get(person_id)
        if kept is None:
            self._kept = {other: each for other, each in self._kept.items() if abs(t - each[0]) <= FORGET_S}
        track = self._make(person_id) if kept is None else kept[1]
        self._kept[person_id] = (t, track)
        return track

    def __iter__(self) -> Iterator[Track_co]:
        return iter([track for _, track in self._kept.values()])

    def __len__(self) -> int:
        return len(self._kept)


class Lapsing(Generic[State]):
    """State that is made anew after a gap, so that filters need not handle gaps.

    make: builds a fresh state. max_gap_s: after a longer gap the state is fresh.
    """

    def __init__(self, make: Callable[[], State], max_gap_s: float = MAX_GAP_S) -> None:
        self._make = make
        self._max_gap_s = max_gap_s
        self._t = 0.0
        self._state: State | None = None

    def at(self, t: float) -> State:
        """Return the state at time t (s): a fresh one at first, after a gap, or if time stood still or went back."""
        state = self._state
        if state is None or not 0.0 < t - self._t <= self._max_gap_s:
            state = self._state = self._make()
        self._t = t
        return state

    def lapse(self) -> None:
        """Drop the state."""
        self._state = None
