"""Converts rotations in numpy, over any leading dimensions: matrices, axis-angle, quaternions x y z w, and angles.

`engine.body.torch.rotations` has the same functions on tensors.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from engine.body.vectors import Floats, cross_entries, length, unit

_AXES = np.eye(3)


def cross_matrix(vectors: Floats) -> Floats:
    """Return the matrices (..., 3, 3) that map x to `vector` cross x, for vectors (..., 3)."""
    return (vectors @ cross_entries(vectors.dtype)).reshape(*vectors.shape, 3)


def rotmat_from_axis_angle(axis_angle: Floats) -> Floats:
    """Convert axis-angle (..., 3) in radians to rotation matrices (..., 3, 3), by Rodrigues' formula."""
    half = length(axis_angle) / 2  # the half angle keeps 1 - cos exact for small angles
    sine = _sine_over(half)
    across = (0.5 * sine * sine) * axis_angle
    out = across[..., :, None] * axis_angle[..., None, :]
    entries = out.reshape(*axis_angle.shape[:-1], 9)
    entries += (sine * np.cos(half) * axis_angle) @ cross_entries(axis_angle.dtype)
    entries[..., ::4] += 1 - np.vecdot(across, axis_angle)[..., None]
    return out


def _sine_over(angle: Floats) -> Floats:
    """Compute sin(x) / x, 1 at zero; faster than numpy's sinc."""
    return np.divide(np.sin(angle), angle, out=np.ones_like(angle), where=angle > 0)


def axis_angle_from_rotmat(rotmats: Floats) -> Floats:
    """Convert matrices (..., 3, 3) to axis-angle (..., 3), length 0..pi radians; accurate over that range."""
    return _axis_angle(quaternion_from_rotmat(rotmats))


def axis_angle_from_quaternion(quaternion: Floats) -> Floats:
    """Convert unit quaternions (..., 4) of either sign to axis-angle (..., 3), length 0..pi radians."""
    return _axis_angle(np.where(quaternion[..., 3:] < 0, -quaternion, quaternion))


def _axis_angle(quaternion: Floats) -> Floats:
    """Convert quaternions with w >= 0."""
    vector, scalar = quaternion[..., :3], quaternion[..., 3:]
    sine = length(vector)
    angle = 2 * np.arctan2(sine, scalar)
    return vector * np.divide(angle, sine, out=np.full_like(sine, 2.0), where=sine > 1e-12)


def rotation_between(source: Floats, target: Floats) -> Floats:
    """Return the smallest rotations (..., 3, 3) from the directions of `source` (..., 3) to those of `target` (..., 3).

    With h between both, I - 2 h h^T + 2 b a^T. Opposite directions get half a turn about an orthogonal axis.
    """
    a, b = unit(source), unit(target)
    between = a + b
    opposite = length(between) < np.finfo(between.dtype).eps ** 0.5
    if opposite.any():
        between = np.where(opposite, _across(a), between)
    between = unit(between)
    eye = np.eye(3, dtype=between.dtype)
    return eye + 2 * (b[..., :, None] * a[..., None, :] - between[..., :, None] * between[..., None, :])


def _across(directions: Floats) -> Floats:
    """Return vectors (..., 3) orthogonal to unit vectors (..., 3)."""
    return np.cross(directions, _AXES[np.abs(directions).argmin(-1)].astype(directions.dtype))


def nearest_rotmat(matrices: Floats) -> Floats:
    """The rotations nearest to matrices (..., 3, 3) by the sum of squares, without reflection (Kabsch 1976).

    R of points.T @ targets brings points @ R nearest to targets, both (N, 3).
    """
    U, _, Vt = np.linalg.svd(matrices)
    U[..., 2] *= np.sign(np.linalg.det(U @ Vt))[..., None]
    return U @ Vt


def angle_between(a: Floats, b: Floats) -> Floats:
    """Compute the geodesic distance in radians, 0..pi, of rotation matrices (..., 3, 3) -> (...).

    From the chord |A - B| = 2 sqrt(2) sin(angle / 2), which is accurate near zero, unlike the trace's arc cosine.
    """
    half_sine = np.linalg.norm(a - b, axis=(-2, -1)) / 8**0.5
    return 2 * np.arcsin(np.minimum(half_sine, 1))


def quaternion_from_rotmat(rotmats: Floats) -> Floats:
    """Convert rotation matrices (..., 3, 3) to unit quaternions (..., 4), x y z w, with w >= 0.

    The symmetric matrix 4 q q^T is linear in the rotation matrix. Its row with the largest diagonal is q times a number
    that is never small (Shepperd 1978, "Quaternion from rotation matrix").
    """
    outer = rotmats.reshape(-1, 9) @ _outer_products(rotmats.dtype)
    outer[:, ::5] += 1
    rows = outer.reshape(-1, 4, 4)
    quaternion = rows[np.arange(len(rows)), outer[:, ::5].argmax(1)]
    quaternion /= length(quaternion)
    return np.where(quaternion[:, 3:] < 0, -quaternion, quaternion).reshape(*rotmats.shape[:-2], 4)


@cache
def _outer_products(dtype: np.dtype[Any]) -> Floats:
    """Return (9, 16) the entries of 4 q q^T, less the identity, as a linear function of the rotation matrix's."""
    table = np.zeros((3, 3, 4, 4), dtype)
    for k in range(3):
        table[k, k, range(4), range(4)] = -1
        table[k, k, [k, 3], [k, 3]] = 1
        i, j = (k + 1) % 3, (k + 2) % 3
        table[i, j, [i, j], [j, i]] = table[j, i, [i, j], [j, i]] = 1
        table[j, i, [k, 3], [3, k]], table[i, j, [k, 3], [3, k]] = 1, -1
    return table.reshape(9, 16)


def rotmat_from_quaternion(quaternion: Floats) -> Floats:
    """Convert unit quaternions (..., 4), x, y, z, w, to rotation matrices (..., 3, 3)."""
    products = (quaternion[..., :, None] * quaternion[..., None, :]).reshape(*quaternion.shape[:-1], 16)
    out = products @ _of_products(quaternion.dtype)
    out[..., ::4] += 1
    return out.reshape(*quaternion.shape[:-1], 3, 3)


@cache
def _of_products(dtype: np.dtype[Any]) -> Floats:
    """Return (16, 9) the rotation matrix, less the identity, as a linear function of the entries of q q^T."""
    table = np.zeros((4, 4, 3, 3), dtype)
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        table[i, i, [j, k], [j, k]] = -2
        table[i, j, [i, j], [j, i]] = 2
        table[k, 3, [j, i], [i, j]] = 2, -2
    return table.reshape(16, 9)
