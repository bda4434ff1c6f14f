"""Logs the moments of a run to Rerun's viewer, which may come and go, in a process of its own."""

from __future__ import annotations

import logging
import os
import time
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from realtime.kernel.child import END
from realtime.kernel.priority import yield_to_the_pose
from realtime.outputs.rerun.moment import Moment, Subject
from realtime.outputs.rerun.process import READY, new_recording, next_moment
from realtime.outputs.rerun.viewer import ViewerError, listens, open_viewer
from realtime.outputs.told import Told

if TYPE_CHECKING:
    from realtime.outputs.rerun.entities.scene import Scene

_TAKES_S = 0.5  # after which a viewer that has not taken a frame misses those that come
_LOOK_EVERY_S = 1.0  # for a viewer


def log_to_viewer(link: Connection, host: str, port: int, opens: bool) -> None:
    """Send READY and log until the link ends; sends `Told`. opens: open the viewer on this machine first."""
    subject: Subject = link.recv()
    showing = Showing(subject, host, port)
    link.send(READY)
    yield_to_the_pose()
    if opens:
        try:
            open_viewer(port)
        except ViewerError as error:
            link.send(Told(f"Rerun's viewer cannot open: {error}", logging.ERROR))
            return
    while (moment := next_moment(link)) is not END:
        for told in showing.show(moment):
            link.send(told)
    showing.finish()
    os._exit(0)  # at once, also if the viewer hangs


class Showing:
    """Connection to a viewer. One that is gone may come back; one that hangs misses frames, and no queue grows."""

    def __init__(self, subject: Subject, host: str, port: int) -> None:
        self._subject, self._host, self._port = subject, host, port
        self._recording = new_recording(subject)
        self._new_scene: Scene | None = self._make_scene()  # for the first viewer
        self._scene: Scene | None = None  # None: there is no viewer
        self._look_at = 0.0  # when to look for one again, on the monotonic clock
        self._is_behind = False  # it has not taken the last frame yet

    def show(self, moment: Moment) -> list[Told]:
        """Log a moment if the viewer takes it; return what to tell."""
        told = []
        if self._scene is None and time.monotonic() >= self._look_at:
            self._connect()
        if self._is_behind:
            told += self._send()
        if self._scene is not None and not self._is_behind:
            self._scene.log(moment)
            told += self._send()
        return told

    def finish(self) -> None:
        """Wait a moment for the viewer to take the last frame."""
        if self._scene is not None:
            self._send()
        if self._scene is not None and not self._is_behind:
            self._recording.disconnect()

    def _make_scene(self) -> Scene:
        from realtime.outputs.rerun.entities.scene import Scene

        return Scene(self._recording, self._subject.body, self._subject.fingers)

    def _connect(self) -> None:
        from realtime.outputs.rerun.entities.layout import layout_of

        self._look_at = time.monotonic() + _LOOK_EVERY_S
        if not listens(self._host, self._port):
            return
        url = f"rerun+http://{_bracketed(self._host)}:{self._port}/proxy"
        self._recording.connect_grpc(url, default_blueprint=layout_of(self._subject))
        self._scene, self._new_scene = self._new_scene or self._make_scene(), None

    def _send(self) -> list[Told]:
        """Send what waits, for a limited time. Return what to tell if the viewer is gone."""
        begun = time.monotonic()
        self._is_behind = False
        try:
            self._recording.flush(timeout_sec=_TAKES_S)
        except RuntimeError as error:
            if time.monotonic() - begun >= _TAKES_S:
                self._is_behind = True
                return []
            self._scene = None
            reason = " ".join(str(error).split())
            return [Told(f"no viewer of Rerun takes frames at {self._host}:{self._port}: {reason}", logging.ERROR)]
        return []


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
