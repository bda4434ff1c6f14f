"""The contract of a picture source, and the configuration that names one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError

MAX_PIXELS = 64_000_000  # twice an 8K picture; anything larger is a mistake or an attack


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


@runtime_checkable
class LazySource(Source, Protocol):
    """A source that is not live and whose pictures cost to make. `read` is `grab` and `retrieve` in one."""

    def grab(self) -> float:
        """Go on to the next picture; its time in seconds. Raises EndOfStream."""

    def retrieve(self) -> NDArray[np.uint8]:
        """Make the picture grabbed last, BGR (H, W, 3)."""


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
