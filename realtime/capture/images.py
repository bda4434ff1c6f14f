"""A folder of pictures, in the order in which people number them."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.capture.source import MAX_PIXELS, EndOfStream, SourceError

logger = logging.getLogger(__name__)

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
MAX_BYTES = 256_000_000


class ImagesSource:
    """The pictures of a folder at a fixed rate. Empty, unreadable and oversized ones are passed over and counted."""

    is_live = False

    def __init__(self, folder: Path, fps: float) -> None:
        self.description = f"{folder.name or folder}/"
        self.fps: float | None = fps
        self._folder = folder
        self._paths: list[Path] = []
        self._first: NDArray[np.uint8] | None = None
        self._skipped: list[str] = []
        self._count = 0

    def open(self) -> None:
        if not self._folder.is_dir():
            raise SourceError(f"there is no folder {self._folder}: check the path")
        paths = [p for p in self._folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file()]
        if not paths:
            raise SourceError(f"{self._folder} holds no pictures: {', '.join(SUFFIXES)} are read")
        self._paths = sorted(paths, key=natural_order, reverse=True)
        self._skipped, self._count = [], 0
        self._first = self._next_readable()
        if self._first is None:
            raise SourceError(f"none of the {len(paths)} pictures in {self._folder} can be read: {self._skipped[0]}")

    def read(self) -> tuple[NDArray[np.uint8], float]:
        image, self._first = self._first, None
        if image is None:
            image = self._next_readable()
        if image is None or self.fps is None:
            if self._skipped:
                logger.warning(
                    "%s: %d pictures were passed over, the first because %s",
                    *(self.description, len(self._skipped), self._skipped[0]),
                )
            raise EndOfStream
        t = self._count / self.fps
        self._count += 1
        return image, t

    def close(self) -> None:
        self._paths = []

    def _next_readable(self) -> NDArray[np.uint8] | None:
        while self._paths:
            path = self._paths.pop()
            try:
                return read_image(path)
            except SourceError as error:
                self._skipped.append(str(error))
        return None


def natural_order(path: Path) -> list[tuple[int, int, str]]:
    """Sorts frame2 before frame10."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def read_image(path: Path) -> NDArray[np.uint8]:
    """One picture, BGR (H, W, 3).

    Raises:
        SourceError: it is empty, not a picture, or larger than MAX_PIXELS or MAX_BYTES.
    """
    try:
        size = path.stat().st_size
        if size == 0:
            raise SourceError(f"{path.name} is empty")
        if size > MAX_BYTES:
            raise SourceError(f"{path.name} has {size} bytes, over the limit of {MAX_BYTES}")
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path.name} cannot be read ({error.strerror})") from error
    claimed = _claimed_size(data)
    if claimed is not None and claimed[0] * claimed[1] > MAX_PIXELS:
        raise SourceError(f"{path.name} has {claimed[0]}x{claimed[1]} pixels, over the limit of {MAX_PIXELS}")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise SourceError(f"{path.name} is not a picture that can be read")
    return np.asarray(image, dtype=np.uint8)


def _claimed_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) from the header of a PNG or JPEG, so that a small file cannot unfold into gigabytes.

    PNG: the IHDR chunk comes first (PNG specification, 5.6). JPEG: the start-of-frame segment (ITU-T T.81, B.2.2).
    """
    if data.startswith(b"\x89PNG") and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    at = 2
    while data.startswith(b"\xff\xd8") and at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
