"""Writes files atomically: a reader sees the old file or the whole new one, even after a crash."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from engine.errors import UserError


@contextmanager
def whole_file(path: Path, partial: Path | None = None) -> Iterator[IO[bytes]]:
    """Open a file that replaces `path` once it is complete and durable. Raises OSError.

    An exception in the block leaves the old file in place.

    partial: name of the file until then; None: a hidden one that no other process uses.
    """
    partial = partial or path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a new or renamed file's name durable. Windows does so by itself and cannot open a folder."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def check_writable(path: Path) -> None:
    """Raises UserError where a file cannot be written: better told before the camera opens than after the session.

    It is tried, because permissions alone promise more than a network's or a read-only disk keeps. The file, if there
    is one, stays as it is.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise UserError(f"cannot write {path}: there is no folder {path.parent}; make it, or name another")
    try:
        if path.is_dir():
            raise UserError(f"cannot write {path}: it is a folder; name a file in it")
        if path.is_file():
            path.open("ab").close()
        elif not path.exists():  # a device or pipe is not tried
            probe = path.with_name(f".{path.name}.{os.getpid()}")
            probe.open("wb").close()
            probe.unlink()
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}; name another file") from error
