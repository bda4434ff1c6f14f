"""Manages all streams of a run: opens them, sends frames, the skeleton and status changes, and closes them."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Unpack

from engine.body.model import BodyModel
from realtime.kernel.messages import SolvedFrame
from realtime.kernel.stats import Histogram
from realtime.outputs.streams import open_frame_stream, open_message_stream
from realtime.outputs.streams.url import FrameStream, MessageStream, parse_stream_url
from realtime.outputs.streams.wire import About, State, Wire

logger = logging.getLogger(__name__)

SKELETON_EVERY_S = 1.0
_LAST_WORD_S = 0.05  # time for the last message to leave, because sockets do not linger


class Broadcast:
    """Fan-out of every solved frame to every stream; `close` frees them all.

    `send` belongs to the publishing thread, `tick` to one that calls it often, `tell` to any. Nothing waits for a
    receiver.

    urls: as given to `--stream`. Raises StreamError, one line, if any cannot be opened; then none is left open.
    offline: frames carry a file's times (see `Wire`).
    """

    def __init__(self, urls: Iterable[str], body: BodyModel, *, offline: bool = False) -> None:
        self.latency = Histogram()  # capture to publish (A to D), ms
        self._wire = Wire(body, offline=offline)
        self._message_streams: list[MessageStream] = []
        self._frame_streams: list[FrameStream] = []
        self._lock = threading.Lock()  # at most one thread at a time uses the sockets
        self._news: deque[bytes] = deque()
        self._skeleton_due = time.monotonic()
        self._sent_at = float("-inf")
        self._closed = False
        addresses = [parse_stream_url(url) for url in urls]
        try:
            for address in addresses:
                if address.scheme == "vmc":
                    self._frame_streams.append(open_frame_stream(address, body))
                    logger.info("streaming to %s", address)
                    continue
                stream = open_message_stream(address)
                self._message_streams.append(stream)
                logger.info("streaming to %s", stream.address)
                if not address.is_loopback and address.curve is None:
                    logger.warning("%s: everybody on that network can watch", stream.address)
        except BaseException:
            self.close()
            raise

    @property
    def addresses(self) -> tuple[str, ...]:
        """Targets or addresses of the streams, with the actual ports."""
        streams: tuple[MessageStream | FrameStream, ...] = (*self._message_streams, *self._frame_streams)
        return tuple(str(stream.address) for stream in streams)

    def send(self, solved: SolvedFrame, *, fps: float) -> None:
        """Publish one frame."""
        with self._lock:
            if self._closed:
                return
            self._flush()
            messages: dict[bool, bytes] = {}
            for stream in self._message_streams:
                with_tokens = stream.address.tokens
                if with_tokens not in messages:
                    messages[with_tokens] = self._wire.pose(solved, fps=fps, with_tokens=with_tokens)
                stream.send(messages[with_tokens])
            for frame_stream in self._frame_streams:
                frame_stream.send(solved)
        self.latency.add((time.monotonic() - solved.frame.t_capture) * 1e3)

    def tick(self) -> None:
        """Send everything due besides frames: status changes, and the skeleton every second."""
        if self._lock.acquire(blocking=False):  # otherwise the holder sends what is due
            try:
                if not self._closed:
                    self._flush()
            finally:
                self._lock.release()

    def tell(self, state: State, **about: Unpack[About]) -> None:
        """Announce a change of state with the next tick or frame. Never waits."""
        self._news.append(self._wire.status(state, **about))

    def close(self) -> None:
        """Send the last status and free every stream. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._flush()
            time.sleep(max(0.0, self._sent_at + _LAST_WORD_S - time.monotonic()))
            for stream in self._message_streams:
                stream.close()
            for frame_stream in self._frame_streams:
                frame_stream.close()

    def _flush(self) -> None:
        while self._news:
            self._send_message(self._news.popleft())
        now = time.monotonic()
        if now >= self._skeleton_due:
            self._skeleton_due = now + SKELETON_EVERY_S
            self._send_message(self._wire.skeleton())

    def _send_message(self, message: bytes) -> None:
        for stream in self._message_streams:
            stream.send(message)
            self._sent_at = time.monotonic()
