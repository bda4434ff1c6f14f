"""The One-Euro filter (Casiez, Roussel and Vogel, CHI 2012) on vectors and, in the tangent space, on rotations.

A first-order low-pass whose cutoff rises with speed: `cutoff = min_cutoff + beta * |derivative|`, with a low-passed
derivative. Slow motion is smooth, fast motion is quick. `beta` has units: Hz per (unit of the signal / s).

The rotation filter uses relative rotations only (the log of R_before^T R_now), so it is frame-invariant. Rotating every
input by a constant rotation, on either side, rotates every output alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.body.rotations import axis_angle_from_rotmat, rotmat_from_axis_angle

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class OneEuroParameters:
    """Parameters. min_cutoff_hz: cutoff at rest. beta: rise with speed. derivative_cutoff_hz: smoothing of speed."""

    min_cutoff_hz: float = 1.0
    beta: float = 0.7
    derivative_cutoff_hz: float = 1.0

    def __post_init__(self) -> None:
        if self.min_cutoff_hz <= 0 or self.derivative_cutoff_hz <= 0 or self.beta < 0:
            raise ValueError("One-Euro cutoffs must be above 0 Hz and beta at least 0")


class OneEuroVector:
    """Filter of a vector as a whole: one cutoff from its speed, so it is invariant to rotations of the axes."""

    def __init__(self, parameters: OneEuroParameters) -> None:
        self._parameters = parameters
        self._t: float | None = None

    def update(self, t: float, values: Floats, unit: Floats | float = 1.0) -> Floats:
        """Filter values (..., D) at time t (s), later than the last; the first pass unchanged.

        unit: a step of 1 in `values`, in beta's units of speed.
        """
        if self._t is None:
            self._raw = self._smooth = values
            self._derivative = np.zeros_like(values)
        else:
            dt = t - self._t
            derivative = (values - self._raw) / dt
            self._derivative = self._derivative + low_pass_gain(self._parameters.derivative_cutoff_hz, dt) * (
                derivative - self._derivative
            )
            gain = _adaptive_gain(unit * self._derivative, dt, self._parameters)
            self._smooth = self._smooth + gain * (values - self._smooth)
            self._raw = values
        self._t = t
        return self._smooth


class OneEuroRotation:
    """Filter of rotations on SO(3), each with its own cutoff; derivatives are in rad/s in the body frame."""

    def __init__(self, parameters: OneEuroParameters) -> None:
        self._parameters = parameters
        self._t: float | None = None

    def update(self, t: float, rotmats: Floats, pace: Floats | float = 1.0) -> Floats:
        """Filter rotmats (..., 3, 3) at time t (s), later than the last; the first pass unchanged.

        The step follows the geodesic from the filtered to the new rotation (a slerp by the filter's gain). pace (...)
        multiplies each rotation's cutoff.
        """
        if self._t is None:
            self._raw = self._smooth = rotmats
            self._derivative = np.zeros(rotmats.shape[:-1], rotmats.dtype)
        else:
            dt = t - self._t
            relative = np.stack((self._raw, self._smooth)).swapaxes(-1, -2) @ rotmats
            moved, ahead = axis_angle_from_rotmat(relative)
            self._derivative = self._derivative + low_pass_gain(self._parameters.derivative_cutoff_hz, dt) * (
                moved / dt - self._derivative
            )
            step = _adaptive_gain(self._derivative, dt, self._parameters, np.asarray(pace)[..., None]) * ahead
            self._smooth = orthonormal(self._smooth @ rotmat_from_axis_angle(step))
            self._raw = rotmats
        self._t = t
        return self._smooth


def low_pass_gain(cutoff_hz: Floats | float, dt: float) -> Floats | float:
    """Return the weight of the new value in a first-order low-pass with a step of dt seconds."""
    radians = 2 * np.pi * dt * cutoff_hz
    return radians / (radians + 1)


def _adaptive_gain(
    derivative: Floats, dt: float, parameters: OneEuroParameters, pace: Floats | float = 1.0
) -> Floats | float:
    speed = np.sqrt((derivative * derivative).sum(-1, keepdims=True))
    return low_pass_gain(pace * (parameters.min_cutoff_hz + parameters.beta * speed), dt)


def orthonormal(rotmats: Floats) -> Floats:
    """Take one Newton step of the polar decomposition, so that rounding does not accumulate over hours of products."""
    return 1.5 * rotmats - 0.5 * rotmats @ (rotmats.swapaxes(-1, -2) @ rotmats)
