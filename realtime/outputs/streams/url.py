"""Parses `--stream URL`: the address, and its errors in one line."""

from __future__ import annotations

import difflib
import errno
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from engine.errors import UserError

LOOPBACK = "127.0.0.1"
_KNOWN_AS = {  # names in other programs -> our description
    "tcp": ("zmq", "a ZeroMQ stream"),
    "http": ("ws", "a WebSocket"),
    "wss": ("ws", "a WebSocket"),
    "udp": ("vmc", "a VMC receiver"),
    "osc": ("vmc", "a VMC receiver"),
    "rerun+http": ("rerun", "Rerun's viewer"),
}
_EXAMPLE = "for example zmq://127.0.0.1:5555"


class StreamError(UserError):
    """Stream that cannot be opened; one line with the remedy."""


@dataclass(frozen=True)
class StreamUrl:
    """An address as `parse` reads it."""

    scheme: str
    host: str  # a name or a numeric address, without brackets
    port: int  # 0: a free one
    options: dict[str, str] = field(default_factory=dict)  # with the default of each that has choices
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
            example = f"for example {self.scheme}://127.0.0.1:{self.port}"
            raise StreamError(f"{self.text}: there is no host '{self.host}'; give an address, {example}") from error
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


def scheme_of(text: str, schemes: Collection[str]) -> str:
    """The scheme of a URL. Raises StreamError where it is none of `schemes`."""
    scheme, separator, rest = text.partition("://")
    scheme, known = scheme.lower(), ", ".join(f"{each}://" for each in schemes)
    if not separator:
        raise StreamError(f"'{text}' is no stream: begin with {known}, {_EXAMPLE}")
    if scheme in _KNOWN_AS:
        ours, what = _KNOWN_AS[scheme]
        raise StreamError(f"'{text}': {what} is {ours}:// here; write {ours}://{rest}")
    if scheme not in schemes:
        near = difflib.get_close_matches(scheme, schemes, n=1, cutoff=0.0)[0]
        raise StreamError(f"'{text}': unknown stream '{scheme}'; the nearest known one is {near} ({known})")
    return scheme


def parse(text: str, port: int, options: Mapping[str, tuple[str, ...]]) -> StreamUrl:
    """Read `SCHEME://HOST:PORT?OPTION=VALUE`. Without a host it is loopback, without a port `port`.

    options: the values that each option may have, the first being its default; empty: any text, and no default.
    Raises StreamError.
    """
    try:
        parts = urlsplit(text)
        given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        given_port = parts.port
    except ValueError as error:
        raise StreamError(f"'{text}' is no address: {error}; write scheme://host:port, {_EXAMPLE}") from error
    if parts.path not in ("", "/") or parts.fragment or "@" in parts.netloc:
        raise StreamError(f"'{text}': after host and port comes nothing but ?options; write {parts.scheme}://host:port")
    for key, value in given.items():
        if key not in options:
            known = " and ".join(options) or "none"
            raise StreamError(f"'{text}': {parts.scheme} has no option '{key}'; it knows {known}")
        if options[key] and value not in options[key]:
            raise StreamError(f"'{text}': {key} is {' or '.join(options[key])}, not '{value}'")
    return StreamUrl(
        scheme=parts.scheme,
        host="0.0.0.0" if parts.hostname == "*" else parts.hostname or LOOPBACK,
        port=port if given_port is None else given_port,
        options={key: choices[0] for key, choices in options.items() if choices} | given,
        text=text,
    )
