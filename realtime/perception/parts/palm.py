"""Detects palms with MediaPipe's palm detector, to find a hand where the body's keypoints mislead.

It is a single-shot detector as the person detector is (`realtime.perception.detector`), on 192 x 192 pixels. A find is
a box around the palm with seven key points, of which the first is the wrist and the third the middle knuckle.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from realtime.perception.detector import AnchorDetector
from realtime.perception.parts.square import enclosing, upward
from realtime.perception.roi import Roi
from realtime.perception.runtime import Network, NetworkSpec

SIDE = 192
STRIDES = (8, 16, 16, 16)  # one feature map each, with two anchors a cell
SPEC = NetworkSpec("palm detector", SIDE, mean=0.0, scale=255.0, outputs=((2016, 18), (2016,)))
WRIST, KNUCKLE = 2, 4  # rows of a find, whose first two are the box's corners
BEYOND, AHEAD = 2.6, -0.5  # the hand's square around a palm's box: its side and its shift, in sides of the box


class PalmDetector(AnchorDetector):
    """Detector of palms."""

    def __init__(self, network: Network, min_score: float = 0.5) -> None:
        super().__init__(network, SIDE, STRIDES, min_score)

    def __call__(self, image_bgr: NDArray[np.uint8], view: Roi) -> list[Roi]:
        """Return squares for the hand network around the palms in `view`, the surest first."""
        return [_hand_square(points, view) for _, points in self.finds(image_bgr, view)]


def _hand_square(find: NDArray[np.float64], view: Roi) -> Roi:
    """Make the hand's square, in image pixels, from a find (9, 2) in 0..1 of the view."""
    wrist, knuckle = view.to_image(find[[WRIST, KNUCKLE]])
    (left, top), (right, bottom) = find[:2]
    center = view.to_image(np.array([[left + right, top + bottom]]) / 2)[0]
    half = max(right - left, bottom - top) * view.size_px / 2
    angle = upward(wrist, knuckle)
    ends = np.array([[-half, -half], [half, half]]) @ Roi((0.0, 0.0), 1.0, angle).rotation().T
    return enclosing(center + ends, angle, BEYOND, AHEAD)
