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
    known = rays * points[..., 2:] - points[..., :2]
    equations = _Equations(rays, known)
    seen = np.asarray(weights, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        T_cam_root = equations.solve(seen)
        for _ in range(_REWEIGHTINGS):
            off_m = T_cam_root[..., None, :2] - rays * T_cam_root[..., None, 2:] - known
            T_cam_root = equations.solve(seen / (1.0 + np.vecdot(off_m, off_m) / _SCALE_M**2))
        effective_count = seen.sum(axis=-1) ** 2 / np.vecdot(seen, seen)
    depth = points[..., 2] + T_cam_root[..., 2:]
    in_front = ((depth > _NEAREST_M) | (seen <= 0.5)).all(axis=-1)
    told = in_front & (effective_count >= _LEAST_POINTS) & (T_cam_root[..., 2] > _NEAREST_M)
    return np.where(told[..., None], T_cam_root, np.nan).astype(np.float32)


class _Equations:
    """Weighted least squares: T_xy is the mean of its equations for any depth, which leaves one unknown."""

    def __init__(self, rays: NDArray, known: NDArray) -> None:
        """Sum up equations T_xy - ray T_z = known, both (..., N, 2), for any weights."""
        ones = np.ones_like(rays[..., :1])
        products = np.vecdot(rays, rays)[..., None], np.vecdot(rays, known)[..., None]
        self._terms = np.concatenate((rays, known, *products, ones), axis=-1)

    def solve(self, weights: NDArray) -> NDArray:
        """Return the translation (..., 3) for weights (..., N); NaN if all rays are one."""
        sums = (weights[..., None, :] @ self._terms)[..., 0, :]
        means = sums[..., :6] / sums[..., 6:]
        ray, known = means[..., :2], means[..., 2:4]
        variance = means[..., 4] - np.vecdot(ray, ray)
        covariance = means[..., 5] - np.vecdot(ray, known)
        depth = np.where(variance > _LEAST_SPREAD**2, -covariance / variance, np.nan)[..., None]
        return np.concatenate([ray * depth + known, depth], axis=-1)
