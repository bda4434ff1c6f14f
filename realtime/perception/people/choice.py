"""Chooses whom to follow where more people are in view than places, and who of those followed is the performer.

Whoever leads by the rule takes over, but only by a clear margin that lasts: people who pass each other change nothing.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from realtime.kernel.lead import Lead
from realtime.perception.config import PersonRule
from realtime.perception.detector import Detection
from realtime.perception.landmarker import PersonView
from realtime.perception.parts.seeds import px_per_m
from realtime.perception.roi import Roi

logger = logging.getLogger(__name__)

# Lead that takes a place over: logarithms of ratios of sizes; of the picture's width.
MARGINS: dict[PersonRule, float] = {
    "largest": math.log(1.25),
    "nearest": math.log(1.2),
    "first": math.inf,
    "centre": 0.1,
}
LASTING = 0.5  # share of the margin that a lead must keep once it has begun


class Tracked(Protocol):
    """Track of somebody."""

    @property
    def id(self) -> int | None:
        """Return the number; None: nobody was told of them."""

    @property
    def view(self) -> PersonView:
        """Return the newest view."""


T = TypeVar("T", bound=Tracked)


class Choice:
    """State of the choice among the people of one source. `ask_for_next` may be called from any thread."""

    def __init__(self, rule: PersonRule) -> None:
        self.takes_over = rule != "first"  # whether somebody new can
        self.width_px = 1  # of the picture
        self.performer: int | None = None  # the id
        self._rule = rule
        self._pinned = False  # the user chose the performer, who stays while they are known
        self._lead = Lead()
        self._ranks: dict[int, float] = {}  # of people, when they were seen last
        self._asked = False

    def rank(self, view: PersonView) -> float:
        """Return how much the rule wants this person; differences compare with the margin."""
        if self._rule == "nearest":
            return math.log(max(px_per_m(view.body), 1e-3))
        return self._rank_of_square(view.next_roi)

    def order(self, find: Detection) -> tuple[float, float]:
        """Return the key by which finds are sorted, the most wanted last: whoever comes first may get the place."""
        return self._rank_of_square(find.roi), find.score

    def leads(self, one: PersonView, other: PersonView, *, still: bool = False) -> bool:
        """Return whether one person leads the other; still: they have done so before."""
        return self.rank(one) - self.rank(other) > self._margin(still=still)

    def weakest(self, people: Iterable[T], *, wanted: bool = False) -> T | None:
        """Return whose place somebody else may take. wanted: by the user, who gives up an earlier choice."""
        free = [person for person in people if wanted or not (self._pinned and person.id == self.performer)]
        return min(free, key=lambda person: self.rank(person.view), default=None)

    def is_waited_for(self, view: PersonView, found: int | None, lost: Iterable[int], places: int) -> bool:
        """Return whether the free places are kept from somebody for lost people (ids) who led them when last seen.

        found: who of the lost this would be; the performer may always come back.
        """
        if found is not None and found == self.performer:
            return False
        others = [i for i in lost if i != found]
        ahead = (self._ranks.get(i, -math.inf) - self.rank(view) > self._margin(still=False) for i in others)
        return sum(ahead) >= places or (self._pinned and self.performer in others)

    def update(self, people: Sequence[Tracked], is_known: Callable[[int], bool], t: float, *, full: bool) -> int | None:
        """Return the performer among the people in view at time t (s).

        A performer out of view stays it while the id is known, unless all places are taken (full).
        """
        ranks = {person.id: self.rank(person.view) for person in people if person.id is not None}
        self._ranks = {i: rank for i, rank in self._ranks.items() if is_known(i)} | ranks
        best = max(ranks, key=lambda i: (ranks[i], -i), default=None)
        if self.performer not in ranks:
            if self.performer is None or full or not is_known(self.performer):
                self.performer, self._pinned = best, False
            self._lead.lasts(None, t)
        elif best is not None and not self._pinned:
            pair = best, self.performer
            ahead = ranks[best] - ranks[self.performer] > self._margin(still=self._lead.has_begun(pair))
            if self._lead.lasts(pair if ahead else None, t):
                logger.info("person %d takes over from person %d", best, self.performer)
                self.performer = best
        return self.performer

    def ask_for_next(self) -> None:
        """Ask for the next person, from the next frame on."""
        self._asked = True

    def is_asked(self) -> bool:
        """Return whether the next person was asked for since the last call."""
        asked, self._asked = self._asked, False
        return asked

    def next_of(self, people: Iterable[T]) -> T | None:
        """Return who is next to the right of the performer, or after the last the leftmost; None: nobody else."""
        in_order = sorted(people, key=lambda person: person.view.next_roi.center_px[0])
        at = next((k for k, person in enumerate(in_order) if person.id == self.performer), -1)
        others = in_order[at + 1 :] + in_order[: max(at, 0)]
        return others[0] if others else None

    def pin(self, person_id: int) -> None:
        """Make this person the performer because the user wants it."""
        self.performer, self._pinned = person_id, True

    def _rank_of_square(self, roi: Roi) -> float:
        if self._rule == "centre":
            return -abs(roi.center_px[0] / self.width_px - 0.5)
        return 0.0 if self._rule == "first" else math.log(max(roi.size_px, 1e-3))

    def _margin(self, *, still: bool) -> float:
        return MARGINS[self._rule] * (LASTING if still else 1.0)
