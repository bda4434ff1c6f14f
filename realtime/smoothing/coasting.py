"""Bridges short losses: a person missing for a few frames keeps their state, marked as not valid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from realtime.estimate.memory import MAX_GAP_S
from realtime.kernel.messages import NO_CONTACTS, Person


class Coaster:
    """Memory of each person's last valid state, held for up to 0.3 s."""

    def __init__(self, hold_s: float = MAX_GAP_S) -> None:
        self._hold_s = hold_s
        self._last: dict[int, tuple[float, Person]] = {}

    def update(self, t: float, people: tuple[Person, ...]) -> tuple[Person, ...]:
        """Return the people solved at time t (s), then recently lost ones: static, not `valid`, decaying confidence."""
        self._last.update((person.id, (t, person)) for person in people if person.valid)
        self._last = {i: (seen, who) for i, (seen, who) in self._last.items() if 0 <= t - seen <= self._hold_s}
        held = (self._faded(person, t - seen) for seen, person in self._last.values() if seen < t)
        return people + tuple(held)

    def _faded(self, person: Person, unseen_s: float) -> Person:
        left = 1 - unseen_s / self._hold_s
        return replace(
            person,
            valid=False,
            confidence=person.confidence * left,
            joint_confidence=person.joint_confidence * np.float32(left),
            contacts=NO_CONTACTS,
        )
