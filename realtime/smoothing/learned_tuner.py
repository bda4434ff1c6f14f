"""Tunes a rotation filter by a small learnt network: less delay where motion is clear, more calm where it is noise.

The network sees no rotation itself, only how far each joint turned lately, how noisy that was, and the body's mean of
both. So the filter knows no preferred frame. Turns of consecutive frames tell noise from motion: noise turns back, and
motion goes on. All averages forget within 0.3 s, and the answers are bounded, so no past can stop the filter.
`training.smoothing` trains it, with `training.smoothing.network` in torch.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.body.rotations import axis_angle_from_rotmat
from engine.body.skeleton import NUM_BODY_JOINTS
from engine.shipped import ASSETS, checked
from realtime.smoothing.one_euro import low_pass_gain
from realtime.smoothing.rotation_filter import Tuning

Array = NDArray[np.float32]

WEIGHTS = ASSETS / "rotation_tuner.npz"
SPEEDS_HZ = (2.0, 6.0, 0.7)  # low-passes of the angular velocity
TURNS_HZ = (3.0, 0.6)  # low-passes of the turns from frame to frame
FASTEST_RAD_PER_S = 20.0  # the rest of a faster turn is taken for an error
REST_RAD_PER_S, REST_RAD, RATE_HZ = 0.05, 1e-3, 30.0  # of the features' logarithms
CUTOFF_LOG, LEAD_S = 1.5, 0.025  # bounds of the answers: a factor of 4.5, and 25 ms
_CUTOFFS_HZ = np.repeat((*SPEEDS_HZ, *TURNS_HZ), (3, 3, 3, 2, 2)).astype(np.float32)
_BODY = NUM_BODY_JOINTS + 1


class Weights(NamedTuple):
    """Weights of the network: two hidden layers, the same for all joints but for an embedding."""

    joint: Array  # (24, E)
    first_weight: Array  # (14 + E, H)
    first_bias: Array
    second_weight: Array  # (H, H)
    second_bias: Array
    output_weight: Array  # (H, 3)
    output_bias: Array


@cache
def load_weights(path: Path = WEIGHTS) -> Weights:
    """Read the weights. Raises ShippedFileError for a damaged file."""
    with np.load(checked(path)) as file:
        return Weights(*(file[name].astype(np.float32) for name in Weights._fields))


class LearnedTuner:
    """Tuner of one person's 24 rotations."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights

    def begin(self, rotmats: Array) -> None:
        """Start at rotmats (24, 3, 3)."""
        self._last = rotmats
        self._turn = np.zeros((len(rotmats), 3), np.float32)
        self._size = np.ones((len(rotmats), 1), np.float32)
        self._averages = np.zeros((len(rotmats), len(_CUTOFFS_HZ)), np.float32)

    def update(self, dt: float, rotmats: Array) -> Tuning:
        """Return the tuning (24, 1) for rotmats (24, 3, 3) that come dt (s) after the last."""
        how = self._weights
        features = np.concatenate((self._features(dt, rotmats), how.joint), axis=1)
        hidden = np.tanh(features @ how.first_weight + how.first_bias)
        hidden = np.tanh(hidden @ how.second_weight + how.second_bias)
        cutoff, lead, velocity = np.split(hidden @ how.output_weight + how.output_bias, 3, axis=1)
        return Tuning(
            np.exp(CUTOFF_LOG * np.tanh(cutoff / CUTOFF_LOG)), LEAD_S * np.tanh(lead), np.exp(np.tanh(velocity))
        )

    def _features(self, dt: float, rotmats: Array) -> Array:
        """Compute (24, 14)."""
        turned = axis_angle_from_rotmat(self._last.swapaxes(-1, -2) @ rotmats)
        self._last = rotmats
        length = _length(turned)
        share = np.minimum(FASTEST_RAD_PER_S * dt / length, 1)
        turn, size = share * turned, share * length
        # As long as the turns, positive where they go on as before, negative where they turn back.
        goes_on = np.vecdot(turn, self._turn)[:, None] / np.sqrt(size * self._size)
        self._turn, self._size = turn, size
        now = np.concatenate((turned / dt, turn / dt, turn / dt, size, goes_on, size, goes_on), axis=1)
        self._averages += low_pass_gain(_CUTOFFS_HZ, dt) * (now - self._averages)

        velocities, turns = self._averages[:, :9].reshape(-1, 3, 3), self._averages[:, 9:].reshape(-1, 2, 2)
        size, goes_on = turns[..., 0], turns[..., 1]
        speeds = np.log(REST_RAD_PER_S + _length(velocities)[..., 0])
        noise = np.log(REST_RAD + 0.5 * (size - goes_on).clip(0)) + 3
        motion = np.log(REST_RAD_PER_S + 0.5 * (size + 2 * goes_on).clip(0) / dt)
        own = np.stack(
            (*speeds.T, *noise.T, *motion.T, *(2 * goes_on / (size + 1e-5)).T, np.log(REST_RAD_PER_S + length / dt)[:, 0])
        ).T
        shared = (np.log(RATE_HZ * dt), *(each[:_BODY].mean() for each in (speeds[:, 0], noise[:, 0], noise[:, 1])))
        return 0.5 * np.hstack((own, np.tile(np.float32(shared), (len(own), 1)))).clip(-6, 6)


def _length(vectors: Array) -> Array:
    return np.sqrt((vectors * vectors).sum(-1, keepdims=True) + np.float32(1e-12))
