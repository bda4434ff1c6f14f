"""The recorder: takes solved frames from the live path without ever holding it up, and leaves session files.

Rows go through a bounded queue to a thread that appends them to a journal; `stop` turns the journal into .npz files.
"""

from __future__ import annotations

import glob
import logging
import math
import queue
import threading
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.body.model import BodyModel
from engine.errors import UserError
from realtime.kernel.messages import Person, SolvedFrame, WorldPose
from realtime.outputs.recording.assemble import Finished, finish, journal_path, numbered_path
from realtime.outputs.recording.journal import NOBODY, Header, JournalWriter, RecordedBody, row_dtype

logger = logging.getLogger(__name__)

SYNC_S = 1.0
_QUEUE_FRAMES = 600  # ten seconds at 60 Hz: longer than a healthy disk ever stalls
_IDLE_S = 0.1


@dataclass(frozen=True)
class Status:
    """Where the recorder stands; a snapshot."""

    state: Literal["idle", "recording", "finishing", "done", "failed"] = "idle"
    path: Path | None = None  # the session file of the current or latest recording
    frames: int = 0  # source frames on disk
    dropped: int = 0  # source frames that the disk was too slow for (live only), or that came after a failure
    files: tuple[Path, ...] = ()  # what was written, once done
    message: str = ""  # why it failed


class Recorder:
    """Records solved frames while started; each start is a recording of its own.

    path: the session file, ending in .npz. A name that is taken is never written over: the next free one of OUT-2.npz,
    OUT-3.npz ... is used, and the log says so. Further people of a recording go to OUT.p2.npz, OUT.p3.npz ...
    session_info: what JSON can say about how the recording was made. blocking: wait for the disk instead of dropping,
    for files read offline. `put` is called from one thread; the others from any.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        body: BodyModel,
        session_info: dict[str, Any] | None = None,
        blocking: bool = False,
    ) -> None:
        self._path = Path(path)
        if self._path.suffix != ".npz":
            raise UserError(f"cannot record to {path}: name a file that ends in .npz")
        self._body = RecordedBody.of(body)
        self._session_info = session_info or {}
        self._blocking = blocking
        self._lock = threading.Lock()
        self._current: _Recording | None = None
        self._all: list[_Recording] = []

    @property
    def status(self) -> Status:
        with self._lock:
            return self._all[-1].status if self._all else Status()

    @property
    def recording(self) -> bool:
        """Whether frames are being taken: started, not stopped, not failed."""
        current = self._current
        return current is not None and current.status.state == "recording"

    def start(self) -> Path:
        """Begin a recording; return its file name. Does nothing while one is running.

        Raises UserError, one line, if the folder is not writable or the disk is full.
        """
        with self._lock:
            if self._current is not None and self._current.status.state == "recording":
                return self._current.path
            path, journal = _create(self._path)
            self._current = _Recording(path, journal, self._body, self._session_info, blocking=self._blocking)
            self._all.append(self._current)
            return path

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

    def close(self) -> Status:
        """Stop, wait until every file is whole, and tell how the last recording went."""
        self.stop()
        for recording in self._all:
            recording.join()
        return self.status


def _create(wanted: Path) -> tuple[Path, JournalWriter]:
    """The first free name for `wanted` and its journal, made in one step so that two recorders cannot share one."""
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


class _Recording:
    """One recording: a queue, a thread and a journal."""

    def __init__(
        self,
        path: Path,
        journal: JournalWriter,
        body: RecordedBody,
        session_info: dict[str, Any],
        *,
        blocking: bool,
    ) -> None:
        self.path = path
        self._status = Status(state="recording", path=path)
        self._wanted = path
        self._journal = journal
        self._begun: Header | None = None  # what the journal begins with, once there is somebody
        self._body, self._session_info = body, session_info
        self._blocking = blocking
        self._status_lock = threading.Lock()
        self._queue: queue.Queue[Header | NDArray[Any]] = queue.Queue(_QUEUE_FRAMES)
        self._dtype: np.dtype[Any] | None = None  # known with the first person: it depends on the number of tokens
        self._t_first: float | None = None
        self._gap = False
        self._ending = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def status(self) -> Status:
        with self._status_lock:
            return self._status

    def put(self, solved: SolvedFrame) -> None:
        if self._error is not None:
            raise self._error
        if self._ending.is_set():
            return
        if self._t_first is None:
            self._t_first = solved.frame.t_capture
        if self._dtype is None:
            if not solved.people:
                return  # a recording begins with its first person; only the clock runs before
            header = self._header(solved)
            self._dtype = row_dtype(header.num_tokens)
            self._queue.put(header)
        rows = _rows(solved, self._t_first, self._dtype)
        rows["gap"] = self._gap
        self._gap = not self._hand_over(rows)
        if self._gap:
            self._update(dropped=self.status.dropped + 1)

    def end(self) -> None:
        self._ending.set()

    def join(self) -> None:
        self._thread.join()
        if self._error is not None:
            raise self._error

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
            ending = self._ending.is_set()
            frames = self._take()
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
        """Go on in a new journal where somebody deleted, moved or cut off the one that is written.

        What was deleted or moved is still held, and is copied over. Raises OSError where there is no place for one.
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

    def _take(self) -> list[NDArray[Any]]:
        """The rows of every frame that waits; the header, which comes first, is written on the way."""
        frames: list[NDArray[Any]] = []
        try:
            item = self._queue.get(timeout=_IDLE_S)
            while True:
                if isinstance(item, Header):
                    self._begun = item
                    self._journal.begin(item)
                else:
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


def camera_row(solved: SolvedFrame) -> tuple[float, float, float, float, float, bytes]:
    """The camera as a journal's row has it; its height is not a number until the floor is known."""
    camera, T_world_cam = solved.camera, solved.T_world_cam
    height_m = math.nan if T_world_cam is None else float(T_world_cam[1])
    fov, pitch, roll = (math.radians(angle) for angle in (camera.fov_deg, camera.pitch_deg, camera.roll_deg))
    return fov, pitch, roll, height_m, camera.doubt_deg, camera.source.encode()


def _rows(solved: SolvedFrame, t_first: float, dtype: np.dtype[Any]) -> NDArray[Any]:
    """A row for every person of the frame, or one that says that there was nobody."""
    rows = np.zeros(max(1, len(solved.people)), dtype)
    rows["t"] = solved.frame.t_capture - t_first
    rows["seq"] = solved.frame.seq
    rows["person"] = NOBODY
    rows["T_world_cam"] = np.nan if solved.T_world_cam is None else solved.T_world_cam
    rows["camera"] = camera_row(solved)
    for row, person in zip(rows, solved.people, strict=False):
        row["person"] = person.id
        row["valid"] = person.valid and _is_finite(person)
        row["confidence"] = person.confidence
        row["betas"] = person.betas
        row["raw_rotations"], row["raw_trans"] = person.raw.rotations, person.raw.trans
        row["raw_joints"] = person.raw.joints
        row["rotations"], row["trans"] = person.pose.rotations, person.pose.trans
        row["tokens"] = person.tokens
        row["joint_confidence"] = person.joint_confidence
        row["scale"], row["contacts"], row["support_m"] = person.scale, person.contacts, person.support_m
    return rows


def _is_finite(person: Person) -> bool:
    def pose_is(pose: WorldPose) -> bool:
        return bool(
            np.isfinite(pose.rotations).all() and np.isfinite(pose.trans).all() and np.isfinite(pose.joints).all()
        )

    of_person = (person.betas, person.joint_confidence, person.contacts, person.support_m)
    numbers = np.concatenate(([person.confidence, person.scale], *of_person))
    return bool(np.isfinite(numbers).all()) and all(pose_is(pose) for pose in (person.raw, person.pose))
