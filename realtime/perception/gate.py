"""Filters out people who are not confirmed (`realtime.perception.people.standing`)."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from realtime.kernel.messages import Sighting, TrackedPerson

MOST_HELD = 32  # frames; some 0.8 GB of them at 3840 x 2160


class Gate:
    """Filter between perception and the later stages.

    Live, people on trial or in doubt are omitted from a frame, and no frame waits. Offline, frames wait up to 0.3 s
    until that is decided: a person who is confirmed keeps the frames of trial and doubt.
    """

    def __init__(self, *, holds: bool) -> None:
        self._holds = holds
        self._held: deque[Sighting] = deque()
        self._decided: dict[tuple[int, int], bool] = {}  # (frame, person) -> whether the person is real

    def let_through(self, sighting: Sighting) -> tuple[Sighting, ...]:
        """Return the sightings that are decided now, in order."""
        if not self._holds:
            return (self._settled(sighting),)
        passed: tuple[Sighting, ...] = ()
        if self._held and self._held[-1].frame.size != sighting.frame.size:
            passed = self.finish()  # all tracks restart
        undecided = {person.id for person in sighting.people if not _is_confirmed(person)}
        confirmed = {person.id for person in sighting.people} - undecided
        for held in self._held:
            for person in held.people:
                if not _is_confirmed(person) and person.id not in undecided:
                    self._decided.setdefault((held.frame.seq, person.id), person.id in confirmed)
        self._held.append(sighting)
        return passed + self._release()

    def finish(self) -> tuple[Sighting, ...]:
        """Return the rest. A person whose trial is cut short by the end passes if every frame of it was good."""
        rest = tuple(self._settled(sighting, at_end=True) for sighting in self._held)
        self._held.clear()
        return rest

    def _release(self) -> tuple[Sighting, ...]:
        passed = []
        while self._held and (len(self._held) > MOST_HELD or self._is_decided(self._held[0])):
            passed.append(self._settled(self._held.popleft()))
        return tuple(passed)

    def _is_decided(self, sighting: Sighting) -> bool:
        return all(_is_confirmed(p) or (sighting.frame.seq, p.id) in self._decided for p in sighting.people)

    def _settled(self, sighting: Sighting, *, at_end: bool = False) -> Sighting:
        """Keep only confirmed people; `at_end`, also those on trial."""
        people = tuple(
            person
            for person in sighting.people
            if self._decided.pop((sighting.frame.seq, person.id), at_end and person.standing == "earning")
            or _is_confirmed(person)
        )
        return sighting if len(people) == len(sighting.people) else replace(sighting, people=people)


def _is_confirmed(person: TrackedPerson) -> bool:
    return person.standing == "confirmed"
