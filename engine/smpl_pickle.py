"""Reading SMPL's pickles without running anything that is in them, and without chumpy.

chumpy's and scipy's classes are replaced by plain holders of data, from which the arrays are then made.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.unpickle import AllowListUnpickler, Holder, UnpickleError, read


class ChumpyArray(Holder):
    """A chumpy variable, whose value is its `x`, or a selection `idxs` from another, `a`."""

    def value(self) -> NDArray:
        state = self.__dict__
        if "x" in state:
            return dense(state["x"])
        if "a" in state and "idxs" in state:
            return dense(state["a"]).ravel()[state["idxs"]].reshape(state.get("preferred_shape", -1))
        raise UnpickleError("an array is stored as a chumpy expression that cannot be read without chumpy")


class SparseMatrix(Holder):
    """A scipy.sparse matrix in compressed columns (csc) or rows (csr), or as coordinates (coo)."""

    layout = ""

    def value(self) -> NDArray:
        import scipy.sparse as sp

        state = self.__dict__
        shape = state.get("_shape", state.get("shape"))
        if self.layout == "coo":
            row, col = state["coords"] if "coords" in state else (state["row"], state["col"])
            return sp.coo_array((state["data"], (row, col)), shape=shape).toarray()
        compressed = {"csc": sp.csc_array, "csr": sp.csr_array}[self.layout]
        return compressed((state["data"], state["indices"], state["indptr"]), shape=shape).toarray()


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
    """The object in a pickle of Python 2 or 3, with chumpy's and scipy's objects as `ChumpyArray`, `SparseMatrix`.

    Raises UnpickleError for anything but a whole pickle of arrays and plain containers.
    """
    return read(_BodyUnpickler, io.BytesIO(data), encoding="latin1")


def dense(value: Any) -> NDArray:
    """The array that a loaded value stands for."""
    return value.value() if isinstance(value, (ChumpyArray, SparseMatrix)) else np.asarray(value)
