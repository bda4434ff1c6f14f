"""Streams the wire format as text over WebSocket, for browsers, Unity and programs without ZeroMQ.

One thread serves all clients and only sends. Messages from clients are not read: they fill the client's own buffers
until the keep-alive drops it.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import threading
from http import HTTPStatus

from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.http11 import Request, Response

from realtime.outputs.output import Output, Run
from realtime.outputs.streams.url import StreamUrl
from realtime.outputs.streams.wire.wire_stream import WireStream

logger = logging.getLogger(__name__)
_garbage_logger = logger.getChild("connections")
_garbage_logger.setLevel(logging.CRITICAL)  # anybody can send garbage to a port, so it is not logged

PORT = 5556
OPTIONS = {"tokens": ("0", "1")}  # the pose tokens in every pose message
MAX_CLIENTS = 32
_BEHIND_BYTES = 65536  # a client with more unsent bytes misses messages
_KERNEL_BUFFER = 65536
_LONGEST_INCOMING = 1024
_HANDSHAKE_S, _PING_EVERY_S, _PING_TIMEOUT_S, _CLOSE_S = 5.0, 5.0, 10.0, 1.0
_JOIN_S = 5.0
# Other pages could read the stream through their visitor's browser. Programs send no Origin.
_LOCAL_PAGE = re.compile(r"https?://(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?")


def open_output(url: StreamUrl, run: Run) -> Output:
    """The wire format over WebSocket. Raises StreamError."""
    return WireStream(WebSocketStream(url), run)


class WebSocketStream:
    """Server on its own thread. Raises StreamError, one line, if it cannot be opened.

    On loopback only pages from loopback may connect (by their Origin). On other addresses any page may, as any program
    may.
    """

    def __init__(self, url: StreamUrl) -> None:
        family, address = url.resolved(socket.SOCK_STREAM)
        try:
            listener = socket.create_server(address, family=family)
        except OSError as error:
            raise url.refused(error) from error
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BUFFER)  # connections inherit it
        self.address = url.with_port(listener.getsockname()[1])
        self._server: Server | None = None
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda loop, context: _garbage_logger.debug("%s", context.get("message")))
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, args=(listener,), name="websocket", daemon=True)
        self._thread.start()
        self._ready.wait()

    def send(self, message: bytes) -> None:
        """Send a message to every client that keeps up; slow clients miss it."""
        self._loop.call_soon_threadsafe(self._broadcast, message)

    def close(self) -> None:
        """Close the connections, free the port, end the thread. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_JOIN_S)
        if self._thread.is_alive():
            logger.error("%s: the server did not end within %.0f s", self.address, _JOIN_S)

    def _run(self, listener: socket.socket) -> None:
        try:
            self._loop.run_until_complete(self._serve(listener))
        finally:
            self._ready.set()
            self._loop.close()

    async def _serve(self, listener: socket.socket) -> None:
        async with serve(
            _hold,
            sock=listener,
            origins=[None, _LOCAL_PAGE] if self.address.is_loopback else None,
            process_request=self._room_for,
            compression=None,  # costs more time than it saves on loopback
            server_header=None,
            open_timeout=_HANDSHAKE_S,
            ping_interval=_PING_EVERY_S,
            ping_timeout=_PING_TIMEOUT_S,
            close_timeout=_CLOSE_S,
            max_size=_LONGEST_INCOMING,
            logger=_garbage_logger,
        ) as self._server:
            self._ready.set()
            await self._stop.wait()

    def _broadcast(self, message: bytes) -> None:
        if self._server is not None:
            keeping_up = [c for c in self._server.connections if c.transport.get_write_buffer_size() < _BEHIND_BYTES]
            broadcast(keeping_up, message, text=True)

    def _room_for(self, connection: ServerConnection, request: Request) -> Response | None:
        if self._server is not None and len(self._server.connections) >= MAX_CLIENTS:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, f"there are {MAX_CLIENTS} clients already\n")
        return None


async def _hold(connection: ServerConnection) -> None:
    await connection.wait_closed()
