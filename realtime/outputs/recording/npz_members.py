"""Writes an .npz member by member from blocks, so that a long session never lies in memory as a whole."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.files.whole_file import sync_folder, whole_file


@dataclass(frozen=True)
class Member:
    """One array of the file: its name, and its rows in blocks that together have `shape`."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    blocks: Iterable[NDArray[Any]]

    @classmethod
    def whole(cls, name: str, value: Any) -> Member:
        """Make a member from a small array."""
        array = np.asarray(value)
        return cls(name, array.dtype, array.shape, (array,))


def write_npz(path: Path, members: Iterable[Member]) -> None:
    """Write `members` to `path`, replacing it once the new file is durable. Raises OSError and then leaves no file.

    The bytes depend on the members alone (no time of day), so the same recording always gives the same file.
    """
    with (
        whole_file(path, path.with_name(f"{path.name}.part")) as file,
        # Level 1: floats hardly compress further, and a long session should close in seconds.
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for member in members:
            _write_member(archive, member)
    sync_folder(path.parent)


def _write_member(archive: zipfile.ZipFile, member: Member) -> None:
    header = {
        "descr": np.lib.format.dtype_to_descr(member.dtype),
        "fortran_order": False,
        "shape": member.shape,
    }
    with archive.open(f"{member.name}.npy", "w", force_zip64=True) as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        written = 0
        for block in member.blocks:
            data = np.ascontiguousarray(block, dtype=member.dtype).tobytes()
            stream.write(data)
            written += len(data)
    expected = member.dtype.itemsize * int(np.prod(member.shape, dtype=np.int64))
    if written != expected:
        raise ValueError(f"the blocks of '{member.name}' hold {written} bytes, its shape {expected}")
