"""Gives the places to people whom a perception sees all at once, by the same choice as `PeopleTracker`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from realtime.kernel.lead import Lead
from realtime.perception.config import PersonRule
from realtime.perception.landmarker import PersonView
from realtime.perception.people.choice import Choice

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """One person in view."""

    id: int
    view: PersonView


class Places:
    """Memory of who has the places."""

    def __init__(self, rule: PersonRule, count: int) -> None:
        self.choice = Choice(rule)
        self._count = count
        self._ids: frozenset[int] = frozenset()
        self._lead = Lead()

    def update(self, people: Sequence[Seen], is_known: Callable[[int], bool], t: float) -> frozenset[int]:
        """Return the ids of those who have places at time t (s) among everybody in view."""
        order = sorted(people, key=lambda person: self.choice.rank(person.view), reverse=True)
        there = [person for person in order if person.id in self._ids]
        others = [person for person in order if person.id not in self._ids]
        while others and len(there) < self._count:
            there.append(others.pop(0))
        if self.choice.is_asked():
            self._go_to_next(people, there)
        elif (weakest := self.choice.weakest(there)) is not None:
            best = others[0] if others else None
            pair = None if best is None else (best.id, weakest.id)
            leads = best is not None and self.choice.leads(best.view, weakest.view, still=self._lead.has_begun(pair))
            if self._lead.lasts(pair if leads else None, t) and best is not None:
                there[there.index(weakest)] = best
        self._ids = frozenset(person.id for person in there)
        self.choice.update(there, is_known, t, full=len(there) == self._count)
        return self._ids

    def _go_to_next(self, people: Sequence[Seen], there: list[Seen]) -> None:
        person = self.choice.next_of(people)
        if person is None:
            logger.info("nobody else is in view")
            return
        weakest = self.choice.weakest(there, wanted=True)
        if person not in there and weakest is not None:
            there[there.index(weakest)] = person
        self.choice.pin(person.id)
