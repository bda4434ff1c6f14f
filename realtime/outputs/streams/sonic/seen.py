"""Finds the person to follow in a frame, and what the sender's process needs of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.body.model import BodyModel
from realtime.kernel.messages import Person, SolvedFrame
from realtime.outputs.streams.sonic.posture import Posture
from realtime.outputs.streams.whom import Whom

NOBODY, NOT_VALID, STALE = "nobody", "not valid", "stale"


@dataclass(frozen=True)
class Seen:
    """The followed person in one frame."""

    t_seen: float  # when the program had the pose; monotonic, which is one clock for all processes
    t_capture: float
    person_id: int | None
    posture: Posture | None
    why_not: str = ""  # NOBODY or NOT_VALID, where there is no posture


class Watcher:
    """Choice of the person, in the program's process."""

    def __init__(self, whom: Whom, body: BodyModel) -> None:
        self._whom, self._body = whom, body

    def see(self, t_now: float, solved: SolvedFrame) -> Seen:
        """Return the person to follow, of a frame that is there at t_now."""
        person = self._whom(solved, solved.people)  # unfiltered: a bad number must hold the robot, not pass on
        why_not = NOBODY if person is None else "" if _is_sound(person) else NOT_VALID
        posture = None if person is None or why_not else Posture.of(person, self._body)
        return Seen(t_now, solved.frame.t_capture, person.id if person else None, posture, why_not)


def _is_sound(person: Person) -> bool:
    numbers = (*person.pose.rotations.ravel(), *person.betas, person.scale)
    lengths = np.linalg.norm(person.pose.rotations, axis=-1)
    return person.valid and bool(np.isfinite(numbers).all() and (lengths > 0.5).all())
