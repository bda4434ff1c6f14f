"""Writes a video file at a constant rate from images at irregular times.

ffmpeg encodes it if available; otherwise OpenCV does, without sound: in H.264 on Windows (Media Foundation) and macOS
(AVFoundation), in MPEG-4 Part 2 on Linux.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import cv2

from realtime.outputs.film import ffmpeg
from realtime.outputs.film.ffmpeg import FfmpegWriter, Picture, Sound

_CODECS = {"avc1": "H.264", "mp4v": "MPEG-4 Part 2"}  # the first plays everywhere; not every OpenCV can encode it
_RATE_FRAMES = 12  # first images, which determine the rate
_LONGEST_S = 10.0  # maximum duration of an image: a camera that was lost overnight must not fill the disk
_SPARE_BYTES = 4 << 20  # left on the disk for the file's end, and for a recording beside it
_ROOM_BYTES = 4 << 20  # 16 bytes of index a frame: more than an hour at 60 Hz


class Writer(Protocol):
    """Encoder of images of one size at a constant rate. All methods raise OSError on failure."""

    codec: str  # description

    def write(self, picture_bgr: Picture) -> None:
        """Add an image (H, W, 3)."""

    def end(self) -> None:
        """Finish writing, so that the file is playable. Idempotent."""

    def finish(self, sound: Sound | None) -> bool:
        """Improve the file after `end`. Return True if it has the sound."""


class VideoFile:
    """Writes an .mp4 in which every image is shown from its own time to the next one's, at an integer rate.

    Times (s) must increase. Of images in the same frame the last is kept. `write` and `close` raise OSError if the disk
    is full or the file cannot be created; earlier images stay playable.
    """

    def __init__(self, path: Path, clip: Path | None = None) -> None:
        """Store the path; clip is the images' source, whose times they have and whose sound goes into the file."""
        self.path = path
        self.frames = 0  # in the file
        self.fps = 0  # known after the first frames
        self.made = ""  # description of the encoding; empty without a file
        self._clip = clip
        self._waiting: list[tuple[float, Picture]] = []  # until the rate is known
        self._writer: Writer | None = None
        self._held: Picture | None = None  # written once its duration is known
        self._held_slot = 0
        self._t_slot_0 = self._t_first = 0.0

    def write(self, t: float, picture_bgr: Picture) -> None:
        """Add an image (H, W, 3) of time t. All must have the size of the first, which must be even."""
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
        if self._writer is not None:
            self._writer.end()
            heard = self._writer.finish(None if self._clip is None else Sound(self._clip, self._t_first))
            if heard and self._clip is not None:
                self.made += f", with the sound of {self._clip.name}"

    def release(self) -> None:
        """Finish the file with its present content after a failure."""
        if self._writer is not None:
            with contextlib.suppress(OSError):  # the failure is already reported
                self._writer.end()

    def _begin(self) -> None:
        times = [t for t, _ in self._waiting]
        steps = [after - before for before, after in itertools.pairwise(times) if after > before]
        self.fps = min(120, max(1, round(1 / statistics.median(steps)))) if steps else 30
        height, width = self._waiting[0][1].shape[:2]
        self._check_disk()
        self._writer = _open_writer(self.path, self.fps, (width, height))
        self.made = self._writer.codec
        self._t_slot_0 = self._t_first = times[0]
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
            self._check_disk()
            self._writer.write(picture)
            self.frames += 1

    def _check_disk(self) -> None:
        """Check in advance, because OpenCV does not report a failed write, and after one it writes no index."""
        if shutil.disk_usage(self.path.parent).free < _SPARE_BYTES:
            raise OSError("no space left on the disk")


class OpenCvWriter:
    """OpenCV's encoder. It writes the index, which every player needs, at the end, into reserved space."""

    def __init__(self, path: Path, fps: int, size: tuple[int, int]) -> None:
        """Open the encoder; size is (width, height), even."""
        self._path = path
        self._room = path.with_name(f".{path.name}.room")
        for fourcc, codec in _CODECS.items():
            with _quiet():
                self._writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*fourcc), float(fps), size)
            self.codec = f"{codec} by OpenCV"
            if self._writer.isOpened():
                break
        else:
            raise OSError(f"OpenCV has no encoder for {path.suffix} here")
        self._room.write_bytes(bytes(_ROOM_BYTES))

    def write(self, picture_bgr: Picture) -> None:
        """Add an image (H, W, 3)."""
        self._writer.write(picture_bgr)

    def end(self) -> None:
        """Write the index. Raises OSError if the file cannot be opened afterwards."""
        self._room.unlink(missing_ok=True)
        self._writer.release()
        written = cv2.VideoCapture(str(self._path))
        opens = written.isOpened()
        written.release()
        if not opens:
            raise OSError(f"{self._path} does not open")

    def finish(self, sound: Sound | None) -> bool:
        """Do nothing: there is no sound without ffmpeg."""
        return False


def _open_writer(path: Path, fps: int, size: tuple[int, int]) -> Writer:
    program = ffmpeg.find()
    return OpenCvWriter(path, fps, size) if program is None else FfmpegWriter(program, path, fps, size)


@contextmanager
def _quiet() -> Iterator[None]:
    """Redirect FFmpeg's messages about missing codecs. Call it while no other thread writes to the terminal."""
    kept, silent = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silent)
