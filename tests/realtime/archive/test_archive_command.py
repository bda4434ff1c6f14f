"""The whole command, in processes of its own, over good and broken files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from realtime.outputs.recording.session import load_session
from tests.realtime.archive.clips import write_person
from tests.terminal import ROOT
from tests.video_files import ffmpeg, needs_ffmpeg, with_matrix, write_video


def archive(where: Path, out: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    camera = ("--fov", "50", "--pitch", "0", "--roll", "0", "--keep-free", "0")  # told, which saves the search for it
    command = [sys.executable, "-m", "realtime.archive", str(where), str(out), *camera, *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ)


def rows(out: Path) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in pyarrow.parquet.read_table(out / "manifest.parquet").to_pylist()}


def made(out: Path) -> dict[str, tuple[int, int]]:
    """Which results there are, and when they were made."""
    found = sorted((out / "videos").rglob("take*.npz"))
    return {str(path.relative_to(out)): (path.stat().st_mtime_ns, path.stat().st_ino) for path in found}


def broken_files(folder: Path) -> dict[str, str]:
    """Files that are broken in many ways, and what is told of each."""
    good = write_person(folder / "good.mp4")
    data = good.read_bytes()
    contents = {
        "empty.mp4": b"",
        "noise.mp4": bytes(range(256)) * 40,
        "text.avi": b"this is no video\n" * 100,
        "no-index.mp4": data[: data.index(b"moov") - 4],
        "head.mp4": data[:200],
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "gone.mp4").symlink_to("nowhere.mp4")
    (folder / "folder.mp4").mkdir()
    told = dict.fromkeys(contents, "is not a video that can be read")
    return told | {"empty.mp4": "is empty (0 bytes)", "gone.mp4": "cannot be read: No such file or directory"}


def test_every_video_is_accounted_for_and_the_broken_ones_told_in_one_line(tmp_path: Path) -> None:
    clips, out = tmp_path / "in", tmp_path / "out"
    told = broken_files(clips)
    write_person(clips / "sub" / "good.mp4", first=10)  # another file of the same name
    done = archive(clips, out, "--workers", "2")
    assert done.returncode == 1
    found = rows(out)
    assert list(found) == [*sorted(["good.mp4", *told]), "sub/good.mp4"]
    for name, line in told.items():
        row = found[name]
        assert (row["status"], row["attempts"], row["frames"], row["kept"]) == ("failed", 2, 0, False)
        assert line in row["error"]
        assert "\n" not in row["error"]
        assert f"{name}: {row['error']}" in done.stderr
        assert (out / "failures" / name / "log.txt").exists()
    assert "Traceback" not in done.stderr
    for name in ("good.mp4", "sub/good.mp4"):
        row = found[name]
        assert (row["status"], row["error"], row["people"], row["frames"], row["coverage"]) == ("done", "", 1, 20, 1.0)
        assert row["seconds"] == pytest.approx(20 / 30, abs=1e-6)
        assert row["fps"] == pytest.approx(30)
        assert (row["width_px"], row["height_px"], row["camera"]["source"]) == (270, 480, "given")
        (take,) = row["takes"]
        assert len(load_session(out / "videos" / name / take["file"]).raw_seq) == 20
        assert (out / "videos" / name / "thumbnail.jpg").stat().st_size > 3000
        log = (out / "videos" / name / "log.txt").read_text()
        assert f"recording to {out / 'videos' / name / 'take.npz'}" in log
        assert ".work" not in log
        assert "BlazePose" in json.loads(row["versions"])["perception"]
    assert found["good.mp4"]["sha256"] != found["sub/good.mp4"]["sha256"]
    page = (out / "index.html").read_text()
    assert page.index("noise.mp4") < page.index("sub/good.mp4")
    assert not list((out / ".work").glob("*/"))


def test_only_what_changed_is_done_again(tmp_path: Path) -> None:
    clips, out = tmp_path / "in", tmp_path / "out"
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        write_person(clips / name)
    assert archive(clips, out).returncode == 0
    first = made(out)

    (clips / "new.mp4").write_bytes(write_person(tmp_path / "new.mp4", first=20).read_bytes())
    shutil.copy(write_person(tmp_path / "other.mp4", first=25), clips / "b.mp4")  # another film
    os.utime(clips / "c.mp4")  # the same film, as if copied
    done = archive(clips, out)
    assert done.returncode == 0, done.stderr
    second = made(out)
    assert [name for name in first if second[name] != first[name]] == ["videos/b.mp4/take.npz"]
    assert len(second) == 4

    assert archive(clips, out).returncode == 0
    assert made(out) == second

    assert archive(clips, out, "--smoothing", "off").returncode == 0
    assert not set(made(out).values()) & set(second.values())
    assert {row["settings"] for row in rows(out).values()} == {
        '{"camera": {"fov_deg": 50.0, "pitch_deg": 0.0, "roll_deg": 0.0}, "smoothing": {"level": "off"}}'
    }


def test_what_failed_is_tried_again_and_what_was_done_stays_while_its_disk_is_away(tmp_path: Path) -> None:
    disk, away, out = tmp_path / "disk", tmp_path / "away", tmp_path / "out"
    write_person(disk / "a.mp4")
    write_person(disk / "b.mp4", first=15)
    table = tmp_path / "clips.csv"
    table.write_text("path,licence\ndisk/a.mp4,CC0\ndisk/b.mp4,CC-BY-4.0\n")
    whole = (disk / "b.mp4").read_bytes()
    (disk / "b.mp4").write_bytes(whole[:100])
    assert archive(table, out).returncode == 1
    first = made(out)

    disk.rename(away)
    assert archive(table, out).returncode == 1
    found = rows(out)
    assert [found[name]["status"] for name in ("disk/a.mp4", "disk/b.mp4")] == ["done", "failed"]
    assert found["disk/b.mp4"]["error"].endswith("disk/b.mp4 cannot be read: No such file or directory")
    away.rename(disk)
    (disk / "b.mp4").write_bytes(whole)
    assert archive(table, out).returncode == 0
    assert [row["licence"] for row in rows(out).values()] == ["CC0", "CC-BY-4.0"]
    assert made(out).items() > first.items()
    assert not (out / "failures" / "disk" / "b.mp4").exists()


@needs_ffmpeg
def test_turned_uneven_and_silent_films_are_solved_and_sound_alone_is_told(tmp_path: Path) -> None:
    clips, out = tmp_path / "in", tmp_path / "out"
    good = write_person(tmp_path / "good.mp4")
    clips.mkdir()
    with_matrix(good, clips / "turned.mp4", (0, 1, -1, 0))
    uneven = "setpts='(N+0.4*mod(N,3))/30/TB'"
    ffmpeg(good, clips / "uneven.mkv", "-vf", uneven, "-vsync", "vfr", "-c:v", "libx264")
    tone = ("-f", "lavfi")
    ffmpeg(Path("sine=duration=1"), clips / "sound.mp4", "-c:a", "aac", before=tone)
    write_video(clips / "nobody.avi", "MJPG", frames=10)
    done = archive(clips, out)
    found = rows(out)
    assert done.returncode == 1
    assert found["sound.mp4"]["status"] == "failed"
    assert "is not a video that can be read" in found["sound.mp4"]["error"]
    assert (found["turned.mp4"]["width_px"], found["turned.mp4"]["height_px"]) == (480, 270)
    assert (found["uneven.mkv"]["frames"], found["uneven.mkv"]["people"]) == (20, 1)
    assert found["nobody.avi"]["people"] == 0
    said = "nobody was seen: there is nothing to write to videos/nobody.avi/take.npz"  # wherever the archive is moved
    assert said in found["nobody.avi"]["warnings"]


def test_a_part_of_a_video_is_what_a_run_over_it_gives(tmp_path: Path) -> None:
    write_person(tmp_path / "a.mp4", count=40)
    table = tmp_path / "clips.jsonl"
    table.write_text(json.dumps({"path": "a.mp4", "start": 0.5, "end": 1.0, "height": 1.6}))
    assert archive(table, tmp_path / "out", "--smoothing", "off").returncode == 0
    (row,) = rows(tmp_path / "out").values()
    assert (row["id"], row["frames"], row["start"], row["end"]) == ("a.mp4@0.5-1", 15, 0.5, 1.0)
    (take,) = row["takes"]
    session = load_session(tmp_path / "out" / "videos" / row["id"] / take["file"])
    assert session.raw_timestamps == pytest.approx([k / 30 for k in range(15)], abs=1e-6)
    assert session.body["stature_m"] == pytest.approx(1.6)


def test_on_a_full_disk_nothing_begins(tmp_path: Path) -> None:
    write_person(tmp_path / "in" / "a.mp4")
    done = archive(tmp_path / "in", tmp_path / "out", "--keep-free", "1e9")
    assert done.returncode == 1
    assert "nothing more begins; make room, then run this again" in done.stderr
    assert rows(tmp_path / "out") == {}


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--filter", "coverage=1"), "--filter takes coverage|contact_quality|confidence|doubt, then >= or <= and a"),
        (("--workers", "0"), "--workers must be 1 or more, not 0"),
        (("--record", "take.npz"), "unknown argument '--record'"),
        (("--fov", "500"), "camera.fov_deg must lie between 10 and 150"),
    ],
)
def test_bad_usage_is_one_line(tmp_path: Path, flags: tuple[str, ...], told: str) -> None:
    write_person(tmp_path / "in" / "a.mp4", count=2)
    done = archive(tmp_path / "in", tmp_path / "out", *flags)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert told in done.stderr
