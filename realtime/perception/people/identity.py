"""Assigns numbers to people that stay constant over frames, a crossing, an occlusion and a leave."""

from __future__ import annotations

import itertools
import math
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace

from realtime.perception.people.appearance import Appearance
from realtime.perception.roi import Roi

REMEMBER_S = 3.0  # two behind somebody, and the steps before and after, of which too little is seen
# After that only who looks alike keeps the number, for as long as the pose path keeps a size (kernel.tracks.FORGET_S).
REMEMBER_ALIKE_S = 10.0
# The only performer keeps it while the clothes are the same, unless somebody clearly looks different.
REMEMBER_ONLY_S = 600.0
NEAR = 0.5  # maximum distance of centres for the same position, in sides of the larger square
WALK_PER_S = 0.7  # sides a second by which that distance grows: 1.5 m/s, as a square is about 2.2 m wide
HERE = 0.25  # maximum distance, in sides, and relative difference of sides for the same square
ALIKE = 2.0  # maximum ratio of the squares' sides for the same person; it grows by WALK_PER_S too
OTHER = 0.15  # difference of looks from which somebody is another person; one person's stay below 0.11 in 95 %
SAME = 0.1  # and up to which it is the same one
COASTS_S = 1.0  # for which a lost person is thought to move on as before
_SETTLES_S = 0.25  # time constant of a person's speed
_LATEST = 0.1  # share of the newest look


@dataclass(frozen=True, slots=True)
class _Known:
    """Last sight of a person."""

    roi: Roi
    t: float
    look: Appearance | None = None
    speed_px: tuple[float, float] = (0.0, 0.0)  # a second

    def moved(self, roi: Roi, t: float) -> _Known:
        """Return the person seen in another square."""
        since = t - self.t
        if not 0.0 < since <= COASTS_S:
            return replace(self, roi=roi, t=t)
        share = 1.0 - math.exp(-since / _SETTLES_S)
        steps = zip(self.speed_px, roi.center_px, self.roi.center_px, strict=True)
        x, y = (old + share * ((new - before) / since - old) for old, new, before in steps)
        return replace(self, roi=roi, t=t, speed_px=(x, y))

    def seen_as(self, look: Appearance | None) -> _Known:
        """Return the person with a newer look in the mean."""
        if look is None or not look.is_seen:
            return self
        return replace(self, look=look if self.look is None else self.look.towards(look, _LATEST))

    def expected(self, t: float) -> Roi:
        """Return the square in which the person is at time t (s), if moving on."""
        since = min(t - self.t, COASTS_S)
        x, y = (at + since * speed for at, speed in zip(self.roi.center_px, self.speed_px, strict=True))
        return replace(self.roi, center_px=(x, y))


class Identities:
    """Registry of ids; remembers where, how fast and how people were seen last.

    only: there is one performer, who may come back after minutes.
    """

    def __init__(self, *, only: bool = False) -> None:
        self._new = itertools.count()
        self._only = only
        self._known: dict[int, _Known] = {}
        self._lost: dict[int, float] = {}  # when somebody was lost, s
        self._t = 0.0  # of the present frame, s

    def look(self, person_id: int) -> Appearance | None:
        """Return how the person looks; None if that is not known."""
        known = self._known.get(person_id)
        return None if known is None else known.look

    def see(self, person_id: int, roi: Roi, t: float, look: Appearance | None = None) -> None:
        """Record that the person is in `roi` at time `t` (s), and looks like this."""
        known = self._known.get(person_id, _Known(roi, t))
        self._known[person_id] = known.moved(roi, t).seen_as(look)

    def exchange(self, ids: Mapping[int, int]) -> None:
        """Record that the bodies of `ids` were those of the other ids; looks stay with the ids."""
        known = {old: self._known[old] for old in ids}
        lost = {old: self._lost.pop(old) for old in ids if old in self._lost}
        for old, new in ids.items():
            self._known[new] = replace(known[old], look=known[new].look)
            if old in lost:
                self._lost[new] = lost[old]

    @property
    def lost_rois(self) -> list[Roi]:
        """Squares in which people who were lost recently are expected, the latest first."""
        recent = sorted(self.lost_ids, key=self._lost.__getitem__, reverse=True)
        return [self._known[person_id].expected(self._t) for person_id in recent]

    @property
    def lost_ids(self) -> tuple[int, ...]:
        """Ids of people who were lost recently."""
        return tuple(person_id for person_id, lost in self._lost.items() if self._t - lost <= REMEMBER_S)

    def remembers(self, person_id: int) -> bool:
        """Return whether the person was lost recently."""
        return person_id in self.lost_ids

    def lose(self, person_id: int, roi: Roi, t: float) -> None:
        """Record that the person was last seen in `roi` at time `t` (s)."""
        self._known[person_id] = replace(self._known.get(person_id, _Known(roi, t)), roi=roi, t=t)
        self._lost[person_id] = t

    def forget(self, t: float, present: Container[int] = ()) -> None:
        """Begin the frame at time t (s): drop people lost too long ago, or in the future if the clock was set back.

        present: ids of the last frame. Who was seen and is neither present nor lost was a ghost.
        """
        self._t = t
        most = REMEMBER_ONLY_S if self._only else REMEMBER_ALIKE_S
        for person_id in [i for i, lost in self._lost.items() if not 0.0 <= t - lost <= most]:
            del self._lost[person_id]
        self._known = {i: known for i, known in self._known.items() if i in self._lost or i in present}

    def recalls(self, roi: Roi, t: float) -> bool:
        """Return whether a person was lost near here recently."""
        return self.recalled(roi, t) is not None

    def recalled(self, roi: Roi, t: float) -> int | None:
        """Return the id of the person lost recently who is found again if somebody is here."""
        fits = {i: fit for i in self.lost_ids if (fit := self._fit(i, roi, t, None)) is not None}
        return min(fits, key=fits.__getitem__, default=None)

    def lost_here(self, roi: Roi) -> bool:
        """Return whether a person was lost in the same square recently."""
        known = (self._known[person_id].roi for person_id in self.lost_ids)
        return any(distance(last, roi) < HERE and size_ratio(last, roi) < 1 + HERE for last in known)

    def claim(
        self,
        roi: Roi,
        t: float,
        in_use: Container[int] = (),
        look: Appearance | None = None,
        own: int | None = None,
    ) -> int:
        """Return the id for a person who appears in `roi`: that of a lost one, or else their `own`, or else a new one.

        It is none of those `in_use`. Of the lost ones who may be here, it is the nearest who looks most alike. A lost
        person stays remembered until `keep` confirms the match, because the candidate may be a ghost.
        """
        fits = {i: fit for i in self._lost if i not in in_use and (fit := self._fit(i, roi, t, look)) is not None}
        if fits:
            return min(fits, key=fits.__getitem__)
        return next(self._new) if own is None or own in in_use else own

    def keep(self, person_id: int) -> None:
        """Confirm that the person of this id is visible."""
        self._lost.pop(person_id, None)

    def rescale(self, old_size: tuple[int, int], size: tuple[int, int]) -> None:
        """Convert positions from images of `old_size` (width, height) to images of `size` of the same scene.

        Lengths scale with the root of the area: by 1 for a rotated camera.
        """
        scale = math.sqrt(size[0] * size[1] / (old_size[0] * old_size[1]))
        for person_id, known in self._known.items():
            x, y = (
                new / 2 + scale * (at - old / 2)
                for at, old, new in zip(known.roi.center_px, old_size, size, strict=True)
            )
            roi = Roi((x, y), scale * known.roi.size_px, known.roi.angle_rad)
            self._known[person_id] = replace(known, roi=roi, speed_px=(0.0, 0.0))

    def _fit(self, person_id: int, roi: Roi, t: float, look: Appearance | None) -> float | None:
        """Return how badly somebody in `roi` fits a lost person; None if they cannot be the same."""
        known = self._known[person_id]
        away = self._away(known, roi, t)
        apart = None if look is None or known.look is None else look.difference(known.look)
        if away is None or (apart is not None and apart > OTHER):
            return None
        if t - known.t > REMEMBER_S and not self._only and (apart is None or apart > SAME):
            return None
        return away + (0.5 if apart is None else apart / OTHER)

    @staticmethod
    def _away(known: _Known, roi: Roi, t: float) -> float | None:
        """Return the distance from the person's way, of what they could have walked; None beyond that."""
        walked = WALK_PER_S * (t - known.t)
        away = min(distance(known.roi, roi), distance(known.expected(t), roi)) / (NEAR + walked)
        return away if away < 1.0 and size_ratio(known.roi, roi) < ALIKE + walked else None


def distance(a: Roi, b: Roi) -> float:
    """Return the distance of the squares' centres, in sides of the larger."""
    return math.dist(a.center_px, b.center_px) / max(a.size_px, b.size_px)


def size_ratio(a: Roi, b: Roi) -> float:
    """Return the ratio of the larger side to the smaller, at least 1."""
    return max(a.size_px, b.size_px) / min(a.size_px, b.size_px)
