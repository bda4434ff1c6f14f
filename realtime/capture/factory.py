"""Opens the source of a configuration."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from importlib import import_module

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.errors import one_line
from realtime.capture.camera import lasting_name
from realtime.capture.presentation import turned_left
from realtime.capture.source import EndOfStream, LazySource, Source, SourceConfig
from realtime.kernel.messages import Frame

_LONGEST_NAME = 200


def open_source(config: SourceConfig) -> Source:
    """Open the source that `config` selects.

    Raises:
        SourceError: not exactly one source, or it cannot be opened.
    """
    quiet_libraries()
    source = _make(config)
    source.open()
    return source


def camera_name(config: SourceConfig) -> str:
    """Return the persistent name of a source's camera: one short line. Opens nothing.

    Raises SourceError if there is no such source.
    """
    name = lasting_name(config.cam) if config.cam is not None else _make(config).description
    return one_line(name)[:_LONGEST_NAME]


def first_frames(config: SourceConfig, count: int, step_s: float, quarter_turns: int = 0) -> Iterator[Frame]:
    """Yield up to `count` frames from the beginning of a file or folder, at least `step_s` seconds apart.

    They are rotated counter-clockwise by quarter_turns. Raises SourceError.
    """
    with closing(open_source(config)) as source, suppress(EndOfStream):
        due_s = -math.inf
        for seq in itertools.count():
            t, retrieve = _grabbed(source)
            if t >= due_s:
                due_s = t + step_s
                yield Frame(turned_left(retrieve(), quarter_turns), seq, t)
                if (count := count - 1) == 0:
                    return


def _grabbed(source: Source) -> tuple[float, Callable[[], NDArray[np.uint8]]]:
    """Advance to the next image; return its time in seconds, and what returns it, decoded only then if it can be."""
    if isinstance(source, LazySource):
        return source.grab(), source.retrieve
    image_bgr, t = source.read()
    return t, lambda: image_bgr


def _make(config: SourceConfig) -> Source:
    source: Source = import_module(config.given.metadata["module"]).create(config)
    return source


def quiet_libraries() -> None:
    """Silence OpenCV and FFmpeg: every failure reaches the user as one line of this program.

    A level in the environment (OPENCV_LOG_LEVEL, OPENCV_FFMPEG_LOGLEVEL) is kept.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET; read when FFmpeg is first used
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "3")  # seconds that a dead webcam may block a read
    if "OPENCV_LOG_LEVEL" not in os.environ:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
