"""Streams a run to Rerun's viewer: `rerun://` opens it, or finds it, on this machine; `rerun://HOST:PORT` finds it."""

from __future__ import annotations

import contextlib
import logging

from realtime.kernel.channel import Channel, ChannelClosed
from realtime.kernel.child import Child, ChildGone
from realtime.kernel.messages import SolvedFrame
from realtime.outputs.output import Outcome, Output, Run
from realtime.outputs.rerun.moment import Moment, Moments, Subject
from realtime.outputs.rerun.process import why_not_ready
from realtime.outputs.rerun.sdk import check_sdk
from realtime.outputs.rerun.to_viewer import log_to_viewer
from realtime.outputs.rerun.viewer import listens, why_no_viewer
from realtime.outputs.streams.url import StreamError, StreamUrl

logger = logging.getLogger(__name__)

PORT = 9876
_OFFLINE_FRAMES = 4
OPTIONS: dict[str, tuple[str, ...]] = {}


def open_output(url: StreamUrl, run: Run) -> Output:
    """A stream to the viewer. Raises UserError without rerun-sdk, StreamError where no viewer can be."""
    check_sdk("--stream rerun://")
    is_there = listens(url.host, url.port)
    opens = not is_there and url.text.lower().rstrip("/") == "rerun:"
    if opens and (reason := why_no_viewer()) is not None:
        raise StreamError(
            f"'{url.text}': Rerun's viewer cannot open: {reason}; name one that runs, as rerun://HOST:{PORT}, "
            "or record: --record take.rrd"
        )
    if not is_there and not opens:
        raise StreamError(
            f"'{url.text}': no viewer listens there; start it (rerun --bind {url.host} --port {url.port}), "
            "or write rerun:// to open one here"
        )
    return RerunStream(url, Subject.of(run, "live"), opens=opens)


class RerunStream(Output):
    """Sender of the newest moment to the process that logs."""

    newest_wins = True

    def __init__(self, url: StreamUrl, subject: Subject, *, opens: bool) -> None:
        """Start the process; opens: it opens the viewer too."""
        self.address = url
        self._moments = Moments(live=subject.live)
        self._outbox = Channel[Moment].newest() if subject.live else Channel[Moment].bounded(_OFFLINE_FRAMES)
        child = Child(log_to_viewer, url.host, url.port, opens, name="rerun", outbox=self._outbox, first=subject)
        if reason := why_not_ready(child):
            raise StreamError(f"'{url.text}': nothing can be streamed: {reason}")
        self._child: Child | None = child
        logger.info("streaming to %s", url)

    @property
    def words(self) -> str:
        """The address."""
        return f"streaming to {self.address}" if self._child is not None else ""

    @property
    def pid(self) -> int | None:
        """PID of the process that logs, while it runs."""
        return None if self._child is None else self._child.pid

    def put(self, solved: SolvedFrame) -> None:
        """Hand a frame over; it replaces one that was not sent yet."""
        with contextlib.suppress(ChannelClosed):
            self._outbox.put(self._moments.of(solved))

    def tick(self) -> bool:
        """Log what the process tells. Return True."""
        try:
            while self._child is not None and self._child.poll():
                told = self._child.receive()
                logger.log(told.level, "%s; the run goes on", told.text)
        except ChildGone as error:
            logger.error("nothing is streamed to %s any more: %s; the run goes on", self.address, error)
            self.close()
        return True

    def close(self) -> Outcome:
        """End the process. The viewer stays open."""
        if self._child is not None:
            self._child.close()
            self._child = None
        return Outcome("stream")
