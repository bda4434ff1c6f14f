"""Contract of an image source, and the configuration that selects one."""

from __future__ import annotations

import math
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Protocol, get_type_hints, runtime_checkable

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
    """Choice of a source: exactly one of the keys that name a module, whose `create(config) -> Source` makes it.

    The module is imported when its source is asked for. `is_file`: every frame can be read, offline. docs/recipes.md
    shows how to add a source.
    """

    cam: Annotated[str | None, Parameter("--cam", metavar="N|NAME", help="a webcam by index or (part of) its name")] = (
        field(default=None, metadata={"module": "realtime.capture.camera"})
    )
    video: Annotated[Path | None, Parameter("--video", metavar="FILE", help="a video file, played at its own rate")] = (
        field(default=None, metadata={"module": "realtime.capture.video", "is_file": True})
    )
    url: Annotated[str | None, Parameter("--url", metavar="URL", help="a network camera: HTTP MJPEG or RTSP")] = field(
        default=None, metadata={"module": "realtime.capture.url"}
    )
    images: Annotated[Path | None, Parameter("--images", metavar="DIR", help="a folder of images, by their names")] = (
        field(default=None, metadata={"module": "realtime.capture.images", "is_file": True})
    )
    demo: Annotated[bool, Parameter("--demo", help="a clip of a real person, looped until stopped")] = field(
        default=False, metadata={"module": "realtime.capture.demo"}
    )
    width: int = 1280  # pixels, requested of a camera; the actual size is logged
    height: int = 720
    fps: float | None = None  # Hz, requested of a camera (default 30); the rate of a folder of images
    start_s: float = 0.0  # seconds of a video file that are left out; its times count from there

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"source.width and source.height must be pixels from 1 on, not {self.width}x{self.height}")
        if self.fps is not None and not 0 < self.fps < math.inf:
            raise ValueError(f"source.fps must be a number of images a second above 0, not {self.fps}")
        if not 0 <= self.start_s < math.inf:
            raise ValueError(f"source.start_s must be a number of seconds from 0 on, not {self.start_s}")

    @property
    def is_file(self) -> bool:
        """True where every frame of the source can be read."""
        return any(key.metadata.get("is_file") and getattr(self, key.name) != key.default for key in fields(self))

    @property
    def given(self) -> Field[Any]:
        """The key of the source. Raises SourceError where there is not exactly one."""
        sources = [key for key in fields(self) if "module" in key.metadata]
        given = [key for key in sources if getattr(self, key.name) != key.default]
        if len(given) != 1:
            *others, last = (_flag(key.name) for key in sources)
            raise SourceError(f"give exactly one source: {', '.join(others)} or {last}")
        return given[0]


def _flag(key: str) -> str:
    """A key's flag as a user writes it, '--video FILE'."""
    (parameter,) = get_type_hints(SourceConfig, include_extras=True)[key].__metadata__
    return " ".join([parameter.name[0], parameter.metavar or ""]).strip()
