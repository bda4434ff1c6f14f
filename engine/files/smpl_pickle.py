"""Reads SMPL's pickles without running code from them, and without chumpy and scipy.

Plain data holders replace their classes, and the arrays are built from the data. Damaged indices would make scipy
write outside of its memory.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.files.unpickle import AllowListUnpickler, Holder, UnpickleError, read

_MOST_NUMBERS = 1 << 23  # of a dense matrix: fifty times SMPL's joint regressor
_DEEPEST = 4  # nesting of chumpy objects


class ChumpyArray(Holder):
    """chumpy variable; its value is `x`, or a selection `idxs` of another variable `a`."""

    def value(self, depth: int) -> NDArray:
        """Return the array; `depth` counts nested objects. Raises UnpickleError for damage."""
        state = self.state
        if "x" in state:
            return dense(state["x"], depth)
        if "a" in state and "idxs" in state:
            chosen, shape = dense(state["a"], depth).ravel(), state.get("preferred_shape", (-1,))
            indices = _indices(state["idxs"], len(chosen))
            if not isinstance(shape, tuple) or not all(isinstance(size, int | np.integer) for size in shape):
                raise UnpickleError("the shape of a chumpy selection is damaged")
            try:
                return chosen[indices].reshape(shape)
            except ValueError as error:
                raise UnpickleError("the shape of a chumpy selection does not fit its numbers") from error
        raise UnpickleError("an array is stored as a chumpy expression that cannot be read without chumpy")


class SparseMatrix(Holder):
    """scipy.sparse matrix in compressed columns (csc) or rows (csr), or as coordinates (coo)."""

    layout = ""

    def value(self, depth: int) -> NDArray:
        state = self.state
        rows, columns = self._shape()
        data = dense(state.get("data"), depth)
        if self.layout == "coo":
            places = state.get("coords", (state.get("row"), state.get("col")))
            if not isinstance(places, tuple) or len(places) != 2:
                raise UnpickleError("the coordinates of a sparse matrix are damaged")
            row, column = _indices(places[0], rows), _indices(places[1], columns)
        else:
            lines, across = (columns, rows) if self.layout == "csc" else (rows, columns)
            minor = _indices(state.get("indices"), across)
            ends = _indices(state.get("indptr"), len(minor) + 1)
            if len(ends) != lines + 1 or ends[0] != 0 or ends[-1] != len(minor) or (np.diff(ends) < 0).any():
                raise UnpickleError("the index of a sparse matrix is damaged")
            major = np.repeat(np.arange(lines), np.diff(ends))
            row, column = (minor, major) if self.layout == "csc" else (major, minor)
        if not data.shape == row.shape == column.shape:
            raise UnpickleError("a sparse matrix has more or fewer numbers than places for them")
        matrix = np.zeros((rows, columns), data.dtype)
        np.add.at(matrix, (row, column), data)
        return matrix

    def _shape(self) -> tuple[int, int]:
        shape = self.state.get("_shape", self.state.get("shape"))
        sizes = [int(size) for size in shape if isinstance(size, int | np.integer)] if isinstance(shape, tuple) else []
        if len(sizes) != 2 or min(sizes) < 0 or sizes[0] * sizes[1] > _MOST_NUMBERS:
            raise UnpickleError("the shape of a sparse matrix is damaged")
        return sizes[0], sizes[1]


_SPARSE = {f"{layout}_{kind}": layout for layout in ("csc", "csr", "coo") for kind in ("matrix", "array")}


class _BodyUnpickler(AllowListUnpickler):
    purpose = "a body"

    def stand_in(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "chumpy":
            return ChumpyArray
        if module.startswith("scipy.sparse") and name in _SPARSE:
            return type(name, (SparseMatrix,), {"layout": _SPARSE[name]})
        return None


def load_pickle(data: bytes) -> Any:
    """Load a pickle of Python 2 or 3, with chumpy's and scipy's objects as `ChumpyArray`, `SparseMatrix`.

    Raises UnpickleError for anything but a whole pickle of arrays and plain containers.
    """
    return read(_BodyUnpickler, io.BytesIO(data), encoding="latin1")


def dense(value: Any, depth: int = 0) -> NDArray:
    """Convert a loaded value to an array of plain numbers. Raises UnpickleError if it is none."""
    if isinstance(value, ChumpyArray | SparseMatrix):
        if depth > _DEEPEST:
            raise UnpickleError("an array is a chumpy expression of too many parts")
        return value.value(depth + 1)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
        raise UnpickleError("it is no array of numbers")
    return np.asarray(value)


def _indices(value: Any, count: int) -> NDArray[np.int64]:
    """Check that `value` is a list of indices (K,) below `count`."""
    array = dense(value, _DEEPEST)
    if array.ndim != 1 or array.dtype.kind not in "iu" or (array.size and not 0 <= array.min() <= array.max() < count):
        raise UnpickleError("an index points outside of what it is an index of")
    return array.astype(np.int64)
