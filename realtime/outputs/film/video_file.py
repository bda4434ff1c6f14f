"""A video file at a constant rate, made of pictures that come when they come.

ffmpeg encodes it where there is one; otherwise OpenCV does, without sound: in H.264 on Windows (Media Foundation) and
macOS (AVFoundation), in MPEG-4 Part 2 on Linux.
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

_CODECS = {"avc1": "H.264", "mp4v": "MPEG-4 Part 2"}  # the first plays everywhere; not every OpenCV may encode it
_RATE_FRAMES = 12  # the rate is that of the first pictures
_LONGEST_S = 10.0  # that a picture stays: a camera that was lost overnight must not fill the disk
_SPARE_BYTES = 4 << 20  # left on the disk for the file's end, and for a recording beside it
_ROOM_BYTES = 4 << 20  # 16 bytes of index a frame: more than an hour at 60 Hz


class Writer(Protocol):
    """Encodes pictures of one size at a constant rate. All raise OSError where it cannot go on."""

    codec: str  # in a few words

    def write(self, picture_bgr: Picture) -> None:
        """Add a picture (H, W, 3)."""

    def end(self) -> None:
        """Nothing comes any more: what was written plays from now on. Idempotent."""

    def finish(self, sound: Sound | None) -> bool:
        """After `end`: make the file as good as it can be. True where the sound came into it."""


class VideoFile:
    """Writes an .mp4 in which every picture is shown from its own time to the next one's, at a whole rate.

    Times (s) must grow. Of pictures that fall into the same frame the last is kept. `write` and `close` raise OSError
    where the disk is full or the file cannot be made; what was written before can be played.
    """

    def __init__(self, path: Path, clip: Path | None = None) -> None:
        """clip: where the pictures come from, at the times that they have there; its sound comes into the file."""
        self.path = path
        self.frames = 0  # in the file
        self.fps = 0  # known once the first frames are there
        self.made = ""  # how, in a few words; empty while there is no file
        self._clip = clip
        self._waiting: list[tuple[float, Picture]] = []  # until the rate is known
        self._writer: Writer | None = None
        self._held: Picture | None = None  # to be written once it is known until when it is shown
        self._held_slot = 0
        self._t_slot_0 = self._t_first = 0.0

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
        if self._writer is not None:
            self._writer.end()
            heard = self._writer.finish(None if self._clip is None else Sound(self._clip, self._t_first))
            if heard and self._clip is not None:
                self.made += f", with the sound of {self._clip.name}"

    def release(self) -> None:
        """Finish the file with what it has, where it could not be written on."""
        if self._writer is not None:
            with contextlib.suppress(OSError):  # it has been told
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
        """Look ahead: OpenCV does not say when a write fails, and after one it writes no index."""
        if shutil.disk_usage(self.path.parent).free < _SPARE_BYTES:
            raise OSError("no space left on the disk")


class OpenCvWriter:
    """OpenCV's own encoder. The index, without which no player opens the file, is written at the end, to room kept."""

    def __init__(self, path: Path, fps: int, size: tuple[int, int]) -> None:
        """size: (width, height), even."""
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
        """Add a picture (H, W, 3)."""
        self._writer.write(picture_bgr)

    def end(self) -> None:
        """Write the index. Raises OSError where the file does not open afterwards."""
        self._room.unlink(missing_ok=True)
        self._writer.release()
        written = cv2.VideoCapture(str(self._path))
        opens = written.isOpened()
        written.release()
        if not opens:
            raise OSError(f"{self._path} does not open")

    def finish(self, sound: Sound | None) -> bool:
        """Without ffmpeg there is no sound."""
        return False


def _open_writer(path: Path, fps: int, size: tuple[int, int]) -> Writer:
    program = ffmpeg.find()
    return OpenCvWriter(path, fps, size) if program is None else FfmpegWriter(program, path, fps, size)


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
