"""The contract of an output: solved frames go in; a file, a stream or a screen comes out."""

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
    """The end of one output, for the report."""

    kind: str  # 'recording', 'film', 'stream', 'view' ...
    files: tuple[Path, ...] = ()  # that are whole
    frames: int = 0  # in them
    left_out: int = 0  # frames that the output was too slow for, or that came after a failure
    failed: str = ""  # the reason of an early end; empty where all is well
    lines: tuple[str, ...] = ()  # for the terminal


@dataclass(frozen=True)
class Run:
    """The part of a run that its outputs may know."""

    body: BodyModel
    offline: bool = False  # frames are read from a file, none may be lost: `put` may wait
    clip: Path | None = None  # the file that is played
    session_info: dict[str, Any] = field(default_factory=dict)  # how the poses are made; JSON can hold it
    status: Callable[[], LiveStatus] = LiveStatus  # now; may be called from any thread
    # What a screen's keys and buttons do, by name. Outputs add theirs; called from the thread that ticks.
    commands: dict[str, Callable[..., None]] = field(default_factory=dict)
    shared: dict[type, Any] = field(default_factory=dict)  # objects that several outputs use, by their type


class Output:
    """Base of all outputs. None of its methods waits for long, `put` of an offline run and `close` excepted.

    `put` is called by one thread, `tick` by the main thread, `tell` by any.
    """

    # True: `put` gets the newest frame, in the publishing thread, and none while it is busy; for streams. False: `put`
    # gets every frame and must not be slow: a queue of its own is the output's affair.
    newest_wins: ClassVar[bool] = False

    @property
    def recording(self) -> bool:
        """Frames are being recorded, which screens show."""
        return False

    @property
    def words(self) -> str:
        """The output's part of the status line, 'streaming to ...'; empty for none."""
        return ""

    def put(self, solved: SolvedFrame) -> None:
        """Take a frame."""
        raise NotImplementedError

    def tick(self) -> bool:
        """Do what is due beside frames; called many times a second. False ends the run."""
        return True

    def tell(self, status: LiveStatus) -> None:
        """Take in a change of state: a source that was lost, a camera that became known, the end."""

    def close(self) -> Outcome:
        """Finish the file, free the port. Idempotent."""
        raise NotImplementedError
