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
_REST = np.repeat((REST_RAD_PER_S, REST_RAD, REST_RAD_PER_S), (3, 2, 3)).astype(np.float32)
_BOUNDS = np.array((CUTOFF_LOG, 1.0, 1.0), np.float32)
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
        answer = np.tanh((hidden @ how.output_weight + how.output_bias) / _BOUNDS)
        factor = np.exp(_BOUNDS * answer)
        return Tuning(factor[:, :1], LEAD_S * answer[:, 1:2], factor[:, 2:])

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

        velocities, turns = self._averages[:, :9].reshape(-1, 3, 3), self._averages[:, 9:]
        size, goes_on = turns[:, ::2], turns[:, 1::2]
        noise, motion = 0.5 * (size - goes_on).clip(0), (0.5 / dt) * (size + 2 * goes_on).clip(0)
        logs = np.concatenate((_length(velocities)[..., 0], noise, motion, length / dt), axis=1)
        logs = np.log(logs + _REST)
        logs[:, 3:5] += 3
        features = np.empty((len(logs), 14), np.float32)
        features[:, :7], features[:, 9] = logs[:, :7], logs[:, 7]
        features[:, 7:9] = 2 * goes_on / (size + np.float32(1e-5))
        features[:, 10], features[:, 11:] = np.log(RATE_HZ * dt), logs[:_BODY, [0, 3, 4]].mean(0)
        return np.float32(0.5) * features.clip(-6, 6)


def _length(vectors: Array) -> Array:
    return np.sqrt((vectors * vectors).sum(-1, keepdims=True) + np.float32(1e-12))
