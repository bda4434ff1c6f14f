"""A video file at a constant rate, made of pictures that come when they come."""

from __future__ import annotations

import itertools
import os
import shutil
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

CODECS = ("avc1", "mp4v")  # H.264 plays everywhere; not every OpenCV may encode it
_RATE_FRAMES = 12  # the rate is that of the first pictures
_LONGEST_S = 10.0  # that a picture stays: a camera that was lost overnight must not fill the disk
_SPARE_BYTES = 4 << 20  # left on the disk for the index, without which no player opens the file
_LOOK_EVERY = 30  # frames between two looks at the disk


class VideoFile:
    """Writes an .mp4 in which every picture is shown from its own time to the next one's, at a whole rate.

    Times (s) must grow. Of pictures that fall into the same frame the last is kept. `write` and `close` raise OSError
    where the disk is full or the file cannot be made; what was written before can be played.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.frames = 0  # in the file
        self.fps = 0  # known once the first frames are there
        self._waiting: list[tuple[float, Picture]] = []  # until the rate is known
        self._writer: cv2.VideoWriter | None = None
        self._held: Picture | None = None  # to be written once it is known until when it is shown
        self._held_slot = 0
        self._t_slot_0 = 0.0

    def write(self, t: float, picture_bgr: Picture) -> None:
        """Add a picture (H, W, 3) seen at time t. All must have the first one's size, which must be even."""
        if self._writer is None:
            self._waiting.append((t, picture_bgr))
            if len(self._waiting) == _RATE_FRAMES:
                self._begin()
        else:
            self._put(t, picture_bgr)

    def close(self) -> None:
        """Finish the file."""
        if self._writer is None and self._waiting:
            self._begin()
        if self._held is not None:
            self._repeat(self._held, 1)
            self._held = None
        self.release()

    def release(self) -> None:
        """Finish the file with what it has."""
        if self._writer is not None:
            self._writer.release()

    def _begin(self) -> None:
        times = [t for t, _ in self._waiting]
        steps = [after - before for before, after in itertools.pairwise(times) if after > before]
        self.fps = min(120, max(1, round(1 / statistics.median(steps)))) if steps else 30
        height, width = self._waiting[0][1].shape[:2]
        self._check_disk()
        self._writer = _open_writer(self.path, self.fps, (width, height))
        self._t_slot_0 = times[0]
        for t, picture in self._waiting:
            self._put(t, picture)
        self._waiting.clear()

    def _put(self, t: float, picture: Picture) -> None:
        slot = round((t - self._t_slot_0) * self.fps)
        if self._held is not None:
            longest = round(_LONGEST_S * self.fps)
            if slot - self._held_slot > longest:
                self._t_slot_0 += (slot - self._held_slot - longest) / self.fps
                slot = self._held_slot + longest
            self._repeat(self._held, slot - self._held_slot)
        self._held, self._held_slot = picture, slot

    def _repeat(self, picture: Picture, times: int) -> None:
        assert self._writer is not None
        for _ in range(times):
            if self.frames % _LOOK_EVERY == 0:
                self._check_disk()
            self._writer.write(picture)
            self.frames += 1

    def _check_disk(self) -> None:
        """OpenCV does not say when a write fails, so look ahead."""
        if shutil.disk_usage(self.path.parent).free < _SPARE_BYTES:
            raise OSError("no space left on the disk")


def _open_writer(path: Path, fps: int, size: tuple[int, int]) -> cv2.VideoWriter:
    for codec in CODECS:
        with _quiet():
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), float(fps), size)
        if writer.isOpened():
            return writer
    raise OSError(f"OpenCV has no encoder for {path.suffix} here")


@contextmanager
def _quiet() -> Iterator[None]:
    """FFmpeg writes to the terminal about every codec that it lacks. Call it where no other thread writes there."""
    kept, silent = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silent)
