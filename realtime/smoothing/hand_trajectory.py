"""Trajectories of hands for smoothing both ways: fingers are not measured in every frame, nor seen in all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from realtime.kernel.seen import JOINT
from realtime.kernel.tracks import MAX_GAP_S
from realtime.smoothing.both_ways import Floats, Trajectory, mixed
from realtime.smoothing.pose_smoother import SLOWEST


def hand_trajectory(t: Floats, raw: Floats, shown: Floats, confidence: Floats) -> Trajectory:
    """Return the trajectory of H hands in M frames, whose joints come one hand after the other: (M, 15 H, 4).

    t (M,) s, ascending; raw (M, H, 15, 4) and shown (M, H, 15, 4) as in `Hand`; confidence (M, H). A hand keeps its
    latest measurement between two of them. Those frames get what lies between, or the hand would be late and move in
    steps. A hand that is not seen moves as it was shown: it eases to a relaxed one.
    """
    seen = JOINT(confidence.astype(np.float32)).astype(np.float64)
    hands = mixed(_between_measurements(t, raw), shown, (1 - seen)[:, :, None])
    pace = np.repeat(seen.clip(SLOWEST), hands.shape[2], axis=1)
    return Trajectory(t, hands.reshape(len(t), -1, 4), np.zeros((len(t), 3)), pace)


def _between_measurements(t: Floats, raw: Floats) -> Floats:
    """Interpolate repeated measurements (M, H, 15, 4) to the next one, if that comes soon enough."""
    rows = np.arange(len(t))[:, None]
    fresh = np.ones(raw.shape[:2], bool)
    fresh[1:] = (raw[1:] != raw[:-1]).any((2, 3))
    before = np.maximum.accumulate(np.where(fresh, rows, 0), axis=0)
    after = np.minimum.accumulate(np.where(fresh, rows, len(t))[::-1], axis=0)[::-1]
    after = np.where(after < len(t), after, before)
    after = np.where(t[after] - t[before] > MAX_GAP_S, before, after)
    span = t[after] - t[before]
    share = np.divide(t[:, None] - t[before], span, out=np.zeros_like(span), where=span > 0)
    hand: NDArray[np.intp] = np.arange(raw.shape[1])
    return mixed(raw[before, hand], raw[after, hand], share[:, :, None])
