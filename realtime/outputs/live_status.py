"""Status of a run: figures for the screen and the terminal, changes of state for streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from realtime.kernel.messages import Camera, Guidance

State = Literal["running", "lost", "reconnecting", "ended"]


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """Status of a run at one moment."""

    fps: float = 0.0  # solved frames a second
    latency_ms: float = 0.0  # capture to solved (A to C)
    source: str = ""  # description of the image source
    smoothing: str = "light"  # current level
    recording: bool = False
    people: int = 0  # in the latest frame
    performer: int | None = None  # id of the one whom `--person` or the user chose
    frames: int = 0  # processed so far
    silent_s: float = 0.0  # since the latest of them
    outputs: tuple[str, ...] = ()  # description of each
    offline: bool = False
    camera: Camera | None = None  # current estimate; None: not available
    guidance: Guidance | None = None  # for a person who calibrates
    state: State = "running"  # of the source
    message: str = ""  # about the state
    estimator: str = ""
    backend: str = ""
    dropped: int = 0  # frames so far that arrived while an earlier one was processed

    @property
    def who(self) -> str:
        """Number of people for screens, and of several the performer."""
        if self.people < 2:
            return "1 person" if self.people else "nobody in view"
        return f"{self.people} people" + (f", {self.performer} performs" if self.performer is not None else "")
