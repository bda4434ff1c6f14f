"""Streams one person's bones in the VMC protocol (protocol.vmc.info): OSC over UDP, a bundle a frame, Unity's frame."""

from __future__ import annotations

import logging
import socket
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from engine.body.model import BodyModel
from realtime.kernel.messages import Person, SolvedFrame
from realtime.outputs.output import Outcome, Output, Run
from realtime.outputs.streams.humanoid import HUMANOIDS
from realtime.outputs.streams.publishable import Publishable
from realtime.outputs.streams.url import LOOPBACK, StreamError, StreamUrl

logger = logging.getLogger(__name__)

PORT = 39539
OPTIONS = {"bones": tuple(HUMANOIDS)}  # `realtime.outputs.streams.humanoid`
_LOADED = 1
_POSE_BYTES = 7 * 4  # the last seven floats of a message: position, quaternion


def open_output(url: StreamUrl, run: Run) -> Output:
    """Bones to a VMC receiver. Raises StreamError."""
    if url.port == 0 or url.host in ("0.0.0.0", "::"):
        raise StreamError(
            f"'{url.text}': vmc sends to a receiver; name its host and port, for example vmc://{LOOPBACK}:{PORT}"
        )
    return VmcStream(url, run.body)


class VmcStream(Output):
    """Sender to one receiver, which need not exist. Raises StreamError for an address without a route.

    Sends only the first person: the one last sent while visible, then the first in the list.
    """

    newest_wins = True

    def __init__(self, url: StreamUrl, body: BodyModel) -> None:
        self.address = url
        self._body = body
        self._humanoid = HUMANOIDS[url.options["bones"]]
        self._bundle = _Bundle(self._humanoid.names)
        self._publishable = Publishable()
        self._person_id: int | None = None
        self._started_at = time.monotonic()
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

    @property
    def words(self) -> str:
        """The address."""
        return f"streaming to {self.address}"

    def put(self, solved: SolvedFrame) -> None:
        """Send one datagram: that we are alive, and the person's bones if somebody is there."""
        if self._socket.fileno() < 0:
            return  # closed
        person = self._first(self._publishable.update(solved.people))
        bones = None if person is None else self._humanoid.place(person, self._body)
        try:
            self._socket.send(self._bundle.dgram(time.monotonic() - self._started_at, bones))
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

    def _first(self, people: tuple[Person, ...]) -> Person | None:
        person = next((p for p in people if p.id == self._person_id), people[0] if people else None)
        self._person_id = None if person is None else person.id
        return person


class _Bundle:
    """OSC bundle built once by python-osc; each frame only overwrites its floats."""

    def __init__(self, names: tuple[str, ...]) -> None:
        zeros = (0.0,) * 6 + (1.0,)
        head = [
            _message("/VMC/Ext/OK", _LOADED),
            _message("/VMC/Ext/T", 0.0),
            _message("/VMC/Ext/Root/Pos", "root", *zeros),
        ]
        bones = [_message("/VMC/Ext/Bone/Pos", name, *zeros) for name in names]
        self._head = bytearray(_bundle(head))
        self._whole = bytearray(_bundle(head + bones))
        ends = len(_bundle([])) + np.cumsum([4 + message.size for message in head + bones])  # 4: an element's length
        self._time_at = int(ends[1]) - 4
        self._floats_at = ends[len(head) :, None] - _POSE_BYTES + np.arange(_POSE_BYTES)  # (B, 28) byte positions

    def dgram(self, seconds: float, bones: NDArray[np.float32] | None) -> bytes:
        """Return the bytes to send; bones (B, 7), None without a person."""
        out = self._head if bones is None else self._whole
        out[self._time_at : self._time_at + 4] = np.array(seconds, ">f4").tobytes()
        if bones is not None:
            np.frombuffer(out, np.uint8)[self._floats_at] = bones.astype(">f4").view(np.uint8)
        return bytes(out)


def _message(address: str, *values: Any) -> OscMessage:
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)
    return builder.build()


def _bundle(messages: list[OscMessage]) -> bytes:
    builder = OscBundleBuilder(IMMEDIATELY)
    for message in messages:
        builder.add_content(message)
    return builder.build().dgram
