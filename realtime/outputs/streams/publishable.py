"""Filters people for the wire: only finite numbers, and quaternions without sign flips."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from engine.body.skeleton import Side
from realtime.kernel.messages import Array, Face, Hand, Person


class Publishable:
    """Memory of each person's last quaternions, one instance for each receiver.

    q and -q are the same rotation. The sign nearer to the last frame's is sent, so that a receiver may interpolate or
    filter the four numbers.
    """

    def __init__(self) -> None:
        self._last: dict[int, Person] = {}

    def update(self, people: Iterable[Person]) -> tuple[Person, ...]:
        """Return the people of the next frame whose numbers are all finite.

        A hand or a face with another number is left out, and the person stays.
        """
        fit = tuple(self._continued(_with_finite_parts(person)) for person in people if _is_finite(person))
        self._last = {person.id: person for person in fit}
        return fit

    def _continued(self, person: Person) -> Person:
        last = self._last.get(person.id)
        if last is None:
            return person
        hands: dict[Side, Hand] = {
            side: replace(hand, rotations=_continued(hand.rotations, last.hands[side].rotations))
            if side in last.hands
            else hand
            for side, hand in person.hands.items()
        }
        rotations = _continued(person.pose.rotations, last.pose.rotations)
        return replace(person, pose=replace(person.pose, rotations=rotations), hands=hands)


def _continued(rotations: Array, last: Array) -> Array:
    """Return rotations (J, 4) with the signs nearer to the last ones."""
    return np.where((rotations * last).sum(-1, keepdims=True) < 0, -rotations, rotations)


def _with_finite_parts(person: Person) -> Person:
    hands: dict[Side, Hand] = {side: hand for side, hand in person.hands.items() if _is_finite_hand(hand)}
    face = person.face if person.face is None or _is_finite_face(person.face) else None
    if len(hands) == len(person.hands) and face is person.face:
        return person
    return replace(person, hands=hands, face=face)


def _is_finite_hand(hand: Hand) -> bool:
    return bool(np.isfinite(hand.rotations).all() and np.isfinite(hand.confidence))


def _is_finite_face(face: Face) -> bool:
    return bool(np.isfinite((*face.blendshapes, *face.gaze_rad, face.confidence)).all())


def _is_finite(person: Person) -> bool:
    numbers = np.array((person.confidence, person.scale))
    shape = (person.betas, person.joint_confidence, person.contacts)
    arrays = (person.pose.trans, person.pose.rotations, *shape, numbers)
    return all(bool(np.isfinite(array).all()) for array in arrays)
