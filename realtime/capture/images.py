"""Reads a folder of images in natural order."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime.capture.encoded import Depth, PictureError, decode
from realtime.capture.source import EndOfStream, Source, SourceConfig, SourceError

logger = logging.getLogger(__name__)

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
MAX_BYTES = 256_000_000
_FPS = 30.0  # unless told


def create(config: SourceConfig) -> Source:
    """The folder of `--images`."""
    assert config.images is not None
    return ImagesSource(config.images, config.fps or _FPS)


class ImagesSource:
    """Images of a folder at a fixed rate. Empty, unreadable and oversized ones are skipped and counted."""

    is_live = False

    def __init__(self, folder: Path, fps: float) -> None:
        self.description = f"{folder.name or folder}/"
        self.fps: float | None = fps
        self._folder = folder
        self._paths: list[Path] = []
        self._first: NDArray[np.uint8] | None = None
        self._skipped: list[str] = []
        self._depth = Depth()
        self._count = 0

    def open(self) -> None:
        try:
            paths = [p for p in self._folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file()]
        except (FileNotFoundError, NotADirectoryError):
            raise SourceError(f"there is no folder {self._folder}: check the path") from None
        except (OSError, ValueError) as error:  # ValueError: a null character in the name
            raise SourceError(f"{self._folder} cannot be read: {getattr(error, 'strerror', None) or error}") from error
        if not paths:
            raise SourceError(f"{self._folder} holds no pictures: {', '.join(SUFFIXES)} are read")
        self._paths = sorted(paths, key=natural_order, reverse=True)
        self._skipped, self._count, self._depth = [], 0, Depth()
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
                image = read_image(path)
            except SourceError as error:
                self._skipped.append(str(error))
                continue
            return self._to_8bit(image)
        return None

    def _to_8bit(self, image: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
        before = self._depth.bits
        image_8bit = self._depth.to_8bit(image)
        if before != self._depth.bits:
            logger.info("%s: pictures of 16 bits of which %d are used", self.description, self._depth.bits)
        return image_8bit


def natural_order(path: Path) -> list[tuple[int, int, str]]:
    """Sort key that puts frame2 before frame10."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def read_image(path: Path) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Read one image, BGR (H, W, 3), of 8 or 16 bits.

    Raises:
        SourceError: it is empty, no image, or larger than MAX_PIXELS or MAX_BYTES.
    """
    try:
        size = path.stat().st_size
        if size == 0:
            raise SourceError(f"{path.name} is empty")
        if size > MAX_BYTES:
            raise SourceError(f"{path.name} has {size} bytes, over the limit of {MAX_BYTES}")
        return decode(path.read_bytes())
    except OSError as error:
        raise SourceError(f"{path.name} cannot be read ({error.strerror})") from error
    except PictureError as error:
        raise SourceError(f"{path.name} {error}") from error
