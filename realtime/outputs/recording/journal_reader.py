"""Reads a journal, also with a damaged end; rows stay on the disk until requested."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from realtime.outputs.recording.journal_format import MAGIC, PREFIX, ROW_LAYOUT, Header, JournalError

_BLOCK = 2048  # rows in memory at a time

T = TypeVar("T")
Track = Callable[[Iterable[T], str, int], Iterable[T]]  # iterable, description, number of items


def untracked(blocks: Iterable[T], doing: str, count: int) -> Iterable[T]:
    """Progress tracker that shows nothing."""
    return blocks


class Rows:
    """Rows of a journal on disk; requested rows are copied, with a slice mapped at a time."""

    def __init__(self, path: Path, dtype: np.dtype[Any], start: int, count: int) -> None:
        self.dtype = dtype
        self._path, self._start, self._count = path, start, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, name: str) -> Column:
        return Column(self, name)

    def take(self, indices: NDArray[np.intp], name: str | None = None) -> NDArray[Any]:
        """Return the rows, or one column of them, at `indices` (K,)."""
        kind = self.dtype if name is None else self.dtype[name]
        taken = np.empty((len(indices), *kind.shape), kind.base)  # NumPy drops a shape of (0,), as without tokens
        for begin in range(0, len(indices), _BLOCK):
            part = indices[begin : begin + _BLOCK]
            first, last = int(part.min()), int(part.max())
            offset = self._start + first * self.dtype.itemsize
            mapped = np.memmap(self._path, self.dtype, "r", offset, shape=(last + 1 - first,))
            taken[begin : begin + len(part)] = (mapped if name is None else mapped[name])[part - first]
        return taken


@dataclass(frozen=True)
class Column:
    """Column of `Rows`: indexing by row numbers (K,) reads it."""

    rows: Rows
    name: str

    def __getitem__(self, indices: NDArray[np.intp]) -> NDArray[Any]:
        return self.rows.take(indices, self.name)


@dataclass(frozen=True)
class Journal:
    """Journal opened for reading: rows stay on disk until requested."""

    header: Header
    rows: Rows  # R of `row_dtype`
    good: NDArray[np.intp]  # rows with a correct checksum
    lost: int  # rows that are damaged, or truncated at the end

    @property
    def frames(self) -> int:
        """Number of source frames with at least one intact row."""
        return len(np.unique(self.rows["seq"][self.good]))


def read_journal(path: Path, track: Track = untracked) -> Journal:
    """Open a journal, also with a damaged end. Raises JournalError, one line, if its header is damaged.

    track: gets the blocks of rows whose checksums are verified, a description and their number.
    """
    try:
        return _read(path, track)
    except OSError as error:
        raise JournalError(f"cannot read {path}: {error.strerror or error}") from error


def _read(path: Path, track: Track) -> Journal:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        prefix = file.read(len(MAGIC) + PREFIX.size)
        if not prefix.startswith(MAGIC) or len(prefix) < len(MAGIC) + PREFIX.size:
            raise _no_header(path)
        length, crc = PREFIX.unpack(prefix[len(MAGIC) :])
        text = file.read(length) if length <= size else b""
    if len(text) != length or zlib.crc32(text) != crc:
        raise _no_header(path)
    header = Header.from_json(text, path)
    if header.layout > ROW_LAYOUT:
        raise JournalError(f"{path} was written by a newer version (rows {header.layout}, known: {ROW_LAYOUT}): update")
    dtype = header.row_dtype
    start = len(prefix) + length
    count, partial = divmod(size - start, dtype.itemsize)
    rows = Rows(path, dtype, start, count)
    starts = range(0, count, _BLOCK)
    blocks = (rows.take(np.arange(first, min(first + _BLOCK, count))) for first in starts)
    whole = [_are_whole(block) for block in track(blocks, "checking", len(starts))]
    good = np.flatnonzero(np.concatenate([np.zeros(0, bool), *whole]))
    return Journal(header, rows, good, count - len(good) + (partial > 0))


def _are_whole(rows: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which of `rows` (R,) have a correct checksum."""
    data, step = memoryview(rows.tobytes()), rows.dtype.itemsize
    found = (zlib.crc32(data[start : start + step - 4]) for start in range(0, len(data), step))
    return np.fromiter(found, np.uint32, len(rows)) == rows["crc"]


def _no_header(path: Path) -> JournalError:
    return JournalError(f"{path} holds no whole header: nothing had been recorded yet, or it is not a journal")
