"""Reads .npz archives of plain arrays; checks headers and sizes before decompressing.

NumPy's reader allocates what a header states and raises many kinds of errors. Here all damage is one kind of error,
no object is unpickled, and long arrays can be read in blocks.
"""

from __future__ import annotations

import ast
import lzma
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from engine.errors import one_line

_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 1 << 14
_PLAIN = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248]|[SU]\d{1,7})")
_CHUNK = 1 << 20


class NpzError(ValueError):
    """Archive or array that is damaged, or holds other data than plain numbers and text."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


@dataclass(frozen=True)
class ArrayHeader:
    """Type and shape that the archive declares for an array, checked against its length."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    by_columns: bool  # Fortran order

    @property
    def nbytes(self) -> int:
        """Length of the array in bytes."""
        return self.dtype.itemsize * math.prod(self.shape)


class NpzFile:
    """Open .npz archive. Raises `NpzError` for damage, OSError on a read error."""

    def __init__(self, source: Path | IO[bytes]) -> None:
        with _damage():
            self._archive = zipfile.ZipFile(source)
        self._members = {info.filename.removesuffix(".npy"): info for info in self._archive.infolist()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._archive.close()

    @property
    def unpacked_bytes(self) -> dict[str, int]:
        """Declared length of each member in bytes, by name."""
        return {name: info.file_size for name, info in self._members.items()}

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def header(self, name: str) -> ArrayHeader:
        """Return the header of one array."""
        with self._open(name) as (header, _):
            return header

    def read(self, name: str) -> NDArray[Any]:
        """Read the whole array."""
        with self._open(name) as (header, stream):
            array = np.empty(math.prod(header.shape), header.dtype)
            if header.nbytes:
                _fill(array, stream)
        return array.reshape(header.shape, order="F" if header.by_columns else "C")

    def blocks(self, name: str, rows: int) -> Iterator[NDArray[Any]]:
        """Yield the array's rows in order, `rows` at a time."""
        with self._open(name) as (header, stream):
            if header.by_columns and len(header.shape) > 1:
                raise NpzError(f"'{name}' is stored by columns")
            for start in range(0, header.shape[0], rows):
                block = np.empty((min(rows, header.shape[0] - start), *header.shape[1:]), header.dtype)
                if block.nbytes:
                    _fill(block.reshape(-1), stream)
                yield block

    @contextmanager
    def _open(self, name: str) -> Iterator[tuple[ArrayHeader, IO[bytes]]]:
        """Open a member: its header, and a stream that starts at the first number."""
        info = self._members.get(name)
        if info is None:
            raise NpzError(f"the key '{name}' is missing")
        with _damage(), self._archive.open(info) as stream:
            header, start = _read_header(name, stream)
            if start + header.nbytes != info.file_size:
                raise NpzError(f"'{name}' is not as long as its shape {header.shape} says")
            yield header, stream


def read_npz(source: Path | IO[bytes], most_bytes: int | None = None) -> dict[str, NDArray[Any]]:
    """Read every array of an archive of at most `most_bytes`."""
    with NpzFile(source) as file:
        sizes = file.unpacked_bytes
        if most_bytes is not None and sum(sizes.values()) > most_bytes:
            raise NpzError(f"it unpacks to {sum(sizes.values()) / 1e6:.0f} MB, more than it can need")
        return {name: file.read(name) for name in sizes}


def _fill(array: NDArray[Any], stream: IO[bytes]) -> None:
    """Read bytes until the flat `array` is full."""
    there = array.view(np.uint8).data
    while there:
        chunk = stream.read(min(len(there), _CHUNK))
        if not chunk:
            raise NpzError("it is cut short")
        there[: len(chunk)] = chunk
        there = there[len(chunk) :]


def _read_header(name: str, stream: IO[bytes]) -> tuple[ArrayHeader, int]:
    """Parse NumPy's array header (format 1.0 to 3.0); return it with its length in bytes."""
    start = stream.read(8)
    sizes = {1: struct.Struct("<H"), 2: struct.Struct("<I"), 3: struct.Struct("<I")}
    if not start.startswith(_MAGIC) or len(start) < 8 or start[6] not in sizes:
        raise NpzError(f"'{name}' is no array")
    size = sizes[start[6]]
    (length,) = size.unpack(stream.read(size.size))
    text = stream.read(length) if length <= _LONGEST_HEADER else b""
    try:
        said = ast.literal_eval(re.sub(r"(\d)L\b", r"\1", text.decode("latin1")).strip())
        dtype, by_columns, shape = _dtype(said["descr"]), said["fortran_order"], said["shape"]
    except (ValueError, SyntaxError, TypeError, LookupError, MemoryError, RecursionError) as error:
        raise NpzError(f"the description of '{name}' is damaged ({error})") from error
    sound = isinstance(shape, tuple) and all(type(n) is int and 0 <= n < 2**40 for n in shape)
    if not sound or not isinstance(by_columns, bool):
        raise NpzError(f"the description of '{name}' is damaged")
    return ArrayHeader(dtype, shape, by_columns), 8 + size.size + length


def _dtype(said: Any) -> np.dtype[Any]:
    """Parse a dtype: plain numbers or text, or a record of those."""
    if isinstance(said, list):
        fields = [(str(name), _dtype(kind), *shape) for name, kind, *shape in said]
        return np.dtype(fields)
    if isinstance(said, str) and "O" in said:
        raise NpzError("pickled objects, which are never loaded")
    if not isinstance(said, str) or not _PLAIN.fullmatch(said):
        raise NpzError("a type that is neither numbers nor text")
    return np.dtype(said)


@contextmanager
def _damage() -> Iterator[None]:
    """Convert every error of a broken archive to NpzError."""
    try:
        yield
    except NpzError:
        raise
    except (
        zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, NotImplementedError, RuntimeError,
        ValueError, LookupError, OverflowError, TypeError,
    ) as error:  # fmt: skip
        raise NpzError(f"it is cut short or damaged ({error})") from error
