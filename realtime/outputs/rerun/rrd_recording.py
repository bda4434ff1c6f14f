"""Records a run to a file of Rerun's (`--record take.rrd`): every solved frame, with the camera's images.

Frames wait in a queue, at most fifteen of them with their images: further ones have none until some were taken. When
the queue is full, a live run drops the oldest frames and counts them; an offline one waits.
"""

from __future__ import annotations

import logging
from pathlib import Path

from engine.errors import UserError
from engine.files.whole_file import check_writable
from realtime.kernel.channel import Channel
from realtime.kernel.child import Child
from realtime.kernel.messages import SolvedFrame
from realtime.outputs.file_process import FileProcess, free_path
from realtime.outputs.output import Outcome, Output, Run
from realtime.outputs.rerun.moment import Moment, Moments, Subject
from realtime.outputs.rerun.process import why_not_ready
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
        self.path = free_path(path, "recording")
        self._moments = Moments(live=subject.live)
        self._outbox = Channel[Moment](_QUEUE_PICTURES if blocking else _QUEUE_FRAMES, newest_wins=not blocking)
        self._blocking = blocking
        self._pictures_put = self._pictures_sent = 0
        child = Child(log_to_file, self.path, name="rrd", outbox=self._outbox, first=subject, pack=self._counted)
        if reason := why_not_ready(child):
            raise UserError(f"cannot record to {self.path}: {reason}")
        self._file = FileProcess("recording", self.path, self._outbox, child)
        logger.info("recording to %s", self.path)

    @property
    def recording(self) -> bool:
        """Return whether frames are recorded."""
        return self._file.goes_on

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
        return self._file.pid

    def put(self, solved: SolvedFrame) -> None:
        """Queue a frame. Never waits unless `blocking`; does nothing after a failure."""
        if self._outbox.waiting == 0:  # also after frames were dropped with theirs
            self._pictures_sent = self._pictures_put
        waiting = self._pictures_put - self._pictures_sent
        moment = self._moments.of(solved, may_have_picture=self._blocking or waiting < _QUEUE_PICTURES)
        self._pictures_put += _has_picture(moment)
        self._file.put(moment)

    def close(self) -> Outcome:
        """Log what waits, finish the file and tell how it went."""
        made, left_out = self._file.close(_END_TIMEOUT_S), self._file.left_out
        files = (self.path,) if self.path.exists() else ()
        told = f"recorded {self.path}" + (f", {left_out} frames left out" if left_out else "")
        if made.failed:
            told = f"the recording {self.path} is cut short: {made.failed}"
        return Outcome("rerun", files, made.frames, left_out, made.failed, (told,))

    def _counted(self, moment: Moment) -> Moment:
        """Count the image of a moment that leaves the queue, in the sending thread."""
        self._pictures_sent += _has_picture(moment)
        return moment


def _has_picture(moment: Moment) -> bool:
    return moment.view is not None and moment.view.picture_bgr is not None
