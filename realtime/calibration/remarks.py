"""Warns the user about a camera that cannot be read well, once a run for each warning; judges exposure."""

from __future__ import annotations

import logging

import cv2
import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_SAYS_ITSELF = "--fov, --pitch and --roll tell the camera"
ILLEGIBLE = f"the picture is %s: the camera cannot be read from it; {_SAYS_ITSELF}"
NO_EDGES = (
    "too few straight edges in the picture to tell the camera: people who stand may, or --fov, --pitch and --roll"
)
FISHEYE = (
    "the lens bends straight lines as a fisheye does: bodies come out wrong away from the picture's middle; straighten "
    "the pictures, or give --fov, --pitch and --roll"
)
RESTLESS = "the camera moves again and again, as if held by hand: what was last known of it is kept until it rests"
TURNED = {
    2: "the camera seems to be upside down: --roll 180 or turn it",
    1: "the camera seems to lie on its side: --roll 90 or turn it",
    -1: "the camera seems to lie on its side: --roll -90 or turn it",
}

DARK, BRIGHT = 35, 235  # gray levels
NEARLY_ALL = 0.97  # of the image
_SEEN_PX = 160


class Remarks:
    """Record of the warnings so far. Used by one thread."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def say(self, line: str, *what: str) -> None:
        """Log the warning `line` with the arguments `what`; only once for each `line`."""
        if line not in self._said:
            self._said.add(line)
            logger.warning(line, *what)


def why_illegible(image_bgr: NDArray[np.uint8]) -> str:
    """Return what is wrong with the exposure of the (H, W, 3) image; "" if it is good enough."""
    height, width = image_bgr.shape[:2]
    small = cv2.resize(image_bgr, (_SEEN_PX, max(8, round(_SEEN_PX * height / width))), interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    if np.quantile(gray, NEARLY_ALL) < DARK:
        return "very dark"
    return "overexposed" if np.quantile(gray, 1 - NEARLY_ALL) > BRIGHT else ""
