"""Resolves a network camera's redirects and checks that the target is the same camera."""

from __future__ import annotations

import base64
import re
import socket
import ssl
import time
from http.client import HTTPException, HTTPMessage, parse_headers
from io import BytesIO
from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit

from realtime.capture.source import SourceError

_DEFAULT_PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}
_MOST_BYTES = 65_536  # of a response's head


def redirected(url: str, timeout_s: float) -> str | None:
    """Send one request; return the redirect target on the same camera, with the user and password of `url`.

    None means no redirect or no answer; opening the address then reports the cause.

    Raises:
        SourceError: the target is another host.
    """
    here = urlsplit(url)
    location = _location(here, timeout_s)
    if location is None:
        return None
    try:
        there = urlsplit(urljoin(url, location))
    except ValueError:  # not a URL
        return None
    if not _same_camera(here, there):
        shown = urlunsplit(there._replace(netloc=_without_user(there), query=""))
        raise SourceError(
            f"{here.scheme}://{_without_user(here)}{here.path} sends on to another address, {shown}, which is not "
            "followed: give that one to --url if you trust it"
        )
    user, at, _ = here.netloc.rpartition("@")
    return urlunsplit(there._replace(netloc=f"{user}{at}{_without_user(there)}"))


def _same_camera(here: SplitResult, there: SplitResult) -> bool:
    """Compare host and port; TLS may replace plain text on the same host."""
    try:
        same_port = _port(here) == _port(there)
    except ValueError:  # invalid port
        return False
    if here.hostname != there.hostname:
        return False
    return (here.scheme == there.scheme and same_port) or there.scheme == f"{here.scheme}s"


def _location(here: SplitResult, timeout_s: float) -> str | None:
    try:
        with socket.create_connection((here.hostname or "", _port(here) or 0), timeout_s) as plain:
            deadline = time.monotonic() + timeout_s
            if here.scheme in ("https", "rtsps"):
                with _tls().wrap_socket(plain, server_hostname=here.hostname) as encrypted:
                    return _ask(encrypted, here, deadline)
            return _ask(plain, here, deadline)
    except (OSError, HTTPException, ValueError):
        return None


def _ask(connection: socket.socket, here: SplitResult, deadline: float) -> str | None:
    connection.sendall(_request(here))
    head = b""
    while b"\r\n\r\n" not in head:
        connection.settimeout(max(1e-3, deadline - time.monotonic()))  # the deadline bounds slow senders too
        part = connection.recv(4096)
        if not part or len(head) > _MOST_BYTES:
            return None
        head += part
    status_line, _, rest = head.partition(b"\r\n")
    if re.match(rb"(HTTP|RTSP)/[\d.]+ 30[123578]\b", status_line) is None:
        return None
    headers: HTTPMessage = parse_headers(BytesIO(rest))
    return headers["Location"]


def _request(here: SplitResult) -> bytes:
    user = f"{unquote(here.username or '')}:{unquote(here.password or '')}"
    login = f"Authorization: Basic {base64.b64encode(user.encode()).decode()}\r\n" if here.username else ""
    if here.scheme.startswith("rtsp"):
        address = urlunsplit(here._replace(netloc=_without_user(here)))
        return f"DESCRIBE {address} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n{login}\r\n".encode()
    path = urlunsplit(("", "", here.path or "/", here.query, ""))
    return f"GET {path} HTTP/1.0\r\nHost: {_without_user(here)}\r\nAccept: */*\r\n{login}\r\n".encode()


def _tls() -> ssl.SSLContext:
    """TLS without certificate check, as in FFmpeg: cameras sign their own certificates."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _without_user(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _port(parts: SplitResult) -> int | None:
    return parts.port or _DEFAULT_PORTS.get(parts.scheme)
