"""Tracks people from frame to frame; the detector runs only while a person is missing."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import Keypoints
from engine.errors import UserError
from realtime.kernel.lead import LEAD_S
from realtime.kernel.messages import Frame, Sighting, TrackedPerson
from realtime.kernel.seen import VISIBLE
from realtime.perception.appearance import Appearance
from realtime.perception.choice import Choice
from realtime.perception.config import PersonRule
from realtime.perception.cover import Cover, covered
from realtime.perception.detector import Detection
from realtime.perception.encounters import Encounters
from realtime.perception.identity import Identities, distance, size_ratio
from realtime.perception.landmarker import PersonView, Retouch
from realtime.perception.overlap import is_seen_twice
from realtime.perception.roi import Roi
from realtime.perception.search import Search
from realtime.perception.standing import Standing, State, proof
from realtime.perception.turns import Turns

logger = logging.getLogger(__name__)

LARGEST_SIDE_PX = 32766  # limit of OpenCV's warps
TAKEN = 0.15  # a detection this near to a track's centre, in sides of the larger square, is that track
HOLD = 0.04  # a track keeps its square while the next differs by less of its side: a third of a still person's jitter
MOST_TRIALS = 2  # at a time, beside the people: a ghost must not block a person's trial
# Minimum proof of somebody new who is found in a square: small people are seen whole, above 0.9, while a table's foot
# reaches 0.6 and a trunk 0.8. And of somebody who is found where somebody was lost.
ZOOMED_PROOF, LOST_PROOF = 0.85, 0.65
LOST_VIEWS = 1.7, 2.2  # sides of the squares in which a lost person is looked for in turn, in sides of the last square

Detect = Callable[[NDArray[np.uint8], Roi], list[Detection]]


class Observe(Protocol):
    """Landmark network: sees one person in a square."""

    def __call__(self, image_bgr: NDArray[np.uint8], roi: Roi, cover: Retouch | None = None, /) -> PersonView:
        """Return the view of the person in a square; `cover` hides others in its crop."""


class FrameError(UserError):
    """Image of an unsupported form."""


@dataclass(slots=True, eq=False)
class _Track:
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


class PeopleTracker:
    """Converter of frames to sightings, with state; feed it the frames of one source in order.

    `detect` finds people in a square of an image, `look` sees one person in a square. New people must earn their
    `Standing`. A sighting has people with a good frame so far, with those on trial or in doubt marked. A track ends
    with its standing, or with the frame in which the presence falls below `min_presence`. The detector runs while fewer
    than `max_people` are tracked. It sees the first image whole and in every square of `Search`. Later it sees it whole
    in every frame without people, otherwise every `redetect_every` frames. One square has its turn every `zoom_every`
    frames. It also looks where people were lost. While all places are taken it looks once every `redetect_every`
    frames for somebody whom the rule `person` prefers (`Choice`). An image of another size restarts all tracks. After
    `keep_up`, people for whose look there is no time are missing from a sighting (`Turns`).
    """

    def __init__(
        self,
        detect: Detect,
        look: Observe,
        *,
        max_people: int = 1,
        person: PersonRule = "largest",
        min_presence: float = 0.5,
        min_proof: float = 0.4,
        redetect_every: int = 15,
        zoom_every: int = 5,
    ) -> None:
        self._detect = detect
        self._look = look
        self._turns: Turns | None = None  # None: everybody is looked at in every frame
        self._max_people = max_people
        self._min_presence = min_presence
        self._min_proof = min_proof
        self._redetect_every = redetect_every
        self._tracks: list[_Track] = []
        self._identities = Identities(only=max_people == 1)
        self._encounters = Encounters(self._identities)
        self._choice = Choice(person)
        self._zoom_every = zoom_every
        self._search: Search | None = None  # None: no image so far
        self._frames = 0  # since the search began
        self._size: tuple[int, int] | None = None

    def observe(self, frame: Frame) -> Sighting:
        """Return the people in the frame, by id. Raises FrameError if the image is no (H, W, 3) uint8 array."""
        image, t = frame.image_bgr, frame.t_capture
        check_image(image)
        self._identities.forget(t)
        if self._size is not None and self._size != frame.size:
            self._begin_anew(self._size, frame.size, t)
        self._size = frame.size
        self._choice.width_px = frame.size[0]
        self._follow(image, t, self._tracks if self._turns is None else self._due(self._turns, frame))
        self._encounters.update(image, self._tracks, t)
        for view in self._views(image):
            self._acquire(image, view, t)
        if self._choice.is_asked():
            self._go_to_next(image, t)
        full = self._there >= self._max_people
        performer = self._choice.update(self._people, self._identities.remembers, t, full=full)
        return Sighting(frame, tuple(self._told(since=t)), performer)

    def next_person(self) -> None:
        """Make the next person in view the performer, from the next frame on. Thread-safe."""
        self._choice.ask_for_next()

    def keep_up(self, turns: Turns) -> None:
        """Look at far people more seldom from now on, while there is no time to look at everybody."""
        self._turns = turns
        self._look = turns.timed(self._look)

    def _due(self, turns: Turns, frame: Frame) -> list[_Track]:
        return turns.due(self._tracks, frame.seq, frame.t_capture, self._choice.performer)

    def _follow(self, image: NDArray[np.uint8], t: float, due: list[_Track]) -> None:
        """Look at those who are due; the others stay as they are."""
        kept: list[_Track] = []
        for track in self._tracks:
            if track not in due:
                kept.append(track)
                continue
            view = self._look(image, track.roi, self._cover(track.roi, track))
            if not self._is_person(view, image):
                self._lose(track, t)
            elif not is_seen_twice(view, kept, new=track.is_new):  # the older track stays
                roi = track.roi if track.roi.agrees(view.next_roi, HOLD) else view.next_roi
                kept.append(replace(track, view=view, roi=roi, seen_t=t))
            else:  # it slid onto somebody else
                self._lose(track, t)
        self._tracks = []
        for track in sorted(kept, key=lambda track: not track.counts):
            if track.seen_t < t:
                self._tracks.append(track)
            else:
                self._judge(image, track, t)

    def _cover(self, roi: Roi, own: _Track | None = None) -> Cover | None:
        """Return what hides other people in somebody's square."""
        others = [other.view for other in self._tracks if other.counts and other is not own]
        return covered(roi, others, None if own is None else own.view)

    def _views(self, image: NDArray[np.uint8]) -> Iterator[Roi]:
        """Yield the squares in which to look for people now, as long as somebody may be missing."""
        if self._search is None:
            self._search, self._frames = Search((image.shape[1], image.shape[0])), 0
            for view in self._search.everywhere():
                if self._there < self._max_people:
                    yield view
            return
        self._frames += 1
        if self._there >= self._max_people:
            yield from self._views_for_challengers(image)
            return
        for roi in self._identities.lost_rois[: self._max_people - self._there]:
            yield replace(roi, size_px=LOST_VIEWS[self._frames % 2] * roi.size_px, angle_rad=0.0)
        if not self._there or self._frames % self._redetect_every == 0:
            yield self._search.whole
        if self._frames % self._zoom_every == 0 and self._there < self._max_people:
            square = self._search.next(image, [person.box_xyxy for person in self._told()])
            if square is not None:
                yield square

    def _views_for_challengers(self, image: NDArray[np.uint8]) -> Iterator[Roi]:
        """Yield the whole picture and a square in turn, while all places are taken and nobody challenges them."""
        turn, left = divmod(self._frames, self._redetect_every)
        if left or not self._choice.takes_over or len(self._tracks) > self._there or self._search is None:
            return
        if turn % 2:
            yield self._search.whole
        elif (square := self._search.next(image, [person.box_xyxy for person in self._told()])) is not None:
            yield square

    @property
    def _people(self) -> list[_Track]:
        return [track for track in self._tracks if track.counts]

    @property
    def _there(self) -> int:
        """Number of people."""
        return sum(track.counts for track in self._tracks)

    def _acquire(self, image: NDArray[np.uint8], view: Roi, t: float) -> None:
        for track in self._strangers(image, view, t, self._tracks):
            self._judge(image, track, t)

    def _strangers(self, image: NDArray[np.uint8], view: Roi, t: float, known: list[_Track]) -> Iterator[_Track]:
        """Yield those whom the detector finds in a square who are nobody of the known; these may grow meanwhile."""
        zoomed = view.size_px < max(image.shape[:2])
        finds = self._detect(image, view)
        finds.sort(key=lambda find: (self._identities.recalls(find.roi, t), *self._choice.order(find)), reverse=True)
        for find in finds:
            if len(self._tracks) >= self._max_people + MOST_TRIALS:
                return
            if any(_is_taken(find.roi, track.roi) for track in known):
                continue
            if not find.roi.is_sane(image.shape[1], image.shape[0]):
                continue
            back = self._identities.lost_here(find.roi)
            for seen in self._sights(image, find.roi):
                if self._is_person(seen, image) and not is_seen_twice(seen, known, new=not back):
                    standing = Standing(t, self._min_proof, self._first_proof(find.roi, t) if zoomed else None)
                    yield _Track(standing, seen, seen.next_roi, t, back=back)
                    break

    def _sights(self, image: NDArray[np.uint8], roi: Roi) -> Iterator[PersonView]:
        """Yield views of somebody new: as they are, then without those who may hide them."""
        yield self._look(image, roi)
        if (cover := self._cover(roi)) is not None:
            yield self._look(image, roi, cover)

    def _first_proof(self, roi: Roi, t: float) -> float:
        """Return the proof that somebody found in a square must give."""
        return max(self._min_proof, LOST_PROOF if self._identities.recalls(roi, t) else ZOOMED_PROOF)

    def _judge(self, image: NDArray[np.uint8], track: _Track, t: float) -> None:
        """Keep the track with its new standing, if there is room."""
        before = track.standing.state
        state = track.standing.update(t, proof(track.view.body))
        if state == "lost":
            self._lose(track, t, before)
            return
        if not track.counts and not self._has_place(track, t):
            return
        if state == "trial":
            track.id = None
        elif track.id is None or state == "earning":
            self._name(image, track, t)
        elif state == "confirmed":
            self._identities.keep(track.id)
        self._tracks.append(track)

    def _name(self, image: NDArray[np.uint8], track: _Track, t: float) -> None:
        """Give somebody new an id: that of a lost person, if they may be the same."""
        in_use = {other.id for other in self._tracks if other.id is not None}
        covered = self._encounters.may_cover(track.roi, self._people)
        look = None if covered else Appearance.of(image, track.view.body)
        track.id = self._identities.claim(track.roi, t, in_use, look, own=track.id)
        if track.wanted:
            self._choice.pin(track.id)

    def _has_place(self, track: _Track, t: float) -> bool:
        """Return whether there is a place for somebody new; who leads the weakest for some time takes theirs.

        Until then they are kept as a track without a number, one at a time.
        """
        free = self._max_people - self._there
        if free:
            found, lost = self._identities.recalled(track.roi, t), self._identities.lost_ids
            return track.wanted or not self._choice.is_waited_for(track.view, found, lost, free)
        weakest = self._choice.weakest(self._people, wanted=track.wanted)
        if weakest is None or len(self._tracks) > self._there:
            return False
        still = track.leads_since is not None
        if not track.wanted and not self._choice.leads(track.view, weakest.view, still=still):
            return False
        if track.leads_since is None:
            track.leads_since = t
        lasts = track.wanted or t - track.leads_since >= LEAD_S
        if track.standing.state == "confirmed" and lasts:
            self._tracks.remove(weakest)
            self._lose(weakest, t)
            logger.info("person %d leaves the place to somebody whom --person prefers", weakest.id)
            return True
        self._tracks.append(track)
        return False

    def _go_to_next(self, image: NDArray[np.uint8], t: float) -> None:
        """Make the next person in view the performer: one of the people, or somebody new who is looked for now."""
        known = self._people
        for view in () if self._search is None else self._search.everywhere():
            for track in self._strangers(image, view, t, known):
                state = track.standing.update(t, proof(track.view.body))
                known += [track] if state == "earning" else []  # no ghost is next
        person = self._choice.next_of(known)
        if person is None:
            logger.info("nobody else is in view")
        elif person.id is not None:
            self._choice.pin(person.id)
        else:
            self._tracks, person.wanted = self._people, True
            self._judge(image, person, t)

    def _lose(self, track: _Track, t: float, state: State | None = None) -> None:
        if track.id is not None and (state or track.standing.state) in ("confirmed", "doubted"):
            self._identities.lose(track.id, track.roi, t)

    def _begin_anew(self, old: tuple[int, int], new: tuple[int, int], t: float) -> None:
        """Restart tracks, which are squares in pixels of the last image; people near their old place keep their ids."""
        for track in self._tracks:
            if track.id is not None:
                self._identities.lose(track.id, track.roi, t)
        self._tracks = []
        self._search = None
        self._identities.rescale(old, new)

    def _told(self, since: float = -math.inf) -> list[TrackedPerson]:
        """Return the people who have been looked at since a time (s), as they were then."""
        people = []
        for track in self._tracks:
            state = track.standing.state
            if track.id is None or track.seen_t < since or track.id in self._encounters.exchanged:
                continue  # the frames of somebody exchanged that were held while in doubt were another's
            if track.id in self._encounters.doubted and state == "confirmed":
                state = "doubted"
            if state == "earning" or state == "confirmed" or state == "doubted":
                people.append(tracked_person(track.id, track.view.body, state))
        return sorted(people, key=lambda person: person.id)

    def _is_person(self, view: PersonView, image: NDArray[np.uint8]) -> bool:
        return view.body.presence >= self._min_presence and view.next_roi.is_sane(image.shape[1], image.shape[0])


def check_image(image: NDArray[np.uint8]) -> None:
    """Raise FrameError unless it is a (H, W, 3) uint8 image of a size that OpenCV supports."""
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
    """Make a person with the box around the visible landmarks."""
    return TrackedPerson(person_id, {"body": body}, box_around(body), standing)


def box_around(body: Keypoints) -> NDArray[np.float32]:
    """Return (4,) x0, y0, x1, y1 around the visible keypoints, or around all if fewer than two are visible."""
    visible = body.visibility >= VISIBLE
    points = body.image_px[visible] if visible.sum() >= 2 else body.image_px
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def _is_taken(find: Roi, track: Roi) -> bool:
    return distance(find, track) < TAKEN and size_ratio(find, track) < 2.0
