"""Reads pickles, also damaged ones, without running code from them.

A pickle may name any callable of Python. Here only the names of a table are allowed; any other is an error. The
caller chooses the table: a function that builds data, or `Holder` for an object whose class is not needed.

Damage is as dangerous as malice. NumPy trusts the types and sizes of a pickled array, and the C unpickler allocates
memory for any number in the file. So arrays are checked before NumPy sees them. The opcodes are those of Python's
`pickle._Unpickler`, except the replaced ones that could build or change more than data.
"""

from __future__ import annotations

import math
import pickle
import re
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterable
from mmap import mmap
from typing import IO, Any, Literal

import numpy as np

from engine.errors import one_line

_MOST_STEPS = 4_000_000  # opcodes; a released checkpoint has about ten thousand
_NUMBERS = re.compile(r"[<>=|]?(?:b1|[iu][1248]|f[248])")
_TEXT = re.compile(r"[<>=|]?[SU]\d{1,6}")
_OBJECTS = re.compile(r"[|]?O[48]?")


class UnpickleError(ValueError):
    """Bytes that are no pickle, are truncated, or name something that is not allowed."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class Holder:
    """Stand-in for an object whose class is not needed: it keeps the object's `state` and does nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.state: dict[Any, Any] = {}

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        """Ignore an item of a foreign dictionary."""

    def append(self, value: Any) -> None:
        """Ignore an item of a foreign list."""


class DTypeHolder(Holder):
    """Stand-in for a pickled dtype that keeps its name and byte order."""

    def __init__(self, name: Any = "", *_: Any) -> None:
        super().__init__()
        self.name = name.decode("latin1") if isinstance(name, bytes) else str(name) if isinstance(name, str) else ""
        self.order: Literal["", "<", ">"] = ""

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">"):
            self.order = state[1]

    def dtype(self) -> np.dtype[Any]:
        """The dtype. Raises UnpickleError unless it is one of plain numbers, text or objects."""
        if not any(kind.fullmatch(self.name) for kind in (_NUMBERS, _TEXT, _OBJECTS)):
            raise UnpickleError(f"an array of '{self.name[:40]}', which is no plain type of numbers or text")
        dtype = np.dtype(self.name)
        return dtype.newbyteorder(self.order) if self.order and dtype.kind in "iufU" else dtype


class PickledArray(np.ndarray):
    """Array from a pickle; refused unless its type, shape and data agree."""

    def __new__(cls, *_: Any) -> PickledArray:
        raise UnpickleError("an array is made in an unusual way")

    def __setstate__(self, state: Any) -> None:
        if self.size or not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], DTypeHolder):
            raise UnpickleError("an array's description is damaged")
        _, shape, holder, fortran, data = state
        dtype = holder.dtype()
        if isinstance(data, str):  # bytes of Python 2
            data = data.encode("latin1")
        count = _count(shape)
        length = len(data) if isinstance(data, bytes | list) else -1
        if length != (count if dtype.kind == "O" else count * dtype.itemsize) or (dtype.kind == "O") != (
            type(data) is list
        ):
            raise UnpickleError("an array's data does not fit its type and shape")
        checked: Any = (1, shape, dtype, bool(fortran), data)
        super().__setstate__(checked)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return np.asarray(self).__reduce_ex__(protocol)  # pickled between processes as a plain array


def _count(shape: Any) -> int:
    """Return the number of elements of an array of that shape."""
    if not isinstance(shape, tuple) or len(shape) > 8 or not all(type(n) is int and 0 <= n < 2**40 for n in shape):
        raise UnpickleError("an array's shape is damaged")
    return math.prod(shape)


def _new_array(*_: Any) -> PickledArray:
    """Replace numpy's `_reconstruct`: an empty array, which the following state fills."""
    return np.ndarray.__new__(PickledArray, (0,), np.uint8)


def _array_of_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> PickledArray:
    """Replace numpy's `_frombuffer`, which protocol 5 uses."""
    array = _new_array()
    array.__setstate__((1, shape, dtype, order == "F", bytes(data) if isinstance(data, bytes | bytearray) else data))
    return array


def _scalar(dtype: Any, data: Any = b"") -> Any:
    """Replace numpy's `scalar`: one number or text."""
    array = _new_array()
    array.__setstate__((1, (1,), dtype, False, data))
    return array[0]


def _encode(text: Any, encoding: Any = "utf-8") -> bytes:
    """Replace `_codecs.encode` for pickled bytes; any other codec is refused."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", "utf-8"):
        raise UnpickleError(f"text in the encoding '{encoding if isinstance(encoding, str) else type(encoding)}'")
    return text.encode(encoding)


def _no_bytes() -> bytes:
    """Replace `bytes()`, which older protocols call for empty bytes."""
    return b""


def _object(cls: Any, *_: Any) -> Holder:
    """Replace `copyreg._reconstructor`, with which the oldest protocols make an object."""
    if not (isinstance(cls, type) and issubclass(cls, Holder)):
        raise UnpickleError("an object is made in an unusual way")
    return cls()


def _key(value: Any) -> Any:
    """Return `value` if it may be a key or a set member; hashing nested values may take forever."""
    parts = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(part, str | bytes | int | float | np.generic | Holder | None) for part in parts):
        raise UnpickleError("a key is neither a number nor a text")
    return value


def _set(items: Iterable[Any] = ()) -> set[Any]:
    return {_key(item) for item in items}


def _ordered_dict(items: Iterable[Any] = ()) -> OrderedDict[Any, Any]:
    return OrderedDict((_key(key), value) for key, value in items)


ARRAYS_AND_CONTAINERS: dict[tuple[str, str], Any] = {
    ("_codecs", "encode"): _encode,
    ("builtins", "bytes"): _no_bytes,
    ("builtins", "object"): object,
    ("builtins", "set"): _set,
    ("collections", "OrderedDict"): _ordered_dict,
    ("copyreg", "_reconstructor"): _object,
    ("numpy", "ndarray"): PickledArray,
    ("numpy", "dtype"): DTypeHolder,
    ("numpy.multiarray", "_reconstruct"): _new_array,
    ("numpy.multiarray", "scalar"): _scalar,
    ("numpy.numeric", "_frombuffer"): _array_of_buffer,
}
_OLD_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}

_Opcode = Callable[["AllowListUnpickler"], None]


class _Counted(dict[int, _Opcode]):
    """Opcode table that limits the number of look-ups, and so of steps."""

    left = _MOST_STEPS

    def __getitem__(self, opcode: int) -> _Opcode:
        self.left -= 1
        if self.left < 0:
            raise UnpickleError("it describes more objects than such a file has")
        return super().__getitem__(opcode)


_PythonUnpickler: Any = pickle._Unpickler  # its type hints are those of the C version


class AllowListUnpickler(_PythonUnpickler):
    """Unpickler that accepts only names in `allowed`; subclasses extend it or override `stand_in`."""

    allowed = ARRAYS_AND_CONTAINERS
    purpose = "the file"  # for messages: the file's purpose

    def __init__(self, file: IO[bytes] | mmap, **options: Any) -> None:
        super().__init__(file, **options)
        self.dispatch = _Counted(_OPCODES)

    def find_class(self, module: str, name: str) -> Any:
        """Return the callable for a name. Raises UnpickleError for a name that is not allowed."""
        module = _OLD_MODULES.get(module, module)
        module = module.replace("numpy._core.", "numpy.").replace("numpy.core.", "numpy.")
        found = self.allowed.get((module, name), None) or self.stand_in(module, name)
        if found is None:
            raise UnpickleError(
                f"it would load {module}.{name}, which {self.purpose} has no need of; it may be malicious"
            )
        return found

    def stand_in(self, module: str, name: str) -> Any:
        """Return a replacement for a name outside of `allowed`; None refuses it."""
        return None

    def get_extension(self, code: int) -> None:
        """Refuse extension codes."""
        raise UnpickleError("it uses an extension, which nobody writes")

    def _build(self) -> None:
        state = self.stack.pop()
        made = self.stack[-1]
        if isinstance(made, Holder | PickledArray):
            made.__setstate__(state)
        elif not isinstance(made, OrderedDict):  # torch stores version notes as attributes, which are not needed
            raise UnpickleError("a state is given to what has none")

    def _new_object(self) -> None:
        self.stack.pop()
        self.stack[-1] = _object(self.stack[-1])

    def _new_object_with_keywords(self) -> None:
        self.stack.pop()
        self._new_object()

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._fill([key, value])

    def _set_items(self) -> None:
        self._fill(self.pop_mark())

    def _dictionary(self) -> None:
        items = self.pop_mark()
        self.append({})
        self._fill(items)

    def _fill(self, items: list[Any]) -> None:
        filled = self.stack[-1]
        if not isinstance(filled, dict | Holder):
            raise UnpickleError("keys are given to what is no dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            filled[_key(key)] = value

    def _add_items(self) -> None:
        items = self.pop_mark()
        if not isinstance(self.stack[-1], set):
            raise UnpickleError("members are given to what is no set")
        self.stack[-1].update(_set(items))

    def _frozen_set(self) -> None:
        self.append(frozenset(_set(self.pop_mark())))

    def _byte_array(self) -> None:
        (length,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(length)))


_OPCODES: dict[int, _Opcode] = {
    **_PythonUnpickler.dispatch,
    pickle.BUILD[0]: AllowListUnpickler._build,
    pickle.NEWOBJ[0]: AllowListUnpickler._new_object,
    pickle.NEWOBJ_EX[0]: AllowListUnpickler._new_object_with_keywords,
    pickle.SETITEM[0]: AllowListUnpickler._set_item,
    pickle.SETITEMS[0]: AllowListUnpickler._set_items,
    pickle.DICT[0]: AllowListUnpickler._dictionary,
    pickle.ADDITEMS[0]: AllowListUnpickler._add_items,
    pickle.FROZENSET[0]: AllowListUnpickler._frozen_set,
    pickle.BYTEARRAY8[0]: AllowListUnpickler._byte_array,
}


def read(unpickler: type[AllowListUnpickler], file: IO[bytes] | mmap, **options: Any) -> Any:
    """Read the object in a pickle, from the position of `file` to the pickle's end.

    Raises UnpickleError for anything but a whole pickle of allowed names.
    """
    try:
        return unpickler(file, **options).load()
    except UnpickleError:
        raise
    except EOFError as error:
        raise UnpickleError("it ends too early") from error
    except (
        pickle.UnpicklingError, struct.error, ValueError, TypeError, AttributeError, LookupError, OverflowError,
        MemoryError, RecursionError, AssertionError,
    ) as error:  # fmt: skip
        if isinstance(error, struct.error) or "truncated" in str(error) or "exhausted" in str(error):
            raise UnpickleError("it ends too early") from error
        raise UnpickleError(f"it is not a readable pickle ({error})") from error
