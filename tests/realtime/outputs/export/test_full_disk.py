"""Exports to a full disk: one line, and no file that looks whole. A limit of the file's size stands in for the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime.outputs.export import ExportError, export
from realtime.outputs.recording.session import open_session
from tests.disk import largest_file


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
