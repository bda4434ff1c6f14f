"""Follows who of several people is nearest to the camera."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from realtime.kernel.lead import Lead
from realtime.kernel.messages import Person, SolvedFrame

NEARER = 0.9  # of a person's distance, below which another takes over, if that lasts


class Nearest:
    """The one who is nearest to the camera; another takes over who is clearly nearer for half a second."""

    def __init__(self) -> None:
        self._id: int | None = None
        self._lead = Lead()

    def __call__(self, solved: SolvedFrame, people: Sequence[Person]) -> Person | None:
        if not people or solved.T_world_cam is None:
            return None
        away_m = {person.id: float(np.linalg.norm(person.pose.trans - solved.T_world_cam)) for person in people}
        best = min(away_m, key=lambda i: (away_m[i], i))
        if self._id not in away_m:
            self._id = best
        pair = (best, self._id) if away_m[best] < NEARER * away_m[self._id] else None
        if self._lead.lasts(pair, solved.frame.t_capture):
            self._id = best
        return by_id(people, self._id)


def by_id(people: Sequence[Person], person_id: int | None) -> Person | None:
    """Return the person of this id; None if there is none."""
    return next((person for person in people if person.id == person_id), None)
