"""Tracks of the people in view and of those on trial."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import Keypoints
from realtime.kernel.messages import TrackedPerson
from realtime.kernel.seen import VISIBLE
from realtime.perception.landmarker import PersonView
from realtime.perception.people.cover import Cover, covered
from realtime.perception.people.standing import Standing
from realtime.perception.roi import Roi

MOST_TRIALS = 2  # at a time, beside the people: a ghost must not block a person's trial


@dataclass(slots=True, eq=False)
class Track:
    """State of one person who is followed from frame to frame."""

    standing: Standing
    view: PersonView
    roi: Roi  # next square
    seen_t: float  # when they were looked at last
    id: int | None = None  # None: on trial without a good frame
    back: bool = False  # found in the square in which somebody was lost
    leads_since: float | None = None  # time (s) from which on they lead somebody who has the last place
    wanted: bool = False  # the user asked for them

    @property
    def counts(self) -> bool:
        """Return whether this counts as a person."""
        return self.id is not None

    @property
    def is_new(self) -> bool:
        """Return whether nobody knew of this person."""
        return not self.back and self.standing.state in ("trial", "earning")


class Crowd:
    """All tracks of one source, and the places for those who count."""

    def __init__(self, max_people: int) -> None:
        self.tracks: list[Track] = []
        self._max_people = max_people

    @property
    def people(self) -> list[Track]:
        """Return the tracks that count as people."""
        return [track for track in self.tracks if track.counts]

    @property
    def free(self) -> int:
        """Return the number of free places."""
        return self._max_people - len(self.people)

    @property
    def on_trial(self) -> bool:
        """Return whether somebody has no number yet."""
        return not all(track.counts for track in self.tracks)

    @property
    def has_room(self) -> bool:
        """Return whether one more can be on trial."""
        return len(self.tracks) < self._max_people + MOST_TRIALS

    def cover(self, roi: Roi, own: Track | None = None) -> Cover | None:
        """Return what hides other people in the square of somebody, who is new if `own` is None."""
        others = [other.view for other in self.people if other is not own]
        return covered(roi, others, None if own is None else own.view)

    def told(
        self,
        doubted: Collection[int] = (),
        exchanged: Collection[int] = (),
        *,
        since: float = -math.inf,
        before: float = math.inf,
    ) -> list[TrackedPerson]:
        """Return the people who were looked at last since one time and before another (s), as they were then, by id.

        doubted: ids of those to mark so. exchanged: ids of those to leave out, because the frames of theirs that were
        held while in doubt were another's.
        """
        people = []
        for track in self.people:
            state = track.standing.state
            if track.id is None or not since <= track.seen_t < before or track.id in exchanged:
                continue
            if track.id in doubted and state == "confirmed":
                state = "doubted"
            if state == "earning" or state == "confirmed" or state == "doubted":
                people.append(tracked_person(track.id, track.view.body, state))
        return sorted(people, key=lambda person: person.id)


def tracked_person(
    person_id: int, body: Keypoints, standing: Literal["earning", "confirmed", "doubted"] = "confirmed"
) -> TrackedPerson:
    """Make a person with the box around the visible landmarks."""
    return TrackedPerson(person_id, {"body": body}, box_around(body), standing)


def box_around(body: Keypoints) -> NDArray[np.float32]:
    """Return (4,) x0, y0, x1, y1 around the visible keypoints, or around all if fewer than two are visible."""
    visible = body.visibility >= VISIBLE
    points = body.image_px[visible] if visible.sum() >= 2 else body.image_px
    return np.concatenate([points.min(axis=0), points.max(axis=0)])
