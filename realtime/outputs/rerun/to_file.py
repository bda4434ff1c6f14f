"""Logs the moments of a run to an .rrd file, in a process of its own."""

from __future__ import annotations

import shutil
import time
from multiprocessing.connection import Connection
from pathlib import Path

from realtime.kernel.child import END
from realtime.kernel.priority import yield_to_the_pose
from realtime.outputs.file_process import Made
from realtime.outputs.rerun.moment import Subject
from realtime.outputs.rerun.process import READY, new_recording, next_moment

_SYNC_S = 1.0
_DISK_S = 30.0  # the longest wait for a disk
_FULL_BYTES = 1 << 20


def log_to_file(link: Connection, path: Path) -> None:
    """Send READY and log until the link ends; then send `Made`.

    What fails at the start comes without READY.
    """
    subject: Subject = link.recv()
    recording, frames, failed = new_recording(subject), 0, ""
    from realtime.outputs.rerun.entities.layout import layout_of
    from realtime.outputs.rerun.entities.scene import Scene

    try:
        recording.save(path, default_blueprint=layout_of(subject))
        scene, synced = Scene(recording, subject.body, subject.fingers), time.monotonic()
        link.send(READY)
        if subject.live:
            yield_to_the_pose()
        while (moment := next_moment(link)) is not END:
            scene.log(moment)
            frames += 1
            if time.monotonic() - synced >= _SYNC_S:
                recording.flush(timeout_sec=_DISK_S)
                synced = time.monotonic()
        recording.flush(timeout_sec=_DISK_S)
        recording.disconnect()
    except (OSError, RuntimeError) as error:
        full = shutil.disk_usage(path.parent).free < _FULL_BYTES
        failed = "the disk is full" if full else " ".join(str(error).split())
    link.send(Made(frames, failed))
    while failed and next_moment(link) is not END:
        pass  # what was on its way
