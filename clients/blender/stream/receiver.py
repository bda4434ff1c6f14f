"""Receives the stream in a thread; the main thread fetches the data. Without bpy."""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..protocol import SMPL, Pose, ProtocolError, Skeleton, Status, VersionError, parse
from .jitter_buffer import JitterBuffer

_POLL_MS = 100
_LONGEST_MESSAGE = 1 << 20  # bytes; a longer message is not from the program
_SILENT_AFTER_S = 2.0
_QUEUED_MESSAGES = 64
_ADDRESS = re.compile(r"tcp://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):(\d{1,5})")
_KEY = re.compile(r"[0-9A-Za-z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")  # Z85's alphabet


class ConnectError(ValueError):
    """Invalid address or key; one line with the remedy."""


@dataclass(frozen=True)
class CurveKeys:
    """Keys of a client, made by `python -m realtime.keys`."""

    public_key: str
    secret_key: str
    server_key: str


def load_keys(path: Path) -> CurveKeys:
    """Read a client's key file. Raises ConnectError."""
    mend = "choose a client's file made by python -m realtime.keys"
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConnectError(f"cannot read the key file {path}: {error.strerror}; {mend}") from error
    except (ValueError, RecursionError) as error:
        raise ConnectError(f"{path} is no key file; {mend}") from error
    if isinstance(fields, dict) and "clients" in fields:
        raise ConnectError(f"{path} is the server's key file, which stays with the program; {mend}")
    names = ("public_key", "secret_key", "server_key")
    keys = [str(fields.get(name)) if isinstance(fields, dict) else "" for name in names]
    if not all(_KEY.fullmatch(key) for key in keys):
        raise ConnectError(f"{path} is no client's key file; {mend}")
    return CurveKeys(*keys)


def check_address(address: str) -> str:
    """Strip the address and check it. Raises ConnectError."""
    address = address.strip()
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match[2]) < 65536:
        raise ConnectError(f"'{address}' is no address: write tcp://host:port, for example tcp://127.0.0.1:5555")
    return address


@dataclass(frozen=True, slots=True)
class Link:
    """State of the connection."""

    line: str  # for the user
    is_live: bool  # frames are coming in
    fps: float
    person_ids: tuple[int, ...]
    frames: int  # since the connection was made
    refused: int  # messages that could not be parsed


class Receiver:
    """One connection, from construction to `stop()`. Raises ConnectError for an invalid address."""

    def __init__(self, address: str, keys: CurveKeys | None = None, *, delay_s: float = 0.05) -> None:
        self.address = check_address(address)
        self._keys = keys
        self._lock = threading.Lock()
        self._buffer = JitterBuffer(delay_s)
        self._skeleton: Skeleton | None = None
        self._status: Status | None = None
        self._newest: Pose | None = None
        self._t_newest = time.monotonic()
        self._frames = 0
        self._refused = 0
        self._error = ""
        self._take: list[Pose] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tokenmocap-receiver", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the socket and end the thread. Idempotent."""
        self._stopping.set()
        self._thread.join(timeout=5)

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    @property
    def skeleton(self) -> Skeleton | None:
        with self._lock:
            return self._skeleton

    def set_delay(self, delay_s: float) -> None:
        with self._lock:
            self._buffer.delay_s = delay_s

    def newest(self) -> Pose | None:
        """Return the last pose received."""
        with self._lock:
            return self._newest

    def sample(self) -> Pose | None:
        """Return the pose to show now."""
        with self._lock:
            return self._buffer.sample(time.monotonic())

    def start_take(self) -> None:
        """Record every pose from now on."""
        with self._lock:
            self._take = []

    def stop_take(self) -> list[Pose]:
        """Return the poses since `start_take`."""
        with self._lock:
            take, self._take = self._take, None
            return take or []

    @property
    def take_length(self) -> int | None:
        """Return the number of recorded poses; None while not recording."""
        with self._lock:
            return None if self._take is None else len(self._take)

    def link(self) -> Link:
        with self._lock:
            silent_s = time.monotonic() - self._t_newest
            is_live = self._newest is not None and silent_s < _SILENT_AFTER_S
            people = self._newest.people if self._newest is not None and is_live else ()
            return Link(
                line=self._line(is_live, silent_s),
                is_live=is_live,
                fps=self._newest.fps if self._newest is not None and is_live else 0.0,
                person_ids=tuple(sorted(person.id for person in people)),
                frames=self._frames,
                refused=self._refused,
            )

    def _line(self, is_live: bool, silent_s: float) -> str:
        if self._error:
            return self._error
        if is_live:
            return f"Receiving from {self.address}"
        if self._status is not None and self._status.state in ("ended", "lost", "reconnecting"):
            return f"The program says: {self._status.state} {self._status.message}".rstrip()
        if self._newest is not None:
            return f"Nothing from {self.address} for {silent_s:.0f} s"
        if self._skeleton is not None:
            return "Connected: nobody has been seen yet"
        if silent_s < _SILENT_AFTER_S:
            return f"Connecting to {self.address}"
        key = "; is the key let in" if self._keys else ""
        return f"No answer from {self.address}: is the program running with --stream{key}?"

    def _run(self) -> None:
        try:
            import zmq
        except ImportError as error:
            self._fail(f"pyzmq is missing ({error}): install the extension from its .zip, which brings it")
            return
        context = zmq.Context()
        try:
            with context.socket(zmq.SUB) as socket:
                self._set_options(zmq, socket)
                socket.connect(self.address)
                while not self._stopping.is_set():
                    if socket.poll(_POLL_MS):
                        self._take_in(socket.recv())
        except zmq.ZMQError as error:
            self._fail(f"{self.address}: {error.strerror}; check the address")
        finally:
            context.destroy(linger=0)

    def _set_options(self, zmq: Any, socket: Any) -> None:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVHWM, _QUEUED_MESSAGES)
        socket.setsockopt(zmq.MAXMSGSIZE, _LONGEST_MESSAGE)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
        socket.setsockopt(zmq.IPV6, 1)
        socket.setsockopt(zmq.SUBSCRIBE, b"")
        if self._keys is not None:
            socket.curve_publickey = self._keys.public_key.encode()
            socket.curve_secretkey = self._keys.secret_key.encode()
            socket.curve_serverkey = self._keys.server_key.encode()

    def _take_in(self, message: bytes) -> None:
        t_received = time.monotonic()
        try:
            parsed = parse(message, SMPL if self._skeleton is None else self._skeleton.of_stream)
        except ProtocolError as error:
            with self._lock:
                self._refused += 1
                if isinstance(error, VersionError):
                    self._error = str(error)
            return
        with self._lock:
            if isinstance(parsed, Pose):
                self._newest, self._t_newest = parsed, t_received
                self._frames += 1
                self._error = ""
                self._buffer.push(parsed, t_received)
                if self._take is not None:
                    self._take.append(parsed)
            elif isinstance(parsed, Skeleton):
                self._skeleton = parsed
            elif isinstance(parsed, Status):
                self._status = parsed

    def _fail(self, line: str) -> None:
        with self._lock:
            self._error = line
