"""Streams one person to a humanoid robot's controller: the SONIC protocol over ZeroMQ PUB, 50 frames a second."""

from __future__ import annotations

import contextlib
import logging
import time

from engine.body.model import BodyModel
from engine.errors import UserError
from realtime.kernel.channel import Channel, ChannelClosed
from realtime.kernel.child import Child, ChildGone
from realtime.kernel.messages import SolvedFrame
from realtime.outputs.output import Outcome, Output, Run
from realtime.outputs.streams.sonic.guard import RATE_HZ, Tally
from realtime.outputs.streams.sonic.packet import VERSIONS
from realtime.outputs.streams.sonic.seen import Seen, Watcher
from realtime.outputs.streams.sonic.sender import Ended, Holding, Opened, Refused, send_to_robot
from realtime.outputs.streams.url import StreamError, StreamUrl
from realtime.outputs.streams.whom import whom_of
from realtime.outputs.told import Told

logger = logging.getLogger(__name__)

PORT = 5557  # the receivers' own default, 5556, is that of our WebSocket
OPTIONS: dict[str, tuple[str, ...]] = {"v": VERSIONS, "person": ()}  # the protocol's version, and whom to send
_OPENS_WITHIN_S = 60.0
_ENDS_WITHIN_S = 5.0


def open_output(url: StreamUrl, run: Run) -> Output:
    """Open the stream. Raises StreamError, and UserError for a file that is read offline."""
    if run.offline:
        raise UserError(f"'{url.text}': a robot follows live poses; leave --offline out")
    return SonicStream(url, run.body)


class SonicStream(Output):
    """Handle of the process that sends 50 frames a second, whatever rate the camera has."""

    newest_wins = True

    def __init__(self, url: StreamUrl, body: BodyModel) -> None:
        """Start the process. Raises StreamError, one line, if it cannot open."""
        self._watcher = Watcher(whom_of(url), body)
        self._outbox = Channel[Seen].newest()
        self._child = Child(send_to_robot, url, name="sonic", outbox=self._outbox)
        opened = self._opened(url)
        self.address = opened.address
        self._holding = ""
        self._ended: Ended | None = None
        logger.info("streaming to %s", self.address)
        logger.info("%s: frames leave at %s", self.address, opened.priority)
        if not self.address.is_loopback:
            logger.warning("%s: everybody on that network can watch", self.address)

    @property
    def pid(self) -> int | None:
        """PID of the process."""
        return self._child.pid

    @property
    def words(self) -> str:
        """The address, and whether the robot holds its pose."""
        held = f", held ({self._holding})" if self._holding else ""
        return f"streaming to {self.address}{held}" if self._ended is None else ""

    def put(self, solved: SolvedFrame) -> None:
        """Hand a frame over; the process sends it at its time."""
        with contextlib.suppress(ChannelClosed):
            self._outbox.put(self._watcher.see(time.monotonic(), solved))

    def tick(self) -> bool:
        """Log what the process tells. Return True."""
        while self._ended is None and self._child.poll():
            self._take()
        return True

    def close(self) -> Outcome:
        """End the process, free the port. Idempotent."""
        self._outbox.close()
        while self._ended is None and self._child.poll(_ENDS_WITHIN_S):
            self._take()
        self._child.close()
        ended = self._ended or Ended(Tally(), f"its process did not end within {_ENDS_WITHIN_S:.0f} s")
        return outcome(self.address, ended)

    def _opened(self, url: StreamUrl) -> Opened:
        answer = None
        try:
            answer = self._child.receive() if self._child.poll(_OPENS_WITHIN_S) else None
            if isinstance(answer, Opened):
                return answer
            why = f"its process did not answer in {_OPENS_WITHIN_S:.0f} s"
            raise StreamError(answer.why if isinstance(answer, Refused) else f"'{url.text}': {why}")
        except ChildGone as error:
            raise StreamError(f"'{url.text}': nothing can be streamed: {error}") from error
        finally:
            if not isinstance(answer, Opened):  # also after Ctrl-C
                self._child.close()

    def _take(self) -> None:
        """Receive a message of the process."""
        try:
            message = self._child.receive()
        except ChildGone as error:
            message = Ended(Tally(), str(error))
        if isinstance(message, Told):
            logger.log(message.level, "%s", message.text)
        elif isinstance(message, Holding):
            self._holding = message.why
        elif isinstance(message, Ended):
            self._ended = message
            self._outbox.close()
            if message.failed:
                logger.error("%s: nothing is sent any more: %s; the run goes on", self.address, message.failed)


def outcome(address: StreamUrl, ended: Ended) -> Outcome:
    """Return what was sent, for the report."""
    tally = ended.tally
    counts = {
        "sent": tally.sent,
        "limited": tally.limited,
        "held": tally.held,
        **{f"holds: {why}": times for why, times in tally.holds.items()},
        "ramps": tally.ramps,
        "changes of person": tally.switches,
        "beats missed": tally.missed,
    }
    failed = f"{address}: {ended.failed}" if ended.failed else ""
    return Outcome("stream", frames=tally.sent, failed=failed, lines=(_line(address, tally),), counts=counts)


def _line(address: StreamUrl, tally: Tally) -> str:
    times = ", ".join(f"{why} {count}" for why, count in tally.holds.items())
    held = f"held {tally.holds.total()} times, {tally.held / RATE_HZ:.1f} s ({times})" if times else "never held"
    changes = f"{tally.limited} slowed down, {tally.switches} changes of person, {tally.missed} beats missed"
    return f"{address}: {tally.sent} frames sent, {held}, {changes}"
