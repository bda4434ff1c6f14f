"""Records a run to a file of Rerun's (`--record take.rrd`): every solved frame, with the camera's images.

Frames wait in a queue, at most fifteen of them with their images: further ones have none until some were taken. When
the queue is full, a live run drops the oldest frames and counts them; an offline one waits.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from itertools import count
from pathlib import Path

from engine.errors import UserError
from engine.files.whole_file import check_writable
from realtime.kernel.channel import Channel, ChannelClosed
from realtime.kernel.child import Child, ChildGone
from realtime.kernel.messages import SolvedFrame
from realtime.kernel.priority import hurry
from realtime.outputs.output import Outcome, Output, Run
from realtime.outputs.recording.assemble import numbered_path
from realtime.outputs.rerun.moment import Moment, Moments, Subject
from realtime.outputs.rerun.process import READY, READY_WITHIN_S
from realtime.outputs.rerun.sdk import check_sdk
from realtime.outputs.rerun.to_file import log_to_file

logger = logging.getLogger(__name__)

_QUEUE_FRAMES = 9000  # of a live run: five minutes at 30 Hz; some 70 MB
_QUEUE_PICTURES = 15  # 90 MB at 1920x1080
_END_TIMEOUT_S = 120.0  # for the queued frames


def open_output(path: Path, run: Run) -> Output:
    """A recording to `path`. Raises UserError without rerun-sdk, or where no file can be written."""
    check_sdk(f"recording to {path}")
    return RrdRecording(path, Subject.of(run, path.stem), blocking=run.offline)


class RrdRecording(Output):
    """Recorder of solved frames, from construction to `close`."""

    def __init__(self, path: Path, subject: Subject, *, blocking: bool) -> None:
        """Start the process. path: OUT.rrd; an existing name becomes OUT-2.rrd and so on.

        blocking: wait for the process instead of dropping frames. Raises UserError if it cannot begin.
        """
        check_writable(path)
        self.path = next(free for number in count(1) if not (free := numbered_path(path, number)).exists())
        if self.path != path:
            logger.warning("%s exists already: recording to %s", path, self.path)
        self._moments = Moments(live=subject.live)
        self._outbox = Channel[Moment](_QUEUE_PICTURES if blocking else _QUEUE_FRAMES, newest_wins=not blocking)
        self._blocking = blocking
        self._pictures_put = self._pictures_sent = 0
        self._came_late = 0  # after a failure
        self._outcome: Outcome | None = None
        self._ending = threading.Lock()
        self._child = Child(log_to_file, self.path, name="rrd", outbox=self._outbox, first=subject, pack=self._counted)
        try:
            self._wait_until_ready()
        except BaseException:  # Ctrl-C too: no process is left
            self._child.close()
            raise
        logger.info("recording to %s", self.path)

    @property
    def recording(self) -> bool:
        """Return whether frames are recorded."""
        return self._outcome is None

    @property
    def words(self) -> str:
        """The file, while it is written."""
        return f"recording {self.path.name}" if self.recording else ""

    @property
    def waiting(self) -> int:
        """Number of frames that wait."""
        return self._outbox.waiting

    @property
    def pid(self) -> int | None:
        """PID of the process."""
        return self._child.pid

    def put(self, solved: SolvedFrame) -> None:
        """Queue a frame. Never waits unless `blocking`; does nothing after a failure."""
        if self._outbox.waiting == 0:  # also after frames were dropped with theirs
            self._pictures_sent = self._pictures_put
        waiting = self._pictures_put - self._pictures_sent
        moment = self._moments.of(solved, may_have_picture=self._blocking or waiting < _QUEUE_PICTURES)
        self._pictures_put += _has_picture(moment)
        try:
            self._outbox.put(moment)
        except ChannelClosed:
            self._came_late += 1
        self._look()

    def close(self) -> Outcome:
        """Log what waits, finish the file and tell how it went."""
        self._outbox.close()
        hurry(self._child.pid)
        self._look(_END_TIMEOUT_S)
        if self._outcome is None:
            self._end(0, f"its process did not end within {_END_TIMEOUT_S:.0f} s")
        self._child.close()
        assert self._outcome is not None
        left_out, failed = self._outbox.dropped + self._came_late, self._outcome.failed
        files = (self.path,) if self.path.exists() else ()
        told = f"recorded {self.path}" + (f", {left_out} frames left out" if left_out else "")
        if failed:
            told = f"the recording {self.path} is cut short: {failed}"
        return replace(self._outcome, files=files, left_out=left_out, lines=(told,))

    def _wait_until_ready(self) -> None:
        """Wait until Rerun's package is loaded, which takes the processor: before the first frame. Raises UserError."""
        reason = f"its process did not answer in {READY_WITHIN_S:.0f} s"
        if self._child.poll(READY_WITHIN_S):
            try:
                answer = self._child.receive()
            except ChildGone as error:
                answer = 0, str(error)
            if answer == READY:
                return
            reason = answer[1]
        raise UserError(f"cannot record to {self.path}: {reason}")

    def _counted(self, moment: Moment) -> Moment:
        """Count the image of a moment that leaves the queue, in the sending thread."""
        self._pictures_sent += _has_picture(moment)
        return moment

    def _look(self, timeout_s: float = 0.0) -> None:
        """Receive the process's final message, once."""
        with self._ending:
            if self._outcome is not None or not self._child.poll(timeout_s):
                return
            try:
                self._end(*self._child.receive())
            except ChildGone as error:
                self._end(0, str(error))

    def _end(self, frames: int, failed: str) -> None:
        self._outcome = Outcome("rerun", frames=frames, failed=failed)
        if failed:
            self._outbox.abandon()
            logger.error("recording %s stopped: %s; the run goes on", self.path, failed)


def _has_picture(moment: Moment) -> bool:
    return moment.view is not None and moment.view.picture_bgr is not None
