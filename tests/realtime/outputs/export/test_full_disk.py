"""Exports to a full disk: one line, and no file that looks whole. A limit of the file's size stands in for the disk."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from realtime.outputs.export import ExportError, export
from realtime.outputs.recording.session import open_session


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file grows beyond this size meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("ending", [".trc", ".c3d", ".mot", ".angles.csv", ".vrma", ".usd", ".usda", ".rrd"])
def test_no_cut_file_is_left(path: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"take{ending}"
    export(open_session(path), out)
    whole = out.stat().st_size
    out.unlink()
    with largest_file(whole * 2 // 3), pytest.raises(ExportError) as caught:
        export(open_session(path), out)
    assert str(caught.value).startswith(f"cannot write {out}: ")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
