"""Measures the length and the rate of a video by its frames."""

from __future__ import annotations

from realtime.kernel.messages import SolvedFrame


class VideoClock:
    """Clock of the frames of one video."""

    def __init__(self) -> None:
        self.frames = 0
        self.last_s = 0.0
        self.size_px = (0, 0)

    def see(self, solved: SolvedFrame) -> None:
        """Count a frame."""
        self.frames += 1
        self.last_s, self.size_px = solved.frame.t_capture, solved.frame.size

    @property
    def fps(self) -> float | None:
        """Mean rate, Hz; None for a single picture."""
        return (self.frames - 1) / self.last_s if self.last_s > 0 else None

    @property
    def seconds(self) -> float:
        """Length, the last frame's own duration included."""
        return self.last_s + (1.0 / self.fps if self.fps else 0.0)
