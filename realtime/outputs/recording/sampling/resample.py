"""Resamples source frames at their real times to a uniform integer rate: sample positions and interpolation.

Quaternions are x, y, z, w. Samples are taken at k / rate from real timestamps, so a long session does not drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MIN_RATE_HZ = 30  # minimum of the SMPL add-on for Blender
MAX_GAP_S = 0.3  # a longer gap is not interpolated; the same limit resets the smoothing filters
_SAME_INSTANT = 1e-3  # of a sample's length: a nearer sample coincides with a source frame

Floats = NDArray[Any]


def uniform_rate(times_s: NDArray[np.float64]) -> int:
    """Return the integer rate in Hz, at least 30, nearest to the rate of ascending `times_s` (F,).

    It uses the mean step, because the median is wrong for times in milliseconds (60 fps come in steps of 16 and 17).
    Steps far from the median, such as gaps of lost frames, are excluded.
    """
    steps = np.diff(times_s)
    steps = steps[steps > 0]
    if not len(steps):
        return MIN_RATE_HZ
    usual = float(np.quantile(steps, 0.5, method="lower"))  # an actual step, even of two that differ much
    mean = float(steps[np.abs(steps - usual) <= 0.5 * usual].mean())
    return max(MIN_RATE_HZ, round(1.0 / mean))


@dataclass(frozen=True)
class Grid:
    """N uniform samples, each between two source rows: (1 - fraction) before + fraction after."""

    rate_hz: int
    first: int  # the first sample lies at first / rate_hz
    before: NDArray[np.intp]  # (N,) rows
    after: NDArray[np.intp]  # (N,)
    fraction: NDArray[np.float64]  # (N,) 0..1
    valid: NDArray[np.bool_]  # (N,) False: in a gap, where the last good row is repeated

    @property
    def times_s(self) -> NDArray[np.float64]:
        """Times (N,) of the samples."""
        return (self.first + np.arange(len(self.before))) / self.rate_hz


def uniform_grid(
    times_s: NDArray[np.float64], good: NDArray[np.bool_], gap_before: NDArray[np.bool_], rate_hz: int
) -> Grid:
    """Place samples at integer k / rate from the first good row to the last, so that rows of several people coincide.

    times_s (M,): ascending, from the first source frame. good (M,): usable rows, at least one. gap_before (M,): rows
    after lost frames. Two good neighbours are interpolated unless frames were lost between them or they are more than
    0.3 s apart. A slow source has twice its own step as the limit. Elsewhere the last good row is repeated and the
    sample is not valid. Good rows that all lie between two samples give one sample, the nearest to the first.
    """
    if not good.any():
        raise ValueError("no good row to resample from")
    count = len(times_s)
    first_good, last_good = np.flatnonzero(good)[[0, -1]]
    first = int(np.ceil(times_s[first_good] * rate_hz - _SAME_INSTANT))
    last = int(np.floor(times_s[last_good] * rate_hz + _SAME_INSTANT))
    if last < first:
        alone = np.array([first_good])
        nearest = round(float(times_s[first_good]) * rate_hz)
        return Grid(rate_hz, nearest, alone, alone, np.zeros(1), np.ones(1, bool))
    samples = np.arange(first, last + 1) / rate_hz
    left = np.searchsorted(times_s, samples, side="right") - 1
    right = np.clip(left + 1, 0, count - 1)
    left = np.clip(left, 0, count - 1)
    span = times_s[right] - times_s[left]
    steps = np.diff(times_s)
    longest = max(MAX_GAP_S, 2.0 * float(np.median(steps))) if len(steps) else MAX_GAP_S
    bridged = good[left] & good[right] & ~gap_before[right] & (span <= longest) & (span > 0)
    bridged &= samples >= times_s[left]

    tolerance = _SAME_INSTANT / rate_hz
    on_left = good[left] & (np.abs(samples - times_s[left]) <= tolerance)
    on_right = good[right] & (np.abs(samples - times_s[right]) <= tolerance)

    held = np.maximum(np.maximum.accumulate(np.where(good, np.arange(count), -1))[left], first_good)

    single = np.where(on_left, left, np.where(on_right, right, held))
    fraction = np.divide(samples - times_s[left], span, out=np.zeros_like(samples), where=bridged)
    return Grid(
        rate_hz=rate_hz,
        first=first,
        before=np.where(bridged, left, single),
        after=np.where(bridged, right, single),
        fraction=fraction,
        valid=bridged | on_left | on_right,
    )


def lerp(a: Floats, b: Floats, fraction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear interpolation of rows (B, ...) by fraction (B,), in float64."""
    weight = fraction.reshape(-1, *[1] * (a.ndim - 1))
    return (1.0 - weight) * a + weight * b


def lerp_to_peaks(
    rows: Floats,
    times_s: NDArray[np.float64],
    ends: tuple[NDArray[np.intp], NDArray[np.intp]],
    samples_s: Floats,
    rate_hz: int,
) -> NDArray[np.float64]:
    """Interpolate rows (R, C) linearly to uniform samples (B, C), but keep the height of peaks.

    A blink lasts three frames, and its highest one may lie between two samples. So wherever a column turns, the nearest
    sample takes its value as it is. times_s (R,): of the rows. ends: the rows (B,) before and after each sample; the
    neighbours of those must be among the rows. samples_s (B,): times of the samples, at rate_hz.
    """
    before, after = ends
    span_s = times_s[after] - times_s[before]
    fraction = np.divide(samples_s - times_s[before], span_s, out=np.zeros(len(samples_s)), where=span_s > 0)
    values = lerp(rows[before], rows[after], fraction)
    steps = np.diff(np.pad(rows, ((1, 1), (0, 0)), mode="edge"), axis=0)
    into, out_of = steps[:-1], steps[1:]
    turns = (into * out_of <= 0) & (into != out_of)
    away_s = np.abs(times_s[np.stack(ends)] - samples_s)
    nearer_last = np.where(away_s[0] < away_s[1], (after, before), (before, after))  # where both turn, it counts
    for row in nearer_last:
        is_nearest = np.abs(times_s[row] - samples_s) <= (0.5 + _SAME_INSTANT) / rate_hz
        values = np.where(is_nearest[:, None] & turns[row], rows[row], values)
    return values


def slerp(a: Floats, b: Floats, fraction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate unit quaternions (B, J, 4) spherically by fraction (B,), the short way, in float64.

    Shoemake 1985, "Animating rotation with quaternion curves"; linear for nearly equal ones.
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    cosine = np.sum(a * b, axis=-1, keepdims=True)
    b = np.where(cosine < 0, -b, b)
    # From the chord, which is accurate for small angles, unlike the arc cosine.
    angle = 2.0 * np.arcsin(np.clip(0.5 * np.linalg.norm(b - a, axis=-1, keepdims=True), 0.0, 1.0))
    weight = fraction[:, None, None]
    sine = np.sin(angle)
    near = sine < 1e-9
    safe = np.where(near, 1.0, sine)
    of_a = np.where(near, 1.0 - weight, np.sin((1.0 - weight) * angle) / safe)
    of_b = np.where(near, weight, np.sin(weight * angle) / safe)
    mixed = of_a * a + of_b * b
    return mixed / np.linalg.norm(mixed, axis=-1, keepdims=True)
