"""Headers of video files, and that headers which lie do no harm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from realtime.capture.container import Container, read_container
from tests.video_files import FPS, FRAMES, ffmpeg, needs_ffmpeg, with_edit, with_matrix, write_video


def box(kind: bytes, content: bytes = b"", size: int | None = None) -> bytes:
    return (8 + len(content) if size is None else size).to_bytes(4, "big") + kind + content


def test_length_and_matrix_of_an_mp4(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", "mp4v")
    said = read_container(path)
    assert said.length_s == pytest.approx(FRAMES / FPS, abs=1e-3)
    assert said == Container(0, said.length_s, (1, 0, 0, 1), None)
    assert read_container(with_edit(path, tmp_path / "b.mp4", 12, 28)).length_s == pytest.approx(28 / FPS, abs=1e-3)
    for matrix in ((-1, 0, 0, 1), (0, 1, -1, 0), (0, -1, -1, 0)):
        assert read_container(with_matrix(path, tmp_path / "c.mp4", matrix)).matrix == matrix
    for odd in ((1, 1, -1, 1), (0, 0, 0, 0), (1, 1, 0, 0), (2, 0, 0, 2)):
        assert read_container(with_matrix(path, tmp_path / "c.mp4", odd)).matrix is None


@needs_ffmpeg
@pytest.mark.parametrize(("name", "code"), [("arib-std-b67", 18), ("smpte2084", 16), ("bt709", 1)])
def test_transfer_of_an_mp4(tmp_path: Path, name: str, code: int) -> None:
    options = ("-c:v", "mpeg4", "-color_primaries", "bt2020", "-color_trc", name, "-colorspace", "bt2020nc")
    path = ffmpeg(write_video(tmp_path / "a.avi", "MJPG"), tmp_path / "a.mp4", *options)
    assert read_container(path).transfer == code


@pytest.mark.parametrize(("name", "fourcc"), [("a.mp4", "mp4v"), ("a.avi", "MJPG"), ("a.mkv", "MJPG")])
def test_bytes_that_are_missing(tmp_path: Path, name: str, fourcc: str) -> None:
    path = write_video(tmp_path / name, fourcc)
    assert read_container(path).missing_bytes == 0
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    missing = read_container(path).missing_bytes
    assert 0.4 * len(whole) < missing <= len(whole) // 2 + 1  # an .mp4's index stands behind and is not announced


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF",
        b"RIFF\0\0\0\0AVI ",
        b"\x1a\x45\xdf\xa3",
        b"\x1a\x45\xdf\xa3\x01" + b"\xff" * 7,
        b"\x1a\x45\xdf\xa3\x9f" + bytes(31) + b"\x18\x53\x80\x67\x01" + b"\xff" * 7,
        box(b"ftyp", b"isom") + box(b"moov", b"", size=4),
        box(b"ftyp", b"isom") + box(b"moov", box(b"trak", box(b"tkhd") + box(b"mdia", box(b"hdlr")))),
        box(b"ftyp", b"isom") + box(b"mdat", bytes(16), size=1),
        b"\0\0\0\x08free" * 300_000,
        b"\0\0\0\x08moov" * 300_000,
    ],
)
def test_headers_that_lie_say_nothing(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    said = read_container(path)
    assert (said.length_s, said.matrix, said.transfer) == (None, None, None)


def test_damaged_headers_never_raise(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    path = tmp_path / "x"
    for name, fourcc in (("a.mp4", "mp4v"), ("a.avi", "MJPG"), ("a.mkv", "MJPG")):
        whole = np.frombuffer(write_video(tmp_path / name, fourcc, frames=3).read_bytes(), np.uint8)
        headers = np.r_[0:200, max(200, len(whole) - 1500) : len(whole)]  # where OpenCV puts them
        for _ in range(100):
            damaged = whole.copy()
            damaged[random.choice(headers, 8)] = random.integers(0, 256, 8)
            path.write_bytes(damaged.tobytes())
            read_container(path)
