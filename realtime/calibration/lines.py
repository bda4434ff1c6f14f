"""Straight edges of a picture, the raw material of vanishing points."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LONGER_SIDE_PX = 960  # pictures are shrunk to this: edges keep a tenth of a degree and cost a quarter
SHORTEST = 0.02  # of the longer side; shorter edges point anywhere
MOST = 256  # edges kept, the longest first
LONGEST_COUNTED = 0.25  # of the longer side: one long edge outweighs no dozen short ones


def line_segments(image_bgr: NDArray[np.uint8]) -> tuple[Array, Array]:
    """Straight edges (N, 4) as x0, y0, x1, y1 in pixels of the (H, W, 3) picture, and their weights (N,), sum 1.

    Found by OpenCV's line segment detector (Grompone von Gioi et al., LSD, 2012). N may be 0.
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
    length_px = np.hypot(*(segments[:, 2:] - segments[:, :2]).T)
    longest_first = np.argsort(-length_px)[:MOST]
    kept = longest_first[length_px[longest_first] > SHORTEST * longer_px]
    weights = np.minimum(length_px[kept], LONGEST_COUNTED * longer_px)
    return segments[kept], weights / max(weights.sum(), 1.0)
