"""Counts who was there: what the report tells of each person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from realtime.kernel.messages import Person


@dataclass(slots=True)
class Attended:
    """One person of a run."""

    id: int
    frames: int  # solved and valid
    mean_confidence: float  # over those frames, 0..1
    first_s: float  # since the first frame of the run
    last_s: float


class Attendance:
    """The people of a run, in the order in which they came."""

    def __init__(self) -> None:
        self._people: dict[int, Attended] = {}
        self._began_s: float | None = None

    def count(self, t: float, people: Iterable[Person]) -> None:
        """Take in the frame at time t (s)."""
        began_s = self._began_s = t if self._began_s is None else self._began_s
        for person in people:
            if person.valid:
                seen = self._people.setdefault(person.id, Attended(person.id, 0, 0.0, t - began_s, t - began_s))
                seen.frames += 1
                seen.mean_confidence += (person.confidence - seen.mean_confidence) / seen.frames
                seen.last_s = t - began_s

    def people(self) -> tuple[Attended, ...]:
        """Everybody so far."""
        return tuple(self._people.values())
