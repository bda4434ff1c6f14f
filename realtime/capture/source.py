"""The contract of a picture source, and the one place that turns a configuration into one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.errors import UserError

MAX_PIXELS = 64_000_000  # twice an 8K picture; anything larger is a mistake or an attack
IMAGES_FPS = 30.0  # the rate of a folder of images unless told


class SourceError(UserError):
    """A source cannot be opened, or holds nothing that can be used."""


class SourceLostError(RuntimeError):
    """A live source stopped giving pictures; opening it again may help."""


class EndOfStream(Exception):
    """A file or folder has no more frames."""


class Source(Protocol):
    """Where pictures come from. One thread owns a source: it opens, reads and closes it.

    A live source (`is_live`) paces itself and may be lost and opened again; its times are `time.monotonic()` taken
    when the grab returned, before the picture is decoded where the driver allows it. A driver that hands out the
    same picture twice gives the same time twice. Any other source reads as fast as asked, its times are seconds from
    its first frame.
    """

    is_live: bool
    fps: float | None  # Hz, None where unknown until frames arrive; settled by `open`

    @property
    def description(self) -> str:
        """What a user would call it, in a few words, without any password."""

    def open(self) -> None:
        """Make ready to read. Raises SourceError; may be called again after `close`."""

    def read(self) -> tuple[NDArray[np.uint8], float]:
        """The next picture, BGR (H, W, 3), and its time in seconds. Raises SourceLostError or EndOfStream."""

    def close(self) -> None:
        """Free the device, file or connection. Idempotent."""


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """Which source: exactly one of the first five."""

    cam: str | None = None  # index, or (part of) a name
    video: Path | None = None
    url: str | None = None
    images: Path | None = None
    demo: bool = False
    width: int = 1280  # pixels, asked of a camera; what it really gives is logged
    height: int = 720
    fps: float | None = None  # Hz, asked of a camera (30 unless told); the rate of a folder of images


def open_source(config: SourceConfig) -> Source:
    """The source that `config` names, opened.

    Raises:
        SourceError: not exactly one source, or it cannot be opened.
    """
    quiet_libraries()
    source = _make(config)
    source.open()
    return source


def _make(config: SourceConfig) -> Source:
    from realtime.capture.camera import CameraSource
    from realtime.capture.demo import DemoSource
    from realtime.capture.images import ImagesSource
    from realtime.capture.url import UrlSource
    from realtime.capture.video import VideoSource

    given = [config.cam is not None, config.video is not None, config.url is not None, config.images is not None]
    if sum(given) + config.demo != 1:
        raise SourceError("give exactly one source: --cam N|NAME, --video FILE, --url URL, --images DIR or --demo")
    if config.cam is not None:
        return CameraSource(config.cam, config.width, config.height, config.fps or 30.0)
    if config.video is not None:
        return VideoSource(config.video)
    if config.url is not None:
        return UrlSource(config.url)
    if config.images is not None:
        return ImagesSource(config.images, config.fps or IMAGES_FPS)
    return DemoSource()


def quiet_libraries() -> None:
    """Keep OpenCV and FFmpeg from writing to the terminal: every failure reaches the user as one line of ours.

    A level set in the environment (OPENCV_LOG_LEVEL, OPENCV_FFMPEG_LOGLEVEL) is left alone.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET; read when FFmpeg is first used
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "3")  # seconds that a dead webcam may block a read
    if "OPENCV_LOG_LEVEL" not in os.environ:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
