from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from realtime.outputs.recording.session import load_session
from realtime.outputs.recording.session_layout import SessionError


def test_refuses_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="there is no session file"):
        load_session(tmp_path / "none.npz")


def test_points_at_the_journal_of_a_file_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "s.npz.journal").write_bytes(b"")
    with pytest.raises(SessionError, match=r"python -m realtime\.recover"):
        load_session(tmp_path / "s.npz")


def test_refuses_other_files(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(3))
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    for name in ("a.npy", "b.npz"):
        with pytest.raises(SessionError):
            load_session(tmp_path / name)
    with pytest.raises(SessionError, match="cannot read"):
        load_session(tmp_path)
