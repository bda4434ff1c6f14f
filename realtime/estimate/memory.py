"""Stores state for each person between frames, and drops it after a gap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

MAX_GAP_S = 0.3  # after a longer gap a filter's past is invalid

State = TypeVar("State")


class PersonMemory(Generic[State]):
    """One state a person, made anew after a gap, so that filters need not handle gaps.

    make: builds a fresh state. max_gap_s: a person unseen for longer gets a fresh state.
    """

    def __init__(self, make: Callable[[], State], max_gap_s: float = MAX_GAP_S) -> None:
        self._make = make
        self._max_gap_s = max_gap_s
        self._kept: dict[int, tuple[float, State]] = {}  # id -> (when last seen, state)

    def recall(self, person_id: int, t: float) -> State:
        """Return this person's state at time t (s): a fresh one for a new person, after a gap, or if time went back."""
        self._kept = {other: kept for other, kept in self._kept.items() if t - kept[0] <= self._max_gap_s}
        kept = self._kept.get(person_id)
        state = kept[1] if kept is not None and kept[0] < t else self._make()
        self._kept[person_id] = (t, state)
        return state

    def __len__(self) -> int:
        return len(self._kept)
