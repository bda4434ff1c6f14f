"""Draws grey boxes into a clip that hide known joints of one person.

The joints' true image positions come from the reference alone. Its 3D points are projected by the matrix that best fits
the detector's 2D over the uncut clip. So boxes do not depend on the detector's output in a frame. All boxes move
smoothly. Joints are the twelve of engine.body.keypoints.BLAZEPOSE.joints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from scipy.optimize import least_squares

Array = NDArray[np.float64]

GREY = 128
SHOULDERS, HIPS, LEGS = [0, 1], [6, 7], [8, 9, 10, 11]
ARM = {"left": [0, 2, 4], "right": [1, 3, 5]}  # shoulder, elbow, wrist
MARGINS = (0.09, 0.12, 0.15)  # around the hidden part, in torsos: from between the shoulders to between the hips
HAND = 0.5  # length of a hand beyond the wrist, in forearms
HEAD = 0.65  # height of the head above the shoulders, in torsos
STEADY_FRAMES = 4.0  # standard deviation of the temporal window that smooths boxes

VARIANTS = ("whole", "legs hidden", "right arm hidden", "left arm hidden", "30 % cut", "50 % cut")


@dataclass(frozen=True)
class Occluder:
    """Rectangle for each frame: x0, y0, x1, y1 in pixels. Its inside is grey, or with `frame_only` its outside."""

    boxes_px: Array  # (F, 4)
    outside: bool = False

    def draw(self, image_bgr: NDArray[np.uint8], frame: int) -> NDArray[np.uint8]:
        """Return a copy of the image (H, W, 3) with the grey drawn."""
        x0, y0, x1, y1 = self.boxes_px[frame].round().astype(int).clip(0)
        drawn = image_bgr.copy()
        if self.outside:
            drawn[:] = GREY
            drawn[y0:y1, x0:x1] = image_bgr[y0:y1, x0:x1]
        else:
            drawn[y0:y1, x0:x1] = GREY
        return drawn

    def hides(self, points_px: Array) -> NDArray[np.bool_]:
        """Return (F, N) whether points (F, N, 2) lie in the grey."""
        low, high = self.boxes_px[:, None, :2], self.boxes_px[:, None, 2:]
        inside = np.all((points_px >= low) & (points_px < high), axis=-1)
        return inside ^ self.outside


def occluder(variant: str, joints_px: Array, margin: float = MARGINS[1]) -> Occluder:
    """Make the occluder of a body part for true image joints (F, 12, 2); the margin is in torsos.

    The legs hide behind a box of constant size that follows the hips, like a counter, so it reveals nothing of the
    legs. An arm hides in a box around shoulder, elbow, wrist and hand. A cut of c keeps the middle 1 - c of the
    person's square along both sides.
    """
    frames = len(joints_px)
    shoulders, hips = joints_px[:, SHOULDERS].mean(1), joints_px[:, HIPS].mean(1)
    torso_px = float(np.median(np.linalg.norm(shoulders - hips, axis=-1)))
    margin = margin * torso_px
    if variant == "whole":
        return Occluder(np.full((frames, 4), -1.0))
    if variant == "legs hidden":
        legs = joints_px[:, LEGS]
        half_width = np.abs(legs[..., 0] - hips[:, None, 0]).max() + margin
        height = (legs[..., 1] - hips[:, None, 1]).max() + 2 * margin
        x, top = steady(hips[:, 0]), _reaching(joints_px[:, HIPS, 1].max(1)) + 0.6 * margin
        return Occluder(np.stack((x - half_width, top, x + half_width, top + height), -1))
    if variant.endswith("arm hidden"):
        _, elbow, wrist = arm = joints_px[:, ARM[variant.split()[0]]].swapaxes(0, 1)
        points = np.stack((*arm, wrist + HAND * (wrist - elbow)), 1)
        return Occluder(np.concatenate((-_reaching(-points.min(1)) - margin, _reaching(points.max(1)) + margin), -1))
    kept = 1 - {"30 % cut": 0.3, "50 % cut": 0.5}[variant]
    head = shoulders + HEAD * (shoulders - hips)
    points = np.concatenate((joints_px, head[:, None]), 1)
    low, high = points.min(1) - margin / 2, points.max(1) + margin / 2
    middle = steady((low + high) / 2)
    half_side = steady((high - low).max(-1))[:, None] / 2 * kept
    return Occluder(np.concatenate((middle - half_side, middle + half_side), -1), outside=True)


def steady(values: Array) -> Array:
    """Smooth values (F, ...) over time."""
    return np.asarray(gaussian_filter1d(values, STEADY_FRAMES, axis=0, mode="nearest"))


def _reaching(values: Array) -> Array:
    """Smooth as `steady`, but hardly anywhere below the values."""
    return steady(maximum_filter1d(values, int(2 * STEADY_FRAMES) + 1, axis=0, mode="nearest"))


def fit_projection(points_m: Array, image_px: Array) -> Array:
    """Fit the 3 x 4 matrix that projects points (N, 3) onto image points (N, 2), robust to outliers.

    The direct linear transform (Hartley and Zisserman, section 7.1), then least squares under a Cauchy loss.
    """
    origin, spread = image_px.mean(0), image_px.std()
    u, v = ((image_px - origin) / spread).T
    X = np.column_stack((points_m - points_m.mean(0), np.ones(len(points_m))))
    zero = np.zeros_like(X)
    rows = np.concatenate((np.hstack((X, zero, -u[:, None] * X)), np.hstack((zero, X, -v[:, None] * X))))
    start = np.linalg.svd(rows, full_matrices=False)[2][-1]

    def residuals(matrix: Array) -> Array:
        projected = X @ matrix.reshape(3, 4).T
        return np.concatenate((projected[:, 0] / projected[:, 2] - u, projected[:, 1] / projected[:, 2] - v))

    found = least_squares(residuals, start / np.linalg.norm(start), loss="cauchy", f_scale=0.02).x.reshape(3, 4)
    to_pixels = np.array([[spread, 0, origin[0]], [0, spread, origin[1]], [0, 0, 1]])
    from_world = np.eye(4)
    from_world[:3, 3] = -points_m.mean(0)
    return to_pixels @ found @ from_world


def project(matrix: Array, points_m: Array) -> Array:
    """Project points (..., 3) by a 3 x 4 matrix to pixels (..., 2)."""
    projected = points_m @ matrix[:, :3].T + matrix[:, 3]
    return projected[..., :2] / projected[..., 2:]
