"""A session that is exported block by block gives what it gives at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from realtime.outputs.export import export
from realtime.outputs.recording import session as session_module
from realtime.outputs.recording.session import Session, load_session, open_session
from realtime.outputs.recording.session_layout import SessionError


@pytest.fixture
def turning(session: Session) -> Session:
    """The pelvis turns six times about a leaning axis, past every place where a name of it leaps."""
    poses = session.poses.copy()
    angles = np.linspace(0, 12 * np.pi, len(poses))
    angles = (angles + np.pi) % (2 * np.pi) - np.pi
    poses[:, :3] = angles[:, None] * np.array([0.6, 0.8, 0.0])
    return replace(session, poses=poses)


@pytest.mark.parametrize("suffix", [".bvh", ".csv", ".glb"])
def test_files_are_the_same(turning: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    export(turning, tmp_path / f"whole{suffix}")
    monkeypatch.setattr(session_module, "_BLOCK", 7)
    export(turning, tmp_path / f"blocks{suffix}")
    assert (tmp_path / f"blocks{suffix}").read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()


def test_amass_files_are_the_same(turning: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export(turning, tmp_path / "whole.npz")
    monkeypatch.setattr(session_module, "_BLOCK", 7)
    export(turning, tmp_path / "blocks.npz")
    with np.load(tmp_path / "whole.npz") as whole, np.load(tmp_path / "blocks.npz") as blocks:
        assert whole.files == blocks.files
        for key in whole.files:
            assert whole[key].shape == blocks[key].shape
            if whole[key].dtype.kind == "f":
                np.testing.assert_allclose(blocks[key], whole[key], atol=1e-9)


def test_damage_behind_the_first_block_leaves_the_file_that_was_there(
    path: Path, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "_BLOCK", 7)
    poses = session.poses.copy()
    poses[30] = np.nan
    with np.load(path) as data:
        np.savez(tmp_path / "s.npz", **{key: data[key] for key in data.files if key != "poses"}, poses=poses)
    with pytest.raises(SessionError, match="'poses' holds numbers that are not finite"):
        load_session(tmp_path / "s.npz")
    opened = open_session(tmp_path / "s.npz")
    for suffix in (".bvh", ".glb", ".npz"):
        out = tmp_path / f"out{suffix}"
        out.write_text("mine")
        with pytest.raises(SessionError, match="not finite"):
            export(opened, out)
        assert out.read_text() == "mine"
    assert sorted(found.name for found in tmp_path.iterdir()) == ["out.bvh", "out.glb", "out.npz", "s.npz"]
