"""Fits the hand's joints to 21 landmarks: a closed form, then damped Gauss-Newton steps, within the limits of joints.

The palm's rotation is the best one of the wrist and the knuckles (Kabsch 1976). Each finger's angles follow from its
bones' directions. A few steps then bring all points onto the landmarks: angles, palm, place and size at once. A single
camera sees depth worst, so depth counts less. Priors hold what landmarks hardly tell: twist, and a last joint's bend
without that of the joint before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.body.hand import CHAINS, THUMB, HandGeometry
from engine.body.keypoints import HAND
from engine.body.rotations import cross_matrix, nearest_rotmat, rotmat_from_axis_angle
from engine.body.skeleton import FINGERS
from engine.body.vectors import length
from realtime.estimate.hands import joints
from realtime.estimate.hands.joints import BEND, BEND2, BEND3, HIGHEST, LOWEST, RELAXED, SIDEWAYS, TWIST

Floats = NDArray[np.float64]

STEPS = 2
GROWTH = 0.7, 1.4  # of the fitted hand over the size that the bones' lengths tell
_SIZE_SIGMA = 0.1  # relative
_SIGMA_DEG = np.array((60.0, 8.0, 4.0, 60.0, 60.0))  # of a finger's angles about the relaxed ones
_THUMB_SIGMA_DEG = np.array((60.0, 30.0, 15.0, 60.0, 60.0))
_COUPLED, _COUPLED_SIGMA_DEG = 0.67, 20.0  # a finger's last joint bends with the middle one

_WRIST = HAND.index("wrist")
_ORDER = np.concatenate(([_WRIST], CHAINS.ravel()))  # of the points inside the fit: the wrist, then finger by finger
_PALM = np.zeros((len(_ORDER), 1))
_PALM[[0, *range(1, len(_ORDER), 4)]] = 1.0
_PALM[1 + 4 * THUMB] = 0.3  # the thumb's saddle joint is seen less surely
_PALM /= _PALM.sum()
_MIDDLES = (LOWEST + HIGHEST) / 2
_TURN, _MOVE, _GROW, _COUNT = slice(25, 28), slice(28, 31), 31, 32  # unknowns after the 25 angles


@dataclass(frozen=True, slots=True)
class Noise:
    """Errors of landmarks. Those of the network were measured on renders of known hands (docs/hands-face.md)."""

    sigma: float = 0.04  # in parts of the hand's length; more than alone, as errors of neighbours go together
    depth: float = 0.25  # weight of depth's errors, which are three times those across the line of sight


@dataclass(frozen=True, slots=True)
class Fitted:
    """Fits of N left hands; a right one is seen in a mirror."""

    angles: Floats  # (N, 5, 5) radians, within `realtime.estimate.hands.joints.LIMITS`
    R_cam_palm: Floats  # (N, 3, 3) from the axes of the hand at rest
    off: Floats  # (N, 21) distance of each landmark from its point, in parts of the hand's length
    backward: Floats  # (N,) radians by which fingers bend backwards, mean of eight joints
    lengths: Floats  # (N, 5, 4) of the landmarks' bones relative to the hand at rest, at its size


def with_picture(world_m: Floats, image_px: Floats) -> Floats:
    """Return landmarks (N, 21, 3) whose x and y are the mean of the detector's world and its picture (N, 21, 2).

    The picture's points are at the world's scale. Its errors are other ones, so the mean is nearer.
    """
    world_m, flat = world_m - world_m.mean(1, keepdims=True), image_px - image_px.mean(1, keepdims=True)
    extent = (flat * flat).sum((1, 2), keepdims=True)
    scale = np.sqrt((world_m[..., :2] ** 2).sum((1, 2), keepdims=True) / np.maximum(extent, 1e-12))
    world_m[..., :2] = (world_m[..., :2] + scale * flat) / 2
    return world_m


class HandFitter:
    """Fitter of one rest geometry to landmarks. Lengths inside are parts of the hand's."""

    def __init__(self, geometry: HandGeometry, noise: Noise = Noise()) -> None:
        self.frames = geometry.frames.astype(np.float64)
        self._roots = geometry.roots.astype(np.float64) / geometry.length_m
        self._bones = (geometry.bones.astype(np.float64) / geometry.length_m) @ self.frames  # in the fingers' frames
        self._lengths = np.concatenate((length(self._roots)[:, None], length(self._bones)), axis=1)[..., 0]  # (5, 4)
        self._weights, self._precision = np.array((1.0, 1.0, noise.depth)), _precision(noise.sigma)

    def fit(self, landmarks: Floats, proportions: Floats | float = 1.0) -> Fitted:
        """Fit left hands to landmarks (N, 21, 3) in any unit: finite, of any origin, not all in one place.

        proportions (5, 4): the person's lengths from the wrist along each finger, relative to the hand at rest.
        """
        scale = np.ones((5, 4)) * proportions
        roots, bones = self._roots * scale[:, :1], self._bones * scale[:, 1:, None]
        seen = landmarks[:, _ORDER] - landmarks[:, _WRIST, None]
        along = np.diff(_fingers(seen), axis=2, prepend=0.0)
        lengths = np.sqrt((along * along).sum(-1))
        size = lengths.sum((1, 2), keepdims=True) / (self._lengths * scale).sum()
        lengths, seen = lengths / size, seen / size

        R, angles = self._start(seen, roots)
        backward = -angles[:, _LONG, BEND2:].clip(None, 0.0).mean((1, 2))
        angles = joints.within_limits(angles)
        grown, origin = np.ones((len(seen), 1, 1)), np.zeros((len(seen), 1, 3))
        for step in range(STEPS + 1):
            posed = joints.pose(angles, bones)
            model = np.zeros_like(seen)
            _fingers(model)[:, :, 0] = roots
            _fingers(model)[:, :, 1:] = roots[:, None] + posed.points @ self.frames.swapaxes(1, 2)
            arms = grown * model @ R.swapaxes(1, 2)
            if step == 0:
                origin = (seen - arms).mean(1, keepdims=True)
            gap = seen - arms - origin
            if step == STEPS:
                break
            by_angle = (grown[..., None, None] * R[:, None, None] @ self.frames[:, None]) @ posed.jacobian
            change = self._step(angles, grown[:, 0, 0], gap, by_angle, arms)
            angles = joints.within_limits(angles + change[:, :25].reshape(angles.shape))
            R = rotmat_from_axis_angle(change[:, _TURN]) @ R
            origin = origin + change[:, None, _MOVE]
            grown = (grown * np.exp(change[:, _GROW, None, None])).clip(*GROWTH)
        off = np.empty(seen.shape[:2])
        off[:, _ORDER] = np.sqrt((gap * gap).sum(-1)) / grown[:, 0]
        return Fitted(angles, R, off, backward, lengths / self._lengths)

    def _start(self, seen: Floats, roots: Floats) -> tuple[Floats, Floats]:
        """Return the palm's rotation (N, 3, 3), and angles (N, 5, 5) that may exceed limits, in closed form."""
        palm = np.zeros(seen.shape[1:])
        _fingers(palm[None])[:, :, 0] = roots
        spread = _PALM * (palm - (_PALM * palm).sum(0))
        R = nearest_rotmat(spread.T @ seen).swapaxes(1, 2)
        along = np.diff(_fingers(seen), axis=2)
        return R, _by_directions(along @ (R[:, None] @ self.frames))

    def _step(self, angles: Floats, grown: Floats, gap: Floats, by_angle: Floats, arms: Floats) -> Floats:
        """Return the Gauss-Newton change (N, 32) of angles, palm, place and size; joints pushed out of limits stay.

        gap (N, 21, 3): from points to landmarks. by_angle (N, 5, 3, 3, 5): derivatives of the further points. arms
        (N, 21, 3): points from the wrist. All in the camera's axes.
        """
        jacobian = np.zeros((*gap.shape, _COUNT))
        further = jacobian[:, 1:].reshape(len(gap), 5, 4, 3, _COUNT)[:, :, 1:]
        for finger in range(len(FINGERS)):
            further[:, finger, ..., 5 * finger : 5 * finger + 5] = by_angle[:, finger]
        jacobian[..., _TURN], jacobian[..., _MOVE], jacobian[..., _GROW] = cross_matrix(-arms), np.eye(3), arms
        flat = (jacobian * self._weights[:, None]).reshape(len(gap), -1, _COUNT)
        transposed = flat.swapaxes(1, 2)
        beside = np.zeros((len(gap), _COUNT))
        beside[:, :25], beside[:, _GROW] = (angles - RELAXED).reshape(len(gap), 25), np.log(grown)
        gradient = (transposed @ (gap * self._weights).reshape(len(gap), -1, 1))[..., 0] - beside @ self._precision
        free = np.ones((len(gap), _COUNT), bool)
        free[:, :25] = np.where(gradient[:, :25] < 0, beside[:, :25] > _LOWEST_BESIDE, beside[:, :25] < _HIGHEST_BESIDE)
        hessian = np.where(free[:, :, None] & free[:, None, :], transposed @ flat + self._precision, np.eye(_COUNT))
        return np.linalg.solve(hessian, (gradient * free)[..., None])[..., 0]


def _fingers(points: Floats) -> Floats:
    """Return the view (N, 5, 4, 3), finger by finger, of points (N, 21, 3) in the order inside the fit."""
    return points[:, 1:].reshape(len(points), 5, 4, 3)


def _by_directions(along: Floats) -> Floats:
    """Return angles (N, 5, 5) from the bones (N, 5, 3, 3) in the fingers' frames, without twist and without limits."""
    angles = np.zeros((*along.shape[:2], 5))
    x, y, z = along[..., 0], along[..., 1], along[..., 2]
    angles[..., BEND] = _unwound(np.arctan2(-y[..., 0], x[..., 0]), BEND)
    angles[..., SIDEWAYS] = np.arctan2(-z[..., 0], np.hypot(x[..., 0], y[..., 0]))
    sine, cosine = np.sin(angles[..., :TWIST]), np.cos(angles[..., :TWIST])
    sf, sb, cf, cb = (each[..., k, None] for each in (sine, cosine) for k in (BEND, SIDEWAYS))
    bend = np.arctan2(-(sf * x + cf * y), cb * (cf * x - sf * y) - sb * z)  # of each bone, in the first joint's axes
    angles[..., BEND2] = _unwound(bend[..., 1], BEND2)
    angles[..., BEND3] = _unwound(bend[..., 2] - angles[..., BEND2], BEND3)
    return angles


def _unwound(angle: Floats, which: int) -> Floats:
    """Return the equal angles (N, 5) that are nearest to the middle of each joint's range."""
    middle = _MIDDLES[:, which]
    return middle + (angle - middle + np.pi) % (2 * np.pi) - np.pi


def _precision(sigma: float) -> Floats:
    """Return (32, 32) the inverse covariance of the unknowns, angles about the relaxed hand, times a landmark's."""
    coupled = np.array((0.0, 0.0, 0.0, -_COUPLED, 1.0))
    precision = 1e-6 * np.eye(_COUNT)
    for row, finger in enumerate(FINGERS):
        own = np.diag(np.radians(_THUMB_SIGMA_DEG if finger == "thumb" else _SIGMA_DEG) ** -2.0)
        if finger != "thumb":
            own += np.outer(coupled, coupled) * np.radians(_COUPLED_SIGMA_DEG) ** -2
        precision[5 * row : 5 * row + 5, 5 * row : 5 * row + 5] = own * sigma**2
    precision[_GROW, _GROW] = (sigma / _SIZE_SIGMA) ** 2
    return precision


_LONG = np.flatnonzero(np.arange(len(FINGERS)) != THUMB)
_LOWEST_BESIDE, _HIGHEST_BESIDE = (LOWEST - RELAXED).ravel(), (HIGHEST - RELAXED).ravel()
