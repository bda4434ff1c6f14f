"""Follows the face of a person: where to look next, and whether it is this person's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from engine.body.keypoints import Keypoints
from engine.body.skeleton import SIDES, Side
from realtime.perception.parts.face import EYE_CORNERS, FaceView, opening
from realtime.perception.parts.seeds import face_square
from realtime.perception.roi import Roi

MIN_PRESENCE = 0.5
STALE_S = 0.25  # a square that is older is no longer used
FAR = 0.4  # of the face from where the body has its face, in sides of the square
ATTEMPTS = 2  # to find a face before a rest
REST_S = 0.2
MIN_EYE_PX = 12.0  # between an eye's corners, for its iris: faces from 60 pixels on
CLOSES = 0.8  # of its usual opening: an eye that may blink, so that both are looked at until it is open again
SLOW_S = 0.045  # between looks: at such a rate both eyes are looked at, as a blink is two frames long
FORGET = 0.995  # of the usual opening, at each look


@dataclass(frozen=True, slots=True)
class FaceLook:
    """Wish for a view of a face."""

    roi: Roi
    eyes: tuple[Side, ...]  # those whose iris is looked for


class FaceTrack:
    """Face of one person. Times are seconds, of frames."""

    def __init__(self) -> None:
        self._roi: Roi | None = None
        self._t = -math.inf
        self._misses = 0
        self._rests_until = -math.inf
        self._eyes_px: dict[Side, float] = {}  # between the corners
        self._eye: Side = "left"  # looked at last
        self._usual: dict[Side, float] = {}  # opening of an eye
        self._blinks = False

    def next_look(self, body: Keypoints, size: tuple[int, int], t: float) -> FaceLook | None:
        """Return the view that is wanted at time t, with one iris, or both in a blink; None: no face is worth a look.

        body: the latest known. size: (width, height) of the image.
        """
        own = self._roi is not None and 0 <= t - self._t <= STALE_S
        roi = self._roi if own and self._roi is not None else face_square(body)
        if t < self._rests_until or not roi.is_centred_in(size):
            return None
        large = [side for side in SIDES if own and self._eyes_px.get(side, 0.0) >= MIN_EYE_PX]
        both = self._blinks or t - self._t > SLOW_S
        eyes = tuple(side for side in large if len(large) == 1 or both or side != self._eye)
        return FaceLook(roi, eyes)

    def take(self, look: FaceLook, view: FaceView, body: Keypoints, t: float) -> Keypoints | None:
        """Follow the face that was seen at time t; return it if it is this person's. body: at that time."""
        expected = face_square(body)
        apart = math.dist(view.next_roi.center_px, expected.center_px)
        if view.face.presence < MIN_PRESENCE or apart > FAR * max(expected.size_px, view.next_roi.size_px):
            self._roi, self._misses = None, self._misses + 1
            if self._misses % ATTEMPTS == 0:
                self._rests_until = t + REST_S
            return None
        self._roi, self._t, self._misses = view.next_roi, t, 0
        self._eye = look.eyes[-1] if look.eyes else self._eye
        points = view.face.image_px
        self._blinks = False
        for side in look.eyes:
            now = opening(points, side)
            self._usual[side] = max(now, FORGET * self._usual.get(side, now))
            self._blinks |= now < CLOSES * self._usual[side]
        self._eyes_px = {
            side: float(np.linalg.norm(points[start] - points[end])) for side, (start, end) in EYE_CORNERS.items()
        }
        return view.face
