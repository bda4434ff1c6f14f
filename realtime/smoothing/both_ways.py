"""Smooths forwards and backwards in time: as steady as the live filters, without delay.

For a file, and at the end of a recording, the future is known. Each pose is replaced by the value of a parabola through
its neighbours, fitted with weights exp(-2 pi cutoff |dt|). This is local regression (Cleveland 1979), with the One-Euro
filter's rule for the cutoff (`realtime.smoothing.one_euro`). A mean would flatten every swing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime.kernel.tracks import MAX_GAP_S
from realtime.smoothing.one_euro import OneEuroParameters
from realtime.smoothing.pose_smoother import SmoothingLevel

Floats = NDArray[np.float64]

LOOK_S = 0.4  # to either side
MOST_FRAMES = 24  # to either side: limits the frames held for a fast camera
_CUTOFF_SHARE = 0.4  # of the live filter's cutoff: a parabola follows motion that the filter would suppress
_SPEED_SHARE = 2.0  # of its cutoff for speeds
_NEAREST = 0.1  # of the centre's range: minimum distance of positions around it
_SOONER_S = 1e-3  # spread of times below which a slope is undefined


@dataclass(frozen=True, slots=True)
class Trajectory:
    """M raw poses of one person in temporal order, all finite."""

    t: Floats  # (M,) s
    rotations: Floats  # (M, J, 4) unit quaternions x, y, z, w, local; [0] into any static frame
    place_m: Floats  # (M, 3) of the root from the camera, in any axes
    pace: Floats  # (M, J) speed limit of each joint relative to that of a visible one, 0..1

    def smooth_rotations(self, centres: NDArray[np.intp], level: SmoothingLevel) -> Floats:
        """Return (C, J, 4) at these rows, from those at most 0.4 s away."""
        window = _Window.around(self.t, centres)
        here = self.rotations[centres]
        steps = np.zeros((*self.rotations.shape[:-1], 3))
        steps[1:] = _turn(self.rotations[:-1], self.rotations[1:, :, None])[:, :, 0]
        speed = window.mean_speed(steps, level.rotations)
        turns = _turn(here, self.rotations[window.rows].swapaxes(1, 2)).swapaxes(1, 2)
        # Guessed joints also have less weight than visible ones.
        trust = self.pace[window.rows]
        return _turned(here, window.fit(turns, level.rotations, speed, self.pace[centres], trust))

    def smooth_places(self, centres: NDArray[np.intp], level: SmoothingLevel) -> Floats:
        """Return (C, 3) at these rows: along and across the centre's line of sight apart, as in the live filter."""
        window = _Window.around(self.t, centres)
        range_m = np.linalg.norm(self.place_m, axis=-1, keepdims=True)[:, None]  # (M, 1, 1)
        sight = self.place_m[:, None] / range_m  # (M, 1, 3)
        forward = window.mean_speed(_differences(range_m), level.depth)
        sideways = window.mean_speed(_differences(sight), level.across) * range_m[centres, 0]
        place_m = self.place_m[window.rows][:, :, None]  # (C, W, 1, 3)
        depth_m = (place_m * sight[centres, None]).sum(-1, keepdims=True)
        depth_m = np.maximum(depth_m, _NEAREST * range_m[centres, None])
        depth = window.fit(depth_m, level.depth, forward)
        bearing = window.fit(place_m / depth_m, level.across, sideways)
        return (depth * bearing)[:, 0]


@dataclass(frozen=True, slots=True)
class _Window:
    """Usable rows around each centre."""

    rows: NDArray[np.intp]  # (C, W)
    dt: Floats  # (C, W) s from the centre
    usable: NDArray[np.bool_]  # (C, W)
    step_s: Floats  # (C, W) from the previous row
    follows: NDArray[np.bool_]  # (C, W) the previous row is usable too

    @classmethod
    def around(cls, t: Floats, centres: NDArray[np.intp]) -> _Window:
        rows = centres[:, None] + np.arange(-MOST_FRAMES, MOST_FRAMES + 1)
        inside = (rows >= 0) & (rows < len(t))
        rows = rows.clip(0, len(t) - 1)
        stretch = np.cumsum(np.diff(t, prepend=t[:1]) > MAX_GAP_S)
        dt = t[rows] - t[centres, None]
        usable = inside & (np.abs(dt) <= LOOK_S) & (stretch[rows] == stretch[centres, None])
        needed = usable.any(0)
        rows, dt, usable = rows[:, needed], dt[:, needed], usable[:, needed]
        follows = usable.copy()
        follows[:, 1:] &= usable[:, :-1]
        follows[:, 0] = False
        return cls(rows, dt, usable, np.diff(t, prepend=t[:1])[rows], follows)

    def mean_speed(self, steps: Floats, parameters: OneEuroParameters) -> Floats:
        """Return (C, J) length of the mean velocity about each centre, from the steps (M, J, D) to each row."""
        cutoff_hz = _SPEED_SHARE * parameters.derivative_cutoff_hz
        weight = self.follows * np.exp(-2 * np.pi * cutoff_hz * np.abs(self.dt - self.step_s / 2))
        total = np.maximum((weight * self.step_s).sum(1), 1e-9)
        # Weighting steps by their length makes the mean independent of their number.
        velocity = np.einsum("cw,cwjd->cjd", weight, steps[self.rows]) / total[:, None, None]
        return np.linalg.norm(velocity, axis=-1)

    def fit(
        self,
        values: Floats,
        parameters: OneEuroParameters,
        speed: Floats,
        pace: Floats | float = 1.0,
        trust: Floats | float = 1.0,
    ) -> Floats:
        """Return (C, J, D) the value at each centre of the parabola through values (C, W, J, D).

        speed (C, J) and pace (C, J) determine the cutoff, trust (C, W, J) multiplies the weights. The more one-sided a
        window is, the more the parabola becomes a line, which does not jump at the end of a trajectory.
        """
        cutoff_hz = _CUTOFF_SHARE * pace * (parameters.min_cutoff_hz + parameters.beta * speed)
        weight = np.exp(-2 * np.pi * cutoff_hz[:, None] * np.abs(self.dt)[..., None])
        # Fade with distance, so that no pose enters or leaves abruptly.
        weight *= (self.usable * (1 - (self.dt / LOOK_S) ** 2))[..., None] * trust
        weight /= weight.sum(1, keepdims=True)
        ahead, behind = ((weight * (sign * self.dt > 0)[..., None]).sum(1) for sign in (1, -1))
        balance = np.minimum(ahead, behind) / np.maximum(np.maximum(ahead, behind), 1e-9)

        # 1, `slope` and `bend` are orthogonal under the weights, so each has its own coefficient.
        middle_s = _total(weight, self.dt[..., None])
        slope = self.dt[..., None] - middle_s[:, None]
        spread = _total(weight, slope**2)
        enough = spread + _SOONER_S**2
        skew = _total(weight, slope**3) / enough
        bend = slope**2 - skew[:, None] * slope - spread[:, None]
        bend_here = balance * (middle_s**2 + skew * middle_s - spread)
        bend_size = _total(weight, bend**2) + _SOONER_S**4
        share = 1 - (middle_s / enough)[:, None] * slope + (bend_here / bend_size)[:, None] * bend
        return np.einsum("cwj,cwjd->cjd", weight * share, values)


def mixed(a: Floats, b: Floats, share: Floats) -> Floats:
    """Interpolate quaternions from a (..., J, 4) by share (..., J) towards b, linearly and normalised."""
    near = np.where((a * b).sum(-1, keepdims=True) < 0, -b, b)
    quaternions = a + share[..., None] * (near - a)
    normalised: Floats = quaternions / np.linalg.norm(quaternions, axis=-1, keepdims=True)
    return normalised


def _total(weight: Floats, values: Floats) -> Floats:
    """Sum over the window, (C, J), of (C, W, J) each."""
    return (weight * values).sum(1)


def _differences(values: Floats) -> Floats:
    """Return (M, ...) differences to the previous row; zero for the first."""
    return np.diff(values, axis=0, prepend=values[:1])


def _turn(a: Floats, b: Floats) -> Floats:
    """Return axis times 2 sin(angle / 2), (..., K, 3), from quaternions a (..., 4) to b (..., K, 4), in a's frame."""
    x, y, z, w = np.moveaxis(a, -1, 0)
    rows = ((w, z, -y, -x), (-z, w, x, -y), (y, -x, w, -z), (x, y, z, w))  # of the product of a's inverse and b
    turned = b @ np.stack([np.stack(row, axis=-1) for row in rows], axis=-1)
    return np.where(turned[..., 3:] < 0, -2.0, 2.0) * turned[..., :3]


def _turned(a: Floats, turn: Floats) -> Floats:
    """Return the quaternions that `_turn` leads to."""
    axis = turn / 2
    scalar = np.sqrt(np.maximum(1 - (axis * axis).sum(-1, keepdims=True), 0.0))
    vector = a[..., 3:] * axis + scalar * a[..., :3] + np.cross(a[..., :3], axis)
    out = np.concatenate((vector, a[..., 3:] * scalar - (a[..., :3] * axis).sum(-1, keepdims=True)), axis=-1)
    return out / np.linalg.norm(out, axis=-1, keepdims=True)
