"""Follows one person: their posture at any moment, or the reason why there is none to send."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.body.model import BodyModel
from realtime.kernel.messages import Person, SolvedFrame
from realtime.outputs.streams.sonic.posture import Posture
from realtime.outputs.streams.sonic.resampler import Resampler
from realtime.outputs.streams.whom import Whom

NOBODY, NOT_VALID, STALE = "nobody", "not valid", "stale"


@dataclass(frozen=True)
class Sample:
    """The followed person at one moment."""

    person_id: int | None
    posture: Posture | None
    why_not: str = ""  # one of the words above, where there is no posture


class Followed:
    """The person whom the stream sends. The caller locks."""

    def __init__(self, whom: Whom, body: BodyModel) -> None:
        self._whom, self._body = whom, body
        self._resampler = Resampler()
        self._person_id: int | None = None
        self._why_not = NOBODY

    def see(self, t_now: float, solved: SolvedFrame) -> None:
        """Store a frame that arrives at t_now."""
        person = self._whom(solved, solved.people)  # unfiltered: a bad number must hold the robot, not pass on
        self._why_not = NOBODY if person is None else "" if _is_sound(person) else NOT_VALID
        if person is None or self._why_not:
            self._resampler.clear()
            return
        if person.id != self._person_id:
            self._person_id = person.id
            self._resampler.clear()
        self._resampler.add(t_now, solved.frame.t_capture, Posture.of(person, self._body))

    def at(self, t_now: float) -> Sample:
        """Return the person as they are to be sent at t_now."""
        why_not = self._why_not or (STALE if self._resampler.is_stale(t_now) else "")
        return Sample(self._person_id, None if why_not else self._resampler.at(t_now), why_not)


def _is_sound(person: Person) -> bool:
    numbers = (*person.pose.rotations.ravel(), *person.betas, person.scale)
    lengths = np.linalg.norm(person.pose.rotations, axis=-1)
    return person.valid and bool(np.isfinite(numbers).all() and (lengths > 0.5).all())
