"""Reads a video file with the time stamps of its frames."""

from __future__ import annotations

import logging
import shlex
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.capture.container import Container, read_container
from realtime.capture.frame_times import FrameTimes
from realtime.capture.presentation import Presentation, present
from realtime.capture.source import MAX_PIXELS, EndOfStream, Source, SourceConfig, SourceError
from realtime.kernel.messages import SAME_TIME_S

logger = logging.getLogger(__name__)

_BEFORE_S = 2.0  # by which a search by key frames stops early, since it is inexact
_HDR = {16: "PQ", 18: "HLG"}  # transfer characteristics (ITU-T H.273)
# By OpenCV's FFmpeg name: the user's name and the remedy.
_UNDECODED = {
    "av01": ("AV1", "ffmpeg -i {} -c:v libx264 copy.mp4"),
    "vvc1": ("VVC (H.266)", "ffmpeg -i {} -c:v libx264 copy.mp4"),
    "webp": ("animated WebP", "magick {} picture-%04d.png, then --images"),
}
_TO_SDR = (
    "ffmpeg -i {} -vf format=yuv420p -c:v libx264 -color_trc bt709 -color_primaries bt709 -colorspace bt709 sdr.mp4"
)


def create(config: SourceConfig) -> Source:
    """The file of `--video`."""
    assert config.video is not None
    return VideoSource(config.video, config.start_s)


def length_s(path: Path) -> float:
    """Return the length of a file as its header says; 0 if that is not known, or there is no video."""
    if not path.is_file():
        return 0.0
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    frames, rate = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    seconds = frames / rate if rate > 0 else 0.0
    return seconds if 0 < seconds < np.inf else 0.0


class VideoSource:
    """Frames of a file to its last, corrected for display.

    start_s: seconds after the file's first frame from which on frames are read; their times count from there. skip_s:
    seconds after that which are passed over too, by key frames. Times go on meanwhile.
    If the file ends early (a damaged tail), a warning reports the number of frames read.
    """

    is_live = False

    def __init__(self, path: Path, start_s: float = 0.0, skip_s: float = 0.0) -> None:
        self.description = path.name
        self.fps: float | None = None
        self._path = path
        self._start_s, self._skip_s = start_s, skip_s
        self._capture: cv2.VideoCapture | None = None
        self._container = Container()
        self._presentation = Presentation()
        self._times = FrameTimes(None)
        self._grabbed = False  # `open` grabs the first frame
        self._frames_read = 0
        self._last_s = 0.0

    def open(self) -> None:
        self._container = _checked(self._path)
        self._capture = capture = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        self._frames_read, self._last_s = 0, 0.0
        self._presentation = present(capture, self._container.matrix)
        stored = _stored_size(capture)
        width, height = self._presentation.size(*stored)
        if width * height > MAX_PIXELS:
            self.close()
            raise SourceError(
                f"{self._path} has frames of {width}x{height} pixels, over the limit of {MAX_PIXELS}: scale it down"
            )
        self._grabbed = capture.grab()
        if not self._grabbed:
            error = SourceError(_why_unreadable(self._path, capture))
            self.close()
            raise error
        rate = capture.get(cv2.CAP_PROP_FPS)
        self.fps = rate if np.isfinite(rate) and rate > 0 else None
        self._times = FrameTimes(self.fps)
        self._go_to_start(capture)
        if self._skip_s > 0:
            self._skip(capture)
        self._say(stored, (width, height))

    def read(self) -> tuple[NDArray[np.uint8], float]:
        t = self.grab()
        return self.retrieve(), t

    def grab(self) -> float:
        if self._capture is None:
            raise EndOfStream
        if not self._grabbed and not self._capture.grab():
            self._warn_if_short()
            raise EndOfStream
        self._grabbed = False
        self._frames_read += 1
        self._last_s = self._times.next(self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0)
        return self._last_s

    def retrieve(self) -> NDArray[np.uint8]:
        ok, image = self._capture.retrieve() if self._capture is not None else (False, None)
        if not ok or image is None:
            raise SourceError(
                f"a frame of {self._path} at {self._last_s:.2f} s is of a kind that OpenCV cannot convert"
            )
        return self._presentation.apply(np.asarray(image, dtype=np.uint8))

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _go_to_start(self, capture: cv2.VideoCapture) -> None:
        """Pass over the frames before the start: one by one, because seeking is inexact. Raises SourceError."""
        first_s = t = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
        while t - first_s < self._start_s - SAME_TIME_S:
            self._frames_read += 1
            if not capture.grab():
                self.close()
                raise SourceError(f"{self._path} ends before {self._start_s:g} s: let it start earlier")
            t = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0

    def _skip(self, capture: cv2.VideoCapture) -> None:
        """Go on to the first frame that is not passed over. Raises SourceError."""
        start_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
        self._times.next(start_s)
        until_s = start_s + self._skip_s - SAME_TIME_S
        capture.set(cv2.CAP_PROP_POS_MSEC, 1000.0 * max(start_s, until_s - _BEFORE_S))
        self._grabbed = capture.grab()
        if self._grabbed and capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0 > until_s:  # a file that cannot be sought in
            capture.set(cv2.CAP_PROP_POS_MSEC, 0.0)
            self._grabbed = capture.grab()
        while self._grabbed and capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0 < until_s:
            self._grabbed = capture.grab()
        if not self._grabbed:
            self.close()
            raise SourceError(f"{self._path} ends before {self._start_s + self._skip_s:g} s")

    def _say(self, stored: tuple[int, int], shown: tuple[int, int]) -> None:
        """Log once the properties of the file that a user may not expect."""
        quoted = shlex.quote(str(self._path))
        if self._presentation.mirrored:
            logger.warning(
                "%s is shown mirrored, as its file asks, so the body's left and right are exchanged; to undo that: %s",
                *(self.description, f"ffmpeg -i {quoted} -vf hflip copy.mp4"),
            )
        if self._presentation.stretch != (1.0, 1.0):
            logger.info(
                "%s has pixels that are not square: %dx%d are shown as %dx%d", self.description, *stored, *shown
            )
        if self._container.transfer in _HDR:
            logger.warning(
                "%s is HDR video (%s): a picture takes longer to convert than to solve; a copy without is faster: %s",
                *(self.description, _HDR[self._container.transfer], _TO_SDR.format(quoted)),
            )

    def _warn_if_short(self) -> None:
        """Warn about missing data. A shorter count alone is no damage: edit lists, longer sound, B-frames in AVI."""
        promised = self._capture.get(cv2.CAP_PROP_FRAME_COUNT) if self._capture is not None else 0.0
        known = np.isfinite(promised) and promised > 0
        if known and self._frames_read >= 0.95 * promised - 1:
            return
        length_s = self._container.length_s
        end_s = self._start_s + self._last_s
        stops = known and length_s is not None and end_s < 0.95 * length_s - 2 / (self.fps or 30.0)
        if stops or self._container.missing_bytes > 0:
            logger.warning(
                "%s ends early: %d%s frames could be read (a damaged or truncated file)",
                *(self.description, self._frames_read, f" of {promised:.0f}" if known else ""),
            )


def _checked(path: Path) -> Container:
    """Read the container. Raises SourceError if there is no readable file."""
    try:
        if path.is_dir():
            raise SourceError(f"{path} is not a file: give a video, or --images for a folder of pictures")
        if path.stat().st_size == 0:
            raise SourceError(f"{path} is empty (0 bytes): record or copy it again")
        return read_container(path)
    except FileNotFoundError:
        raise SourceError(f"there is no file {path}: check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise SourceError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _stored_size(capture: cv2.VideoCapture) -> tuple[int, int]:
    return int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))


def _why_unreadable(path: Path, capture: cv2.VideoCapture) -> str:
    code = max(0, int(capture.get(cv2.CAP_PROP_FOURCC))) if capture.isOpened() else 0
    codec = code.to_bytes(8, "little")[:4].decode("ascii", "replace").rstrip("\0").lower()
    if codec in _UNDECODED:
        name, way_out = _UNDECODED[codec]
        return (
            f"{path} is {name} video, which OpenCV cannot decode; make a copy: {way_out.format(shlex.quote(str(path)))}"
        )
    if codec.isalnum():
        return f"{path} holds {codec} video, but no frame of it can be decoded: it may be truncated"
    return (
        f"{path} is not a video that can be read: it may be truncated, or of a kind unknown to FFmpeg "
        "(mp4, mov, mkv, avi and webm work)"
    )
