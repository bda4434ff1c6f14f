"""Video files that OpenCV wrote a moment ago, whole and damaged."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime.capture.factory import open_source
from realtime.capture.source import EndOfStream, SourceConfig, SourceError
from realtime.capture.video import VideoSource
from tests.network_camera import NetworkCamera

FPS, FRAMES = 25.0, 40


def write_video(path: Path, fourcc: str) -> Path:
    """Flat grey frames that get lighter, with noise enough to make the file long."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*fourcc), FPS, (320, 240))
    random = np.random.default_rng(0)
    for index in range(FRAMES):
        writer.write((5 * index + random.integers(0, 40, (240, 320, 3))).astype(np.uint8))
    writer.release()
    return path


def read_all(source: VideoSource) -> list[tuple[np.ndarray, float]]:
    frames = []
    while True:
        try:
            frames.append(source.read())
        except EndOfStream:
            return frames


@pytest.mark.parametrize(("name", "fourcc"), [("a.mp4", "mp4v"), ("a.avi", "MJPG")])
def test_every_frame_in_order_with_the_times_of_the_file(tmp_path: Path, name: str, fourcc: str) -> None:
    source = open_source(SourceConfig(video=write_video(tmp_path / name, fourcc)))
    assert isinstance(source, VideoSource)
    assert source.fps == pytest.approx(FPS)
    frames = read_all(source)
    source.close()
    assert [t for _, t in frames] == pytest.approx(np.arange(FRAMES) / FPS, abs=1e-3)
    brightness = [float(image.mean()) for image, _ in frames]
    assert brightness == pytest.approx(19.5 + 5 * np.arange(FRAMES), abs=3.0)


def test_it_can_be_read_again(tmp_path: Path) -> None:
    source = VideoSource(write_video(tmp_path / "a.avi", "MJPG"))
    for _ in range(2):
        source.open()
        assert len(read_all(source)) == FRAMES
        source.close()


def test_a_damaged_tail_keeps_the_frames_so_far_and_warns(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_video(tmp_path / "a.avi", "MJPG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = VideoSource(path)
    source.open()
    with caplog.at_level(logging.WARNING):
        frames = read_all(source)
    source.close()
    assert FRAMES // 4 < len(frames) < FRAMES
    assert f"ends early: {len(frames)} of {FRAMES} frames" in caplog.text


def test_a_whole_file_does_not_warn(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = VideoSource(write_video(tmp_path / "a.mp4", "mp4v"))
    source.open()
    read_all(source)
    source.close()
    assert caplog.text == ""


def bad_file(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "bad.mp4"
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("This is not a video. " * 500)
    elif kind == "truncated":  # an mp4 keeps its index at the end
        write_video(path, "mp4v")
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif kind == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "there is no file"),
        ("empty", "is empty"),
        ("text", "not a video that can be read"),
        ("truncated", "may be truncated"),
        ("folder", "--images"),
    ],
)
def test_bad_files_are_one_line(tmp_path: Path, kind: str, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        open_source(SourceConfig(video=bad_file(tmp_path, kind)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["playlist.m3u8", "playlist.mp4"])
def test_a_file_cannot_send_the_program_to_the_network(tmp_path: Path, name: str) -> None:
    with NetworkCamera() as camera:
        playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{camera.url}\n#EXT-X-ENDLIST\n"
        (tmp_path / name).write_text(playlist)
        with pytest.raises(SourceError, match="not a video that can be read"):
            open_source(SourceConfig(video=tmp_path / name))
        assert camera.connections == 0


def test_exactly_one_source() -> None:
    for config in (SourceConfig(), SourceConfig(demo=True, cam="0")):
        with pytest.raises(SourceError, match="exactly one source"):
            open_source(config)
