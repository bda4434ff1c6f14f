"""Contract of an image source, and the configuration that selects one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol, runtime_checkable

import numpy as np
from cyclopts import Parameter
from numpy.typing import NDArray

from engine.errors import UserError

MAX_PIXELS = 64_000_000  # twice an 8K image; anything larger is a mistake or an attack


class SourceError(UserError):
    """Source that cannot be opened or has no usable content."""


class SourceLostError(RuntimeError):
    """Live source that stopped delivering images; opening it again may help."""


class EndOfStream(Exception):
    """End of a file or folder."""


class Source(Protocol):
    """Supplier of images. One thread owns a source: it opens, reads and closes it.

    A live source (`is_live`) sets its own pace and may be lost and opened again. Its times are `time.monotonic()` when
    the grab returned, before decoding if the driver allows it. An image that a driver delivers twice has the same time.
    Any other source is read at any speed; its times are seconds from its first frame.
    """

    is_live: bool
    fps: float | None  # Hz, None while unknown; set by `open`

    @property
    def description(self) -> str:
        """Name of the source for the user, in a few words, without any password."""

    def open(self) -> None:
        """Prepare to read. Raises SourceError; may be called again after `close`."""

    def read(self) -> tuple[NDArray[np.uint8], float]:
        """Return the next image, BGR (H, W, 3), and its time in seconds. Raises SourceLostError or EndOfStream."""

    def close(self) -> None:
        """Release the device, file or connection. Idempotent."""


@runtime_checkable
class LazySource(Source, Protocol):
    """Source that is not live and whose images are costly to decode. `read` is `grab` and `retrieve` in one."""

    def grab(self) -> float:
        """Advance to the next image; return its time in seconds. Raises EndOfStream."""

    def retrieve(self) -> NDArray[np.uint8]:
        """Decode the image grabbed last, BGR (H, W, 3)."""


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """Choice of a source: exactly one of the first five."""

    cam: Annotated[
        str | None, Parameter("--cam", metavar="N|NAME", help="a webcam by index or by (part of) its name")
    ] = None
    video: Annotated[Path | None, Parameter("--video", metavar="FILE", help="a video file, played at its own rate")] = (
        None
    )
    url: Annotated[str | None, Parameter("--url", metavar="URL", help="a network camera: HTTP MJPEG or RTSP")] = None
    images: Annotated[
        Path | None, Parameter("--images", metavar="DIR", help="a folder of images, in order of their names")
    ] = None
    demo: Annotated[bool, Parameter("--demo", help="a clip of a real person, looped until stopped")] = False
    width: int = 1280  # pixels, requested of a camera; the actual size is logged
    height: int = 720
    fps: float | None = None  # Hz, requested of a camera (default 30); the rate of a folder of images
