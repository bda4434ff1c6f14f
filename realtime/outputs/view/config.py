"""Settings of the screens: the window and the page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ViewerConfig:
    """Settings of the window."""

    width: int = 1280  # initial width of the window in pixels
    height: int = 720
    fps: float = 30.0  # maximum rate of drawing
    mirror: bool = False
    show_keys: bool = True

    def __post_init__(self) -> None:
        if self.width < 320 or self.height < 240:
            raise ValueError(f"viewer: a window of {self.width}x{self.height} is too small; 320x240 is the least")
        if self.fps <= 0:
            raise ValueError(f"viewer: fps must be above 0, not {self.fps}")


@dataclass(frozen=True)
class WebConfig:
    """Settings of the page."""

    port: int | None = None  # on loopback; None: the first free one from 8080
    fps: float = 30.0  # maximum rate of updates

    def __post_init__(self) -> None:
        if self.port is not None and not 1 <= self.port <= 65535:
            raise ValueError(f"web.port must lie between 1 and 65535, not {self.port}; leave it out for a free one")
        if self.fps <= 0:
            raise ValueError(f"web: fps must be above 0, not {self.fps}")
