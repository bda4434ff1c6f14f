"""Fits the hand's joints to 21 landmarks: a closed form, then damped Gauss-Newton steps, within the limits of joints.

The palm's rotation is the best one of the wrist and the knuckles (Kabsch 1976). Each finger's angles follow from its
bones' directions. A few steps then bring points onto landmarks, finger by finger; between them the palm is fitted to
all points. Priors hold what landmarks hardly tell: twist, and a last joint's bend without that of the joint before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.body.hand import CHAINS, THUMB, HandGeometry
from engine.body.keypoints import HAND
from engine.body.rotations import nearest_rotmat
from engine.body.skeleton import FINGERS
from engine.body.vectors import length
from realtime.estimate.hands.joints import (
    BEND,
    BEND2,
    BEND3,
    HIGHEST,
    LOWEST,
    RELAXED,
    SIDEWAYS,
    TWIST,
    pose,
    within_limits,
)

Floats = NDArray[np.float64]

STEPS = 2, 1  # Gauss-Newton steps of the fingers, after each fit of the palm
GROWTH = 0.8, 1.25  # of the palm's fit over the size that the bones' lengths tell
POINT_SIGMA = 0.025  # of a landmark, in parts of the hand's length
_SIGMA_DEG = {BEND: 60.0, SIDEWAYS: 15.0, TWIST: 4.0, BEND2: 60.0, BEND3: 60.0}
_THUMB_TWIST_SIGMA_DEG = 15.0
_COUPLED, _COUPLED_SIGMA_DEG = 0.67, 20.0  # a finger's last joint bends with the middle one

_WRIST = HAND.index("wrist")
_ORDER = np.concatenate(([_WRIST], CHAINS.ravel()))  # of the points inside the fit: the wrist, then finger by finger
_ALL = np.ones(len(_ORDER))
_PALM = np.zeros(len(_ORDER))
_PALM[[0, *range(1, len(_ORDER), 4)]] = 1.0
_PALM[1 + 4 * THUMB] = 0.3  # the thumb's saddle joint is seen less surely
_MIDDLES = (LOWEST + HIGHEST) / 2


@dataclass(frozen=True, slots=True)
class Fitted:
    """Fits of N left hands; a right one is seen in a mirror."""

    angles: Floats  # (N, 5, 5) radians, within `realtime.estimate.hands.joints.LIMITS`
    R_cam_palm: Floats  # (N, 3, 3) from the axes of the hand at rest
    size: Floats  # (N,) of the landmarks' hand relative to the one at rest
    off: Floats  # (N, 21) distance of each landmark from its point, in parts of the hand's length
    backward: Floats  # (N,) radians by which fingers bend backwards, mean of eight joints
    lengths: Floats  # (N, 5, 4) of the landmarks' bones relative to the hand at rest, at its size


class HandFitter:
    """Fitter of one rest geometry to landmarks. Lengths inside are parts of the hand's."""

    def __init__(self, geometry: HandGeometry) -> None:
        self.frames = geometry.frames.astype(np.float64)
        self._length_m = geometry.length_m
        self._roots = geometry.roots.astype(np.float64) / self._length_m
        self._bones = (geometry.bones.astype(np.float64) / self._length_m) @ self.frames  # in the fingers' frames
        self._lengths = np.concatenate((length(self._roots)[:, None], length(self._bones)), axis=1)[..., 0]  # (5, 4)

    def fit(self, landmarks: Floats, proportions: Floats | float = 1.0) -> Fitted:
        """Fit left hands to landmarks (N, 21, 3) in metres: finite, of any origin, not all in one place.

        proportions (5, 4): the person's lengths from the wrist along each finger, relative to the hand at rest.
        """
        count, scale = len(landmarks), np.ones((5, 4)) * proportions
        roots, bones = self._roots * scale[:, :1], self._bones * scale[:, 1:, None]
        seen = landmarks[:, _ORDER] - landmarks[:, _WRIST, None]
        along = np.diff(_fingers(seen), axis=2, prepend=0.0)
        lengths = np.sqrt((along * along).sum(-1))
        unit_m = lengths.sum((1, 2)) / (self._lengths * scale).sum()
        lengths, seen = lengths / unit_m[:, None, None], seen / unit_m[:, None, None]

        model = np.zeros_like(seen)
        _fingers(model)[:, :, 0] = roots
        weights, free, angles = _PALM, None, np.zeros((count, 5, 5))
        for steps in STEPS:
            R, origin, grown = _aligned(model, seen, weights)
            in_palm = (_fingers(seen) - origin[:, None]) @ R[:, None] / grown[..., None]
            points = (in_palm - roots[:, None]) @ self.frames
            if free is None:
                free = _by_directions(np.diff(points, axis=2))
                angles = within_limits(free)
            for _ in range(steps):
                angles = _stepped(angles, bones, points[:, :, 1:])
            posed = pose(angles, bones).points @ self.frames.swapaxes(1, 2)
            _fingers(model)[:, :, 1:] = roots[:, None] + posed
            weights = _ALL
        R, origin, grown = _aligned(model, seen, weights)
        gap = seen - grown * model @ R.swapaxes(1, 2) - origin
        off = np.empty((count, len(_ORDER)))
        off[:, _ORDER] = np.sqrt((gap * gap).sum(-1))
        assert free is not None
        backward = -free[:, _LONG, BEND2:].clip(None, 0.0).mean((1, 2))
        return Fitted(angles, R, unit_m * grown[:, 0, 0] / self._length_m, off, backward, lengths / self._lengths)


def _fingers(points: Floats) -> Floats:
    """Return the view (N, 5, 4, 3), finger by finger, of points (N, 21, 3) in the order inside the fit."""
    return points[:, 1:].reshape(len(points), 5, 4, 3)


def _aligned(model: Floats, seen: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Return R (N, 3, 3), origin (N, 1, 3) and growth (N, 1, 1) that bring points (N, 21, 3) nearest to those seen."""
    share = weights / weights.sum()
    middle, aim = share @ model, share @ seen
    spread, reach = model - middle[:, None], seen - aim[:, None]
    weighted = share[:, None] * spread
    R = nearest_rotmat(weighted.swapaxes(1, 2) @ reach).swapaxes(1, 2)
    turned = weighted @ R.swapaxes(1, 2)
    grown = (turned * reach).sum((1, 2)) / (weighted * spread).sum((1, 2))
    grown = grown.clip(*GROWTH)[:, None, None]
    return R, (aim[:, None] - grown * middle[:, None] @ R.swapaxes(1, 2)), grown


def _by_directions(along: Floats) -> Floats:
    """Return angles (N, 5, 5) from the bones (N, 5, 3, 3) in the fingers' frames, without twist and without limits."""
    angles = np.zeros((*along.shape[:2], 5))
    x, y, z = np.moveaxis(along, -1, 0)
    angles[..., BEND] = _unwound(np.arctan2(-y[..., 0], x[..., 0]), BEND)
    angles[..., SIDEWAYS] = np.arctan2(-z[..., 0], np.hypot(x[..., 0], y[..., 0]))
    (sf, sb), (cf, cb) = (np.moveaxis(f(angles[..., :TWIST, None]), 2, 0) for f in (np.sin, np.cos))
    bend = np.arctan2(-(sf * x + cf * y), cb * (cf * x - sf * y) - sb * z)  # of each bone, in the first joint's axes
    angles[..., BEND2] = _unwound(bend[..., 1], BEND2)
    angles[..., BEND3] = _unwound(bend[..., 2] - angles[..., BEND2], BEND3)
    return angles


def _unwound(angle: Floats, which: int) -> Floats:
    """Return the equal angles (N, 5) that are nearest to the middle of each joint's range."""
    middle = _MIDDLES[:, which]
    return middle + (angle - middle + np.pi) % (2 * np.pi) - np.pi


def _stepped(angles: Floats, bones: Floats, seen: Floats) -> Floats:
    """Return the angles after a Gauss-Newton step towards points (N, 5, 3, 3); joints pushed out of limits stay."""
    posed = pose(angles, bones)
    jacobian = posed.jacobian.reshape(*angles.shape[:2], 9, 5)
    transposed = jacobian.swapaxes(2, 3)
    gap = (seen - posed.points).reshape(*angles.shape[:2], 9, 1)
    gradient = (transposed @ gap - _PRECISION @ (angles - RELAXED)[..., None])[..., 0]
    free = np.where(gradient < 0, angles > LOWEST, angles < HIGHEST)
    gradient *= free
    hessian = (transposed @ jacobian + _PRECISION) * (free[..., None] & free[..., None, :]) + _EYE * ~free[..., None]
    return within_limits(angles + np.linalg.solve(hessian, gradient[..., None])[..., 0])


def _precision() -> Floats:
    """Return (5, 5, 5) the inverse covariance of each finger's angles about the relaxed hand, times a landmark's."""
    precision = np.zeros((len(FINGERS), 5, 5))
    for angle, sigma_deg in _SIGMA_DEG.items():
        precision[:, angle, angle] = np.radians(sigma_deg) ** -2
    precision[THUMB, TWIST, TWIST] = np.radians(_THUMB_TWIST_SIGMA_DEG) ** -2
    coupled = np.zeros(5)
    coupled[[BEND2, BEND3]] = -_COUPLED, 1.0
    precision[_LONG] += np.outer(coupled, coupled) * np.radians(_COUPLED_SIGMA_DEG) ** -2
    return precision * POINT_SIGMA**2


_EYE = np.eye(5)
_LONG = np.flatnonzero(np.arange(len(FINGERS)) != THUMB)
_PRECISION = _precision()
