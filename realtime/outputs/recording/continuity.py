"""Rotations over time without leaps: of the many names of one rotation, the one that is near to the frame before.

A rotation vector may be longer or shorter by whole turns, Euler angles have two readings besides whole turns, and a
quaternion two signs. Programs interpolate between frames number by number, so a leap of the name plays as a flip of
the body. Each function takes `before`, its own last row of an earlier stretch, so a long motion can go in pieces.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_TURN = 2.0 * np.pi
_NO_AXIS_RAD = 1e-9  # below this angle the axis is noise
_LOCK_RAD = 1e-4  # this near to gimbal lock two of the angles are noise, as poses come from float32


def continuous_quaternions(quaternions: Floats, before: Floats | None = None) -> Floats:
    """Unit quaternions (N, J, 4) with the signs that leave no step longer than a quarter of the sphere."""
    if before is not None:
        return continuous_quaternions(np.concatenate([before[None], quaternions]))[1:]
    turned = np.sum(quaternions[1:] * quaternions[:-1], axis=-1, keepdims=True) < 0
    signs = np.where(np.cumsum(turned, axis=0) % 2, -1.0, 1.0)
    return np.concatenate([quaternions[:1], quaternions[1:] * signs])


def continuous_rotvecs(rotvecs: Floats, before: Floats | None = None) -> Floats:
    """Rotation vectors (N, J, 3) in radians that go on past pi in place of turning over.

    A turn of 190 degrees to the left stays one, where the shortest name says 170 to the right. No three numbers can
    do so for ever (Stuelpnagel 1964): where a whole turn ends off its axis, a step remains.
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
    """Euler angles (N, J, 3) in radians, R = Rz Rx Ry, read on from frame to frame.

    (z, x, y) and (z + pi, pi - x, y + pi) are the same rotation. Within a few degrees of gimbal lock (x upright) z and
    y may still turn far in one frame, against each other; in the lock itself y stays as it was.
    """
    if before is not None:
        return continuous_zxy(np.concatenate([before[None], angles]))[1:]
    angles = _held_in_lock(angles)
    other = np.stack([angles[..., 0] + np.pi, np.pi - angles[..., 1], angles[..., 2] + np.pi], axis=-1)
    on, across = (_distance(reading[1:] - angles[:-1]) for reading in (angles, other))
    # The way from one reading to the other is as long in both directions, so that the nearer one of each step decides.
    crossed = np.zeros((*angles.shape[:-1], 1), dtype=bool)
    crossed[1:] = np.cumsum(across < on, axis=0) % 2
    return np.unwrap(np.where(crossed, other, angles), axis=0, period=_TURN)


def _held_in_lock(angles: Floats) -> Floats:
    """The same rotations, with y as it was before wherever x is upright and only z + y (or z - y) means anything."""
    z, x, y = np.moveaxis(angles, -1, 0)
    locked = np.abs(np.cos(x)) < _LOCK_RAD
    latest = np.maximum.accumulate(np.where(locked, 0, np.arange(len(angles))[:, None]), axis=0)
    held = np.take_along_axis(y, latest, axis=0)
    return np.stack([np.where(locked, z + np.sign(np.sin(x)) * (y - held), z), x, held], axis=-1)


def _distance(steps: Floats) -> Floats:
    """Length (..., 1) of steps (..., 3) in radians, each angle the short way round."""
    return np.linalg.norm(steps - _TURN * np.round(steps / _TURN), axis=-1, keepdims=True)
