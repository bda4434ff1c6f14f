"""A network camera: MJPEG over HTTP, or RTSP, read by FFmpeg with a bound on how long it may block."""

from __future__ import annotations

from urllib.parse import urlsplit

import cv2

from realtime.capture.live import LiveCapture, LiveSource
from realtime.capture.source import SourceError

OPEN_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 3.0
_SCHEMES = ("http", "https", "rtsp", "rtsps")


class UrlSource(LiveSource):
    """Pictures from a network camera. The time stamp is taken when FFmpeg hands over the decoded picture."""

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
        # Without user and password: this goes into logs, messages and reports.
        self.description = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self.fps: float | None = None  # what FFmpeg reports for MJPEG is a constant, not the camera's rate

    def open(self) -> None:
        capture = cv2.VideoCapture(
            self._url,
            cv2.CAP_FFMPEG,
            [
                *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(OPEN_TIMEOUT_S * 1000)),
                *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(self._read_timeout_s * 1000)),
                # FFmpeg decodes video in as many threads as there are cores, and each holds a frame back.
                *(cv2.CAP_PROP_N_THREADS, 1),
            ],
        )
        if not capture.isOpened():
            raise SourceError(
                f"no stream at {self.description}: check that the camera is on and that the address, "
                "user and password are right (a browser or VLC should show it)"
            )
        if self._url.startswith("http") and capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0:
            capture.release()
            raise SourceError(f"{self.description} is a file, not a live stream: download it and give it to --video")
        self._live = LiveCapture(capture)
