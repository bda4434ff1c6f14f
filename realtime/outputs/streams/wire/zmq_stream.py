"""Publishes the wire format's messages over ZeroMQ PUB, one part each; slow subscribers never block the sender."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
from collections.abc import Callable
from pathlib import Path

import zmq

from realtime.outputs.output import Output, Run
from realtime.outputs.streams.url import StreamError, StreamUrl
from realtime.outputs.streams.wire.curve import ServerKeys, is_private, load_server_keys
from realtime.outputs.streams.wire.wire_stream import WireStream

logger = logging.getLogger(__name__)

PORT = 5555
# A server's key file for CURVE, and the pose tokens in every pose message.
OPTIONS: dict[str, tuple[str, ...]] = {"curve": (), "tokens": ("0", "1")}
_QUEUED_MESSAGES = 8  # for each subscriber; further messages are dropped, because a late pose is useless
_KERNEL_BUFFER = 65536  # bytes that may wait in the socket as well
_LONGEST_INCOMING = 4096  # bytes; subscribers send only subscriptions and handshakes
_HANDSHAKE_MS = 5000
_ERRNO: dict[int | None, int] = {  # libzmq uses the C library's numbers; Windows' sockets have others
    zmq.EADDRINUSE: errno.EADDRINUSE,
    zmq.EADDRNOTAVAIL: errno.EADDRNOTAVAIL,
    errno.ENODEV: errno.EADDRNOTAVAIL,
}


def open_output(url: StreamUrl, run: Run) -> Output:
    """The wire format over ZeroMQ. Raises StreamError or KeyFileError."""
    return WireStream(ZmqStream(url), run)


class ZmqStream:
    """Bound PUB socket; with `?curve=KEYFILE` only for the clients of that file. Used by one thread at a time.

    Raises StreamError or KeyFileError, one line, if it cannot be opened.
    """

    def __init__(self, url: StreamUrl) -> None:
        keys = _keys(url)
        family, address = url.resolved(socket.SOCK_STREAM)
        with contextlib.ExitStack() as opened:
            context = zmq.Context()
            opened.callback(context.destroy, linger=0)
            if keys is not None:
                opened.callback(_let_in(context, keys))
            self._socket = context.socket(zmq.PUB)
            self._set_options(keys, ipv6=family == socket.AF_INET6)
            host = f"[{address[0]}]" if family == socket.AF_INET6 else address[0]
            try:
                self._socket.bind(f"tcp://{host}:{url.port or '*'}")
            except zmq.ZMQError as error:
                raise url.refused(OSError(_ERRNO.get(error.errno) or error.errno, error.strerror)) from error
            endpoint = self._socket.get_string(zmq.LAST_ENDPOINT)
            self.address = url.with_port(int(endpoint.rstrip("\0").rpartition(":")[2]))
            self._cleanup = opened.pop_all()

    def send(self, message: bytes) -> None:
        """Send a message to every subscriber that keeps up; slow ones miss it."""
        self._socket.send(message, zmq.NOBLOCK)

    def close(self) -> None:
        """Free the port. Unsent messages are dropped (LINGER is 0). Idempotent."""
        self._cleanup.close()

    def _set_options(self, keys: ServerKeys | None, *, ipv6: bool) -> None:
        """Set options before bind, because libzmq applies them to connections when these are made."""
        options = {
            zmq.SNDHWM: _QUEUED_MESSAGES,
            zmq.SNDBUF: _KERNEL_BUFFER,
            zmq.LINGER: 0,
            zmq.MAXMSGSIZE: _LONGEST_INCOMING,
            zmq.HANDSHAKE_IVL: _HANDSHAKE_MS,
            zmq.TCP_KEEPALIVE: 1,
            zmq.IPV6: int(ipv6),
        }
        for option, value in options.items():
            self._socket.setsockopt(option, value)
        if keys is not None:
            self._socket.curve_secretkey = keys.secret_key.encode()
            self._socket.curve_publickey = keys.public_key.encode()
            self._socket.curve_server = True


def _keys(url: StreamUrl) -> ServerKeys | None:
    if "curve" not in url.options:
        return None
    if not url.options["curve"]:
        raise StreamError(f"'{url.text}': curve needs a key file; python -m realtime.keys makes one")
    path = Path(url.options["curve"])
    keys = load_server_keys(path)
    if not is_private(path):
        logger.warning("%s can be read by others on this machine: chmod 600 it", path)
    return keys


class _Allowed:
    """Callback of ZeroMQ's authentication protocol (rfc.zeromq.org/spec/27) that checks every client's key."""

    def __init__(self, keys: ServerKeys) -> None:
        self._keys = {key.encode() for key in keys.clients.values()}

    def callback(self, domain: str, key: bytes) -> bool:
        return key in self._keys


def _let_in(context: zmq.Context[zmq.Socket[bytes]], keys: ServerKeys) -> Callable[[], None]:
    """Start the authentication of the sockets of `context`; return the function that stops it."""
    from zmq.auth.thread import ThreadAuthenticator

    authenticator = ThreadAuthenticator(context, log=logger.getChild("authentication"))
    authenticator.start()
    authenticator.configure_curve_callback(domain="*", credentials_provider=_Allowed(keys))
    return authenticator.stop
