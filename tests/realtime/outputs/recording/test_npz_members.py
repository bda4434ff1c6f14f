from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from realtime.outputs.recording.npz_members import Member, write_npz


def test_a_file_that_cannot_be_written_whole_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "s.npz"
    path.write_bytes(b"old")

    def failing() -> object:
        yield np.zeros(3)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_npz(path, [Member("x", np.dtype("f8"), (6,), failing())])
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["s.npz"]


def test_a_member_must_be_as_long_as_it_says(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'x' hold"):
        write_npz(tmp_path / "s.npz", [Member("x", np.dtype("f8"), (6,), [np.zeros(5)])])


def test_written_members_are_plain_npz(tmp_path: Path) -> None:
    blocks = [np.arange(6.0).reshape(2, 3), np.arange(6.0, 9.0).reshape(1, 3)]
    write_npz(tmp_path / "s.npz", [Member("x", np.dtype("f4"), (3, 3), blocks), Member.whole("y", "text")])
    with np.load(tmp_path / "s.npz") as data:
        np.testing.assert_array_equal(data["x"], np.arange(9, dtype=np.float32).reshape(3, 3))
        assert data["x"].dtype == np.float32
        assert str(data["y"]) == "text"
