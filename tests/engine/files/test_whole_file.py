from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.files.whole_file import check_writable


def test_a_file_that_can_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    old.write_text("kept")
    check_writable(old)
    check_writable(tmp_path / "new.json")
    assert [path.name for path in tmp_path.iterdir()] == ["old.json"]
    assert old.read_text() == "kept"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (".", "it is a folder; name a file in it"),
        ("none/a.json", "there is no folder .*none; make it"),
        ("x" * 300, "name another file"),
        pytest.param(
            "/sys/a.json",  # root's permissions promise it
            "; name another file",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="a place of Linux where nobody can write"),
        ),
    ],
)
def test_what_cannot_be_written_is_one_line(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UserError, match=rf"^cannot write .*{message}") as caught:
        check_writable(tmp_path / name)
    assert "\n" not in str(caught.value)
