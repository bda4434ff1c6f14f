"""Rotated square around a person, the input of BlazePose's landmark network.

Pixel coordinates are continuous with (0, 0) at the outer corner of the first pixel, whose centre is (0.5, 0.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

# The square's side over twice the distance from its centre to the rim point: MediaPipe's margin for poses.
MARGIN = 1.25


@dataclass(frozen=True, slots=True)
class Roi:
    """Square in the image; `angle_rad` is the clockwise rotation, as seen, of its up side from the image's up."""

    center_px: tuple[float, float]
    size_px: float
    angle_rad: float

    @classmethod
    def around(cls, center_px: NDArray[np.floating], rim_px: NDArray[np.floating]) -> Roi:
        """Make the square from the middle of the hips and a point above the head on the circle around the body."""
        x, y = float(center_px[0]), float(center_px[1])
        dx, dy = float(rim_px[0]) - x, float(rim_px[1]) - y
        return cls((x, y), 2.0 * MARGIN * math.hypot(dx, dy), math.atan2(dx, -dy))

    @classmethod
    def whole(cls, size: tuple[int, int]) -> Roi:
        """Make the upright square around an image of a size (width, height)."""
        width, height = size
        return cls((width / 2, height / 2), float(max(size)), 0.0)

    def agrees(self, other: Roi, tolerance: float) -> bool:
        """Return whether the squares' corners differ by about `tolerance` sides or less."""
        turn = abs(math.remainder(self.angle_rad - other.angle_rad, math.tau))
        move = math.dist(self.center_px, other.center_px)
        grow = abs(self.size_px - other.size_px) / 2
        return max(move, grow, turn * self.size_px / 2) <= tolerance * self.size_px

    def rotation(self) -> NDArray[np.float64]:
        """Rotation (2, 2) from the square's axes to the image's."""
        c, s = math.cos(self.angle_rad), math.sin(self.angle_rad)
        return np.array([[c, -s], [s, c]])

    def to_image(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map (N, 2) from the square, in 0..1 along its sides, to image pixels."""
        return (points - 0.5) @ (self.size_px * self.rotation().T) + self.center_px

    def from_image(self, points_px: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map (N, 2) from image pixels to the square, in 0..1 along its sides."""
        return (points_px - np.asarray(self.center_px)) @ (self.rotation() / self.size_px) + 0.5

    def warp(self, side_px: int) -> NDArray[np.float64]:
        """Return the (2, 3) map from pixel indices of the (side, side) crop to those of the image.

        For cv2.warpAffine with WARP_INVERSE_MAP. Indices are pixel centres, hence the halves.
        """
        linear = (self.size_px / side_px) * self.rotation()
        offset = linear @ np.full(2, 0.5 - side_px / 2) + np.asarray(self.center_px) - 0.5
        return np.column_stack([linear, offset])

    def crop(self, image_bgr: NDArray[np.uint8], into: NDArray[np.uint8], border: int = cv2.BORDER_REPLICATE) -> None:
        """Sample the (H, W, 3) image in the square into the (side, side, 3) array; border: beyond the image's edge."""
        cv2.warpAffine(
            image_bgr,
            self.warp(len(into)),
            into.shape[:2],
            dst=into,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=border,
        )

    def is_centred_in(self, size: tuple[int, int]) -> bool:
        """Return whether the square is sane, and its centre lies in an image of a size (width, height)."""
        x, y = self.center_px
        return self.is_sane(*size) and 0 <= x <= size[0] and 0 <= y <= size[1]

    def is_sane(self, width: int, height: int) -> bool:
        """Return whether it can contain a person of a (width, height) image.

        It must be finite, of plausible size, and overlap the image.
        """
        x, y = self.center_px
        if not all(math.isfinite(v) for v in (x, y, self.size_px, self.angle_rad)):
            return False
        half = self.size_px / 2
        reaches = -half < x < width + half and -half < y < height + half
        return reaches and 16.0 <= self.size_px <= 8.0 * max(width, height)
