"""The connection: the loop takes all messages that wait, and gets the newest frame."""

from __future__ import annotations

import json
import math
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import zmq
from zmq.utils.monitor import recv_monitor_message

from .frame import Frame, Status
from .skeleton import Skeleton
from .wire import MessageError, StreamError, fields_of, frame_of, skeleton_of, status_of

_WAIT_MS = 100  # at once: Ctrl-C and a closed connection are seen in between
_LONGEST_BYTES = 1 << 20  # of a message; a longer one is not the program's
_QUEUED_MESSAGES = 1000
_REFUSALS = 3  # in a row: one alone may be a program that ends
_FINAL = zmq.Event.HANDSHAKE_FAILED_AUTH | zmq.Event.HANDSHAKE_FAILED_PROTOCOL  # ZeroMQ does not try again
_HANDSHAKES = zmq.Event.HANDSHAKE_SUCCEEDED | zmq.Event.HANDSHAKE_FAILED_NO_DETAIL | _FINAL
_ADDRESS = re.compile(r"tcp://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):(\d{1,5})")
_KEYS = ("public_key", "secret_key", "server_key")


def connect(
    address: str = "tcp://127.0.0.1:5555", *, keys: str | Path | None = None, timeout_s: float | None = None
) -> Connection:
    """Follow the stream of `--stream zmq://HOST:PORT` at tcp://HOST:PORT; it need not be there yet.

    keys: a client's file of `python -m realtime.keys`, for an encrypted stream. timeout_s: the loop ends when no frame
    came for so long; None: it waits for ever, and goes on when the program comes back. Raises StreamError.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match[2]) < 65536:
        raise StreamError(f"'{address}' is no address: write tcp://host:port, for example tcp://127.0.0.1:5555")
    return Connection(address, {} if keys is None else _read_keys(Path(keys)), timeout_s)


class Connection:
    """Iterator of the newest frames, for one loop. `close`, or the end of a `with`, ends it, from any thread.

    A stream of another version, or one that refuses the keys or their lack, raises StreamError in the loop.
    """

    def __init__(self, address: str, keys: dict[str, str], timeout_s: float | None) -> None:
        self.address = address
        self.timeout_s = timeout_s
        self.status: Status | None = None  # the latest that the program told
        self.refused = 0  # messages that could not be read
        self._skeleton: Skeleton | None = None
        self._seq = -1
        self._closed = False
        self._refusals = 0  # handshakes that failed since one succeeded
        self._lock = threading.Lock()  # of the socket, which knows no threads
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        try:
            _set_options(self._socket, keys)
            self._handshakes = self._socket.get_monitor_socket(_HANDSHAKES)
            self._socket.connect(address)
        except zmq.ZMQError as error:
            self.close()
            raise StreamError(f"{address}: {error.strerror}; check the address and the keys") from error

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        """Wait for a frame that is newer than the last one.

        Raises StopIteration after `timeout_s` or `close`, and StreamError.
        """
        until = math.inf if self.timeout_s is None else time.monotonic() + self.timeout_s
        while not self._closed and time.monotonic() < until:
            with self._lock:
                waiting = [] if self._closed else self._waiting()
            frame = self._newest(waiting)
            if frame is not None:
                return frame
        raise StopIteration

    def close(self) -> None:
        """Free the socket and end the loop. Idempotent."""
        self._closed = True
        with self._lock:
            self._context.destroy(linger=0)

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _waiting(self) -> list[bytes]:
        """Take all messages that are there, or wait for one for a moment."""
        messages: list[bytes] = []
        try:
            messages.append(self._socket.recv())
            while True:
                messages.append(self._socket.recv(zmq.NOBLOCK))
        except zmq.Again:
            if not messages:
                self._check_refusals()
        # More than the queue holds: the newest were lost, and the next one that comes is newer.
        return messages if len(messages) < _QUEUED_MESSAGES else [m for m in messages if not m.startswith(b"pose ")]

    def _check_refusals(self) -> None:
        """Raise StreamError where the keys do not fit, in place of waiting for ever."""
        while self._handshakes.poll(0):
            event = recv_monitor_message(self._handshakes)["event"]
            if event == zmq.Event.HANDSHAKE_SUCCEEDED:
                self._refusals = 0
            else:
                self._refusals += _REFUSALS if event & _FINAL else 1
        if self._refusals >= _REFUSALS:
            raise StreamError(
                f"{self.address} refuses this client: give the keys of an encrypted stream (keys=, a file of "
                "python -m realtime.keys), and none for a plain one"
            )

    def _newest(self, messages: list[bytes]) -> Frame | None:
        """Read the last pose message, and all that are none."""
        last = next((message for message in reversed(messages) if message.startswith(b"pose ")), None)
        frame = None
        for message in messages:
            if message.startswith(b"pose ") and message is not last:
                continue
            try:
                frame = self._read(message) or frame
            except MessageError:
                self.refused += 1
        return frame

    def _read(self, message: bytes) -> Frame | None:
        topic, fields = fields_of(message)
        if topic == "skeleton":
            self._skeleton = skeleton_of(fields)
        elif topic == "status":
            self.status = status_of(fields)
            if self.status.state == "ended":  # the next run may have another body
                self._skeleton = None
        elif topic == "pose" and self._skeleton is not None:
            frame = frame_of(fields, self._skeleton)
            is_later, self._seq = frame.seq >= self._seq, frame.seq
            if is_later:
                return frame
            self._skeleton = None  # the program was started again
        return None


def _set_options(socket: zmq.Socket[bytes], keys: dict[str, str]) -> None:
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RCVTIMEO, _WAIT_MS)
    socket.setsockopt(zmq.RCVHWM, _QUEUED_MESSAGES)
    socket.setsockopt(zmq.MAXMSGSIZE, _LONGEST_BYTES)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
    socket.setsockopt(zmq.IPV6, 1)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    if keys:
        socket.curve_publickey = keys["public_key"].encode()
        socket.curve_secretkey = keys["secret_key"].encode()
        socket.curve_serverkey = keys["server_key"].encode()


def _read_keys(path: Path) -> dict[str, str]:
    mend = "name a client's file made by python -m realtime.keys"
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StreamError(f"cannot read the key file {path}: {error.strerror}; {mend}") from error
    except ValueError as error:
        raise StreamError(f"{path} is no key file; {mend}") from error
    if not isinstance(fields, dict) or not all(isinstance(fields.get(key), str) for key in _KEYS):
        raise StreamError(f"{path} is no client's key file; {mend}")
    return {key: fields[key] for key in _KEYS}
