"""Plays a short clip of a real person in an endless loop, for machines without a camera."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime import assets
from realtime.capture.source import EndOfStream, Source, SourceConfig
from realtime.capture.video import VideoSource

_MAX_SIDE_PX = 960  # enough for a person who fills the height; 100 frames stay under 160 MB


def create(config: SourceConfig) -> Source:
    """The clip of `--demo`."""
    return DemoSource()


class DemoSource:
    """Demo clip at its own rate, alternately forwards and backwards, so that the person never jumps.

    Time stamps increase. The frames are decoded once and kept in memory.
    """

    is_live = False
    description = "demo clip"

    def __init__(self) -> None:
        self.fps: float | None = None
        self._frames: list[NDArray[np.uint8]] = []
        self._count = 0

    def open(self) -> None:
        video = VideoSource(assets.fetch(assets.DEMO_CLIP))
        video.open()
        try:
            self._frames = _read_all(video)
        finally:
            video.close()
        self.fps = video.fps or 30.0
        self._count = 0

    def read(self) -> tuple[NDArray[np.uint8], float]:
        if not self._frames or self.fps is None:
            raise EndOfStream
        t = self._count / self.fps
        image = self._frames[there_and_back(self._count, len(self._frames))]
        self._count += 1
        return image, t

    def close(self) -> None:
        self._frames = []


def there_and_back(count: int, length: int) -> int:
    """Return the `count`-th index of 0, 1 ... length-1, length-2 ... 1, 0, 1 ..."""
    if length == 1:
        return 0
    place = count % (2 * length - 2)
    return min(place, 2 * length - 2 - place)


def _read_all(video: VideoSource) -> list[NDArray[np.uint8]]:
    frames: list[NDArray[np.uint8]] = []
    while True:
        try:
            image, _ = video.read()
        except EndOfStream:
            return frames
        scale = min(1.0, _MAX_SIDE_PX / max(image.shape[:2]))
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        frames.append(np.asarray(small, dtype=np.uint8))
