"""Paints other people over in somebody's square, so that the landmark network cannot take their limbs.

Two people in one square are one to the network: it mixes their limbs, or slides onto whoever is in front. Where the
other people lie is known from their last views.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import BLAZEPOSE, Keypoints
from realtime.perception.roi import Roi

GREY = 127
LIMB = 0.05  # width of a limb of somebody else, in sides of their square: 11 cm
HEAD = 0.12  # and of a head
OWN = 0.7  # width of own parts, which stay, relative to those
PLAIN = 0.8  # visibility of own landmarks that nobody hides: those stay in the picture

_SHOULDERS = BLAZEPOSE.matching("shoulder")
_TRUNK = BLAZEPOSE.indices(("left_shoulder", "right_shoulder", "right_hip", "left_hip"))
_EARS = BLAZEPOSE.matching("ear")


class View(Protocol):
    """Somebody's landmarks, and the square around them."""

    @property
    def body(self) -> Keypoints:
        """Return BlazePose's landmarks."""

    @property
    def next_roi(self) -> Roi:
        """Return the square."""


@dataclass(frozen=True, slots=True)
class Cover:
    """Others in somebody's square, and that person's own last view."""

    others: Sequence[View]
    own: View | None = None  # None: somebody new

    def __call__(self, crop_bgr: NDArray[np.uint8], roi: Roi) -> None:
        """Paint over the others in the (side, side, 3) crop of the square, but for own limbs in full view."""
        mask = np.zeros(crop_bgr.shape[:2], np.uint8)
        for other in self.others:
            _draw(mask, roi, other, 1.0, 255, 0.0)
        if self.own is not None:
            _draw(mask, roi, self.own, OWN, 0, PLAIN)
        crop_bgr[mask > 0] = GREY


def covered(roi: Roi, others: Sequence[View], own: View | None = None) -> Cover | None:
    """Return the cover of those others who have landmarks in the square; None if nobody has."""
    inside = [other for other in others if _reaches(other, roi)]
    return Cover(inside, own) if inside else None


def _reaches(view: View, roi: Roi) -> bool:
    at = roi.from_image(view.body.image_px)
    return bool(((at > 0) & (at < 1)).all(axis=1).any())


def _draw(mask: NDArray[np.uint8], roi: Roi, view: View, scale: float, value: int, min_visibility: float) -> None:
    """Draw limbs, trunk and head into the (side, side) mask of a square, without those below `min_visibility`."""
    body, width_px = view.body, scale * view.next_roi.size_px / roi.size_px * len(mask)
    seen = body.visibility >= min_visibility
    points = roi.from_image(body.image_px) * len(mask)
    for a, b in body.layout.bones[seen[body.layout.bones].all(axis=1)]:
        _line(mask, points[a], points[b], value, LIMB * width_px)
    if seen[_TRUNK].all():
        cv2.fillConvexPoly(mask, np.rint(points[_TRUNK]).astype(np.int32), value)
    if seen[_EARS].all():
        _line(mask, points[_EARS].mean(axis=0), points[_SHOULDERS].mean(axis=0), value, HEAD * width_px)


def _line(mask: NDArray[np.uint8], a: NDArray[np.floating], b: NDArray[np.floating], value: int, width: float) -> None:
    cv2.line(mask, np.rint(a).astype(int).tolist(), np.rint(b).astype(int).tolist(), value, max(1, round(width)))
