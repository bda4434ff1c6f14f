"""Reading pickles without running anything that is in them.

A pickle may name any callable of Python. Here only the names of a table are known, and any other ends the reading.
What belongs in the table is the reader's choice: a function that builds data, or `Holder` for an object whose class
is not wanted.
"""

from __future__ import annotations

import copyreg
import pickle
from collections import OrderedDict
from typing import IO, Any

import numpy as np
from numpy._core import multiarray, numeric


class UnpickleError(ValueError):
    """The bytes are no pickle, are cut short, or name something that may not be loaded."""


class Holder:
    """Stands in for an object whose class is not wanted: it keeps the object's state and does nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)

    def __setitem__(self, key: Any, value: Any) -> None:
        """What a dictionary or list of another class held is not kept."""

    def append(self, value: Any) -> None:
        """As `__setitem__`."""


def _encode(text: str, encoding: str = "utf-8") -> bytes:
    """What `_codecs.encode` is used for in pickles of bytes; no other codec may be asked for."""
    if encoding not in ("latin1", "latin-1", "utf-8"):
        raise UnpickleError(f"text in the encoding {encoding!r}")
    return text.encode(encoding)


ARRAYS_AND_CONTAINERS: dict[tuple[str, str], Any] = {
    ("_codecs", "encode"): _encode,
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


class AllowListUnpickler(pickle.Unpickler):
    """An unpickler that knows `allowed` alone; subclasses add to it or override `stand_in`."""

    allowed = ARRAYS_AND_CONTAINERS
    purpose = "the file"  # what has no need of anything else, for messages

    def find_class(self, module: str, name: str) -> Any:
        module = _OLD_MODULES.get(module, module)
        module = module.replace("numpy._core.", "numpy.").replace("numpy.core.", "numpy.")
        found = self.allowed.get((module, name), None) or self.stand_in(module, name)
        if found is None:
            raise UnpickleError(
                f"it would load {module}.{name}, which {self.purpose} has no need of; it may be malicious"
            )
        return found

    def stand_in(self, module: str, name: str) -> Any:
        """What to use for a name outside of `allowed`; None refuses it."""
        return None


def read(unpickler: type[AllowListUnpickler], file: IO[bytes], **options: Any) -> Any:
    """The object in a pickle. Raises UnpickleError for anything but a whole pickle of what is allowed."""
    try:
        return unpickler(file, **options).load()
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
