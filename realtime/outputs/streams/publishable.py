"""Filters people for the wire: only finite numbers, and quaternions without sign flips."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from realtime.kernel.messages import Array, Person


class Publishable:
    """Memory of each person's last quaternions, one instance for each receiver.

    q and -q are the same rotation. The sign nearer to the last frame's is sent, so that a receiver may interpolate or
    filter the four numbers.
    """

    def __init__(self) -> None:
        self._last: dict[int, Array] = {}

    def update(self, people: Iterable[Person]) -> tuple[Person, ...]:
        """Return the people of the next frame whose numbers are all finite."""
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
