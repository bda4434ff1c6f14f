"""Low-pass of several poles on SO(3) whose cutoff rises with speed, and that looks ahead in motion.

With one pole and no highest cutoff, as by default, it is the One-Euro filter. That passes jitter in motion, where its
cutoff is high, and delays slow motion most. So the cutoff may follow the same rule up to `top_hz`. `poles` low-passes
in a row share the delay of one: at equal delay more poles remove more of the jitter from frame to frame. In motion the
result is turned ahead by `lead_s` at the filtered angular velocity, which takes back some of the delay.

A tuner may change cutoff and lead of each step: `realtime.smoothing.learned_tuner` has one that is learnt.

The state is a rotation, and offsets from it as rotation vectors in its own frame. So the filter knows no preferred
frame, and a step needs one logarithm and one exponential, or two where it turns ahead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.body.rotations import axis_angle_from_rotmat, rotmat_from_axis_angle
from realtime.smoothing.one_euro import OneEuroParameters, low_pass_gain

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class FollowingParameters(OneEuroParameters):
    """Parameters. poles: low-passes in a row. top_hz: highest cutoff. lead_s: how far it turns ahead at that cutoff.

    velocity_s: time constant of the angular velocity at which it turns ahead.
    """

    poles: int = 1
    top_hz: float = math.inf
    lead_s: float = 0.0
    velocity_s: float = 0.03

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.poles < 1 or self.top_hz <= self.min_cutoff_hz or self.lead_s < 0 or self.velocity_s <= 0:
            raise ValueError("a rotation filter needs a pole, a highest cutoff above the lowest, and times above 0")


class Tuning(NamedTuple):
    """Changes of the parameters in one step, each (..., 1)."""

    cutoff: Floats | float = 1.0  # factor of the cutoff
    lead_s: Floats | float = 0.0  # added to the lead
    velocity: Floats | float = 1.0  # factor of velocity_s


class Tuner(Protocol):
    """A tuner watches the rotations and tunes their filter."""

    def begin(self, rotmats: Floats) -> None:
        """Start at rotmats (..., 3, 3)."""

    def update(self, dt: float, rotmats: Floats) -> Tuning:
        """Return the tuning of the step to rotmats (..., 3, 3), dt (s) after the last."""


class RotationFilter:
    """Filter of rotations, each with its own cutoff. A tuner needs parameters that turn ahead."""

    def __init__(self, parameters: FollowingParameters, tuner: Tuner | None = None) -> None:
        self._parameters, self._tuner = parameters, tuner
        self._t: float | None = None

    def update(self, t: float, rotmats: Floats, pace: Floats | float = 1.0) -> Floats:
        """Filter rotmats (..., 3, 3) at time t (s), later than the last; the first pass unchanged.

        pace (...) multiplies each rotation's cutoff.
        """
        if self._t is None:
            still = np.zeros(rotmats.shape[:-1], rotmats.dtype)
            self._t, self._smooth = t, rotmats
            self._raw, self._speed, self._velocity = still, still, still
            self._stages = [still] * (self._parameters.poles - 1)
            if self._tuner is not None:
                self._tuner.begin(rotmats)
            return rotmats
        dt, self._t = t - self._t, t
        how = self._parameters
        raw = axis_angle_from_rotmat(self._smooth.swapaxes(-1, -2) @ rotmats)
        self._speed = self._speed + low_pass_gain(how.derivative_cutoff_hz, dt) * ((raw - self._raw) / dt - self._speed)
        speed = np.sqrt((self._speed * self._speed).sum(-1, keepdims=True))
        cutoff_hz = np.minimum(how.min_cutoff_hz + how.beta * speed, how.top_hz)
        tuning = Tuning() if self._tuner is None else self._tuner.update(dt, rotmats)
        pace = np.asarray(pace)[..., None]
        share = low_pass_gain(how.poles * pace * tuning.cutoff * cutoff_hz, dt)

        ahead = raw
        for stage, offset in enumerate(self._stages):
            ahead = self._stages[stage] = offset + share * (ahead - offset)
        step = share * ahead
        self._smooth = _orthonormal(self._smooth @ rotmat_from_axis_angle(step))
        self._raw = raw - step
        self._stages = [offset - step for offset in self._stages]
        if not how.lead_s:
            return self._smooth
        slow = dt / (dt + tuning.velocity * how.velocity_s)
        self._velocity = self._velocity + slow * (step / dt - self._velocity)
        moving = (cutoff_hz - how.min_cutoff_hz) / (how.top_hz - how.min_cutoff_hz)
        lead_s = how.lead_s * moving + tuning.lead_s
        return self._smooth @ rotmat_from_axis_angle(pace * lead_s * self._velocity)


def _orthonormal(rotmats: Floats) -> Floats:
    """Take one Newton step of the polar decomposition, so that rounding does not accumulate over hours of products."""
    return 1.5 * rotmats - 0.5 * rotmats @ (rotmats.swapaxes(-1, -2) @ rotmats)
