"""Perceives people who sit at a desk: their legs count as unseen, so the box is that of the upper body.

BlazePose takes table legs and chairs for the legs of somebody behind a desk, and reports them as visible.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import KeypointLayout
from realtime.kernel.messages import Frame, Sighting, TrackedPerson
from realtime.perception.people.track import box_around

if TYPE_CHECKING:
    from realtime.perception import Perception


class Seated:
    """Another perception, with the legs of everybody hidden."""

    def __init__(self, perception: Perception) -> None:
        self._perception = perception
        self.description = f"{perception.description}, seated"

    def observe(self, frame: Frame) -> Sighting:
        sighting = self._perception.observe(frame)
        return replace(sighting, people=tuple(map(_without_legs, sighting.people)))

    def next_person(self) -> None:
        self._perception.next_person()

    def close(self) -> None:
        """Close the other perception."""
        self._perception.close()


def _without_legs(person: TrackedPerson) -> TrackedPerson:
    body = person.keypoints["body"]
    visibility = np.where(_is_leg(body.layout), np.float32(0), body.visibility)
    body = replace(body, visibility=visibility)
    return replace(person, keypoints={**person.keypoints, "body": body}, box_xyxy=box_around(body))


@cache
def _is_leg(layout: KeypointLayout) -> NDArray[np.bool_]:
    """Return (K,) true for keypoints below the hips."""
    below = np.zeros(len(layout), bool)
    below[layout.matching("knee", "ankle", "heel", "foot")] = True
    return below
