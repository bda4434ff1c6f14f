"""A person's face at rest: given by a calibration, or learnt from the first calm seconds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.body.expressions import BLENDSHAPES
from engine.face.expression import ExpressionSolver
from engine.face.rig import MESH, FaceRig
from realtime.estimate.face.lids import LID_POINTS, openings

Array = NDArray[np.float32]

SAMPLES, SAMPLE_S = 45, 0.08  # calm frames to learn from, and their least interval
_STEPS = 15  # samples after which the median is taken anew
_CALM_M_PER_S = 0.03  # of an adult's face: median speed of the points below which it is calm
_AHEAD = 0.9  # least cosine between the face's direction and the line of sight
_BLEND_S = 1.0  # in which a learnt face replaces the mean one
_BELIEVED = 0.3  # of a smile: a face that laughs from the start is not at rest
_SMILES = [BLENDSHAPES.index(f"mouthSmile{side}") for side in ("Left", "Right")]
_OPENING = 0.5, 1.3  # of the mean face's: lowest and highest opening of eyes at rest
_RISE = 0.95  # of an opening: eyes at rest are nearly as open as they have been


class NeutralFace:
    """Running estimate of one person's neutral face, and the coefficients relative to it."""

    def __init__(self, rig: FaceRig, solver: ExpressionSolver, given_m: Array | None = None) -> None:
        """Begin with the mean face, or with the one that a calibration gave, (468, 3) in head axes, which stays."""
        self._rig, self._solver = rig, solver
        self.fit_m = rig.neutral_m if given_m is None else given_m  # to fit the head by
        self._own_m: Array | None = given_m
        self._known = 0.0 if given_m is None else 1.0
        self._goal_m = given_m
        self._usual = openings(rig.neutral_m)
        self.openings = self._usual * _OPENING[0] if given_m is None else openings(given_m)  # (2,) of the eyes
        self._samples: list[Array] = []
        self._learns = given_m is None
        self._settled_s = 0.0  # since the last of it was learnt
        self._last: tuple[float, Array] | None = None
        self._t = -np.inf

    def see(self, t: float, points_m: Array, ahead: float, lids_seen: NDArray[np.bool_]) -> None:
        """Learn from the face (>= 468, 3) of the frame at time t (s), later than the last.

        ahead: cosine between its direction and the line of sight. lids_seen: (2,) of the left and the right eye.
        """
        dt, self._t = min(t - self._t, 1.0), t
        self._approach(dt)
        if not self._learns or (self._last is not None and t - self._last[0] < SAMPLE_S):
            return
        if self._own_m is None:
            found = np.where(lids_seen, _RISE * openings(points_m), 0.0)
            self.openings = np.maximum(self.openings, found.clip(0.0, _OPENING[1] * self._usual))
        before, points_m = self._last, points_m[:MESH].copy()
        for side in np.flatnonzero(~lids_seen):
            points_m[LID_POINTS[side]] = (self._rig.neutral_m if before is None else before[1])[LID_POINTS[side]]
        self._last = t, points_m
        if before is None or ahead < _AHEAD:
            return
        speed = float(np.median(np.abs(points_m - before[1]).max(axis=1))) / (t - before[0])
        if speed < _CALM_M_PER_S:
            self._samples.append(points_m)
            if len(self._samples) % _STEPS == 0:
                self._goal_m = believable(np.median(self._samples, axis=0), self._rig, self._solver)
                self._own_m = self._goal_m if self._own_m is None else self._own_m
                self._learns = len(self._samples) < SAMPLES

    def coefficients(self, points_m: Array) -> Array:
        """Return (K,) the rig's units 0..1 in a face (>= 468, 3) in head axes."""
        own = 0.0 if self._own_m is None or self._known == 0 else self._solver.solve(points_m[:MESH] - self._own_m)
        if self._known == 1:
            return np.asarray(own)
        mean = self._solver.solve(points_m[:MESH] - self._rig.neutral_m, from_mean=True)
        return mean + np.float32(self._known) * (own - mean)

    def _approach(self, dt: float) -> None:
        if self._goal_m is None or self._own_m is None:
            return
        self._known = min(1.0, self._known + dt / _BLEND_S)
        if self._settled_s > 10 * _BLEND_S:
            return
        self._settled_s = 0.0 if self._learns else self._settled_s + dt
        if self._own_m is not self._goal_m:
            share = np.float32(-np.expm1(-dt / _BLEND_S))
            self._own_m = self._own_m + share * (self._goal_m - self._own_m)
        goal = openings(self._own_m).clip(*np.outer(_OPENING, self._usual))
        self.openings = self.openings + self._known * (goal - self.openings)


def believable(points_m: Array, rig: FaceRig, solver: ExpressionSolver) -> Array:
    """Return a face (468, 3) without a broad smile, so that it can be one at rest."""
    points_m = points_m.astype(np.float32)
    excess = (solver.solve(points_m - rig.neutral_m, from_mean=True) - _BELIEVED).clip(0.0)
    excess[~np.isin(rig.units, _SMILES)] = 0.0
    return points_m - np.tensordot(excess, rig.moves_m, 1)
