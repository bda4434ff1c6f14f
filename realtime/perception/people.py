"""Who is in the picture: people followed from frame to frame, the detector run only where somebody is missing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.skeleton import LIMB_LANDMARKS
from realtime.errors import UserError
from realtime.messages import Frame, Landmarks, Sighting, TrackedPerson
from realtime.perception.detector import Detection
from realtime.perception.identity import Identities, distance, size_ratio
from realtime.perception.landmarker import PersonView
from realtime.perception.roi import Roi

logger = logging.getLogger(__name__)

LARGEST_SIDE_PX = 32766  # what OpenCV's warps can address
VISIBLE = 0.3  # landmarks from this visibility on make the box
TAKEN = 0.15  # a find whose centre is this near to a track's, in sides of the larger square, is that track
HOLD = 0.04  # a track's square stays while the next one differs by less of its side: a third of a still person's jitter
DUPLICATE = 0.06  # mean distance of limb landmarks, in sides of the square, below which two tracks are one person

Detect = Callable[[NDArray[np.uint8]], list[Detection]]
Observe = Callable[[NDArray[np.uint8], Roi], PersonView]


class FrameError(UserError):
    """A picture that cannot be looked at."""


@dataclass(slots=True)
class _Track:
    id: int
    view: PersonView
    roi: Roi  # where to look next


class PeopleTracker:
    """Turns frames into sightings; keeps state, so feed it the frames of one source in order.

    `detect` finds people in a whole picture, `look` sees one person in a square of it. A track ends with the frame in
    which the presence falls below `min_presence`. The detector runs while nobody is tracked and, while fewer than
    `max_people` are, every `redetect_every` frames.
    """

    def __init__(
        self,
        detect: Detect,
        look: Observe,
        *,
        max_people: int = 1,
        min_presence: float = 0.5,
        redetect_every: int = 15,
    ) -> None:
        self._detect = detect
        self._look = look
        self._max_people = max_people
        self._min_presence = min_presence
        self._redetect_every = redetect_every
        self._tracks: list[_Track] = []
        self._identities = Identities()
        self._frames_since_detection = 0

    def observe(self, frame: Frame) -> Sighting:
        """The people in the frame, by id. Raises FrameError where the image is not a (H, W, 3) uint8 picture."""
        image = frame.image_bgr
        check_image(image)
        self._identities.forget(frame.t_capture)
        self._follow(image, frame.t_capture)
        self._frames_since_detection += 1
        missing = len(self._tracks) < self._max_people
        if missing and (not self._tracks or self._frames_since_detection >= self._redetect_every):
            self._acquire(image)
            self._frames_since_detection = 0
        people = sorted(self._tracks, key=lambda track: track.id)
        return Sighting(frame, tuple(tracked_person(track.id, track.view.landmarks) for track in people))

    def _follow(self, image: NDArray[np.uint8], t: float) -> None:
        kept: list[_Track] = []
        for track in self._tracks:
            view = self._look(image, track.roi)
            if not self._is_person(view, image):
                self._identities.lose(track.id, track.roi, t)
            elif not any(is_duplicate(view, other.view) for other in kept):  # the older track stays
                roi = track.roi if track.roi.agrees(view.next_roi, HOLD) else view.next_roi
                kept.append(_Track(track.id, view, roi))
        self._tracks = kept

    def _acquire(self, image: NDArray[np.uint8]) -> None:
        finds = self._detect(image)
        finds.sort(key=lambda find: (self._identities.recalls(find.roi), find.score), reverse=True)
        for find in finds:
            if len(self._tracks) == self._max_people:
                return
            if any(_is_taken(find.roi, track.roi) for track in self._tracks):
                continue
            if not find.roi.is_sane(image.shape[1], image.shape[0]):
                continue
            view = self._look(image, find.roi)
            if self._is_person(view, image) and not any(is_duplicate(view, track.view) for track in self._tracks):
                self._tracks.append(_Track(self._identities.claim(view.next_roi), view, view.next_roi))

    def _is_person(self, view: PersonView, image: NDArray[np.uint8]) -> bool:
        return view.landmarks.presence >= self._min_presence and view.next_roi.is_sane(image.shape[1], image.shape[0])


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


def tracked_person(person_id: int, landmarks: Landmarks) -> TrackedPerson:
    """With the box around the visible landmarks, or around all where fewer than two are visible."""
    visible = landmarks.visibility >= VISIBLE
    points = landmarks.image_px[visible] if visible.sum() >= 2 else landmarks.image_px
    return TrackedPerson(person_id, landmarks, np.concatenate([points.min(axis=0), points.max(axis=0)]))


def is_duplicate(a: PersonView, b: PersonView) -> bool:
    """Whether two views show one person: their limb landmarks lie on each other."""
    apart = a.landmarks.image_px[LIMB_LANDMARKS] - b.landmarks.image_px[LIMB_LANDMARKS]
    side = min(a.next_roi.size_px, b.next_roi.size_px)
    return float(np.hypot(apart[:, 0], apart[:, 1]).mean()) < DUPLICATE * side


def _is_taken(find: Roi, track: Roi) -> bool:
    return distance(find, track) < TAKEN and size_ratio(find, track) < 2.0
