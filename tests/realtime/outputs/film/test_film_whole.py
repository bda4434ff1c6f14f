"""The film's codec and sound, and that it plays whatever ended it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from realtime.outputs.film import ffmpeg
from realtime.outputs.film.overlay_video import OverlayVideo
from realtime.outputs.film.video_file import VideoFile

FFMPEG = shutil.which("ffmpeg")
RATE_HZ, CLAP_S, FPS = 48_000, 1.4, 25

needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="ffmpeg is not installed")


@pytest.fixture
def no_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PATH", os.devnull)
    ffmpeg.find.cache_clear()
    yield
    ffmpeg.find.cache_clear()


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (120, 160, 3), np.uint8)


def frames_of(path: Path) -> int:
    video, frames = cv2.VideoCapture(str(path)), 0
    while video.read()[0]:
        frames += 1
    return frames


def streams_of(path: Path) -> dict[str, str]:
    """Codec by kind of stream, as ffprobe has it."""
    assert FFMPEG is not None
    probe = [str(Path(FFMPEG).with_name("ffprobe")), "-v", "error", "-show_streams", "-of", "json", str(path)]
    found = json.loads(subprocess.run(probe, capture_output=True, check=True).stdout)["streams"]
    return {stream["codec_type"]: stream["codec_name"] for stream in found}


def clip_with_a_clap(path: Path, *, sound_early_s: float = 0.0) -> Path:
    """3 s of a picture that turns white at CLAP_S, when a clap is heard; its sound begins earlier by so much."""
    t = np.arange(int(3 * RATE_HZ)) / RATE_HZ - sound_early_s
    clap = np.where((t >= CLAP_S) & (t < CLAP_S + 0.05), np.sin(2 * np.pi * 1000 * t), 0)
    samples = (clap * 20_000).astype("<i2").tobytes()
    sound = ["-itsoffset", str(-sound_early_s), "-f", "s16le", "-ar", str(RATE_HZ), "-ac", "1", "-i", "pipe:0"]
    picture = ["-f", "lavfi", "-i", f"color=black:s=64x48:r={FPS}:d=3,drawbox=c=white:t=fill:enable='gte(t,{CLAP_S})'"]
    # No edit list: the streams' own times stay apart as in a clip that was cut by its packets.
    out = ["-map", "1:v", "-map", "0:a", "-c:v", "libx264", "-c:a", "pcm_s16le", "-f", "matroska", str(path)]
    subprocess.run([str(FFMPEG), "-v", "error", "-y", *sound, *picture, *out], input=samples, check=True)
    return path


def clap_s(film: Path) -> float:
    """When the clap is heard, on the clock of the film's pictures."""
    decode = [str(FFMPEG), "-v", "error", "-i", str(film), "-ac", "1", "-ar", str(RATE_HZ), "-f", "s16le", "-"]
    samples = np.frombuffer(subprocess.run(decode, capture_output=True, check=True).stdout, "<i2")
    return float(np.flatnonzero(np.abs(samples.astype(int)) > 4000)[0]) / RATE_HZ


def flash_s(film: Path) -> float:
    video, k = cv2.VideoCapture(str(film)), 0
    while True:
        good, picture = video.read()
        assert good
        if picture.mean() > 128:
            return k / video.get(cv2.CAP_PROP_FPS)
        k += 1


@needs_ffmpeg
@pytest.mark.parametrize(("first_s", "sound_early_s"), [(0.0, 0.0), (0.6, 0.0), (0.6, 0.3)])
def test_the_sound_of_the_clip_stays_in_step(tmp_path: Path, first_s: float, sound_early_s: float):
    clip = clip_with_a_clap(tmp_path / "clip.mkv", sound_early_s=sound_early_s)
    film = VideoFile(tmp_path / "film.mp4", clip)
    for k in range(round(first_s * FPS), 2 * FPS):  # as with --seconds 2, the first pictures missed
        film.write(k / FPS, np.full((48, 64, 3), 255 if k / FPS >= CLAP_S else 0, np.uint8))
    film.close()
    assert film.made == "H.264 by ffmpeg's libx264, with the sound of clip.mkv"
    assert streams_of(film.path) == {"video": "h264", "audio": "aac"}
    assert flash_s(film.path) == pytest.approx(CLAP_S - first_s, abs=1e-6)
    assert clap_s(film.path) == pytest.approx(CLAP_S - first_s, abs=0.005)
    assert set(tmp_path.iterdir()) == {clip, film.path}


@needs_ffmpeg
def test_a_clip_without_sound_is_filmed_without(tmp_path: Path):
    silent = VideoFile(tmp_path / "silent.mp4")
    for k in range(20):
        silent.write(k / FPS, noise(k))
    silent.close()
    film = VideoFile(tmp_path / "film.mp4", silent.path)
    for k in range(20):
        film.write(k / FPS, noise(k))
    film.close()
    assert film.made == "H.264 by ffmpeg's libx264"
    assert streams_of(film.path) == {"video": "h264"}


def test_without_ffmpeg_opencv_films_and_it_is_said(tmp_path: Path, no_ffmpeg, caplog):
    from engine.body.files import load_body

    OverlayVideo(tmp_path / "a.mp4", load_body("open"), blocking=True, clip=Path("clip.mov")).close()
    (said,) = [record.getMessage() for record in caplog.records]
    assert "there is no ffmpeg" in said
    assert "without the sound of clip.mov" in said
    assert "pip install imageio-ffmpeg" in said
    film = VideoFile(tmp_path / "film.mp4")
    for k in range(20):
        film.write(k / FPS, noise(k))
    film.close()
    assert film.made.endswith("by OpenCV")
    assert frames_of(film.path) == 20
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


@needs_ffmpeg
def test_what_was_written_plays_when_ffmpeg_is_killed(tmp_path: Path):
    film = VideoFile(tmp_path / "film.mp4")
    for k in range(150):
        film.write(k / FPS, noise(k))
    deadline = time.monotonic() + 20
    while film.path.stat().st_size < 1 << 20 and time.monotonic() < deadline:
        time.sleep(0.05)
    encoder = next(child for child in psutil.Process().children() if child.name() == "ffmpeg")
    encoder.send_signal(signal.SIGKILL)
    encoder.wait(20)
    with pytest.raises(OSError, match="ffmpeg"):
        film.close()
    film.release()
    assert frames_of(film.path) > 20


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill_up(film: VideoFile) -> None:
    """Film until the disk is full; somebody else takes what is left of it between two looks."""
    with pytest.raises(OSError, match="no space left on the disk"):
        for k in range(2000):
            film.write(k / FPS, noise(k))
            if k == 61:
                subprocess.run(
                    ["dd", "if=/dev/zero", f"of={film.path.parent / 'other'}", "bs=64k"], capture_output=True
                )
    film.release()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can mount a file system")
def test_a_disk_that_others_fill_leaves_a_film_that_plays(tiny_disk: Path):
    film = VideoFile(tiny_disk / "film.mp4")
    fill_up(film)
    assert frames_of(film.path) > 20


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can mount a file system")
def test_a_disk_that_others_fill_leaves_a_film_that_plays_without_ffmpeg_too(tiny_disk: Path, monkeypatch):
    monkeypatch.setattr(ffmpeg, "find", lambda: None)
    film = VideoFile(tiny_disk / "film.mp4")
    fill_up(film)
    assert frames_of(film.path) > 20
    assert sorted(path.name for path in tiny_disk.iterdir()) == ["film.mp4", "other"]
