"""Follows people from frame to frame; the detector runs only where somebody is missing."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import BLAZEPOSE, Keypoints
from engine.errors import UserError
from realtime.kernel.messages import Frame, Sighting, TrackedPerson
from realtime.perception.detector import Detection
from realtime.perception.identity import Identities, distance, size_ratio
from realtime.perception.landmarker import PersonView
from realtime.perception.roi import Roi
from realtime.perception.standing import Standing, State, proof

logger = logging.getLogger(__name__)

LARGEST_SIDE_PX = 32766  # what OpenCV's warps can address
VISIBLE = 0.3  # landmarks from this visibility on make the box
TAKEN = 0.15  # a find whose centre is this near to a track's, in sides of the larger square, is that track
HOLD = 0.04  # a track's square stays while the next one differs by less of its side: a third of a still person's jitter
MOST_TRIALS = 2  # at a time, beside the people: a ghost must not keep a person from being tried
DUPLICATE = 0.06  # mean distance of limb landmarks, in sides of the square, below which two tracks are one person

FACE = BLAZEPOSE.matching("nose", "eye", "ear", "mouth")

Detect = Callable[[NDArray[np.uint8]], list[Detection]]
Observe = Callable[[NDArray[np.uint8], Roi], PersonView]


class FrameError(UserError):
    """A picture that cannot be looked at."""


@dataclass(slots=True)
class _Track:
    standing: Standing
    view: PersonView
    roi: Roi  # where to look next
    id: int | None = None  # None: on trial without a good frame yet

    @property
    def counts(self) -> bool:
        """Whether this is a person, as far as is known."""
        return self.id is not None


class PeopleTracker:
    """Turns frames into sightings; keeps state, so feed it the frames of one source in order.

    `detect` finds people in a whole picture, `look` sees one person in a square of it. Who is found must earn their
    `Standing`; whoever is told has shown a good frame, and those still on trial or in doubt are marked so. A track ends
    with its standing, or with the frame in which the presence falls below `min_presence`. The detector runs while
    fewer than `max_people` are there: in every frame if nobody is, or if one has been lost a moment ago, otherwise
    every `redetect_every` frames. A picture of another size begins all tracks anew.
    """

    def __init__(
        self,
        detect: Detect,
        look: Observe,
        *,
        max_people: int = 1,
        min_presence: float = 0.5,
        min_proof: float = 0.4,
        redetect_every: int = 15,
    ) -> None:
        self._detect = detect
        self._look = look
        self._max_people = max_people
        self._min_presence = min_presence
        self._min_proof = min_proof
        self._redetect_every = redetect_every
        self._tracks: list[_Track] = []
        self._identities = Identities()
        self._frames_since_detection = 0
        self._size: tuple[int, int] | None = None

    def observe(self, frame: Frame) -> Sighting:
        """The people in the frame, by id. Raises FrameError where the image is not a (H, W, 3) uint8 picture."""
        image, t = frame.image_bgr, frame.t_capture
        check_image(image)
        self._identities.forget(t)
        if self._size is not None and self._size != frame.size:
            self._begin_anew(self._size, frame.size, t)
        self._size = frame.size
        self._follow(image, t)
        self._frames_since_detection += 1
        there = sum(track.counts for track in self._tracks)
        if there < self._max_people and (
            not there or self._identities.misses_somebody or self._frames_since_detection >= self._redetect_every
        ):
            self._acquire(image, t)
            self._frames_since_detection = 0
        return Sighting(frame, tuple(self._told()))

    def _follow(self, image: NDArray[np.uint8], t: float) -> None:
        kept: list[_Track] = []
        for track in self._tracks:
            view = self._look(image, track.roi)
            if not self._is_person(view, image):
                self._lose(track, t)
            elif not self._is_seen_twice(view, track.standing.state, kept):  # the older track stays
                roi = track.roi if track.roi.agrees(view.next_roi, HOLD) else view.next_roi
                kept.append(_Track(track.standing, view, roi, track.id))
        self._tracks = []
        for track in sorted(kept, key=lambda track: not track.counts):
            self._judge(track, t)

    def _acquire(self, image: NDArray[np.uint8], t: float) -> None:
        finds = self._detect(image)
        finds.sort(key=lambda find: (self._identities.recalls(find.roi, t), find.score), reverse=True)
        for find in finds:
            if len(self._tracks) >= self._max_people + MOST_TRIALS:
                return
            if any(_is_taken(find.roi, track.roi) for track in self._tracks):
                continue
            if not find.roi.is_sane(image.shape[1], image.shape[0]):
                continue
            view = self._look(image, find.roi)
            if self._is_person(view, image) and not self._is_seen_twice(view, "trial", self._tracks):
                self._judge(_Track(Standing(t, self._min_proof), view, view.next_roi), t)

    def _judge(self, track: _Track, t: float) -> None:
        """Keep the track, as what it has shown itself to be, if there is room."""
        before = track.standing.state
        state = track.standing.update(t, proof(track.view.body))
        if state == "lost":
            self._lose(track, t, before)
            return
        if not track.counts and sum(other.counts for other in self._tracks) == self._max_people:
            return
        if state == "trial":
            track.id = None
        elif track.id is None:
            in_use = {other.id for other in self._tracks if other.id is not None}
            track.id = self._identities.claim(track.roi, t, in_use)
        elif state == "confirmed":
            self._identities.keep(track.id)
        self._tracks.append(track)

    def _lose(self, track: _Track, t: float, state: State | None = None) -> None:
        if track.id is not None and (state or track.standing.state) in ("confirmed", "doubted"):
            self._identities.lose(track.id, track.roi, t)

    def _begin_anew(self, old: tuple[int, int], new: tuple[int, int], t: float) -> None:
        """Tracks are squares in pixels of the last picture; people keep their numbers if they stay near their place."""
        for track in self._tracks:
            if track.id is not None:
                self._identities.lose(track.id, track.roi, t)
        self._tracks = []
        self._identities.rescale(old, new)

    def _told(self) -> list[TrackedPerson]:
        people = []
        for track in self._tracks:
            state = track.standing.state
            if track.id is not None and (state == "earning" or state == "confirmed" or state == "doubted"):
                people.append(tracked_person(track.id, track.view.body, state))
        return sorted(people, key=lambda person: person.id)

    @staticmethod
    def _is_seen_twice(view: PersonView, state: State, others: list[_Track]) -> bool:
        """Whether another track has this person. Heads tell of newcomers only: people who pass each other share one."""
        new = state == "trial" or state == "earning"
        return any(is_duplicate(view, o.view) or (new and o.counts and shares_head(view, o.view)) for o in others)

    def _is_person(self, view: PersonView, image: NDArray[np.uint8]) -> bool:
        return view.body.presence >= self._min_presence and view.next_roi.is_sane(image.shape[1], image.shape[0])


def check_image(image: NDArray[np.uint8]) -> None:
    """Raises FrameError unless it is a (H, W, 3) uint8 picture of a size that OpenCV can address."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        what = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise FrameError(f"a frame must be an 8-bit colour picture (H, W, 3), but the source gave {what}")
    height, width = image.shape[:2]
    if not (0 < height <= LARGEST_SIDE_PX and 0 < width <= LARGEST_SIDE_PX):
        raise FrameError(
            f"a frame of {width}x{height} pixels cannot be used; "
            f"have the source send 1 to {LARGEST_SIDE_PX} pixels a side"
        )


def tracked_person(
    person_id: int, body: Keypoints, standing: Literal["earning", "confirmed", "doubted"] = "confirmed"
) -> TrackedPerson:
    """With the box around the visible landmarks, or around all where fewer than two are visible."""
    visible = body.visibility >= VISIBLE
    points = body.image_px[visible] if visible.sum() >= 2 else body.image_px
    return TrackedPerson(person_id, {"body": body}, np.concatenate([points.min(axis=0), points.max(axis=0)]), standing)


def is_duplicate(a: PersonView, b: PersonView) -> bool:
    """Whether two views show one person: their limb landmarks lie on each other."""
    apart = a.body.image_px[BLAZEPOSE.on_joints] - b.body.image_px[BLAZEPOSE.on_joints]
    side = min(a.next_roi.size_px, b.next_roi.size_px)
    return float(np.hypot(apart[:, 0], apart[:, 1]).mean()) < DUPLICATE * side


def shares_head(a: PersonView, b: PersonView) -> bool:
    """Whether two views have one head: a second body on somebody is often turned about it."""
    side = min(a.next_roi.size_px, b.next_roi.size_px)
    return math.dist(*(view.body.image_px[FACE].mean(axis=0) for view in (a, b))) < DUPLICATE * side


def _is_taken(find: Roi, track: Roi) -> bool:
    return distance(find, track) < TAKEN and size_ratio(find, track) < 2.0
