"""Runs the viewer, a window or a web page, in a subprocess, so that drawing never delays the pose.

Open3D holds Python's GIL while it draws and waits for the screen (tens of ms without a graphics card). viser takes it
for every message to every page. In a subprocess, a screen costs the pose path one small message a drawn frame. A crash
of a graphics driver loses no recording, and the main process imports neither library. The screen requests each image
after it has drawn the previous one, so it always gets the newest and no queue grows.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Protocol

import numpy as np

from realtime.kernel.channel import Channel, ChannelClosed
from realtime.kernel.child import END, Child, ChildGone
from realtime.kernel.messages import SolvedFrame
from realtime.kernel.priority import yield_to_the_pose
from realtime.outputs.drawing.overlay import Picture
from realtime.outputs.live_status import LiveStatus
from realtime.outputs.nearest import Nearest
from realtime.outputs.output import Outcome, Output, Run
from realtime.outputs.view.config import ViewerConfig, WebConfig
from realtime.outputs.view.display import NoDisplayError, why_no_window
from realtime.outputs.view.shown import RecentParts, Shown, shown
from realtime.outputs.view.web import Page
from realtime.outputs.view.window import Window

logger = logging.getLogger(__name__)

_OPEN_TIMEOUT_S = 60.0  # open3d alone can take many seconds to load from a cold disk
_DRAWING_CORES = (os.cpu_count() or 1) / 8  # a window drawn in software leaves the rest to the pose
_GAIN = 0.2  # of the cost's low-pass: Windows counts processor time in steps of 16 ms


class Screen(Protocol):
    """Screen that draws in the viewer's process. All calls come from one thread."""

    where: str  # address of the page, empty for a window

    @property
    def is_watched(self) -> bool:
        """Return whether it needs new images now."""

    def show(self, shown: Shown) -> None:
        """Take the data to draw next."""

    def draw(self) -> bool:
        """Draw changes, forward user input. Return False once the user closed the screen."""

    def close(self) -> None:
        """Release resources."""


class Pace:
    """Frame pacing: draws at most `fps` times a second, and uses at most so many cores.

    Waiting for the screen costs nothing: a graphics card keeps the full rate.
    """

    def __init__(
        self,
        fps: float,
        cores: float = _DRAWING_CORES,
        clock: Callable[[], float] = time.monotonic,
        spent: Callable[[], float] = time.process_time,
    ) -> None:
        """clock: seconds. spent: processor time of this process so far, of all threads, in seconds."""
        self._period_s = 1.0 / fps
        self._cores = cores
        self._clock, self._spent = clock, spent
        self._started = self._due = clock()
        self._spent_s, self._cost_s = spent(), 0.0

    def wait_s(self) -> float:
        """Return seconds until the next drawing is due, 0 if it is."""
        return max(0.0, self._due - self._clock())

    def start(self) -> None:
        """Note the start of a drawing."""
        self._started = self._clock()

    def done(self) -> None:
        """Note the end of a drawing; the next is due a period after its start, or later if it costs much."""
        before_s, self._spent_s = self._spent_s, self._spent()
        self._cost_s += _GAIN * (self._spent_s - before_s - self._cost_s)
        self._due = self._started + max(self._period_s, self._cost_s / self._cores)


def open_viewer(run: Run, config: ViewerConfig | WebConfig, *, where_there_is_one: bool = False) -> Viewer | None:
    """Begin to open the screen of this configuration, for which the pose does not wait.

    where_there_is_one: return None without a display. Raises NoDisplayError otherwise, here or later from `tick`.
    """
    viewer = Viewer(run, config, where_there_is_one=where_there_is_one)
    try:
        viewer.begin()
    except NoDisplayError as error:
        if not where_there_is_one:
            raise
        logger.info("no window: %s", error)
        return None
    return viewer


class Viewer(Output):
    """A handle on the screen's process. `put` may be called from any thread, all else from one."""

    def __init__(
        self, run: Run, config: ViewerConfig | WebConfig | None = None, *, where_there_is_one: bool = False
    ) -> None:
        """The type of `config` says which screen: a window (the default) or a web page.

        where_there_is_one: the run goes on without a screen if it cannot open.
        """
        self.where = ""  # the page's address, once it is open
        self._run = run
        self._config = config or ViewerConfig()
        self._lock = threading.Lock()
        self._newest: tuple[SolvedFrame, LiveStatus, int | None] | None = None
        self._parts = RecentParts()
        self._nearest = Nearest()
        self._may_fail = where_there_is_one
        self._opening_until: float | None = None  # on the monotonic clock; None: not begun, open or closed
        self._closed = False
        self._wanted = False  # the screen has drawn the last image and requests the next
        self._child: Child | None = None
        self._outbox: Channel[tuple[str, Any]] = Channel.bounded(8)  # more than are ever on their way: it never waits

    def open(self) -> None:
        """Open the screen and wait until it is ready: a few seconds, while other threads continue.

        Raises NoDisplayError if no window can open, or no page at the requested port, or not in time.
        """
        self.begin()
        try:
            while self._opening_until is not None:
                self._receive(wait=True)
        except BaseException:  # Ctrl-C too: no process is left
            self.close()
            raise

    def begin(self) -> None:
        """Start the screen's process; `tick` takes notice when it is ready. Raises NoDisplayError without a display."""
        reason = why_no_window() if isinstance(self._config, ViewerConfig) else None
        if reason is not None:
            raise NoDisplayError(reason)
        self._child = Child(_run_screen, self._config, self._run.status().smoothing, name="viewer", outbox=self._outbox)
        self._opening_until = time.monotonic() + _OPEN_TIMEOUT_S
        self._send("body", self._run.drawn_body)  # not with the arguments: they must be small

    def put(self, solved: SolvedFrame) -> None:
        """Store the data to show next; older unsent data are dropped."""
        self.update(solved, self._run.status())

    def update(self, solved: SolvedFrame, status: LiveStatus) -> None:
        """The same with a status of the caller's."""
        with self._lock:
            nearest = self._nearest(solved, [each for each in solved.people if np.isfinite(each.pose.trans).all()])
            self._newest = (self._parts.added(solved), status, None if nearest is None else nearest.id)

    @property
    def caught_up(self) -> bool:
        """Return whether the screen has drawn the newest data."""
        with self._lock:
            return self._wanted and self._newest is None

    @property
    def pid(self) -> int | None:
        """PID of the screen's process while the viewer is open."""
        return self._child.pid if self._child is not None else None

    def tick(self) -> bool:
        """Forward commands, and send the newest image if the screen requests it. False once it was closed; never waits.

        If the screen's process dies, this logs it once and does nothing from then on. Raises NoDisplayError if the
        screen cannot open, unless the run may go on without.
        """
        try:
            self._receive()
        except NoDisplayError as error:
            self.close()
            if not self._may_fail:
                raise
            logger.info("no window: %s", error)
        if self._wanted and not self._closed and self._child is not None:
            with self._lock:
                newest, self._newest = self._newest, None
            if newest is not None:
                self._wanted = False
                self._send("show", shown(*newest))
        return not self._closed

    def picture(self) -> Picture:
        """Return an image of the window, (H, W, 3) RGB."""
        self._send("picture", None)
        return self._wait_for("picture", timeout_s=10.0)[1]

    def close(self) -> Outcome:
        """Close the screen and end its process."""
        self._opening_until = None
        if self._child is not None:
            self._child.close()
            self._child = None
        return Outcome("view")

    def _receive(self, *, wait: bool = False) -> None:
        """Process what the screen's process sent. Raises NoDisplayError if it cannot open the screen."""
        try:
            while not self._closed and self._child is not None and self._child.poll(0.1 if wait else 0.0):
                self._take(*self._child.receive())
                wait = False
        except ChildGone as error:
            if self._opening_until is not None:
                raise NoDisplayError(f"the viewer cannot open: {error}; choose --view none") from error
            logger.error("the viewer is gone: %s; the run goes on without it", error)
            self.close()
        if self._opening_until is not None and time.monotonic() > self._opening_until:
            late = f"its process did not answer in {_OPEN_TIMEOUT_S:.0f} s"
            raise NoDisplayError(f"the viewer cannot open: {late}; choose --view none")

    def _send(self, kind: str, what: Any) -> None:
        with contextlib.suppress(ChannelClosed):  # the screen's process died: the next receive reports the reason
            self._outbox.put((kind, what))

    def _take(self, kind: str, what: Any) -> None:
        if kind == "opened":
            self._opening_until, self.where = None, what
            if what:
                logger.info("open %s in your browser", what)
        elif kind == "failed":
            raise NoDisplayError(what)
        elif kind == "ready":
            self._wanted = True
        elif kind == "closed":
            self._closed = True
        elif kind == "command":
            name, *arguments = what
            self._run.commands[name](*arguments)

    def _wait_for(self, *kinds: str, timeout_s: float) -> tuple[str, Any]:
        """Return the next message of one of these kinds; others are processed. Raises ChildGone or TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while self._child is not None and self._child.poll(max(0.0, deadline - time.monotonic())):
            kind, what = self._child.receive()
            if kind in kinds:
                return kind, what
            self._take(kind, what)
        raise TimeoutError(f"its process did not answer in {timeout_s:.0f} s")


def _run_screen(link: Connection, config: ViewerConfig | WebConfig, smoothing: str) -> None:
    """Run the screen's process until the user or the program closes the screen."""
    _prepare_environment()

    def send_command(*command: str) -> None:
        link.send(("command", command))

    message = link.recv()
    if message is END:
        return
    screen: Screen
    try:
        _, body = message
        screen = (
            Page(body, config, on_command=send_command, smoothing=smoothing)
            if isinstance(config, WebConfig)
            else Window(body, config, on_key=send_command)
        )
    except (ImportError, OSError, RuntimeError) as error:
        link.send(("failed", f"the viewer cannot open: {' '.join(str(error).split())}; choose --view none"))
        return
    yield_to_the_pose()  # not before: on a busy machine it would never open
    try:
        _serve(link, screen, Pace(config.fps))
    finally:
        screen.close()


def _serve(link: Connection, screen: Screen, pace: Pace) -> None:
    link.send(("opened", screen.where))
    asked = False  # an image is requested and has not come yet
    while True:
        if not asked and screen.is_watched:
            link.send(("ready", None))
            asked = True
        while link.poll(pace.wait_s()):
            message = link.recv()
            if message is END:
                return
            kind, what = message
            if kind == "show":
                screen.show(what)
                asked = False
            elif kind == "picture" and isinstance(screen, Window):
                screen.draw()
                link.send(("picture", screen.picture()))
        pace.start()
        still_open = screen.draw()
        pace.done()
        if not still_open:
            link.send(("closed", None))
            return


def _prepare_environment() -> None:
    """Lower the priority below the pose's, and on Linux prefer X11, which Open3D's window supports best."""
    if hasattr(os, "nice"):
        os.nice(10)
    if os.environ.get("DISPLAY"):
        os.environ["XDG_SESSION_TYPE"] = "x11"
        os.environ.pop("WAYLAND_DISPLAY", None)
