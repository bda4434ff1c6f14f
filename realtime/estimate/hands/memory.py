"""Hands of one person between frames: the latest measurement, and the ways to it and to a relaxed hand.

A hand is measured in every second frame at most, and keeps its pose between. Its 28 angles, 25 of the fingers and 3 of
the arm, lie in a box of joint limits. All blending is of angles, so no blend leaves the box. A lost hand eases to a
relaxed one, and its arm to the body's own; a found hand eases back. A measurement that leaps is believed when the next
one agrees, and then approached.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime.estimate.hands import joints, wrist
from realtime.kernel.easing import smoothstep

Floats = NDArray[np.float64]

FINGERS, ARM = slice(0, 25), slice(25, 28)  # of the 28 angles
SURE = 0.3  # confidence from which a measurement counts
HOLD_S, HOLD_FRAMES = 0.15, 3  # a hand is taken as seen for so long after a measurement
LOST_S, FOUND_S = 0.5, 0.2  # in which a hand eases to the relaxed one, and back
MOST_SHARE = 0.4  # of a way in one frame, however slow the frames are
LEAPS_RAD = np.radians((60.0, 40.0))  # of the arm's angles at most, and of the fingers' on average
PRIOR_HANDS, MOST_HANDS = 20, 300  # measurements that the hand at rest counts for, and length of the running mean
PROPORTIONS = 0.8, 1.25  # lowest and highest

_FARTHEST_TURN_RAD = np.radians(210.0)
_LOWEST = np.concatenate((joints.LOWEST.ravel(), wrist.LOWEST))
_HIGHEST = np.concatenate((joints.HIGHEST.ravel(), wrist.HIGHEST))


@dataclass(frozen=True, slots=True)
class Measured:
    """One hand in one frame."""

    angles: Floats  # (28,) of which the arm's turn is of any winding, and the arm's may exceed their limits
    confidence: float  # 0..1
    arm_confidence: float  # 0..1, with which the palm turns the arm


class HandsMemory:
    """Both hands of one person; rows are left and right."""

    def __init__(self) -> None:
        self.raw = np.tile(np.concatenate((joints.RELAXED.ravel(), np.zeros(3))), (2, 1))  # (2, 28) measured last
        self.shown = self.raw.copy()  # (2, 28) of which the arm's are those to approach by `arm_share`
        self._share = np.zeros(2)  # of the way from the relaxed hand to the measured one
        self._confidence, self._arm_confidence = np.zeros(2), np.zeros(2)
        self._away, self._away_share = np.zeros((2, 28)), np.zeros(2)  # what is left of leaps
        self._t, self._measured_t = -np.inf, np.full(2, -np.inf)
        self._doubted: list[Floats | None] = [None, None]
        self.proportions = np.ones((5, 4))  # of the person's finger bones, relative to the hand at rest
        self._learnt = float(PRIOR_HANDS)

    def learn(self, lengths: Floats, weight: float) -> None:
        """Average the bones' relative lengths (5, 4) of one measurement, as far as its weight 0..1 says."""
        if weight < SURE:
            return
        self._learnt = min(self._learnt + weight, MOST_HANDS)
        mean = self.proportions + (lengths - self.proportions) * (weight / self._learnt)
        self.proportions = mean.clip(*PROPORTIONS)

    @property
    def arms(self) -> Floats:
        """Angles (2, 3) of the arms to approach by `arm_share`."""
        return self.shown[:, ARM]

    @property
    def confidence(self) -> Floats:
        """Confidence (2,), 0..1."""
        return self._confidence * self._share

    @property
    def arm_share(self) -> Floats:
        """Share (2,), 0..1, of the way from the body's own arms to those of `shown`."""
        return smoothstep(self._share) * self._arm_confidence

    def update(self, t: float, measured: Sequence[Measured | None]) -> None:
        """Follow the frame at time t (s), later than the last, with its measurements, left and right."""
        dt = t - self._t if np.isfinite(self._t) else 0.0
        self._t = t
        hold_s = max(HOLD_S, HOLD_FRAMES * dt)
        for side, each in enumerate(measured):
            if each is not None and each.confidence >= SURE:
                self._take(t, side, each, hold_s)
        since_s = t - self._measured_t
        seen = since_s <= hold_s
        step = np.where(seen, min(dt / FOUND_S, MOST_SHARE), -min(dt / LOST_S, MOST_SHARE))
        self._share = (self._share + step).clip(0.0, 1.0)
        self._away_share = (self._away_share - min(dt / FOUND_S, MOST_SHARE)).clip(0.0, 1.0)
        goal = self.raw + smoothstep(self._away_share)[:, None] * self._away
        self.shown = goal.clip(_LOWEST, _HIGHEST)
        relaxed = joints.RELAXED.ravel()
        share = smoothstep(self._share)[:, None]
        self.shown[:, FINGERS] = relaxed + share * (self.shown[:, FINGERS] - relaxed)

    def _take(self, t: float, side: int, each: Measured, hold_s: float) -> None:
        angles, since_s = each.angles.copy(), t - self._measured_t[side]
        known = self._share[side] > 0
        if known:
            angles[ARM.start] = _nearest_turn(angles[ARM.start], self.raw[side, ARM.start])
        angles = angles.clip(_LOWEST, _HIGHEST)
        leaps = known and _leaps(angles, self.raw[side])
        doubted, self._doubted[side] = self._doubted[side], None
        if leaps and since_s <= hold_s and (doubted is None or _leaps(angles, doubted)):
            self._doubted[side] = angles
            return
        if known and (leaps or since_s > hold_s):
            shown = self.raw[side] + smoothstep(self._away_share[side]) * self._away[side]
            self._away[side], self._away_share[side] = shown - angles, 1.0
        elif not known:
            self._away_share[side] = 0.0
        self.raw[side], self._measured_t[side] = angles, t
        gain = 0.3 if known else 1.0
        self._confidence[side] += gain * (each.confidence - self._confidence[side])
        self._arm_confidence[side] += gain * (each.arm_confidence - self._arm_confidence[side])


def _nearest_turn(turn: float, before: float) -> float:
    """Return the turn of that winding that is nearest to the one before, unless it is far beyond the arm's range."""
    near = before + (turn - before + np.pi) % (2 * np.pi) - np.pi
    return near if abs(near) <= _FARTHEST_TURN_RAD else turn


def _leaps(angles: Floats, before: Floats) -> bool:
    difference = np.abs(angles - before)
    return bool(difference[ARM].max() > LEAPS_RAD[0] or difference[FINGERS].mean() > LEAPS_RAD[1])
