"""Smooths the fingers' rotations: live as other joints, or forwards and backwards in time from what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.body.rotations import quaternion_from_rotmat, rotmat_from_quaternion
from engine.body.skeleton import SIDES, Side
from realtime.kernel.messages import Hand
from realtime.kernel.tracks import MAX_GAP_S
from realtime.smoothing.both_ways import Floats, Trajectory, mixed
from realtime.smoothing.pose_smoother import SLOWEST, SmoothingLevel
from realtime.smoothing.rotation_filter import RotationFilter


class HandFilters:
    """Speed-adaptive smoother of one person's fingers."""

    def __init__(self, level: SmoothingLevel) -> None:
        self._rotations = RotationFilter(level.rotations)

    def update(self, t: float, hands: Mapping[Side, Hand]) -> Mapping[Side, Hand]:
        """Return both hands smoothed at time t (s), later than the last."""
        rotmats = rotmat_from_quaternion(np.stack([hands[side].rotations for side in SIDES]))
        smooth = quaternion_from_rotmat(self._rotations.update(t, rotmats)).astype(np.float32)
        return {side: replace(hands[side], rotations=smooth[row]) for row, side in enumerate(SIDES)}


def unsmoothed(hands: Mapping[Side, Hand]) -> Mapping[Side, Hand]:
    """Return hands as measured last: what smoothing 'off' means."""
    return {side: replace(hand, rotations=hand.raw) for side, hand in hands.items()}


def smooth_hand(
    t: Floats, raw: Floats, shown: Floats, confidence: Floats, centres: NDArray[np.intp], level: SmoothingLevel
) -> Floats:
    """Return one hand's rotations (C, 15, 4) at these of M rows in temporal order, smoothed both ways in time.

    t (M,) s; raw (M, 15, 4) measured last, which changes with each measurement; shown (M, 15, 4) as eased live;
    confidence (M,). Between measurements the smoothed ones are interpolated. Far from any the hand is as shown.
    """
    changed = np.ones(len(t), bool)
    changed[1:] = (raw[1:] != raw[:-1]).any((1, 2))
    fresh = np.flatnonzero(changed & (confidence > 0))
    if not len(fresh):
        return shown[centres]
    after = np.searchsorted(fresh, centres).clip(0, len(fresh) - 1)
    before = np.where(fresh[after] > centres, after - 1, after).clip(0)
    ends, back = np.unique(np.concatenate((before, after)), return_inverse=True)
    pace = np.repeat(confidence[fresh, None].clip(SLOWEST, 1.0), raw.shape[1], axis=1)
    trajectory = Trajectory(t[fresh], raw[fresh], np.zeros((len(fresh), 3)), pace)
    smooth = trajectory.smooth_rotations(ends, level)[back]

    since_s, until_s = (np.abs(t[fresh[end]] - t[centres]) for end in (before, after))
    apart_s = since_s + until_s
    within = (apart_s <= MAX_GAP_S) & (fresh[before] <= centres) & (fresh[after] >= centres)
    way = np.divide(since_s, apart_s, out=np.zeros_like(apart_s), where=apart_s > 0)
    count = len(centres)
    between = mixed(smooth[:count], smooth[count:], way[:, None])
    far = (np.minimum(since_s, until_s) / MAX_GAP_S).clip(0, 1)
    return mixed(between, shown[centres], np.where(within, 0.0, far)[:, None])
