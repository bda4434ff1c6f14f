"""Holds what the processes that log to Rerun share: in one of its own, Rerun's work does not delay the pose."""

from __future__ import annotations

import os
import uuid
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from realtime.kernel.child import END, Child, ChildGone
from realtime.outputs.file_process import Made
from realtime.outputs.rerun.moment import Moment, Subject

if TYPE_CHECKING:
    import rerun as rr

APPLICATION = "tokenmocap"
READY = "ready"  # the first message of the process: what takes long to load is loaded
_READY_WITHIN_S = 60.0


def why_not_ready(child: Child) -> str:
    """Wait until Rerun's package is loaded, which takes the processor: before the first frame. Return "" or why not.

    A process that is not ready is closed; so it is if waiting ends early.
    """
    ready = False
    try:
        answer = child.receive() if child.poll(_READY_WITHIN_S) else None
        ready = answer == READY
        if isinstance(answer, Made):
            return answer.failed
        return "" if ready else f"its process did not answer in {_READY_WITHIN_S:.0f} s"
    except ChildGone as error:
        return str(error)
    finally:
        if not ready:  # also after Ctrl-C
            child.close()


def new_recording(subject: Subject) -> rr.RecordingStream:
    """Make a recording that goes nowhere yet, without a time line but ours."""
    os.environ["RUST_LOG"] = "off"  # its own messages; failures come as exceptions
    import rerun as rr

    rr.set_strict_mode(True)  # otherwise wrong data are a warning
    recording = rr.RecordingStream(APPLICATION, recording_id=uuid.uuid4())
    recording.set_log_time_enabled(False)
    recording.send_recording_name(subject.name)
    return recording


def next_moment(link: Connection) -> Moment | None:
    """Return the next moment; None at the end, also if the program was killed, so that a file is finished."""
    try:
        return link.recv()
    except (EOFError, ConnectionResetError):
        return END
