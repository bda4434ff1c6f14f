"""Serves the web page securely: restricts connections and messages, and blocks all outgoing connections.

Any program of this machine can connect to the page's port, and so can any site through a browser. viser's server would
accept a tunnel to the internet, 50 MB of unfinished messages from each client, and any value for a control. Here the
number of connections is limited, and messages are small, typed and of two kinds. An update may only set an existing
control to one of its values.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Container
from functools import partial
from typing import Any

import msgspec
from websockets.asyncio import server as websocket_server
from websockets.http11 import Request, Response

from realtime.outputs.view.page_script import SCRIPT

LOOPBACK = "127.0.0.1"
MAX_CONNECTIONS = 32  # a page needs one, and a few more while it loads
MAX_MESSAGE_BYTES = 1 << 16  # the page's own messages have hundreds
_FIRST_PORT = 8080
_OPEN_TIMEOUT_S = 5.0  # to receive a whole request
_OWN_PAGES = re.compile(r"http://(127\.0\.0\.1|localhost)(:\d+)?")
_HEADERS = {
    # It loads from and connects to this server only, and no other site may frame it.
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",  # the same for old browsers
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_GOING_OUT = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "subprocess.Popen")
_STARTING = ("os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "os.exec", "_winapi.CreateProcess")

Controls = dict[str, Container[object]]  # the allowed values of each control, by viser's name of the control


class ViewerCameraMessage(msgspec.Struct, tag=True, forbid_unknown_fields=True):
    """Pose of a page's own camera: viser counts a page from its first such message."""

    wxyz: tuple[float, float, float, float]
    position: tuple[float, float, float]
    look_at: tuple[float, float, float]
    up_direction: tuple[float, float, float]
    fov: float
    near: float
    far: float
    image_height: float
    image_width: float


class GuiUpdateMessage(msgspec.Struct, tag=True, forbid_unknown_fields=True):
    """Change of a control's value."""

    uuid: str
    updates: dict[str, str | bool]


_DECODER = msgspec.msgpack.Decoder(ViewerCameraMessage | GuiUpdateMessage)


class PageConnection(websocket_server.ServerConnection):
    """Connection that closes if there are too many, and drops all but allowed messages."""

    def __init__(self, *arguments: Any, controls: Controls, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._controls = controls

    def connection_made(self, transport: Any) -> None:
        """Accept the connection, or abort it beyond the limit."""
        super().connection_made(transport)
        if len(self.server.handlers) > MAX_CONNECTIONS:
            transport.abort()

    async def recv(self, decode: bool | None = None) -> Any:
        """Return the next allowed message; all others are dropped."""
        while True:
            message = await super().recv(decode=False)
            try:
                if self._allows(_DECODER.decode(message)):
                    return message
            except msgspec.DecodeError:
                pass  # of an unknown kind, or malformed

    def _allows(self, message: ViewerCameraMessage | GuiUpdateMessage) -> bool:
        if isinstance(message, ViewerCameraMessage):
            return True
        return set(message.updates) == {"value"} and message.updates["value"] in self._controls.get(message.uuid, ())


def serve(port: int | None, controls: Controls, title: str) -> Any:
    """Start a viser server on loopback that serves only our page. Raises OSError if the port is taken.

    controls: filled as controls are added; a page cannot change any other control.
    """
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  viser prints when it stops
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # garbage from other programs needs no traceback
    import viser

    viser_serve = websocket_server.serve

    def guarded(handler: Any, host: str, at: int, *, process_request: Any, **options: Any) -> Any:
        options |= {
            "origins": [_OWN_PAGES, None],
            "max_size": MAX_MESSAGE_BYTES,
            "max_queue": 4,
            "open_timeout": _OPEN_TIMEOUT_S,
            "create_connection": partial(PageConnection, controls=controls),
            "process_request": partial(_answer, process_request, title),
            "process_response": _with_headers,
        }
        return viser_serve(handler, host, at, **options)

    websocket_server.serve = guarded  # type: ignore[misc, assignment]
    server = viser.ViserServer(LOOPBACK, port or _FIRST_PORT, verbose=False)
    if port is not None and server.get_port() != port:
        server.stop()
        raise OSError(f"port {port} of the page cannot be had; set web.port to another, or leave it out for a free one")
    return server


def seal() -> None:
    """Forbid this process to open connections and to start processes, permanently.

    Accepting connections still works. A refused call raises PermissionError.
    """

    def refuse(event: str, _arguments: tuple[object, ...]) -> None:
        if event in _GOING_OUT or event in _STARTING:
            raise PermissionError(f"the page's process does not do that: {event}")

    sys.addaudithook(refuse)


def _answer(viser_answer: Any, title: str, connection: Any, request: Request) -> Response | None:
    """Return viser's answer to an HTTP request, with our title and script."""
    if "Accept-Encoding" in request.headers:
        del request.headers["Accept-Encoding"]  # compression is useless on this machine
    response: Response | None = viser_answer(connection, request)
    if response is not None and response.headers.get("Content-Type", "").startswith("text/html"):
        head = f"<title>{title}</title>".encode() + SCRIPT
        response.body = response.body.replace(b"<title>Viser</title>", head, 1)
        del response.headers["Content-Length"]
        response.headers["Content-Length"] = str(len(response.body))
    return response


def _with_headers(_connection: Any, _request: Request, response: Response) -> None:
    for name, value in _HEADERS.items():
        response.headers[name] = value
