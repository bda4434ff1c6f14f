"""Contract of an output: it turns solved frames into a file, a stream or a screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from engine.body.model import BodyModel
from realtime.kernel.messages import SolvedFrame
from realtime.outputs.live_status import LiveStatus


@dataclass(frozen=True)
class Outcome:
    """Result of one output, for the report."""

    kind: str  # 'recording', 'film', 'stream', 'view' ...
    files: tuple[Path, ...] = ()  # complete ones
    frames: int = 0  # in them
    left_out: int = 0  # frames that the output was too slow for, or that came after a failure
    failed: str = ""  # reason of an early end; empty without one
    lines: tuple[str, ...] = ()  # for the terminal
    counts: dict[str, int] = field(default_factory=dict)  # what else was counted, by name


@dataclass(frozen=True)
class Run:
    """Facts about a run for its outputs."""

    body: BodyModel  # of SMPL's 24 joints: the one that poses are of
    # The same body with all joints that its file has (fingers, jaw, eyes), for drawing; None: `body` has all.
    full_body: BodyModel | None = None
    hands: bool = False  # fingers are looked for
    faces: bool = False  # expressions are looked for
    offline: bool = False  # frames are read from a file and must not be lost: `put` may wait
    clip: Path | None = None  # the played file
    session_info: dict[str, Any] = field(default_factory=dict)  # JSON facts about how the poses were computed
    status: Callable[[], LiveStatus] = LiveStatus  # present status; thread-safe
    # Actions of a screen's keys and buttons, by name. Outputs add theirs; called from the ticking thread.
    commands: dict[str, Callable[..., None]] = field(default_factory=dict)
    shared: dict[type, Any] = field(default_factory=dict)  # objects that several outputs share, by type

    @property
    def drawn_body(self) -> BodyModel:
        """The body to draw, with fingers if it has them."""
        return self.full_body or self.body


class Output:
    """Base of all outputs. No method waits for long, except `put` of an offline run and `close`.

    One thread calls `put`, the main thread `tick`, any thread `tell`.
    """

    # True: `put` gets the newest frame, in the publishing thread, and none while it is busy; for streams. False: `put`
    # gets every frame and must be fast; the output queues frames itself.
    newest_wins: ClassVar[bool] = False

    @property
    def recording(self) -> bool:
        """Return whether frames are being recorded, for display on screens."""
        return False

    @property
    def words(self) -> str:
        """Description for the status line, 'streaming to ...'; empty for none."""
        return ""

    def put(self, solved: SolvedFrame) -> None:
        """Process a frame."""
        raise NotImplementedError

    def tick(self) -> bool:
        """Do periodic work; called many times a second. Return False to end the run."""
        return True

    def tell(self, status: LiveStatus) -> None:
        """Process a change of state: a lost source, a new camera estimate, the end."""

    def close(self) -> Outcome:
        """Finish the file, release the port. Idempotent."""
        raise NotImplementedError
