"""Computes normals of triangle meshes, and the largest skinning weights, in numpy.

Faces (F, 3) hold vertex indices, counter-clockwise from outside.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.body.vectors import Floats, unit

Faces = NDArray[np.integer]

INFLUENCES = 4  # joints that move a vertex at most: what game engines, browsers and file formats take


def face_normals(vertices: Floats, faces: Faces) -> Floats:
    """Compute outward normals (F, 3) of vertices (V, 3), of twice the face's area in length."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    ab, ac = b - a, c - a
    return np.stack(
        [
            ab[:, 1] * ac[:, 2] - ab[:, 2] * ac[:, 1],
            ab[:, 2] * ac[:, 0] - ab[:, 0] * ac[:, 2],
            ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0],
        ],
        axis=1,
    )


class VertexNormals:
    """Area-weighted unit normals of vertices, for meshes of one topology."""

    def __init__(self, faces: Faces, num_vertices: int) -> None:
        from scipy.sparse import csr_array

        self._faces = faces.astype(np.intp)
        rows = self._faces.T.reshape(-1)
        columns = np.tile(np.arange(len(faces)), 3)
        self._sum_faces = csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape=(num_vertices, len(faces)))

    def __call__(self, vertices: Floats) -> Floats:
        """Compute normals (V, 3) of vertices (V, 3); zero for a vertex without a face."""
        normals: Floats = unit(self._sum_faces @ face_normals(vertices, self._faces))
        return normals


def strongest_weights(weights: Floats, count: int = INFLUENCES) -> tuple[NDArray[np.intp], Floats]:
    """Select the `count` largest of each row of skinning weights (V, J), largest first, normalised to sum 1.

    Returns joints (V, count) and weights (V, count).
    """
    joints = np.argsort(-weights, axis=1, kind="stable")[:, :count]
    kept = np.take_along_axis(weights, joints, axis=1)
    return joints, kept / kept.sum(axis=1, keepdims=True)


def limited_weights(weights: Floats, count: int = INFLUENCES) -> Floats:
    """Skinning weights (V, J) with each row's `count` largest kept and made to sum to 1."""
    joints, kept = strongest_weights(weights, count)
    limited = np.zeros_like(weights)
    np.put_along_axis(limited, joints, kept, axis=1)
    return limited
