"""Bridges short losses: a person missing for a few frames keeps their state, marked as not valid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from realtime.kernel.messages import NO_CONTACTS, Person
from realtime.kernel.tracks import MAX_GAP_S


class Coasting:
    """Memory of one person's last valid state, held for up to 0.3 s."""

    def __init__(self, hold_s: float = MAX_GAP_S) -> None:
        self._hold_s = hold_s
        self._last: tuple[float, Person] | None = None

    def see(self, t: float, person: Person) -> None:
        """Store the person as solved at time t (s), if valid."""
        if person.valid:
            self._last = t, person

    def held(self, t: float) -> Person | None:
        """Return the person if lost shortly before time t (s): static, not `valid`, decaying confidence; else None."""
        if self._last is None or not 0 < t - self._last[0] <= self._hold_s:
            return None
        seen_t, person = self._last
        left = 1 - (t - seen_t) / self._hold_s
        return replace(
            person,
            valid=False,
            confidence=person.confidence * left,
            joint_confidence=person.joint_confidence * np.float32(left),
            contacts=NO_CONTACTS,
            hands={side: replace(hand, confidence=hand.confidence * left) for side, hand in person.hands.items()},
            face=person.face and replace(person.face, confidence=person.face.confidence * left),
        )
