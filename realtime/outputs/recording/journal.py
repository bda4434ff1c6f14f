"""Reads and writes the journal, a running recording's file on disk, so that a killed process loses almost nothing.

One file, append-only: a magic word, a JSON header with its length and checksum, then rows of fixed size, each with its
own checksum. A row is one person in one source frame (or a frame without people: person -1). A torn or damaged row is
the only loss.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from engine.files.whole_file import sync_folder, whole_file
from realtime.outputs.recording.journal_format import Header, JournalError

if os.name == "posix":
    import fcntl

_COPY_BYTES = 1 << 20
_PROBE_BYTES = 1 << 16  # written and truncated at the start, so that a full disk is reported before the camera opens


def _at_the_end(name: str, flags: int) -> int:
    """Open for writing at the present end, so that truncation by others leaves no hole."""
    return os.open(name, flags | os.O_APPEND, 0o666)


class JournalWriter:
    """Creates a journal and appends to it. Raises OSError on a disk error, also if the disk is full at the start."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open(path, "x+b", buffering=0, opener=_at_the_end)  # noqa: SIM115  closed by `close`
        self._written = 0
        try:
            _lock(self._file.fileno())
            self._write(bytes(_PROBE_BYTES))
            os.fsync(self._file.fileno())
            self._file.seek(0)
            self._file.truncate()
            self._written = 0
            sync_folder(path.parent)
        except OSError:
            self._file.close()
            path.unlink()
            raise

    def begin(self, header: Header) -> None:
        """Write the header: once, before the first row."""
        self._write(header.to_bytes())

    def append(self, rows: NDArray[Any]) -> None:
        """Add checksums to `rows` (R,) of `row_dtype` and write them."""
        self._write(_stamped(rows))

    def sync(self) -> None:
        """Flush to the disk, so that a power loss keeps the rows."""
        os.fsync(self._file.fileno())

    @property
    def is_whole(self) -> bool:
        """Return whether the open file still has all written bytes, under any name or none."""
        return os.fstat(self._file.fileno()).st_size == self._written

    @property
    def is_in_place(self) -> bool:
        """Return whether the file is complete and still under its name."""
        try:
            there = self.path.stat()
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(self._file.fileno())) and self.is_whole

    def copy_to(self, other: JournalWriter) -> None:
        """Copy the contents to an empty journal."""
        self._file.seek(0)
        while data := self._file.read(_COPY_BYTES):
            other._write(data)

    def close(self) -> None:
        self._file.close()

    def _write(self, data: bytes | bytearray) -> None:
        view = memoryview(data)
        while view:  # a nearly full disk accepts a part, then refuses
            taken = self._file.write(view)
            self._written += taken
            view = view[taken:]


def write_journal(path: Path, header: Header, rows: NDArray[Any]) -> None:
    """Write a whole journal of `rows` (R,), replacing `path` once the new file is durable. Raises OSError."""
    with whole_file(path, path.with_name(f"{path.name}.part")) as file:
        file.write(header.to_bytes() + _stamped(rows))
    sync_folder(path.parent)


def is_being_written(path: Path) -> bool:
    """Return whether a running process has the journal open (POSIX; elsewhere False, as open files cannot be removed).

    Raises JournalError for an unreadable file.
    """
    try:
        with path.open("rb") as file:
            _lock(file.fileno())
    except BlockingIOError:
        return True
    except OSError as error:
        raise JournalError(f"cannot read {path}: {error.strerror or error}") from error
    return False


def _stamped(rows: NDArray[Any]) -> bytearray:
    """Encode `rows` (R,) of `row_dtype`, each with its checksum."""
    size = rows.dtype.itemsize - 4
    data = bytearray(rows.tobytes())
    for start in range(0, len(data), size + 4):
        struct.pack_into("<I", data, start + size, zlib.crc32(memoryview(data)[start : start + size]))
    return data


def _lock(descriptor: int) -> None:
    if os.name == "posix":
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
