"""Pinhole camera: no distortion, square pixels, the optical axis through the middle of the image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PinholeCamera:
    """Pinhole camera. Camera frame: x right, y down, z forward; pixels from the top left corner."""

    width: int  # pixels
    height: int  # pixels
    fov_deg: float = 60.0  # horizontal field of view

    @property
    def focal_px(self) -> float:
        """Focal length in pixels."""
        return 0.5 * self.width / math.tan(0.5 * math.radians(self.fov_deg))

    @property
    def principal_px(self) -> Array:
        """Principal point (2,): the intersection of optical axis and image."""
        return np.array([0.5 * self.width, 0.5 * self.height], dtype=np.float32)

    def project(self, points_cam: NDArray[np.floating]) -> Array:
        """Project points (..., 3) in metres to pixels (..., 2); NaN in or behind the camera's plane."""
        depth = points_cam[..., 2:]
        depth = np.where(depth > 0, depth, np.nan)
        return points_cam[..., :2] / depth * np.float32(self.focal_px) + self.principal_px

    def unproject(self, points_px: Array) -> Array:
        """Return (..., 2), x and y at depth 1, of the rays through pixels (..., 2)."""
        return (points_px - self.principal_px) / np.float32(self.focal_px)

    def ray_rotation(self, point_px: Array) -> Array:
        """Return the smallest rotation (3, 3) from the optical axis (0, 0, 1) to the ray through a pixel (2,)."""
        x, y = self.unproject(np.asarray(point_px, dtype=np.float64))
        x, y, z = np.array([x, y, 1.0]) / math.sqrt(x * x + y * y + 1.0)
        k = 1.0 / (1.0 + z)
        return np.array([[1 - k * x * x, -k * x * y, x], [-k * x * y, 1 - k * y * y, y], [-x, -y, z]], dtype=np.float32)
