"""Filter of rotations with learnt gains: predicts each joint by its velocity, and weighs what it sees by a network.

An alpha-beta filter on SO(3), as a Kalman filter of constant velocity is. In place of noise models, a small recurrent
network sets the gains of each joint from lengths and angles between what was seen, predicted and turned lately (after
Revach et al. 2022, "KalmanNet"). The network never sees a rotation itself, so the filter knows no preferred frame. Its
answers are bounded: the pose that is seen draws the filter at 0.05 Hz at least.
`training.smoothing` trains it, as `training.smoothing.network` in torch.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.body.rotations import axis_angle_from_rotmat, rotmat_from_axis_angle
from engine.shipped import ASSETS, checked
from realtime.smoothing.rotation_filter import orthonormal

Array = NDArray[np.float32]

GAINS = ASSETS / "rotation_gains.npz"
RECENT_S = 0.08  # time constant of the seen angular velocity
REST_RAD_PER_S, REST_RAD = 0.05, 1e-4  # added to speeds and lengths before their logarithm
LEAD_S = 0.03  # the furthest that a pose is turned ahead or back
LARGEST_LOG = 3.0  # of a cutoff in Hz, and of its inverse
RATE_HZ = 30.0


class Gains(NamedTuple):
    """Weights of the network: a GRU cell and a linear layer, the same for all joints but for an embedding."""

    joint: Array  # (24, E)
    input_weight: Array  # (7 + E, 3H)
    state_weight: Array  # (H, 3H)
    input_bias: Array  # (3H,)
    state_bias: Array  # (3H,)
    output_weight: Array  # (H + 7 + E, 4)
    output_bias: Array  # (4,)


@cache
def load_gains(path: Path = GAINS) -> Gains:
    """Read the weights. Raises ShippedFileError for a damaged file."""
    with np.load(checked(path)) as file:
        return Gains(*(file[name].astype(np.float32) for name in Gains._fields))


class LearnedFilter:
    """Filter of one person's 24 rotations."""

    def __init__(self, gains: Gains) -> None:
        self._gains = gains
        self._t: float | None = None

    def update(self, t: float, rotmats: Array, pace: Array | float = 1.0) -> Array:
        """Filter rotmats (24, 3, 3) at time t (s), later than the last; the first pass unchanged.

        pace (24,) multiplies each rotation's cutoff, and its prediction.
        """
        if self._t is None:
            still = np.zeros((len(rotmats), 3), np.float32)
            self._velocity, self._recent = still, still  # of the filter and of what is seen, rad/s
            self._state = np.zeros((len(rotmats), len(self._gains.state_weight)), np.float32)
            self._t, self._smooth, self._last = t, rotmats, rotmats
            return rotmats
        dt, self._t = t - self._t, t
        share = np.broadcast_to(np.float32(pace), len(rotmats))[:, None]
        innovation, turned = axis_angle_from_rotmat(np.stack((self._smooth, self._last)).swapaxes(-1, -2) @ rotmats)
        self._last = rotmats
        seen = turned / dt
        self._recent = self._recent - np.expm1(-dt / RECENT_S) * (seen - self._recent)
        correct, follow, predict, lead = self._gains_of(innovation, seen, dt)

        ahead = share * predict * dt * self._velocity
        step = ahead - np.expm1(-2 * np.pi * dt * share * correct) * (innovation - ahead)
        self._velocity = self._velocity - np.expm1(-2 * np.pi * dt * follow) * (step / dt - self._velocity)
        self._smooth = orthonormal(self._smooth @ rotmat_from_axis_angle(step))
        return self._smooth @ rotmat_from_axis_angle(share * lead * self._velocity)

    def _gains_of(self, innovation: Array, seen: Array, dt: float) -> tuple[Array, Array, Array, Array]:
        """Return, each (24, 1), cutoffs of pose and velocity (Hz), the share that is predicted, and the lead (s)."""
        rate = np.full((len(innovation), 1), np.log(RATE_HZ * dt), np.float32)
        features = (
            np.log(_length(innovation)),
            *(np.log(REST_RAD_PER_S + _length(each)) for each in (self._velocity, self._recent, seen)),
            *(_cosine(innovation, each) for each in (self._velocity, self._recent)),
            rate,
            self._gains.joint,
        )
        told = np.concatenate(features, axis=1)
        reset, update, new = np.split(told @ self._gains.input_weight + self._gains.input_bias, 3, axis=1)
        old = np.split(self._state @ self._gains.state_weight + self._gains.state_bias, 3, axis=1)
        update = _sigmoid(update + old[1])
        new = np.tanh(new + _sigmoid(reset + old[0]) * old[2])
        self._state = new + update * (self._state - new)
        answer = np.concatenate((self._state, told), axis=1) @ self._gains.output_weight + self._gains.output_bias
        cutoffs_hz = np.exp(answer[:, :2].clip(-LARGEST_LOG, LARGEST_LOG))
        return cutoffs_hz[:, :1], cutoffs_hz[:, 1:], _sigmoid(answer[:, 2:3]), LEAD_S * np.tanh(answer[:, 3:])


def _length(vectors: Array) -> Array:
    return np.sqrt((vectors * vectors).sum(-1, keepdims=True) + np.float32(REST_RAD**2))


def _cosine(a: Array, b: Array) -> Array:
    return np.vecdot(a, b)[:, None] / (_length(a) * _length(b) + np.float32(1e-3))


def _sigmoid(x: Array) -> Array:
    return 0.5 * (1 + np.tanh(0.5 * x))
