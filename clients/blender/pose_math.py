"""Converts frames and quaternions. Without bpy.

The stream has Y up and bodies that face +Z with their left at +X. Blender has Z up and characters that face -Y, their
left at +X. Only `ROTATION_BLENDER_STREAM` defines this conversion. Quaternions are (..., 4), x, y, z, w, until
`to_blender`.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from .joints import ALL_PARENTS

Array = NDArray[np.float64]

ROTATION_BLENDER_STREAM: Array = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # (x, -z, y)
IDENTITY: Array = np.array([0.0, 0.0, 0.0, 1.0])


def to_blender_axes(points: Array) -> Array:
    """Convert points or directions (..., 3) from the stream's axes to Blender's."""
    return points @ ROTATION_BLENDER_STREAM.T


def multiply(a: Array, b: Array) -> Array:
    """Multiply quaternions: first b, then a (Hamilton product)."""
    ax, ay, az, aw = np.moveaxis(a, -1, 0)
    bx, by, bz, bw = np.moveaxis(b, -1, 0)
    return np.stack(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ],
        axis=-1,
    )


def inverse(q: Array) -> Array:
    """Invert unit quaternions."""
    return q * np.array([-1.0, -1.0, -1.0, 1.0])


def rotate(q: Array, points: Array) -> Array:
    """Rotate points (..., 3) by q (..., 4)."""
    u, w = q[..., :3], q[..., 3:]
    t = 2 * np.cross(u, points)
    return points + w * t + np.cross(u, t)


def from_matrix(matrix: Array) -> Array:
    """Convert a matrix (3, 3) to a quaternion, by the largest of its four components (Shepperd 1978)."""
    m = np.asarray(matrix, np.float64)
    trace = np.trace(m)
    largest = int(np.argmax([m[0, 0], m[1, 1], m[2, 2], trace]))
    if largest == 3:
        q = np.array([m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], 1 + trace])
    else:
        i, j, k = largest, (largest + 1) % 3, (largest + 2) % 3
        q = np.empty(4)
        q[i] = 1 - trace + 2 * m[i, i]
        q[j] = m[j, i] + m[i, j]
        q[k] = m[k, i] + m[i, k]
        q[3] = m[k, j] - m[j, k]
    return q / np.linalg.norm(q)


def shortest_arc(start: Array, end: Array) -> Array:
    """Return the smallest rotation from the direction `start` (3,) to `end` (3,)."""
    a, b = start / np.linalg.norm(start), end / np.linalg.norm(end)
    if a @ b < -0.999999:  # opposite: half a turn about any orthogonal axis
        across = np.cross(a, np.eye(3)[np.argmin(np.abs(a))])
        return np.append(across / np.linalg.norm(across), 0.0)
    q = np.append(np.cross(a, b), 1 + a @ b)
    return q / np.linalg.norm(q)


def slerp(a: Array, b: Array, t: float | Array) -> Array:
    """Interpolate unit quaternions (..., 4), the short way; t in 0..1, one number or (..., 1)."""
    cosine = np.sum(a * b, axis=-1, keepdims=True)
    b = np.where(cosine < 0, -b, b)
    angle = np.arccos(np.clip(np.abs(cosine), 0, 1))
    sine = np.maximum(np.sin(angle), 1e-9)
    close = angle < 1e-4  # linear interpolation is exact there
    q = np.where(close, 1 - t, np.sin((1 - t) * angle) / sine) * a + np.where(close, t, np.sin(t * angle) / sine) * b
    return q / np.linalg.norm(q, axis=-1, keepdims=True)


def continuous(q: Array, before: Array | None = None) -> Array:
    """Flip signs of q (N, ..., 4) so that neighbours in time are close; `before` (..., 4) comes first.

    q and -q are the same rotation, but interpolation between them is a full spin.
    """
    flips = np.sum(q[1:] * q[:-1], axis=-1) < 0
    first = np.zeros(q.shape[1:-1], bool) if before is None else np.sum(q[0] * before, axis=-1) < 0
    odd = np.logical_xor.accumulate(np.concatenate([first[None], flips]), axis=0)
    return np.where(odd[..., None], -q, q)


def to_blender(q: Array) -> Array:
    """Convert x, y, z, w to Blender's w, x, y, z."""
    return np.roll(q, 1, axis=-1)


def world_rotations(rotations: Array) -> Array:
    """Convert local rotations (..., J, 4) of the first J joints, parent to child, to rotations in the world."""
    world = np.array(rotations, np.float64)
    for joints in _levels(world.shape[-2]):
        world[..., joints, :] = multiply(world[..., ALL_PARENTS[joints], :], rotations[..., joints, :])
    return world


@functools.cache
def _levels(count: int) -> tuple[NDArray[np.intp], ...]:
    """Return the first joints below the root by their distance from it: those of a level can be rotated at once."""
    depth = np.zeros(count, int)
    for joint in range(1, count):
        depth[joint] = depth[ALL_PARENTS[joint]] + 1
    return tuple(np.flatnonzero(depth == level) for level in range(1, depth.max() + 1))
