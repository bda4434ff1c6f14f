"""Numbers for people that stay the same from frame to frame, and over a short loss."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from realtime.perception.roi import Roi

REMEMBER_S = 1.0  # a person found again within this time near the old place keeps the number
NEAR = 0.5  # centre distance that still counts as the same place, in sides of the larger square
ALIKE = 2.0  # ratio of the squares' sides that still counts as the same person


@dataclass(frozen=True, slots=True)
class _Lost:
    id: int
    roi: Roi
    t: float


class Identities:
    """Hands out ids; remembers for a second where a lost one was."""

    def __init__(self) -> None:
        self._new = itertools.count()
        self._lost: list[_Lost] = []

    def lose(self, person_id: int, roi: Roi, t: float) -> None:
        """The person was last seen in `roi` at time `t` (s)."""
        self._lost.append(_Lost(person_id, roi, t))

    def forget(self, t: float) -> None:
        """Drop what was lost more than a second before `t`, or after it: then the clock has been set back."""
        self._lost = [lost for lost in self._lost if 0.0 <= t - lost.t <= REMEMBER_S]

    def recalls(self, roi: Roi) -> bool:
        """Whether somebody was lost near here."""
        return self._nearest(roi) is not None

    def claim(self, roi: Roi) -> int:
        """The id for a person who appears in `roi`: that of the nearest one lost there, else a new one."""
        lost = self._nearest(roi)
        if lost is None:
            return next(self._new)
        self._lost.remove(lost)
        return lost.id

    def _nearest(self, roi: Roi) -> _Lost | None:
        near = [lost for lost in self._lost if distance(lost.roi, roi) < NEAR and size_ratio(lost.roi, roi) < ALIKE]
        return min(near, key=lambda lost: distance(lost.roi, roi), default=None)


def distance(a: Roi, b: Roi) -> float:
    """Between the squares' centres, in sides of the larger."""
    return math.dist(a.center_px, b.center_px) / max(a.size_px, b.size_px)


def size_ratio(a: Roi, b: Roi) -> float:
    """Of the larger side to the smaller, at least 1."""
    return max(a.size_px, b.size_px) / min(a.size_px, b.size_px)
