"""Runs one recording: a queue, a thread that appends to a journal, and the conversion to session files."""

from __future__ import annotations

import glob
import logging
import math
import queue
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError
from realtime.kernel.messages import SolvedFrame
from realtime.outputs.recording.assemble import Finished, finish, journal_path, numbered_path
from realtime.outputs.recording.journal import JournalWriter
from realtime.outputs.recording.journal_format import Header, RecordedBody
from realtime.outputs.recording.solved_rows import camera_row, solved_rows

logger = logging.getLogger(__name__)

SYNC_S = 1.0
_QUEUE_FRAMES = 600  # ten seconds at 60 Hz: longer than any stall of a healthy disk
_IDLE_S = 0.1


@dataclass(frozen=True)
class Status:
    """Snapshot of the recorder's state."""

    state: Literal["idle", "recording", "finishing", "done", "failed"] = "idle"
    path: Path | None = None  # the session file of the current or latest recording
    frames: int = 0  # source frames on disk
    dropped: int = 0  # source frames that the disk was too slow for (live only), or that came after a failure
    files: tuple[Path, ...] = ()  # written files, once done
    message: str = ""  # reason of a failure


class Recording:
    """One recording, begun at construction. One thread calls `put`; any thread may call the others."""

    def __init__(self, wanted: Path, body: RecordedBody, session_info: dict[str, Any], *, blocking: bool) -> None:
        """Create the journal. Raises UserError, one line, if the folder is not writable or the disk is full."""
        self.path, self._journal = _create(wanted)
        self._status = Status(state="recording", path=self.path)
        self._wanted = self.path
        self._begun: Header | None = None  # header of the journal, written with the first person
        self._body, self._session_info = body, session_info
        self._blocking = blocking
        self._status_lock = threading.Lock()
        self._queue: queue.Queue[Header | NDArray[Any] | None] = queue.Queue(_QUEUE_FRAMES)  # None: wake up
        self._dtype: np.dtype[Any] | None = None  # known with the first person, who has tokens, hands and a face or not
        self._t_first: float | None = None
        self._gap = False
        self._ending = threading.Event()
        self._putting = threading.Lock()  # held from the look at `_ending` until the frame is in the queue
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def status(self) -> Status:
        """Snapshot of the state."""
        with self._status_lock:
            return self._status

    def put(self, solved: SolvedFrame) -> None:
        """Record a frame, unless the recording has ended. Raises the thread's exception, except OSError."""
        if self._error is not None:
            raise self._error
        with self._putting:
            if not self._ending.is_set():
                self._put(solved)

    def end(self) -> None:
        """Stop taking frames; returns immediately."""
        self._ending.set()
        with suppress(queue.Full):  # then the thread does not wait
            self._queue.put_nowait(None)

    def join(self) -> None:
        """Wait until every file is complete. Raises the thread's exception, except OSError."""
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _put(self, solved: SolvedFrame) -> None:
        if self._t_first is None:
            self._t_first = solved.frame.t_capture
        if self._dtype is None:
            if not solved.people:
                return  # a recording begins with its first person; before, only the clock runs
            header = self._header(solved)
            self._dtype = header.row_dtype
            self._queue.put(header)
        rows = solved_rows(solved, self._t_first, self._dtype)
        rows["gap"] = self._gap
        self._gap = not self._hand_over(rows)
        if self._gap:
            self._update(dropped=self.status.dropped + 1)

    def _hand_over(self, rows: NDArray[Any]) -> bool:
        while self.status.state == "recording":
            try:
                self._queue.put(rows, block=self._blocking, timeout=_IDLE_S)
            except queue.Full:
                if self._blocking:
                    continue
                return False
            return True
        return False

    def _header(self, solved: SolvedFrame) -> Header:
        camera = camera_row(solved)
        return Header(
            recording=uuid.uuid4().hex,
            num_tokens=len(solved.people[0].tokens),
            fov_rad=camera[0],
            size_px=solved.frame.size,
            pitch_rad=camera[1],
            camera_height_m=0.0 if math.isnan(camera[3]) else camera[3],
            body=self._body,
            session=self._session_info,
            hands=bool(solved.people[0].hands),
            face=solved.people[0].face is not None,
        )

    def _run(self) -> None:
        try:
            self._write_until_end()
            self._update(state="finishing")
            self._finish()
        except OSError as error:
            reason = error.strerror or str(error)
            self._update(state="failed", message=reason)
            logger.error(
                "recording %s stopped: %s; %d frames are safe: make room, then python -m realtime.recover %s",
                self.path, reason, self.status.frames, self.path,
            )  # fmt: skip
        except Exception as error:  # noqa: BLE001  it must reach the thread that puts, and through it the exit code
            self._error = error
            self._update(state="failed", message=str(error))
        finally:
            self._journal.close()

    def _write_until_end(self) -> None:
        synced = time.monotonic()
        dirty = False
        while True:
            ending = self._ending.is_set() and not self._putting.locked()  # no frame comes any more
            frames = self._take(wait=not ending)
            if frames:
                self._journal.append(np.concatenate(frames))
                self._update(frames=self.status.frames + len(frames))
                dirty = True
            if dirty and time.monotonic() - synced >= SYNC_S:
                self._keep_in_place()
                self._journal.sync()
                synced, dirty = time.monotonic(), False
            if ending and not frames:
                self._keep_in_place()
                self._journal.sync()
                return

    def _keep_in_place(self) -> None:
        """Continue in a new journal if the present one was deleted, moved or truncated.

        The deleted or moved file is still open and is copied. Raises OSError if there is no place for the copy.
        """
        lost = self._journal
        if lost.is_in_place:
            return
        try:
            self.path, self._journal = _create(self._wanted)
        except UserError as error:
            raise OSError(str(error)) from error
        if lost.is_whole:
            lost.copy_to(self._journal)
            logger.error("%s was deleted or moved: recording goes on in %s, nothing is lost", lost.path, self.path)
        else:
            if self._begun is not None:
                self._journal.begin(self._begun)
            self._update(frames=0)
            logger.error("%s was cut off: recording goes on in %s; what is left of it stays", lost.path, self.path)
        lost.close()
        self._update(path=self.path)

    def _take(self, *, wait: bool) -> list[NDArray[Any]]:
        """Return the rows of every queued frame; the header, which comes first, is written immediately."""
        frames: list[NDArray[Any]] = []
        try:
            item = self._queue.get(block=wait, timeout=_IDLE_S)
            while True:
                if isinstance(item, Header):
                    self._begun = item
                    self._journal.begin(item)
                elif item is not None:
                    frames.append(item)
                item = self._queue.get_nowait()
        except queue.Empty:
            return frames

    def _finish(self) -> None:
        finished = finish(self.path) if self._dtype is not None else Finished((), 0, 0)
        self._journal.close()
        if finished.lost == 0:
            self._journal.path.unlink(missing_ok=True)
        self._update(state="done", files=finished.files)
        if not finished.files:
            logger.warning("nobody was seen: there is nothing to write to %s", self.path)
        for take in finished.takes:
            logger.info("recorded %s", take)
        if finished.brief is not None:
            logger.warning("%s", finished.brief)

    def _update(self, **changes: Any) -> None:
        with self._status_lock:
            self._status = replace(self._status, **changes)


def _create(wanted: Path) -> tuple[Path, JournalWriter]:
    """Create the first free name for `wanted` with its journal, atomically, so that two recorders cannot share one."""
    number = 1
    while True:
        path = numbered_path(wanted, number)
        number += 1
        if path.exists() or any(path.parent.glob(f"{glob.escape(path.stem)}.p[0-9]*.npz")):
            continue
        try:
            journal = JournalWriter(journal_path(path))
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(f"cannot record to {path}: {error.strerror or error}; {_mend(path)}") from error
        if path != wanted:
            logger.warning("%s exists already: recording to %s", wanted, path)
        return path, journal


def _mend(path: Path) -> str:
    if not path.parent.is_dir():
        return "make that folder, or name another"
    return "free some space or name another folder"
