"""Rotates the images of a camera that is mounted upside down or on its side."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_TURNS = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}


def turned_left(image_bgr: NDArray[np.uint8], quarter_turns: int) -> NDArray[np.uint8]:
    """Rotate the (H, W, 3) image counter-clockwise by quarter turns; 0 returns the image itself."""
    turn = _TURNS.get(quarter_turns % 4)
    return image_bgr if turn is None else np.asarray(cv2.rotate(image_bgr, turn), np.uint8)
