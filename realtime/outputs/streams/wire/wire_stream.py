"""Streams the wire format over a transport: frames, the skeleton every second, changes of state."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import Protocol

from realtime.kernel.messages import SolvedFrame
from realtime.outputs.finger_bones import FingerBones
from realtime.outputs.live_status import LiveStatus
from realtime.outputs.output import Outcome, Output, Run
from realtime.outputs.streams.url import StreamUrl
from realtime.outputs.streams.wire.wire import Wire

logger = logging.getLogger(__name__)

SKELETON_EVERY_S = 1.0
_LAST_WORD_S = 0.05  # time for the last message to leave, because sockets do not linger


class Transport(Protocol):
    """Transport of text messages. `send` never blocks; one thread at a time calls it."""

    address: StreamUrl  # with the actual port

    def send(self, message: bytes) -> None: ...

    def close(self) -> None: ...


class WireStream(Output):
    """Stream of every frame over one transport. It never waits for a receiver."""

    newest_wins = True

    def __init__(self, transport: Transport, run: Run) -> None:
        """Store the transport, which is closed with the stream. Streams of one run share their messages."""
        self.address = transport.address
        self._transport = transport
        self._run = run
        if Wire not in run.shared:
            run.shared[Wire] = Wire(run.body, fingers=FingerBones.of(run), offline=run.offline)
        self._wire: Wire = run.shared[Wire]
        self._lock = threading.Lock()
        self._news: deque[bytes] = deque()
        self._skeleton_due = time.monotonic()
        self._sent_at = float("-inf")
        self._closed = False
        logger.info("streaming to %s", self.address)
        if not self.address.is_loopback and "curve" not in self.address.options:
            logger.warning("%s: everybody on that network can watch", self.address)

    @property
    def words(self) -> str:
        """Address, for the status line."""
        return f"streaming to {self.address}"

    def put(self, solved: SolvedFrame) -> None:
        """Publish one frame."""
        with self._lock:
            if not self._closed:
                self._flush()
                with_tokens = self.address.options["tokens"] == "1"
                self._transport.send(self._wire.pose(solved, fps=self._run.status().fps, with_tokens=with_tokens))

    def tick(self) -> bool:
        """Send everything due besides frames: status changes, and the skeleton every second."""
        if self._lock.acquire(blocking=False):  # otherwise the holder sends what is due
            try:
                if not self._closed:
                    self._flush()
            finally:
                self._lock.release()
        return True

    def tell(self, status: LiveStatus) -> None:
        """Announce a change of state with the next tick or frame."""
        self._news.append(self._wire.status(status))

    def close(self) -> Outcome:
        """Send the last status and free the port."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._flush()
                time.sleep(max(0.0, self._sent_at + _LAST_WORD_S - time.monotonic()))
                self._transport.close()
        return Outcome("stream")

    def _flush(self) -> None:
        while self._news:
            self._send(self._news.popleft())
        now = time.monotonic()
        if now >= self._skeleton_due:
            self._skeleton_due = now + SKELETON_EVERY_S
            self._send(self._wire.skeleton())

    def _send(self, message: bytes) -> None:
        self._transport.send(message)
        self._sent_at = time.monotonic()
