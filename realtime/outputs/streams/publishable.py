"""Filters people for the wire: only those whose every number is finite, with quaternions that do not jump."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from realtime.kernel.messages import Array, Person


class Publishable:
    """Remembers the quaternions of each person's last frame, one instance a receiver.

    A rotation is two quaternions, q and -q. The sign nearer to the last frame's is taken, so that a receiver may
    interpolate or filter the four numbers as they are.
    """

    def __init__(self) -> None:
        self._last: dict[int, Array] = {}

    def update(self, people: Iterable[Person]) -> tuple[Person, ...]:
        """The people of the next frame, less those with a number that is not finite."""
        fit = tuple(self._continued(person) for person in people if _is_finite(person))
        self._last = {person.id: person.pose.rotations for person in fit}
        return fit

    def _continued(self, person: Person) -> Person:
        last = self._last.get(person.id)
        if last is None:
            return person
        rotations = person.pose.rotations
        turned = (rotations * last).sum(-1, keepdims=True) < 0
        if not turned.any():
            return person
        return replace(person, pose=replace(person.pose, rotations=np.where(turned, -rotations, rotations)))


def _is_finite(person: Person) -> bool:
    numbers = np.array((person.confidence, person.scale))
    shape = (person.betas, person.joint_confidence, person.contacts)
    arrays = (person.pose.trans, person.pose.rotations, *shape, numbers)
    return all(bool(np.isfinite(array).all()) for array in arrays)
