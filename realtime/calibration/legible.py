"""Detects images that are too dark or overexposed to calibrate from."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

DARK, BRIGHT = 35, 235  # gray levels
NEARLY_ALL = 0.97  # of the image
_SEEN_PX = 160


def why_illegible(image_bgr: NDArray[np.uint8]) -> str:
    """Return what is wrong with the exposure of the (H, W, 3) image; "" if it is good enough."""
    height, width = image_bgr.shape[:2]
    small = cv2.resize(image_bgr, (_SEEN_PX, max(8, round(_SEEN_PX * height / width))), interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    if np.quantile(gray, NEARLY_ALL) < DARK:
        return "very dark"
    return "overexposed" if np.quantile(gray, 1 - NEARLY_ALL) > BRIGHT else ""
