"""Reading SMPL's pickles without running anything that is in them, and without chumpy.

A pickle may name any callable of Python. Here only those that build arrays and containers are known, chumpy's and
scipy's classes are replaced by plain holders of data, and any other name ends the reading.
"""

from __future__ import annotations

import copyreg
import io
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy._core import multiarray, numeric
from numpy.typing import NDArray


class UnpickleError(ValueError):
    """The bytes are no pickle, are cut short, or name something that may not be loaded."""


class _Holder:
    """Stands in for an object whose class is not wanted: it keeps the state and does nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)


class ChumpyArray(_Holder):
    """A chumpy variable, whose value is its `x`, or a selection `idxs` from another, `a`."""

    def value(self) -> NDArray:
        state = self.__dict__
        if "x" in state:
            return dense(state["x"])
        if "a" in state and "idxs" in state:
            return dense(state["a"]).ravel()[state["idxs"]].reshape(state.get("preferred_shape", -1))
        raise UnpickleError("an array is stored as a chumpy expression that cannot be read without chumpy")


class SparseMatrix(_Holder):
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

_ALLOWED: dict[tuple[str, str], Any] = {
    ("builtins", "object"): object,
    ("builtins", "set"): set,
    ("collections", "OrderedDict"): OrderedDict,
    ("copyreg", "_reconstructor"): copyreg._reconstructor,  # type: ignore[attr-defined]
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.multiarray", "_reconstruct"): multiarray._reconstruct,
    ("numpy.multiarray", "scalar"): multiarray.scalar,
    ("numpy.numeric", "_frombuffer"): numeric._frombuffer,  # type: ignore[attr-defined]
}
_OLD_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}


def _encode(text: str, encoding: str = "utf-8") -> bytes:
    """What `_codecs.encode` is used for in pickles of bytes; no other codec may be asked for."""
    if encoding not in ("latin1", "latin-1", "utf-8"):
        raise UnpickleError(f"text in the encoding {encoding!r}")
    return text.encode(encoding)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        module = _OLD_MODULES.get(module, module)
        if module.split(".")[0] == "chumpy":
            return ChumpyArray
        if module.startswith("scipy.sparse") and name in _SPARSE:
            return type(name, (SparseMatrix,), {"layout": _SPARSE[name]})
        if (module, name) == ("_codecs", "encode"):
            return _encode
        module = module.replace("numpy._core.", "numpy.").replace("numpy.core.", "numpy.")
        if (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        raise UnpickleError(f"it would load {module}.{name}, which a body has no need of; it may be malicious")


def load_pickle(data: bytes) -> Any:
    """The object in a pickle of Python 2 or 3, with chumpy's and scipy's objects as `ChumpyArray`, `SparseMatrix`.

    Raises UnpickleError for anything but a whole pickle of arrays and plain containers.
    """
    try:
        return _Unpickler(io.BytesIO(data), encoding="latin1").load()
    except UnpickleError:
        raise
    except EOFError as error:
        raise UnpickleError("it ends too early") from error
    except (
        pickle.UnpicklingError, ValueError, TypeError, AttributeError, LookupError, OverflowError, MemoryError,
    ) as error:  # fmt: skip
        if isinstance(error, pickle.UnpicklingError) and "truncated" in str(error):
            raise UnpickleError("it ends too early") from error
        raise UnpickleError(f"it is not a readable pickle ({' '.join(str(error).split())})") from error


def dense(value: Any) -> NDArray:
    """The array that a loaded value stands for."""
    return value.value() if isinstance(value, (ChumpyArray, SparseMatrix)) else np.asarray(value)
