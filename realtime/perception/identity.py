"""Assigns numbers to people that stay constant over frames and a short loss."""

from __future__ import annotations

import itertools
import math
from collections.abc import Container
from dataclasses import dataclass

from realtime.perception.roi import Roi

REMEMBER_S = 2.0  # a person found again within this time near the old position keeps the number
NEAR = 0.5  # maximum distance of centres for the same position, in sides of the larger square
WALK_PER_S = 0.7  # sides a second by which that distance grows: 1.5 m/s, as a square is about 2.2 m wide
HERE = 0.25  # maximum distance, in sides, and relative difference of sides for the same square
ALIKE = 2.0  # maximum ratio of the squares' sides for the same person


@dataclass(frozen=True, slots=True)
class _Lost:
    id: int
    roi: Roi
    t: float


class Identities:
    """Registry of ids; remembers for two seconds where a lost person was."""

    def __init__(self) -> None:
        self._new = itertools.count()
        self._lost: dict[int, _Lost] = {}

    @property
    def lost_rois(self) -> list[Roi]:
        """Last squares of people who were lost recently, the latest first."""
        return [lost.roi for lost in sorted(self._lost.values(), key=lambda lost: lost.t, reverse=True)]

    @property
    def lost_ids(self) -> tuple[int, ...]:
        """Ids of people who were lost recently."""
        return tuple(self._lost)

    def recalled(self, roi: Roi, t: float) -> int | None:
        """Return the id of the lost person who is found again if somebody is here."""
        lost = self._nearest(roi, t, ())
        return None if lost is None else lost.id

    def remembers(self, person_id: int) -> bool:
        """Return whether the person was lost recently."""
        return person_id in self._lost

    def lose(self, person_id: int, roi: Roi, t: float) -> None:
        """Record that the person was last seen in `roi` at time `t` (s)."""
        self._lost[person_id] = _Lost(person_id, roi, t)

    def forget(self, t: float) -> None:
        """Drop people lost over two seconds before `t`, or after it, if the clock was set back."""
        self._lost = {i: lost for i, lost in self._lost.items() if 0.0 <= t - lost.t <= REMEMBER_S}

    def recalls(self, roi: Roi, t: float) -> bool:
        """Return whether a person was lost near here."""
        return self._nearest(roi, t, ()) is not None

    def lost_here(self, roi: Roi) -> bool:
        """Return whether a person was lost in the same square."""
        return any(
            distance(lost.roi, roi) < HERE and size_ratio(lost.roi, roi) < 1 + HERE for lost in self._lost.values()
        )

    def claim(self, roi: Roi, t: float, in_use: Container[int] = ()) -> int:
        """Return the id for a person who appears in `roi`: that of the nearest lost one there, else a new one.

        A lost person stays remembered until `keep` confirms the match, because the candidate may be a ghost.
        """
        lost = self._nearest(roi, t, in_use)
        return next(self._new) if lost is None else lost.id

    def keep(self, person_id: int) -> None:
        """Confirm that the person of this id is visible."""
        self._lost.pop(person_id, None)

    def rescale(self, old_size: tuple[int, int], size: tuple[int, int]) -> None:
        """Convert positions from images of `old_size` (width, height) to images of `size` of the same scene.

        Lengths scale with the root of the area: by 1 for a rotated camera.
        """
        scale = math.sqrt(size[0] * size[1] / (old_size[0] * old_size[1]))
        for lost in list(self._lost.values()):
            x, y = (
                new / 2 + scale * (at - old / 2)
                for at, old, new in zip(lost.roi.center_px, old_size, size, strict=True)
            )
            self.lose(lost.id, Roi((x, y), scale * lost.roi.size_px, lost.roi.angle_rad), lost.t)

    def _nearest(self, roi: Roi, t: float, in_use: Container[int]) -> _Lost | None:
        near = [
            lost
            for lost in self._lost.values()
            if lost.id not in in_use
            and distance(lost.roi, roi) < NEAR + WALK_PER_S * (t - lost.t)
            and size_ratio(lost.roi, roi) < ALIKE
        ]
        return min(near, key=lambda lost: distance(lost.roi, roi), default=None)


def distance(a: Roi, b: Roi) -> float:
    """Return the distance of the squares' centres, in sides of the larger."""
    return math.dist(a.center_px, b.center_px) / max(a.size_px, b.size_px)


def size_ratio(a: Roi, b: Roi) -> float:
    """Return the ratio of the larger side to the smaller, at least 1."""
    return max(a.size_px, b.size_px) / min(a.size_px, b.size_px)
