"""The One-Euro filter of numbers, as published, and a signal for it."""

from __future__ import annotations

import numpy as np

from realtime.smoothing.one_euro import OneEuroParameters


def scalar_one_euro(times: np.ndarray, values: np.ndarray, p: OneEuroParameters) -> list[float]:
    """The published algorithm, written out for numbers."""
    alpha = lambda cutoff, dt: 1 / (1 + 1 / (2 * np.pi * cutoff) / dt)  # noqa: E731
    out, speed = [float(values[0])], 0.0
    for k in range(1, len(values)):
        dt = times[k] - times[k - 1]
        a = alpha(p.derivative_cutoff_hz, dt)
        speed = a * (values[k] - values[k - 1]) / dt + (1 - a) * speed
        a = alpha(p.min_cutoff_hz + p.beta * abs(speed), dt)
        out.append(a * values[k] + (1 - a) * out[-1])
    return out


def wobbly(seed: int = 0, count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.01, 0.06, count))
    return times, np.sin(2 * np.pi * 1.3 * times) + 0.02 * rng.normal(size=count)
