"""Sends datagrams to one receiver over UDP. Subclasses say which."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable

from realtime.kernel.messages import SolvedFrame
from realtime.outputs.output import Outcome, Output
from realtime.outputs.streams.url import LOOPBACK, StreamError, StreamUrl

logger = logging.getLogger(__name__)


def check_receiver(url: StreamUrl, port: int) -> None:
    """Refuse an address at which nobody can receive; `port` is for the example. Raises StreamError."""
    if url.port == 0 or url.host in ("0.0.0.0", "::"):
        raise StreamError(
            f"'{url.text}': {url.scheme} sends to a receiver; name its host and port, for example "
            f"{url.scheme}://{LOOPBACK}:{port}"
        )


class UdpStream(Output):
    """Sender to one receiver, which need not exist. Raises StreamError for an address without a route."""

    newest_wins = True

    def __init__(self, url: StreamUrl) -> None:
        self.address = url
        self._failing = False
        family, address = url.resolved(socket.SOCK_DGRAM)
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            self._socket.connect(address)  # sends nothing; it checks the route
        except OSError as error:
            self._socket.close()
            raise url.refused(error) from error
        logger.info("streaming to %s", url)

    def dgrams(self, solved: SolvedFrame) -> Iterable[bytes]:
        """Return the datagrams of a frame."""
        raise NotImplementedError

    @property
    def words(self) -> str:
        """The address."""
        return f"streaming to {self.address}"

    def put(self, solved: SolvedFrame) -> None:
        """Send the frame's datagrams."""
        if self._socket.fileno() < 0:
            return  # closed
        try:
            for dgram in self.dgrams(solved):
                self._socket.send(dgram)
        except (ConnectionError, BlockingIOError):
            pass  # no receiver yet, or a busy network: the next frame may pass
        except OSError as error:
            if not self._failing:
                logger.warning("%s: cannot send: %s; going on without", self.address, error.strerror or error)
            self._failing = True
            return
        self._failing = False

    def close(self) -> Outcome:
        """Free the socket."""
        self._socket.close()
        return Outcome("stream")
