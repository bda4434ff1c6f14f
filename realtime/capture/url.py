"""Reads a network camera (MJPEG over HTTP, or RTSP) with FFmpeg and bounded blocking."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import cv2

from realtime.capture.live import LiveCapture, LiveSource
from realtime.capture.redirect import redirected
from realtime.capture.source import Source, SourceConfig, SourceError

OPEN_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 3.0
_SCHEMES = ("http", "https", "rtsp", "rtsps")
_ASK_TIMEOUT_S = 1.5
_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_CONFINED = {
    "rtsp_transport": "tcp",  # OpenCV's default, which setting options removes
    "max_redirects": "0",
    # No playlists (HLS, DASH, ffconcat), because they refer to other addresses.
    "format_whitelist": "mpjpeg,mjpeg,jpeg_pipe,rtsp,mpegts,flv,h264,hevc,matroska,webm,mov,mp4,avi,asf,ogg,mpeg",
}


def create(config: SourceConfig) -> Source:
    """The network camera of `--url`. Raises SourceError for no address of one."""
    assert config.url is not None
    return UrlSource(config.url)


class UrlSource(LiveSource):
    """Images from a network camera. The time stamp is taken when FFmpeg delivers the decoded image."""

    def __init__(self, url: str, *, read_timeout_s: float = READ_TIMEOUT_S) -> None:
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in _SCHEMES or not parts.hostname:
            raise SourceError(
                "--url needs the address of a camera, such as http://HOST:PORT/video or rtsp://HOST/stream "
                f"({', '.join(_SCHEMES)} are read)"
            )
        super().__init__()
        self._url = url
        self._read_timeout_s = read_timeout_s
        # Without user and password: this appears in logs, messages and reports.
        self.description = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self.fps: float | None = None  # FFmpeg reports a constant for MJPEG, not the camera's rate

    def open(self) -> None:
        url: str | None = self._url
        deadline = time.monotonic() + OPEN_TIMEOUT_S
        while url is not None and time.monotonic() < deadline:
            further = None
            if url.startswith("rtsp"):  # FFmpeg follows redirects of RTSP by itself, so check before
                further = redirected(url, _ASK_TIMEOUT_S)
            if further is None and (capture := self._capture(url, deadline - time.monotonic())) is not None:
                self._use(capture)
                return
            if url.startswith("http") and time.monotonic() < deadline:  # FFmpeg does not follow these
                further = redirected(url, _ASK_TIMEOUT_S)
            url = further
        raise SourceError(
            f"no stream at {self.description}: check that the camera is on and that the address, "
            "user and password are right (a browser or VLC should show it)"
        )

    def _capture(self, url: str, timeout_s: float) -> cv2.VideoCapture | None:
        with _ffmpeg_options():
            capture = cv2.VideoCapture(
                url,
                cv2.CAP_FFMPEG,
                [
                    *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, max(1, round(timeout_s * 1000))),
                    *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(self._read_timeout_s * 1000)),
                    # FFmpeg decodes in as many threads as there are cores, and each holds a frame back.
                    *(cv2.CAP_PROP_N_THREADS, 1),
                ],
            )
        return capture if capture.isOpened() else None

    def _use(self, capture: cv2.VideoCapture) -> None:
        if self._url.startswith("http") and capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0:
            capture.release()
            raise SourceError(f"{self.description} is a file, not a live stream: download it and give it to --video")
        self._live = LiveCapture(capture, encoded=True)


@contextmanager
def _ffmpeg_options() -> Iterator[None]:
    """Set FFmpeg's options, which OpenCV reads from the environment only. The user's options come last and win."""
    before = os.environ.get(_OPTIONS)
    os.environ[_OPTIONS] = "|".join(f"{key};{value}" for key, value in _CONFINED.items()) + (
        f"|{before}" if before else ""
    )
    try:
        yield
    finally:
        if before is None:
            del os.environ[_OPTIONS]
        else:
            os.environ[_OPTIONS] = before
