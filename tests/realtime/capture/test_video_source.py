"""Video files that OpenCV wrote a moment ago, whole and damaged."""

from __future__ import annotations

import logging
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from realtime.capture.factory import open_source
from realtime.capture.source import EndOfStream, SourceConfig, SourceError
from realtime.capture.video import VideoSource, length_s
from tests.network_camera import NetworkCamera
from tests.video_files import FPS, FRAMES, ffmpeg, needs_ffmpeg, with_edit, with_matrix, write_video


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
    brightness = [float(image[:, 120:].mean()) for image, _ in frames]
    assert brightness == pytest.approx(19.5 + 5 * np.arange(FRAMES), abs=3.0)


@pytest.mark.parametrize("fps", [60, 90, 120, 240])
def test_matroska_keeps_whole_milliseconds_and_yet_the_times_are_those_of_the_rate(tmp_path: Path, fps: int) -> None:
    frames = read_opened(write_video(tmp_path / "a.mkv", "MJPG", fps=fps, frames=100))
    assert [t for _, t in frames] == pytest.approx(np.arange(100) / fps, abs=1e-6)


@needs_ffmpeg
def test_an_avi_with_b_frames_has_all_its_times(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clip = write_video(tmp_path / "a.mkv", "MJPG", fps=60, frames=100)
    options = ("-c:v", "libx264", "-bf", "3", "-x264-params", "b-adapt=0:keyint=60")
    mp4 = ffmpeg(clip, tmp_path / "a.mp4", *options)
    frames = read_opened(ffmpeg(mp4, tmp_path / "a.avi", "-c", "copy"))
    assert [t for _, t in frames] == pytest.approx(np.arange(100) / 60, abs=1e-6)
    assert caplog.text == ""


@pytest.mark.parametrize(("name", "fourcc"), [("a.mp4", "mp4v"), ("a.avi", "MJPG"), ("a.mkv", "mp4v")])
@pytest.mark.parametrize(("start_s", "skip_s", "first"), [(0.0, 0.39, 10), (0.0, 3.2, 80), (0.4, 4.0, 110)])
def test_frames_that_are_skipped_leave_the_times_as_they_are(
    tmp_path: Path, name: str, fourcc: str, start_s: float, skip_s: float, first: int
) -> None:
    path = write_video(tmp_path / name, fourcc, frames=130)
    assert length_s(path) == pytest.approx(130 / FPS)
    whole, skipped = VideoSource(path, start_s), VideoSource(path, start_s, skip_s)
    for source in (whole, skipped):
        source.open()
    frames, later = read_all(whole), read_all(skipped)
    assert [t for _, t in later] == [t for _, t in frames[-len(later) :]]
    assert len(later) == 130 - first
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zip(later, frames[-len(later) :], strict=True))


def test_a_skip_beyond_the_end_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"a\.mp4 ends before 5 s"):
        VideoSource(write_video(tmp_path / "a.mp4", "mp4v"), 0.0, 5.0).open()
    assert length_s(tmp_path / "none.mp4") == length_s(tmp_path / "null\0.mp4") == length_s(tmp_path) == 0.0


@pytest.mark.parametrize(("start_s", "first"), [(0.0, 0), (0.4, 10), (0.41, 11), (1.56, 39)])
def test_a_later_start_passes_over_the_frames_before_it(tmp_path: Path, start_s: float, first: int) -> None:
    path = write_video(tmp_path / "a.mp4", "mp4v")
    source = open_source(SourceConfig(video=path, start_s=start_s))
    assert isinstance(source, VideoSource)
    frames, whole = read_all(source), read_opened(path)
    source.close()
    assert [t for _, t in frames] == pytest.approx(np.arange(FRAMES - first) / FPS, abs=1e-6)
    assert all((image == there).all() for (image, _), (there, _) in zip(frames, whole[first:], strict=True))


def test_a_start_behind_the_end_is_one_line(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", "mp4v")
    with pytest.raises(SourceError, match=r"a\.mp4 ends before 9 s: let it start earlier$"):
        open_source(SourceConfig(video=path, start_s=9.0))
    with pytest.raises(ValueError, match="start_s must be a number of seconds from 0 on, not -1"):
        SourceConfig(video=path, start_s=-1)


def read_opened(path: Path) -> list[tuple[np.ndarray, float]]:
    source = VideoSource(path)
    source.open()
    frames = read_all(source)
    source.close()
    return frames


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


@needs_ffmpeg
@pytest.mark.parametrize("damage", ["cut off", "zeros"])
def test_a_download_that_broke_off_warns(tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str) -> None:
    path = ffmpeg(
        write_video(tmp_path / "a.mkv", "MJPG"), tmp_path / "a.mp4", "-c:v", "mpeg4", "-movflags", "faststart"
    )
    data = path.read_bytes()
    half = data[: len(data) // 2]
    path.write_bytes(half if damage == "cut off" else half + bytes(len(data) - len(half)))
    frames = read_opened(path)
    assert 0 < len(frames) < FRAMES
    assert f"ends early: {len(frames)} of {FRAMES} frames" in caplog.text


def test_a_whole_file_does_not_warn(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert len(read_opened(write_video(tmp_path / "a.mp4", "mp4v"))) == FRAMES
    assert caplog.text == ""


def test_a_trimmed_file_is_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_video(tmp_path / "a.mp4", "mp4v")
    assert len(read_opened(with_edit(path, tmp_path / "trimmed.mp4", 12, 28))) == 28
    assert caplog.text == ""


@needs_ffmpeg
@pytest.mark.parametrize("kind", ["pictures come late", "sound goes on"])
def test_a_promise_of_more_frames_is_no_damage(tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    clip, path = write_video(tmp_path / "a.mp4", "mp4v"), tmp_path / "a.mkv"
    if kind == "pictures come late":
        ffmpeg(clip, path, "-c", "copy", before=("-itsoffset", "2.5"))
    else:
        ffmpeg(clip, path, "-c:v", "copy", "-c:a", "aac", before=("-f", "lavfi", "-i", "sine=d=6"))
    assert len(read_opened(path)) == FRAMES
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("matrix", "seen"),
    [
        ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
        ((1, 0, 0, -1), lambda image: image[::-1]),
        ((0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
        ((0, -1, -1, 0), lambda image: image[::-1, ::-1].transpose(1, 0, 2)),
        ((-1, 0, 0, -1), lambda image: image[::-1, ::-1]),
        ((0, 1, -1, 0), lambda image: image[::-1].transpose(1, 0, 2)),
    ],
)
def test_pictures_are_turned_and_mirrored_as_the_file_says(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    matrix: tuple[int, int, int, int],
    seen: Callable[[np.ndarray], np.ndarray],
) -> None:
    path = write_video(tmp_path / "a.mp4", "mp4v", frames=3)
    with caplog.at_level(logging.INFO):
        stored, shown = (read_opened(p) for p in (path, with_matrix(path, tmp_path / "b.mp4", matrix)))
    for (before, _), (after, _) in zip(stored, shown, strict=True):
        np.testing.assert_array_equal(after, seen(before))
    mirrored = matrix[0] * matrix[3] - matrix[1] * matrix[2] < 0
    assert caplog.text.count("left and right are exchanged") == mirrored


@needs_ffmpeg
@pytest.mark.parametrize(
    ("aspect", "turned", "size"), [("4/3", False, (427, 240)), ("3/4", False, (320, 320)), ("4/3", True, (240, 427))]
)
def test_pixels_become_square(tmp_path: Path, aspect: str, turned: bool, size: tuple[int, int]) -> None:
    """Of a stored picture of 320x240; only ever enlarged, so that nothing is lost."""
    path = ffmpeg(write_video(tmp_path / "a.avi", "MJPG", frames=3), tmp_path / "a.mp4", "-vf", f"setsar={aspect}")
    if turned:
        path = with_matrix(path, tmp_path / "b.mp4", (0, 1, -1, 0))
    image, _ = read_opened(path)[0]
    assert (image.shape[1], image.shape[0]) == size


@needs_ffmpeg
def test_hdr_is_told_once_with_the_way_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    hlg = ("-color_primaries", "bt2020", "-color_trc", "arib-std-b67", "-colorspace", "bt2020nc")
    path = ffmpeg(write_video(tmp_path / "a.avi", "MJPG", frames=3), tmp_path / "a.mp4", "-c:v", "mpeg4", *hlg)
    source = VideoSource(path)
    source.open()  # OpenCV takes seconds over the first HDR picture, so none is read
    source.close()
    assert caplog.text.count("is HDR video (HLG)") == 1
    command = caplog.text.split("is faster: ")[1].strip().replace("sdr.mp4", str(tmp_path / "sdr.mp4"))
    subprocess.run(["ffmpeg", "-v", "error", *shlex.split(command)[1:]], check=True, timeout=60)
    caplog.clear()
    assert len(read_opened(tmp_path / "sdr.mp4")) == 3
    assert caplog.text == ""


@needs_ffmpeg
@pytest.mark.parametrize(("name", "encoder", "codec"), [("a.mp4", "libsvtav1", "AV1"), ("a.webp", "libwebp", "WebP")])
def test_a_codec_that_opencv_lacks_is_named(tmp_path: Path, name: str, encoder: str, codec: str) -> None:
    try:
        path = ffmpeg(write_video(tmp_path / "a.avi", "MJPG"), tmp_path / name, "-c:v", encoder)
    except subprocess.CalledProcessError:
        pytest.skip(f"this ffmpeg lacks {encoder}")
    with pytest.raises(SourceError, match=rf"{codec} video, which OpenCV cannot decode; make a copy: ") as caught:
        VideoSource(path).open()
    assert "\n" not in str(caught.value)


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
