"""A video file, with the times that its frames carry."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.capture.source import MAX_PIXELS, EndOfStream, SourceError

logger = logging.getLogger(__name__)


class VideoSource:
    """The frames of a file from first to last.

    Where the file ends early (a damaged tail), a warning says how many frames came; they are kept.
    """

    is_live = False

    def __init__(self, path: Path) -> None:
        self.description = path.name
        self.fps: float | None = None
        self._path = path
        self._capture: cv2.VideoCapture | None = None
        self._first: NDArray[np.uint8] | None = None
        self._start_s = 0.0
        self._frames_read = 0
        self._last_s = -1.0

    def open(self) -> None:
        if not self._path.exists():
            raise SourceError(f"there is no file {self._path}: check the path")
        if not self._path.is_file():
            raise SourceError(f"{self._path} is not a file: give a video, or --images for a folder of pictures")
        if self._path.stat().st_size == 0:
            raise SourceError(f"{self._path} is empty (0 bytes): record or copy it again")
        self._capture = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        self._frames_read, self._last_s = 0, -1.0
        self._first = self._grab() if self._capture.isOpened() else None
        if self._first is None:
            self.close()
            raise SourceError(
                f"{self._path} is not a video that can be read: it may be truncated, or of a kind unknown to FFmpeg "
                "(mp4, mov, mkv, avi and webm work)"
            )
        height, width = self._first.shape[:2]
        if width * height > MAX_PIXELS:
            self.close()
            raise SourceError(
                f"{self._path} has frames of {width}x{height} pixels, over the limit of {MAX_PIXELS}: scale it down"
            )
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = rate if np.isfinite(rate) and rate > 0 else None
        self._start_s = self._position_s()

    def read(self) -> tuple[NDArray[np.uint8], float]:
        image, self._first = (self._first, None) if self._first is not None else (self._grab(), None)
        if image is None:
            self._warn_if_short()
            raise EndOfStream
        t = self._position_s() - self._start_s
        if t <= self._last_s:  # a container without usable times
            t = self._last_s + 1.0 / (self.fps or 30.0)
        self._last_s = t
        self._frames_read += 1
        return image, t

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _grab(self) -> NDArray[np.uint8] | None:
        if self._capture is None:
            return None
        ok, image = self._capture.read()
        return np.asarray(image, dtype=np.uint8) if ok else None

    def _position_s(self) -> float:
        return self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0 if self._capture is not None else 0.0

    def _warn_if_short(self) -> None:
        promised = self._capture.get(cv2.CAP_PROP_FRAME_COUNT) if self._capture is not None else 0
        # Some containers only estimate their length.
        if np.isfinite(promised) and self._frames_read < 0.95 * promised - 1:
            logger.warning(
                "%s ends early: %d of %d frames could be read (a damaged or truncated file)",
                *(self.description, self._frames_read, int(promised)),
            )
