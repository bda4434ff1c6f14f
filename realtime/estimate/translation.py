"""Computes the position of a posed body before the camera from its landmarks in the image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.body.projection import PinholeCamera

Array = NDArray[np.float32]

_REWEIGHTINGS = 2
_SCALE_M = 0.06  # a landmark this far off its ray has half the weight: about the usual error of a posed body's points
_LEAST_POINTS = 3.0  # effective number of visible landmarks
_LEAST_SPREAD = 2e-3  # of their rays, as a tangent: below it the depth is noise
_NEAREST_M = 0.05  # minimum depth of a visible landmark


def root_translation(landmarks: Array, image_px: Array, weights: Array, camera: PinholeCamera) -> Array:
    """Compute the pelvis joint (..., 3) in the camera frame, metres, that projects posed landmarks onto their pixels.

    landmarks (..., 33, 3) metres, from the pelvis, in the camera's axes; image_px (..., 33, 2); weights (..., 33), the
    visibilities. A point X on the ray (u, v, 1) satisfies X_xy + T_xy = (u, v) (X_z + T_z), which is linear in T. This
    is solved by weighted least squares in closed form, then reweighted by Cauchy's function of each point's distance
    from its ray. NaN if the image is not informative: fewer than three visible landmarks, all on one spot, or a body
    behind the camera.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    rays = camera.unproject(np.asarray(image_px, dtype=np.float64))
    seen = np.asarray(weights, dtype=np.float64)[..., None]
    with np.errstate(invalid="ignore", divide="ignore"):
        T_cam_root = _solve(points, rays, seen)
        for _ in range(_REWEIGHTINGS):
            placed = points + T_cam_root[..., None, :]
            off_m = placed[..., :2] - rays * placed[..., 2:]
            robust = 1.0 / (1.0 + (off_m**2).sum(axis=-1, keepdims=True) / _SCALE_M**2)
            T_cam_root = _solve(points, rays, seen * robust)
        effective_count = seen.sum(axis=(-2, -1)) ** 2 / (seen**2).sum(axis=(-2, -1))
    depth = points[..., 2] + T_cam_root[..., 2:]
    in_front = np.where(seen[..., 0] > 0.5, depth > _NEAREST_M, True).all(axis=-1)
    told = in_front & (effective_count >= _LEAST_POINTS) & (T_cam_root[..., 2] > _NEAREST_M)
    return np.where(told[..., None], T_cam_root, np.nan).astype(np.float32)


def _solve(points: NDArray, rays: NDArray, weights: NDArray) -> NDArray:
    """Solve weighted least squares: T_xy is the mean of its equations for any depth, which leaves one unknown."""
    share = weights / weights.sum(axis=-2, keepdims=True)
    known = rays * points[..., 2:] - points[..., :2]
    mean_ray, mean_known = ((share * values).sum(axis=-2) for values in (rays, known))
    ray_spread, known_spread = rays - mean_ray[..., None, :], known - mean_known[..., None, :]
    variance = (share * ray_spread**2).sum(axis=(-2, -1))
    covariance = (share * ray_spread * known_spread).sum(axis=(-2, -1))
    depth = np.where(variance > _LEAST_SPREAD**2, -covariance / variance, np.nan)[..., None]
    return np.concatenate([mean_ray * depth + mean_known, depth], axis=-1)
