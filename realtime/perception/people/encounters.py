"""Notices when two tracks that met have exchanged bodies, by looks, and gives the ids back to their owners."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

from realtime.perception.people.appearance import Appearance
from realtime.perception.people.identity import Identities, distance
from realtime.perception.people.track import Track
from realtime.perception.roi import Roi

MEET = 0.35  # distance of centres, in sides of the larger square, below which one person may cover the other
PART = 0.5  # and above which they are apart again
LOOK_EVERY = 5  # frames between looks at people who are alone
SHARE = 0.35  # of the newest look in the mean since a meeting
GAIN = 0.1  # by which an exchange must improve the agreement of looks, in units of chroma
DOUBT = 0.03  # by which a person must look more like another one of a meeting, to be in doubt
LONGEST_DOUBT_S = 1.0  # of an exchange; after that the look itself has changed: another light, a coat, a back
SURE_AFTER = 6  # frames apart without doubt that end a meeting
MOST = 4  # people of one meeting whose ids are exchanged: 24 orders


class Encounters:
    """Observer of tracks: who has met whom, and how they have looked since.

    `doubted` are ids of people who now look like others whom they met, or whose looks are not seen. They are so for
    `LONGEST_DOUBT_S` at most. `exchanged` are ids that have just got another body.
    """

    def __init__(self, identities: Identities) -> None:
        self._identities = identities
        self._met: dict[frozenset[int], int] = {}  # pairs of ids -> frames apart without doubt
        self._since: dict[int, Appearance] = {}  # id -> mean look since the meeting began
        self._doubts: dict[int, float] = {}  # id -> time (s) from which on there is doubt
        self._frames = 0
        self.doubted: set[int] = set()
        self.exchanged: set[int] = set()

    def update(self, image_bgr: NDArray[np.uint8], tracks: Sequence[Track], t: float) -> None:
        """Look at the people of a frame at time t (s), and exchange ids of tracks where bodies were exchanged."""
        self._frames += 1
        self.doubted, self.exchanged = set(), set()
        there = {track.id: track for track in tracks if track.id is not None}
        self._meet(there)
        busy = {person_id for pair in self._met for person_id in pair}
        self._since = {person_id: look for person_id, look in self._since.items() if person_id in busy}
        self._doubts = {person_id: since for person_id, since in self._doubts.items() if person_id in busy}
        for person_id, track in there.items():
            if track.seen_t < t:
                continue
            look = None
            if person_id in busy:
                self._watch(person_id, Appearance.of(image_bgr, track.view.body), t)
            elif (self._frames + person_id) % LOOK_EVERY == 0:
                look = Appearance.of(image_bgr, track.view.body)
            self._identities.see(person_id, track.view.next_roi, t, look)
        for group in self._groups():
            self._settle(group, there)
        for pair in self._met:
            parted = pair <= there.keys() and not pair & self.doubted and not self._are_near(pair, there, PART)
            self._met[pair] = self._met[pair] + 1 if parted else 0

    @staticmethod
    def may_cover(roi: Roi, people: Sequence[Track]) -> bool:
        """Return whether one of the people may cover somebody in `roi`."""
        return any(distance(person.roi, roi) < MEET for person in people)

    def _meet(self, there: Mapping[int, Track]) -> None:
        """Begin the meetings of those who are near, and end those of people who are apart or gone."""
        for pair in combinations(there, 2):
            if self._are_near(pair, there, MEET):
                self._met[frozenset(pair)] = 0
        self._met = {
            pair: apart
            for pair, apart in self._met.items()
            if apart < SURE_AFTER
            and any(person_id in there for person_id in pair)
            and all(person_id in there or self._identities.remembers(person_id) for person_id in pair)
        }

    @staticmethod
    def _are_near(pair: Iterable[int], there: Mapping[int, Track], limit: float) -> bool:
        one, other = pair
        return distance(there[one].roi, there[other].roi) < limit

    def _watch(self, person_id: int, look: Appearance, t: float) -> None:
        """Add the look of somebody who has met others to the mean, and doubt it for some time."""
        if look.is_seen:
            before = self._since.get(person_id)
            self._since[person_id] = look if before is None else before.towards(look, SHARE)
        since = self._doubts.pop(person_id, t)
        if not look.is_seen or self._is_like_another(person_id, look):
            self._doubts[person_id] = since = min(since, t)  # the clock may be set back
            if t - since < LONGEST_DOUBT_S:
                self.doubted.add(person_id)

    def _is_like_another(self, person_id: int, look: Appearance) -> bool:
        """Return whether the look is more like that of somebody whom the person met."""
        others = [pair - {person_id} for pair in self._met if person_id in pair]
        own = self._apart(look, person_id)
        as_others = [apart for (other,) in others if (apart := self._apart(look, other)) is not None]
        return own is not None and bool(as_others) and min(as_others) + DOUBT < own

    def _apart(self, look: Appearance, person_id: int) -> float | None:
        known = self._identities.look(person_id)
        return None if known is None else look.difference(known)

    def _groups(self) -> list[set[int]]:
        """Return people who have met, directly or through others."""
        groups: list[set[int]] = []
        for pair in self._met:
            joined = [group for group in groups if group & pair]
            groups = [group for group in groups if not group & pair] + [set(pair).union(*joined)]
        return groups

    def _settle(self, group: Collection[int], there: Mapping[int, Track]) -> None:
        """Exchange ids within a group, if the looks then agree better."""
        known = [person_id for person_id in sorted(group) if self._identities.look(person_id) is not None]
        seen = [person_id for person_id in known if person_id in there and person_id in self._since]
        if len(known) > MOST or not seen:
            return
        apart = {(one, as_): self._apart(self._since[one], as_) for one in seen for as_ in known}
        if any(each is None for each in apart.values()):
            return
        sums = {
            order: sum(apart[pair] or 0.0 for pair in zip(seen, order, strict=True))
            for order in permutations(known, len(seen))
        }
        best = min(sums, key=sums.__getitem__)
        if sums[tuple(seen)] - sums[best] < GAIN:
            return
        ids = dict(zip(seen, best, strict=True))
        left = [person_id for person_id in seen if person_id not in best]  # their bodies are not seen
        ids |= dict(zip([person_id for person_id in best if person_id not in seen], left, strict=True))
        ids = {old: new for old, new in ids.items() if old != new}
        self._identities.exchange(ids)
        self._since = {ids.get(person_id, person_id): look for person_id, look in self._since.items()}
        for old, new in ids.items():
            if old in there:
                there[old].id = new
        self.exchanged |= ids.keys() | set(ids.values())
        self.doubted -= self.exchanged
