"""Video files for tests: written by OpenCV, patched in their headers, or made by ffmpeg where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

FPS, FRAMES = 25.0, 40

needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="ffmpeg, which makes this kind of file, is not installed (apt, brew)"
)


def write_video(path: Path, fourcc: str, fps: float = FPS, frames: int = FRAMES) -> Path:
    """Flat grey frames that get lighter, with noise enough to make the file long; the left third is darker."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*fourcc), fps, (320, 240))
    random = np.random.default_rng(0)
    for index in range(frames):
        image = (200 * index / frames + random.integers(0, 40, (240, 320, 3))).astype(np.uint8)
        image[:, :100] //= 2
        writer.write(image)
    writer.release()
    return path


def ffmpeg(source: Path, path: Path, *options: str, before: tuple[str, ...] = ()) -> Path:
    """`source` through ffmpeg to `path`."""
    command = ["ffmpeg", "-y", "-v", "error", *before, "-i", str(source), *options, str(path)]
    subprocess.run(command, check=True, timeout=60, stdin=subprocess.DEVNULL, capture_output=True)
    return path


def with_matrix(source: Path, path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """A copy of an .mp4 whose only track is to be shown as `matrix` (a, b, c, d) says."""
    data = bytearray(source.read_bytes())
    at = data.index(b"tkhd") + 44  # version 0, as FFmpeg writes it
    a, b, c, d = (value << 16 for value in matrix)
    data[at : at + 36] = b"".join(v.to_bytes(4, "big", signed=True) for v in (a, b, 0, c, d, 0, 0, 0, 1 << 30))
    path.write_bytes(data)
    return path


def with_edit(source: Path, path: Path, first: int, count: int) -> Path:
    """A copy of an .mp4 by `write_video` of which only `count` frames from `first` on are to be played."""
    data = bytearray(source.read_bytes())
    movie_scale = int.from_bytes(data[(at := data.index(b"mvhd") + 16) : at + 4], "big")
    media_scale = int.from_bytes(data[(at := data.index(b"mdhd") + 16) : at + 4], "big")
    at = data.index(b"elst") + 12
    data[at : at + 4] = round(count / FPS * movie_scale).to_bytes(4, "big")
    data[at + 4 : at + 8] = round(first / FPS * media_scale).to_bytes(4, "big")
    path.write_bytes(data)
    return path
