"""Converts a file's stored images for display: upright, mirrored if declared, with square pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.capture.container import Matrix

_TURNS = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}
_MOST_ASPECT = 4.0  # a larger pixel aspect is an error in the file


@dataclass(frozen=True, slots=True)
class Presentation:
    """Geometric corrections of a file's images. Default: none."""

    matrix: Matrix | None = None  # as in `Container.matrix`, if OpenCV ignores it
    stretch: tuple[float, float] = (1.0, 1.0)  # of width and height, applied after the matrix

    @property
    def mirrored(self) -> bool:
        """Return whether images are mirrored."""
        return is_mirror(self.matrix)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return the (width, height) in pixels of `apply`'s result for an image of this size."""
        if self.matrix is not None and self.matrix[0] == 0:
            width, height = height, width
        return max(1, round(width * self.stretch[0])), max(1, round(height * self.stretch[1]))

    def apply(self, image_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the image (H, W, 3) as it is to be displayed."""
        size = self.size(image_bgr.shape[1], image_bgr.shape[0])
        if self.matrix is not None:
            image_bgr = _turned(image_bgr, self.matrix)
        if self.stretch != (1.0, 1.0):
            image_bgr = np.asarray(cv2.resize(image_bgr, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        return image_bgr


def present(capture: cv2.VideoCapture, matrix: Matrix | None) -> Presentation:
    """Return the corrections for an opened file whose container declares `matrix`.

    OpenCV rotates images itself, but mistakes a mirrored matrix for a rotation: its rotation is then switched off.
    """
    quarter_turned = round(capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 180 == 90
    mirror = matrix if is_mirror(matrix) else None
    if mirror is not None:
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
    aspect = _pixel_aspect(capture)  # of stored pixels: width to height
    along, across = (aspect, 1.0) if aspect > 1 else (1.0, 1.0 / aspect)
    return Presentation(mirror, (across, along) if quarter_turned else (along, across))


def is_mirror(matrix: Matrix | None) -> bool:
    """Return whether the matrix exchanges left and right."""
    return matrix is not None and matrix[0] * matrix[3] - matrix[1] * matrix[2] < 0


def turned_left(image_bgr: NDArray[np.uint8], quarter_turns: int) -> NDArray[np.uint8]:
    """Rotate the (H, W, 3) image counter-clockwise by quarter turns; 0 returns the image itself."""
    turn = _TURNS.get(quarter_turns % 4)
    return image_bgr if turn is None else np.asarray(cv2.rotate(image_bgr, turn), np.uint8)


def _pixel_aspect(capture: cv2.VideoCapture) -> float:
    numerator, denominator = capture.get(cv2.CAP_PROP_SAR_NUM), capture.get(cv2.CAP_PROP_SAR_DEN)
    if not (numerator > 0 and denominator > 0):  # unknown
        return 1.0
    aspect = numerator / denominator
    return aspect if 1 / _MOST_ASPECT <= aspect <= _MOST_ASPECT else 1.0


def _turned(image: NDArray[np.uint8], matrix: Matrix) -> NDArray[np.uint8]:
    a, b, c, d = matrix
    if a == 0:
        image, a, d = np.asarray(cv2.transpose(image), np.uint8), c, b
    if a < 0 or d < 0:
        image = np.asarray(cv2.flip(image, -1 if a < 0 and d < 0 else 1 if a < 0 else 0), np.uint8)
    return image
