"""Looks for people who are not followed yet, where and when somebody may be missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from realtime.perception.config import PerceptionConfig
from realtime.perception.detector import Detection
from realtime.perception.landmarker import PersonView, Retouch
from realtime.perception.people.choice import Choice
from realtime.perception.people.identity import Identities, distance, size_ratio
from realtime.perception.people.overlap import is_seen_twice
from realtime.perception.people.search import Search
from realtime.perception.people.standing import Standing
from realtime.perception.people.track import Crowd, Track
from realtime.perception.roi import Roi

ZOOM_EVERY = 5  # frames between looks into one square
FIRST_VIEWS = 2  # of a live source's first round through all squares, in each image: together they take half a second
TAKEN = 0.15  # a detection this near to a track's centre, in sides of the larger square, is that track
# Minimum proof of somebody new who is found in a square: small people are seen whole, above 0.9, while a table's foot
# reaches 0.6 and a trunk 0.8. And of somebody who is found where somebody was lost.
ZOOMED_PROOF, LOST_PROOF = 0.85, 0.65
LOST_VIEWS = 1.7, 2.2  # sides of the squares in which a lost person is looked for in turn, in sides of the last square

Detect = Callable[[NDArray[np.uint8], Roi], list[Detection]]


class Observe(Protocol):
    """Landmark network: sees one person in a square."""

    def __call__(self, image_bgr: NDArray[np.uint8], roi: Roi, cover: Retouch | None = None, /) -> PersonView:
        """Return the view of the person in a square; `cover` hides others in its crop."""


class Finder:
    """Searcher of one source's images.

    It sees the first image whole and in every square of `Search`. Live, this first round spreads over the next images,
    so that the first pose does not wait for it. Later it sees an image whole in every frame without
    people, otherwise every `redetect_every` frames. One square has its turn every `ZOOM_EVERY` frames. It also looks
    where people were lost. While all places are taken it looks once every `redetect_every` frames for somebody whom the
    user's rule prefers (`Choice`).
    """

    def __init__(
        self,
        detect: Detect,
        look: Observe,
        config: PerceptionConfig,
        crowd: Crowd,
        identities: Identities,
        choice: Choice,
        *,
        live: bool = False,
    ) -> None:
        self._detect, self._look, self._config = detect, look, config
        self._crowd, self._identities, self._choice = crowd, identities, choice
        self._live = live
        self._search: Search | None = None  # None: no image so far
        self._unseen: list[Roi] = []  # what is left of the first round
        self._frames = 0  # since the search began

    def begin_anew(self) -> None:
        """Forget the squares: the next image is searched as a first one."""
        self._search = None

    def found_anew(self, image: NDArray[np.uint8], t: float, count: int) -> list[Track]:
        """Return up to `count` people as this image alone shows them, and begin anew."""
        self.begin_anew()
        found: list[Track] = []
        for view in Search((image.shape[1], image.shape[0])).everywhere():
            if len(found) >= count:
                break
            for track in self.strangers(image, view, t, found):
                found.append(track)  # noqa: PERF402  which `strangers` looks at meanwhile
        return found

    def views(self, image: NDArray[np.uint8]) -> Iterator[Roi]:
        """Yield the squares in which to look for people now, as long as somebody may be missing."""
        if self._search is None:
            self._search, self._frames = Search((image.shape[1], image.shape[0])), 0
            self._unseen = self._search.everywhere()
            yield from self._next_unseen()
            return
        self._frames += 1
        if self._crowd.free <= 0:
            self._unseen.clear()
            yield from self._views_for_challengers(self._search, image)
            return
        for roi in self._identities.lost_rois[: self._crowd.free]:
            yield replace(roi, size_px=LOST_VIEWS[self._frames % 2] * roi.size_px, angle_rad=0.0)
        if not self._crowd.people or self._frames % self._config.redetect_every == 0:
            yield self._search.whole
        if self._unseen:
            yield from self._next_unseen()
        elif self._frames % ZOOM_EVERY == 0 and self._crowd.free > 0:
            yield from self._next_square(self._search, image)

    def _next_unseen(self) -> Iterator[Roi]:
        """Yield what is next in the first round, as long as somebody may be missing."""
        count = FIRST_VIEWS if self._live else len(self._unseen)
        views, self._unseen = self._unseen[:count], self._unseen[count:]
        yield from (view for view in views if self._crowd.free > 0)

    def _views_for_challengers(self, search: Search, image: NDArray[np.uint8]) -> Iterator[Roi]:
        """Yield the whole image and a square in turn, while all places are taken and nobody challenges them."""
        turn, left = divmod(self._frames, self._config.redetect_every)
        if left or not self._choice.takes_over or self._crowd.on_trial:
            return
        if turn % 2:
            yield search.whole
        else:
            yield from self._next_square(search, image)

    def _next_square(self, search: Search, image: NDArray[np.uint8]) -> Iterator[Roi]:
        square = search.next(image, [person.box_xyxy for person in self._crowd.told()])
        if square is not None:
            yield square

    def everywhere(self) -> Iterator[Roi]:
        """Yield all squares, at once."""
        return iter(()) if self._search is None else iter(self._search.everywhere())

    def strangers(self, image: NDArray[np.uint8], view: Roi, t: float, known: Sequence[Track]) -> Iterator[Track]:
        """Yield those whom the detector finds in a square who are nobody of the known; these may grow meanwhile."""
        zoomed = view.size_px < max(image.shape[:2])
        finds = self._detect(image, view)
        finds.sort(key=lambda find: (self._identities.recalls(find.roi, t), *self._choice.order(find)), reverse=True)
        for find in finds:
            if not self._crowd.has_room:
                return
            if any(_is_taken(find.roi, track.roi) for track in known):
                continue
            if not find.roi.is_sane(image.shape[1], image.shape[0]):
                continue
            back = self._identities.lost_here(find.roi)
            for seen in self._sights(image, find.roi):
                if is_person(seen, image, self._config.min_presence) and not is_seen_twice(seen, known, new=not back):
                    first_proof = self._first_proof(find.roi, t) if zoomed else None
                    yield Track(Standing(t, self._config.min_proof, first_proof), seen, seen.next_roi, t, back=back)
                    break

    def _sights(self, image: NDArray[np.uint8], roi: Roi) -> Iterator[PersonView]:
        """Yield views of somebody new: as they are, then without those who may hide them."""
        yield self._look(image, roi)
        if (cover := self._crowd.cover(roi)) is not None:
            yield self._look(image, roi, cover)

    def _first_proof(self, roi: Roi, t: float) -> float:
        """Return the proof that somebody found in a square must give."""
        return max(self._config.min_proof, LOST_PROOF if self._identities.recalls(roi, t) else ZOOMED_PROOF)


def is_person(view: PersonView, image: NDArray[np.uint8], min_presence: float) -> bool:
    """Return whether there is a person in the view, who is not far out of the image."""
    return view.body.presence >= min_presence and view.next_roi.is_sane(image.shape[1], image.shape[0])


def _is_taken(find: Roi, track: Roi) -> bool:
    return distance(find, track) < TAKEN and size_ratio(find, track) < 2.0
