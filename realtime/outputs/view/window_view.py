"""The window's own camera, and the outline of the cards that lie before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class WindowView:
    """Pose of the window's own camera: p_cam = R p + t, in pixels of a framebuffer of width x height."""

    R: NDArray[np.float64]
    t: NDArray[np.float64]
    focal_px: float
    width: int
    height: int

    @property
    def eye(self) -> NDArray[np.float64]:
        """Position (3,) of the camera."""
        return -self.R.T @ self.t

    @property
    def scale(self) -> float:
        """Scale of cards: 1 at a height of 720 pixels."""
        return self.height / 720

    def project(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Project points (N, 3), relative to the followed point, to pixels (N, 2)."""
        p = points @ self.R.T + self.t
        return p[:, :2] / p[:, 2:] * self.focal_px + np.array([self.width, self.height]) / 2

    def same_as(self, other: WindowView | None) -> bool:
        """Compare all values with another view."""
        return (
            other is not None
            and (self.width, self.height, self.focal_px) == (other.width, other.height, other.focal_px)
            and np.array_equal(self.R, other.R)
            and np.array_equal(self.t, other.t)
        )


def rounded_outline(width: int, height: int, radius: float, steps: int = 6) -> NDArray[np.float64]:
    """Return (N, 2) pixels of the outline of a rectangle with round corners."""
    quarter = np.linspace(0, np.pi / 2, steps)
    points = []
    for turn, (x, y) in enumerate(
        [(width - radius, height - radius), (radius, height - radius), (radius, radius), (width - radius, radius)]
    ):
        angle = quarter + turn * np.pi / 2
        points.append(np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1))
    return np.concatenate(points)
