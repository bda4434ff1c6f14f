"""Refuses images of a form that perception does not support."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError

LARGEST_SIDE_PX = 32766  # limit of OpenCV's warps


class FrameError(UserError):
    """Image of an unsupported form."""


def check_image(image: NDArray[np.uint8]) -> None:
    """Raise FrameError unless it is a (H, W, 3) uint8 image of a size that OpenCV supports."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        what = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise FrameError(f"a frame must be an 8-bit colour picture (H, W, 3), but the source gave {what}")
    height, width = image.shape[:2]
    if not (0 < height <= LARGEST_SIDE_PX and 0 < width <= LARGEST_SIDE_PX):
        raise FrameError(
            f"a frame of {width}x{height} pixels cannot be used; "
            f"have the source send 1 to {LARGEST_SIDE_PX} pixels a side"
        )
