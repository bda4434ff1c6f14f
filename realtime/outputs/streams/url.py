"""Parses `--stream URL`: the address, its errors in one line, and the contract of what serves it."""

from __future__ import annotations

import difflib
import errno
import socket
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from engine.errors import UserError
from realtime.kernel.messages import SolvedFrame

LOOPBACK = "127.0.0.1"
_DEFAULT_PORTS = {"zmq": 5555, "ws": 5556, "vmc": 39539}
_OPTIONS: dict[str, tuple[str, ...]] = {"zmq": ("curve", "tokens"), "ws": ("tokens",), "vmc": ("bones",)}
_CHOICES: dict[str, tuple[str, ...]] = {"tokens": ("0", "1"), "bones": ("all", "required")}  # the first is the default
_KNOWN_AS = {  # what other programs call a stream: what we call it, in words
    "tcp": ("zmq", "a ZeroMQ stream"),
    "http": ("ws", "a WebSocket"),
    "wss": ("ws", "a WebSocket"),
    "udp": ("vmc", "a VMC receiver"),
    "osc": ("vmc", "a VMC receiver"),
}
_EXAMPLE = "for example zmq://127.0.0.1:5555"


class StreamError(UserError):
    """Stream that cannot be opened; one line with the remedy."""


class MessageStream(Protocol):
    """Carries the text messages of the wire format to anybody who listens. `send` never blocks."""

    address: StreamUrl  # with the port that was really taken

    def send(self, message: bytes) -> None: ...

    def close(self) -> None: ...


class FrameStream(Protocol):
    """Speaks a language of its own about every solved frame. `send` never blocks."""

    address: StreamUrl

    def send(self, solved: SolvedFrame) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class StreamUrl:
    """An address as `parse_stream_url` reads it."""

    scheme: str  # zmq, ws or vmc
    host: str  # a name or a numeric address, without brackets
    port: int  # 0: a free one
    curve: Path | None = None  # the server's key file
    tokens: bool = False  # whether pose messages carry the pose tokens
    bones: str = "all"  # which bones of an avatar are sent (realtime.outputs.streams.humanoid)
    text: str = field(default="", compare=False)  # as the user wrote it

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Return whether the host is this machine."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    def resolved(self, kind: socket.SocketKind) -> tuple[socket.AddressFamily, Any]:
        """Resolve to address family and socket address. Raises StreamError for an unknown host."""
        try:
            family, _, _, _, address = socket.getaddrinfo(self.host, self.port, type=kind)[0]
        except (OSError, UnicodeError) as error:
            raise StreamError(f"{self.text}: there is no host '{self.host}'; give an address, {_EXAMPLE}") from error
        return family, address

    def with_port(self, port: int) -> StreamUrl:
        """Return the address with another port."""
        return replace(self, port=port)

    def refused(self, error: OSError) -> StreamError:
        """Describe why the system refused this address, with the remedy."""
        match error.errno:
            case errno.EADDRINUSE:
                why = f"port {self.port} is taken (is another run still going on?); name another, or 0 for a free one"
            case errno.EADDRNOTAVAIL:
                why = f"{self.host} is no address of this machine; use {LOOPBACK}, or 0.0.0.0 for all of its networks"
            case errno.EACCES | errno.EPERM:
                why = f"port {self.port} is not permitted; name one above 1023"
            case _:
                why = f"{error.strerror or error}; use {self.scheme}://{LOOPBACK}:{self.port}"
        return StreamError(f"{self.text}: {why}")


def parse_stream_url(text: str) -> StreamUrl:
    """Read `zmq://HOST:PORT?curve=KEYFILE`, `ws://HOST:PORT` or `vmc://HOST:PORT?bones=required`.

    Without a host it is loopback, without a port the usual one (5555, 5556, 39539); `tokens=1` adds the pose tokens
    to zmq and ws. Raises StreamError.
    """
    if "://" not in text:
        raise StreamError(f"'{text}' is no stream: begin with {_schemes()}, {_EXAMPLE}")
    try:
        parts = urlsplit(text)
        port = parts.port
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError as error:
        raise StreamError(f"'{text}' is no address: {error}; write scheme://host:port, {_EXAMPLE}") from error
    scheme = parts.scheme
    if scheme in _KNOWN_AS:
        ours, what = _KNOWN_AS[scheme]
        raise StreamError(f"'{text}': {what} is {ours}:// here; write {ours}://{text.partition('://')[2]}")
    if scheme not in _DEFAULT_PORTS:
        near = difflib.get_close_matches(scheme, _DEFAULT_PORTS, n=1, cutoff=0.0)[0]
        raise StreamError(f"'{text}': unknown stream '{scheme}'; the nearest known one is {near} ({_schemes()})")
    if parts.path not in ("", "/") or parts.fragment or "@" in parts.netloc:
        raise StreamError(f"'{text}': after host and port comes nothing but ?options; write {scheme}://host:port")
    for key in options:
        if key not in _OPTIONS[scheme]:
            known = " and ".join(_OPTIONS[scheme]) or "none"
            raise StreamError(f"'{text}': {scheme} has no option '{key}'; it knows {known}")
    chosen = {option: _chosen(text, option, options) for option in _CHOICES}
    if options.get("curve") == "":
        raise StreamError(f"'{text}': curve needs a key file; python -m realtime.keys makes one")
    host = "0.0.0.0" if parts.hostname == "*" else parts.hostname or LOOPBACK
    url = StreamUrl(
        scheme=scheme,
        host=host,
        port=_DEFAULT_PORTS[scheme] if port is None else port,
        curve=Path(options["curve"]) if "curve" in options else None,
        tokens=chosen["tokens"] == "1",
        bones=chosen["bones"],
        text=text,
    )
    if scheme == "vmc" and (url.port == 0 or host in ("0.0.0.0", "::")):
        raise StreamError(
            f"'{text}': vmc sends to a receiver; name its host and port, for example vmc://{LOOPBACK}:39539"
        )
    return url


def _schemes() -> str:
    return ", ".join(f"{scheme}://" for scheme in _DEFAULT_PORTS)


def _chosen(text: str, option: str, options: dict[str, str]) -> str:
    choices = _CHOICES[option]
    value = options.get(option, choices[0])
    if value not in choices:
        raise StreamError(f"'{text}': {option} is {' or '.join(choices)}, not '{value}'")
    return value
