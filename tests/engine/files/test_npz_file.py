"""Reading .npz archives: sound ones as NumPy does, damaged ones in one kind of error."""

from __future__ import annotations

import contextlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.files.npz_file import NpzError, NpzFile, read_npz

ARRAYS = {
    "numbers": np.arange(24.0).reshape(4, 3, 2),
    "columns": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
    "turned": np.arange(3, dtype=">f4"),
    "one": np.array(2.5),
    "none": np.zeros((0, 3), np.float32),
    "text": np.array("a text"),
    "empty": np.array(""),
    "record": np.array(("body", 1.7, (2, 3)), dtype=[("name", "U8"), ("height", "f8"), ("size", "i4", (2,))]),
    "flags": np.array([True, False]),
}


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


WHOLE = npz(**ARRAYS)


def test_arrays_come_back() -> None:
    for name, array in read_npz(io.BytesIO(WHOLE)).items():
        assert array.dtype == ARRAYS[name].dtype
        np.testing.assert_array_equal(array, ARRAYS[name])


@pytest.mark.parametrize("rows", [1, 3, 4, 9])
def test_blocks_are_the_array_in_order(rows: int) -> None:
    with NpzFile(io.BytesIO(WHOLE)) as file:
        blocks = list(file.blocks("numbers", rows))
    assert max(len(block) for block in blocks) <= rows
    np.testing.assert_array_equal(np.concatenate(blocks), ARRAYS["numbers"])


@given(position=st.integers(0, 10**9), value=st.integers(0, 255), cut=st.integers(0, 10**9) | st.none())
def test_damage_gives_arrays_or_one_kind_of_error(position: int, value: int, cut: int | None) -> None:
    data = bytearray(WHOLE)
    data[position % len(data)] = value
    with contextlib.suppress(NpzError):
        read_npz(io.BytesIO(data if cut is None else data[: cut % len(data)]))


def stated(descr: str, shape: str, data: bytes = bytes(16)) -> bytes:
    """An archive with one member, whose header says what it is told to."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (stated("'<f8'", "(3,)"), "not as long as its shape"),
        (stated("'<f8'", "(-2, -1)"), "damaged"),
        (stated("'<f8'", "(2, 'x')"), "damaged"),
        (stated("'<f8'", "((" * 60), "damaged"),
        (stated("'|O'", "(2,)"), "never loaded"),
        (stated("'<M8[s]'", "(2,)"), "neither numbers nor text"),
        (stated("[1]", "(2,)"), "damaged"),
        (b"PK no archive", "cut short or damaged"),
        (npz(b=np.zeros(2)), "'a' is missing"),
    ],
)
def test_what_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(NpzError, match=says), NpzFile(io.BytesIO(data)) as file:
        file.read("a")


def test_python_2_s_long_numbers_are_read() -> None:
    np.testing.assert_array_equal(read_npz(io.BytesIO(stated("'<f8'", "(2L, 1L)")))["a"], np.zeros((2, 1)))


def test_what_unpacks_to_more_than_is_wanted_stays_packed(tmp_path: Path) -> None:
    with pytest.raises(NpzError, match="unpacks to 8 MB"):
        read_npz(io.BytesIO(npz(a=np.zeros(1_000_000))), most_bytes=1_000_000)
