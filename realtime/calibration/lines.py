"""Detects the straight edges of an image, the input for vanishing points."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Box = NDArray[np.floating]  # (4,) x0, y0, x1, y1 in pixels

LONGER_SIDE_PX = 960  # images are downscaled to this: edges stay accurate to 0.1 degrees at a quarter of the cost
SHORTEST = 0.02  # of the longer side; the direction of shorter edges is noise
MOST = 256  # edges, longest first
_MARGIN = 0.15  # of a person's box on each side: it encloses landmarks, which lie within the body
LONGEST_COUNTED = 0.25  # of the longer side: caps the weight of one long edge


def line_segments(image_bgr: NDArray[np.uint8], people: Sequence[Box] = ()) -> tuple[Array, Array]:
    """Detect straight edges (N, 4) as x0, y0, x1, y1 in pixels of the (H, W, 3) image, and weights (N,) of sum 1.

    Uses OpenCV's line segment detector (Grompone von Gioi et al., LSD, 2012). Edges within the boxes of people are
    dropped, because limbs are straight but are no walls. N may be 0.
    """
    longer_px = max(image_bgr.shape[:2])
    gray = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY)
    shrink = min(1.0, LONGER_SIDE_PX / longer_px)
    if shrink < 1.0:
        gray = cv2.resize(gray, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    found = cv2.createLineSegmentDetector().detect(gray)[0]
    if found is None:
        return np.empty((0, 4)), np.empty(0)
    segments = found.reshape(-1, 4).astype(np.float64) / shrink
    segments = segments[~in_any(segments.reshape(-1, 2, 2).mean(axis=1), people)]
    length_px = np.hypot(*(segments[:, 2:] - segments[:, :2]).T)
    longest_first = np.argsort(-length_px)[:MOST]
    kept = longest_first[length_px[longest_first] > SHORTEST * longer_px]
    weights = np.minimum(length_px[kept], LONGEST_COUNTED * longer_px)
    return segments[kept], weights / max(weights.sum(), 1.0)


def in_any(points: NDArray[np.floating], people: Sequence[Box]) -> NDArray[np.bool_]:
    """Return (...) whether points (..., 2) in pixels lie in a person's box, enlarged by a margin."""
    inside = np.zeros(points.shape[:-1], np.bool_)
    for box in people:
        margin = _MARGIN * float((box[2:] - box[:2]).max())
        inside |= ((points >= box[:2] - margin) & (points <= box[2:] + margin)).all(axis=-1)
    return inside
