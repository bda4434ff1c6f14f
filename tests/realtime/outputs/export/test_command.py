"""`python -m realtime.export`: what it refuses, in one line each."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime.export import main
from tests.realtime.outputs.export.recording import record
from tests.realtime.outputs.streams.synthetic_stream import BODY


def test_refuses_another_body(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = record(tmp_path / "s.npz", BODY)
    assert main([str(path), str(tmp_path / "s.glb")]) == 2
    assert "give its file with --body" in capsys.readouterr().err
    assert not (tmp_path / "s.glb").exists()
    assert main([str(path), str(tmp_path / "s.bvh")]) == 0  # needs no mesh


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("s.txt", "end its name in one of .bvh"),
        ("none/s.bvh", "cannot write"),
        ("none/s.glb", "cannot write"),
        ("none/s.npz", "cannot write"),
        ("none/s.usd", "cannot write"),
    ],
)
def test_what_cannot_be_written_is_one_line(
    path: Path, tmp_path: Path, name: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(path), str(tmp_path / name)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_writes_over_a_file_only_when_told(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "s.csv"
    out.write_text("mine")
    assert main([str(path), str(out)]) == 2
    error = capsys.readouterr().err
    assert "--overwrite" in error
    assert error.count("\n") == 1
    assert out.read_text() == "mine"
    assert main([str(path), str(out), "--overwrite"]) == 0
    assert out.read_text().startswith("time_s,")


@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_never_writes_over_the_session(path: Path, more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    before = path.read_bytes()
    assert main([str(path), str(path), *more]) == 2
    assert "is the session itself" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_refuses_what_is_not_a_session(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.npz"), str(tmp_path / "s.bvh")]) == 2
    assert "there is no session file" in capsys.readouterr().err
