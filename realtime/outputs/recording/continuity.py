"""Makes rotations continuous over time: chooses the representation nearest to the previous frame's.

A rotation vector is ambiguous by whole turns, Euler angles also have two solutions, and a quaternion has two signs.
Programs interpolate the numbers between frames, so a jump in representation plays as a flip of the body. Each function
takes `before`, the last row of its previous output, so that a long motion can be processed in pieces.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_TURN = 2.0 * np.pi
_NO_AXIS_RAD = 1e-9  # below this angle the axis is noise
_LOCK_RAD = 1e-4  # so near to gimbal lock two of the angles are noise, because poses come from float32


def continuous_quaternions(quaternions: Floats, before: Floats | None = None) -> Floats:
    """Choose signs of unit quaternions (N, J, 4) such that no step exceeds a quarter of the sphere."""
    if before is not None:
        return continuous_quaternions(np.concatenate([before[None], quaternions]))[1:]
    turned = np.sum(quaternions[1:] * quaternions[:-1], axis=-1, keepdims=True) < 0
    signs = np.where(np.cumsum(turned, axis=0) % 2, -1.0, 1.0)
    return np.concatenate([quaternions[:1], quaternions[1:] * signs])


def continuous_rotvecs(rotvecs: Floats, before: Floats | None = None) -> Floats:
    """Continue rotation vectors (N, J, 3) in radians past pi, without flips.

    A rotation of 190 degrees to the left stays one, although the shortest vector is 170 to the right. No three numbers
    can be continuous for all motions (Stuelpnagel 1964): where a whole turn ends off its axis, a step remains.
    """
    if before is not None:
        return continuous_rotvecs(np.concatenate([before[None], rotvecs]))[1:]
    angles = np.linalg.norm(rotvecs, axis=-1, keepdims=True)
    has_axis = angles > _NO_AXIS_RAD
    axes = np.divide(rotvecs, angles, out=np.zeros_like(rotvecs), where=has_axis)
    latest = np.maximum.accumulate(np.where(has_axis, np.arange(len(rotvecs))[:, None, None], 0), axis=0)
    axes = np.take_along_axis(axes, latest, axis=0)
    opposite = np.sum(axes[1:] * axes[:-1], axis=-1, keepdims=True) < 0
    signs = np.ones_like(angles)
    signs[1:] = np.where(np.cumsum(opposite, axis=0) % 2, -1.0, 1.0)
    return signs * axes * np.unwrap(signs * angles, axis=0, period=_TURN)


def continuous_zxy(angles: Floats, before: Floats | None = None) -> Floats:
    """Continue Euler angles (N, J, 3) in radians, R = Rz Rx Ry, from frame to frame.

    (z, x, y) and (z + pi, pi - x, y + pi) are the same rotation. Within a few degrees of gimbal lock (x upright) z and
    y may still change fast, in opposite directions. In the lock itself y keeps its value.
    """
    if before is not None:
        return continuous_zxy(np.concatenate([before[None], angles]))[1:]
    angles = _held_in_lock(angles)
    other = np.stack([angles[..., 0] + np.pi, np.pi - angles[..., 1], angles[..., 2] + np.pi], axis=-1)
    on, across = (_distance(reading[1:] - angles[:-1]) for reading in (angles, other))
    # Both solutions are equally far apart in both directions, so the nearer one of each step decides.
    crossed = np.zeros((*angles.shape[:-1], 1), dtype=bool)
    crossed[1:] = np.cumsum(across < on, axis=0) % 2
    return np.unwrap(np.where(crossed, other, angles), axis=0, period=_TURN)


def unwrapped_euler(angles: Floats, before: Floats | None = None) -> Floats:
    """Continue Euler angles (N, J, 3) in radians as `continuous_zxy` does, but leave the middle angle in its range."""
    # The first row begins within half a turn, but `before` keeps its whole turns.
    first = angles[:1] - _TURN * np.round(angles[:1] / _TURN) if before is None else before[None]
    rest = angles[1:] if before is None else angles
    unwrapped = np.unwrap(_held_in_lock(np.concatenate([first, rest])), axis=0, period=_TURN)
    return unwrapped if before is None else unwrapped[1:]


def _held_in_lock(angles: Floats) -> Floats:
    """Keep y at its previous value wherever x is upright, where only z + y (or z - y) is defined."""
    z, x, y = np.moveaxis(angles, -1, 0)
    locked = np.abs(np.cos(x)) < _LOCK_RAD
    latest = np.maximum.accumulate(np.where(locked, 0, np.arange(len(angles))[:, None]), axis=0)
    held = np.take_along_axis(y, latest, axis=0)
    return np.stack([np.where(locked, z + np.sign(np.sin(x)) * (y - held), z), x, held], axis=-1)


def _distance(steps: Floats) -> Floats:
    """Return the length (..., 1) of steps (..., 3) in radians, each angle by the short way."""
    return np.linalg.norm(steps - _TURN * np.round(steps / _TURN), axis=-1, keepdims=True)
