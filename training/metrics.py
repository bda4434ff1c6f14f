"""Computes the field's usual errors of estimated bodies, in numpy.

Points are arrays (B, N, 3) in metres with a common origin (usually the pelvis); results are in millimetres. Angles are
in degrees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.body.rotations import angle_between, nearest_rotmat

Array = NDArray[np.float64]


def mpjpe(pred: ArrayLike, gt: ArrayLike) -> Array:
    """Mean per-joint position error: joints (B, N, 3) m -> (B,) mm."""
    pred, gt = _checked(pred, gt)
    return 1e3 * np.linalg.norm(pred - gt, axis=-1).mean(-1)


def mve(pred: ArrayLike, gt: ArrayLike) -> Array:
    """Mean vertex error, also called PVE: vertices (B, V, 3) m -> (B,) mm."""
    return mpjpe(pred, gt)


def pa_mpjpe(pred: ArrayLike, gt: ArrayLike) -> Array:
    """MPJPE after the similarity that best aligns pred to gt: (B, N, 3) m -> (B,) mm."""
    return mpjpe(aligned(pred, gt), gt)


def aligned(pred: ArrayLike, gt: ArrayLike) -> Array:
    """Align pred to gt by the best similarity (rotation, scale, translation; no reflection).

    Procrustes by the singular value decomposition (Umeyama 1991). (B, N, 3) m -> (B, N, 3) m.
    """
    pred, gt = _checked(pred, gt)
    pred_centre, gt_centre = pred.mean(1, keepdims=True), gt.mean(1, keepdims=True)
    centred = pred - pred_centre
    covariance = centred.transpose(0, 2, 1) @ (gt - gt_centre)
    R = nearest_rotmat(covariance)  # for row vectors
    spread = np.square(centred).sum((1, 2))
    scale = (covariance * R).sum((1, 2)) / np.maximum(spread, np.finfo(float).tiny)
    return scale[:, None, None] * centred @ R + gt_centre


def accel_error(pred: ArrayLike, gt: ArrayLike, fps: float) -> float:
    """Compute the mean difference of the joints' accelerations: (T, N, 3) m -> mm/frame^2, frames of 1/fps s.

    Accelerations are second differences between frames, as the field reports them. Values at different rates are not
    comparable: multiply by fps^2 for mm/s^2. Raises ValueError for fewer than three frames or no positive rate.
    """
    pred, gt = _checked(pred, gt)
    if len(pred) < 3 or not fps > 0:
        raise ValueError(f"acceleration needs at least 3 frames at a positive rate, not {len(pred)} at {fps} fps")
    difference = np.diff(pred - gt, n=2, axis=0)
    return float(1e3 * np.linalg.norm(difference, axis=-1).mean())


def joint_angle_error(pred: ArrayLike, gt: ArrayLike) -> Array:
    """Mean geodesic angle between rotations: (B, J, 3, 3) -> (B,) degrees. Local rotations give joint angles."""
    pred, gt = np.asarray(pred, np.float64), np.asarray(gt, np.float64)
    if pred.shape != gt.shape or pred.ndim != 4 or pred.shape[-2:] != (3, 3):
        raise ValueError(f"pred and gt must both be (B, J, 3, 3), not {pred.shape} and {gt.shape}")
    return np.degrees(angle_between(pred, gt)).mean(-1)


def pck(pred: ArrayLike, gt: ArrayLike, threshold: float, visible: ArrayLike | None = None) -> Array:
    """Compute the share of correct keypoints: (B, K, 2) -> (B,), those nearer than `threshold`.

    Points and threshold have one unit; HMR2.0's PCK@0.05 and @0.1 are fractions of the person's crop. visible (B, K):
    keypoints that count; a sample without one is NaN.
    """
    pred, gt = np.asarray(pred, np.float64), np.asarray(gt, np.float64)
    if pred.shape != gt.shape or pred.ndim != 3 or pred.shape[-1] != 2:
        raise ValueError(f"pred and gt must both be (B, K, 2), not {pred.shape} and {gt.shape}")
    counted = np.ones(gt.shape[:2], bool) if visible is None else np.asarray(visible, bool)
    correct = (np.linalg.norm(pred - gt, axis=-1) < threshold) & counted
    total = counted.sum(-1)
    return np.where(total > 0, correct.sum(-1) / np.maximum(total, 1), np.nan)


def _checked(pred: ArrayLike, gt: ArrayLike) -> tuple[Array, Array]:
    pred, gt = np.asarray(pred, np.float64), np.asarray(gt, np.float64)
    if pred.shape != gt.shape or pred.ndim != 3 or pred.shape[-1] != 3:
        raise ValueError(f"pred and gt must both be (B, N, 3), not {pred.shape} and {gt.shape}")
    return pred, gt
