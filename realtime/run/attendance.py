"""Counts the frames of each person, for the report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from realtime.kernel.messages import Person


@dataclass(slots=True)
class Attended:
    """Summary of one person of a run."""

    id: int
    frames: int  # solved and valid
    mean_confidence: float  # over those frames, 0..1
    first_s: float  # since the first frame of the run
    last_s: float


class Attendance:
    """People of a run, in order of appearance."""

    def __init__(self) -> None:
        self._people: dict[int, Attended] = {}
        self._began_s: float | None = None

    def count(self, t: float, people: Iterable[Person]) -> None:
        """Count the frame at time t (s)."""
        began_s = self._began_s = t if self._began_s is None else self._began_s
        for person in people:
            if person.valid:
                seen = self._people.setdefault(person.id, Attended(person.id, 0, 0.0, t - began_s, t - began_s))
                seen.frames += 1
                seen.mean_confidence += (person.confidence - seen.mean_confidence) / seen.frames
                seen.last_s = t - began_s

    def people(self) -> tuple[Attended, ...]:
        """Summaries of all people so far."""
        return tuple(self._people.values())
