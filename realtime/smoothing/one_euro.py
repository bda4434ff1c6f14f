"""The One-Euro filter (Casiez, Roussel and Vogel, CHI 2012) on vectors; that on rotations is in `rotation_filter`.

A first-order low-pass whose cutoff rises with speed: `cutoff = min_cutoff + beta * |derivative|`, with a low-passed
derivative. Slow motion is smooth, fast motion is quick. `beta` has units: Hz per (unit of the signal / s).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
            speed = np.sqrt(((unit * self._derivative) ** 2).sum(-1, keepdims=True))
            gain = low_pass_gain(self._parameters.min_cutoff_hz + self._parameters.beta * speed, dt)
            self._smooth = self._smooth + gain * (values - self._smooth)
            self._raw = values
        self._t = t
        return self._smooth


def low_pass_gain(cutoff_hz: Floats | float, dt: float) -> Floats | float:
    """Return the weight of the new value in a first-order low-pass with a step of dt seconds."""
    radians = 2 * np.pi * dt * cutoff_hz
    return radians / (radians + 1)
