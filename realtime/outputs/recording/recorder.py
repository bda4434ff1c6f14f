"""Records solved frames without delaying the live path, and writes session files."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Any

from engine.body.model import BodyModel
from engine.errors import UserError
from realtime.kernel.messages import SolvedFrame
from realtime.outputs.finger_bones import FingerBones
from realtime.outputs.output import Outcome, Output, Run
from realtime.outputs.recording.journal_format import RecordedBody
from realtime.outputs.recording.one_recording import Recording, Status

logger = logging.getLogger(__name__)


def open_output(path: Path, run: Run) -> Output:
    """Make a recorder to `path`. Raises UserError."""
    recorder = stand_by(run, path)
    recorder.start()
    return recorder


def stand_by(run: Run, path: Path | None = None) -> Recorder:
    """Make a recorder for a screen's command 'record'; path None puts the time into the file name."""
    path = path or Path(time.strftime("tokenmocap-%Y%m%d-%H%M%S.npz"))
    fingers = FingerBones.of(run)
    recorder = Recorder(path, body=run.body, fingers=fingers, session_info=run.session_info, blocking=run.offline)
    run.commands["record"] = recorder.toggle
    return recorder


class Recorder(Output):
    """Recorder of solved frames while started; each start is a new recording.

    path: the session file, ending in .npz. An existing file is never overwritten: the next free name of OUT-2.npz,
    OUT-3.npz ... is used and logged. Further people of a recording go to OUT.p2.npz, OUT.p3.npz ...
    fingers: those that go with the body, for recordings with hands.
    session_info: JSON facts about the recording's settings.
    blocking: wait for the disk instead of dropping, for files read offline. One thread calls `put`; any thread may call
    the others.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        body: BodyModel,
        fingers: FingerBones | None = None,
        session_info: dict[str, Any] | None = None,
        blocking: bool = False,
    ) -> None:
        self._path = Path(path)
        self._body = RecordedBody.of(body, fingers)
        self._session_info = session_info or {}
        self._blocking = blocking
        self._lock = threading.Lock()
        self._current: Recording | None = None
        self._all: list[Recording] = []

    @property
    def status(self) -> Status:
        """Status of the latest recording."""
        with self._lock:
            return self._all[-1].status if self._all else Status()

    @property
    def recording(self) -> bool:
        """Return whether frames are recorded: started, not stopped, not failed."""
        current = self._current
        return current is not None and current.status.state == "recording"

    @property
    def words(self) -> str:
        """Number of frames on disk while recording, for the status line."""
        return f"recording ({self.status.frames} frames)" if self.recording else ""

    def start(self) -> Path:
        """Begin a recording; return its file name. Does nothing while one is running.

        Raises UserError, one line, if the folder is not writable or the disk is full.
        """
        with self._lock:
            if self._current is not None and self._current.status.state == "recording":
                return self._current.path
            self._current = Recording(self._path, self._body, self._session_info, blocking=self._blocking)
            self._all.append(self._current)
            logger.info("recording to %s", self._current.path)
            return self._current.path

    def put(self, solved: SolvedFrame) -> None:
        """Record a frame. Never waits for the disk unless `blocking`; does nothing while not started.

        Raises the exception of the recorder's thread if that ended by anything but a disk error.
        """
        current = self._current
        if current is not None:
            current.put(solved)

    def stop(self) -> None:
        """End the recording and return at once; its files appear when they are complete."""
        with self._lock:
            if self._current is not None:
                self._current.end()
            self._current = None

    def toggle(self) -> None:
        """Start if nothing is recorded, stop otherwise. An unwritable folder is logged."""
        if self.recording:
            self.stop()
            logger.info("recording stopped")
            return
        try:
            self.start()
        except UserError as error:  # a key press must not end the session
            logger.error("%s", error)

    def close(self) -> Outcome:
        """Stop, wait until every file is complete, and return the outcome of all recordings."""
        self.stop()
        for recording in self._all:
            recording.join()
        ends = [recording.status for recording in self._all]
        files = tuple(file for end in ends for file in end.files)
        return Outcome(
            "recording",
            files,
            frames=sum(end.frames for end in ends),
            left_out=sum(end.dropped for end in ends),
            failed="; ".join(end.message for end in ends if end.message),
            lines=tuple(f"recorded {file}" for file in files),
        )
