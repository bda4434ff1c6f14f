"""Videos that an input names, and their ids; whatever is wrong with a table is one line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from engine.errors import UserError
from realtime.archive.videos import Video, find_videos


def files(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def ids(where: str) -> list[str]:
    return [video.id for video in find_videos(where).videos]


def test_a_folder_and_all_below_it_whatever_else_lies_there(tmp_path: Path) -> None:
    files(tmp_path, "b/clip.mp4", "a/clip.mp4", "A.MOV", "notes.txt", ".hidden/clip.mp4", "a/.clip.mp4", "a/x.mkv")
    assert ids(str(tmp_path)) == ["A.MOV", "a/clip.mp4", "a/x.mkv", "b/clip.mp4"]
    assert find_videos(str(tmp_path)).videos[1].path == str(tmp_path / "a" / "clip.mp4")


def test_a_pattern_keeps_the_folders_that_it_leaves_open(tmp_path: Path) -> None:
    files(tmp_path, "b/clip.mp4", "a/clip.mp4", "a/deep/clip.mp4")
    assert ids(f"{tmp_path}/*/clip.mp4") == ["a/clip.mp4", "b/clip.mp4"]
    assert ids(f"{tmp_path}/a/**/*.mp4") == ["clip.mp4", "deep/clip.mp4"]
    assert ids(str(tmp_path / "a" / "clip.mp4")) == ["clip.mp4"]


def test_the_same_file_by_two_names_is_solved_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files(tmp_path, "a.mp4")
    (tmp_path / "b.mp4").symlink_to("a.mp4")
    assert ids(str(tmp_path)) == ["a.mp4"]
    assert "b.mp4 is the same video as a.mp4: it is solved once" in caplog.text


ROWS = [
    {"path": "a.mp4", "start": 1.5, "end": 3, "licence": "CC0", "source": "here"},
    {"path": "a.mp4", "fov": 55.0, "height": "1.8,1.6", "licence": "CC-BY-4.0"},
    {"path": "https://example.org/clips/b.mp4", "id": "theirs/b"},
]
VIDEOS = (
    Video("a.mp4@1.5-3", "{}/a.mp4", 1.5, 3.0, columns={"licence": "CC0", "source": "here"}),
    Video("a.mp4", "{}/a.mp4", fov_deg=55.0, height_m=(1.8, 1.6), columns={"licence": "CC-BY-4.0"}),
    Video("theirs/b", "https://example.org/clips/b.mp4"),
)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_table_names_parts_settings_and_columns_that_pass_through(tmp_path: Path, suffix: str) -> None:
    table = tmp_path / f"clips{suffix}"
    names = list(dict.fromkeys(name for row in ROWS for name in row))
    if suffix == ".csv":
        lines = [[str(row.get(name, "")) for name in names] for row in ROWS]
        table.write_text("\n".join(",".join(f'"{cell}"' for cell in line) for line in [names, *lines]))
    elif suffix == ".jsonl":
        table.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n\n")
    else:
        whole = [{name: row.get(name) for name in names} for row in ROWS]
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(whole), table)
    found = find_videos(str(table)).videos
    assert [(v.id, v.start_s, v.end_s, v.fov_deg, v.height_m, v.columns) for v in found] == [
        (v.id, v.start_s, v.end_s, v.fov_deg, v.height_m, v.columns) for v in VIDEOS
    ]
    assert [v.path for v in found] == [v.path.format(tmp_path) for v in VIDEOS]
    assert [v.is_url for v in found] == [False, False, True]


def test_columns_of_the_manifests_own_names_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "t.csv").write_text("path,frames,licence\na.mp4,7,CC0\n")
    (video,) = find_videos(str(tmp_path / "t.csv"), ("frames",)).videos
    assert video.columns == {"licence": "CC0"}
    assert "the archive has its own columns frames: those are left out" in caplog.text


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("t.csv", "file\na.mp4\n", "row 1: the column 'path' is missing"),
        ("t.csv", "path,start\na.mp4,soon\n", "row 1: 'start' must be a number, not 'soon'"),
        ("t.csv", "path,start,end\na.mp4,5,2\n", "row 1: 'end' must lie after 'start'"),
        ("t.csv", "path\na.mp4,2\n", "row 2 has more cells than the first line has names"),
        ("t.csv", "path,id\na.mp4,../b\n", "the id '../b' cannot name a folder"),
        ("t.csv", "path,id\na.mp4,x\nb.mp4,x\n", r"a\.mp4 and .*b\.mp4 have the same id 'x'"),
        ("t.csv", "path,id\na.mp4,x\nb.mp4,x/y\n", "the id 'x' is also the folder of 'x/y'"),
        ("t.csv", "path\n", "there is no video in"),
        ("t.csv", b"path\n\xff\xfe.mp4\n", "is not UTF-8 text"),
        ("t.jsonl", '{"path": "a.mp4"}\n{"path":\n', "line 2 is no JSON"),
        ("t.jsonl", "[1]\n", "line 1 is not an object of names and values"),
        ("t.parquet", "PAR1", "is damaged"),
    ],
)
def test_a_wrong_table_is_one_line(tmp_path: Path, name: str, text: str | bytes, told: str) -> None:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=told) as error:
        find_videos(str(tmp_path / name))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("where", ["nowhere", "nowhere/*.mp4", "nowhere.csv", "."])
def test_an_input_without_videos_is_one_line(tmp_path: Path, where: str) -> None:
    with pytest.raises(UserError, match=r"there is no|cannot read"):
        find_videos(str(tmp_path / where))


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_folder_without_permission_is_told_and_the_others_are_searched(tmp_path: Path) -> None:
    files(tmp_path, "open/a.mp4", "shut/b.mp4")
    (tmp_path / "shut").chmod(0)
    is_root = os.geteuid() == 0  # who may read everything
    for folder in (tmp_path, *tmp_path.parents[:2]) if is_root else ():
        folder.chmod(0o755)
    try:
        if is_root:
            os.seteuid(65534)
        found = find_videos(str(tmp_path))
    finally:
        if is_root:
            os.seteuid(0)
        (tmp_path / "shut").chmod(0o700)
    assert [video.id for video in found.videos] == ["open/a.mp4"]
    assert found.unreadable == {str(tmp_path / "shut"): "Permission denied"}
