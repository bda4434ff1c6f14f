"""Vectors in numpy, over any leading dimensions: cross product, length and direction, fast for few of them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]  # of one precision, which results keep

_TINY = 1e-9


def cross(a: Floats, b: Floats) -> Floats:
    """Compute a cross b, (..., 3); for few vectors many times as fast as numpy's."""
    product: Floats = ((a @ cross_entries(a.dtype)).reshape(*a.shape, 3) @ b[..., None])[..., 0]
    return product


@cache
def cross_entries(dtype: np.dtype[Any]) -> Floats:
    """Return (3, 9): a @ this are the nine entries, row by row, of the matrix that maps b to a cross b."""
    x, y, z = np.eye(3, dtype=dtype)
    o = np.zeros(3, dtype)
    return np.stack((o, -z, y, z, o, -x, -y, x, o), axis=1)


def length(vectors: Floats) -> Floats:
    """Compute lengths (..., 1) of vectors (..., N)."""
    return np.sqrt(np.vecdot(vectors, vectors))[..., None]


def unit(vectors: Floats) -> Floats:
    """Normalise vectors (..., N) to length 1; zero vectors stay zero."""
    return vectors / np.maximum(length(vectors), _TINY)
