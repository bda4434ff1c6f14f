"""A VMC stream of the tests, and what arrives of it, read by python-osc."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator

import numpy as np
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_message import OscMessage

from realtime.outputs import parse_stream_url
from realtime.outputs.streams.vmc.humanoid_parts import HumanoidHands
from realtime.outputs.streams.vmc.vmc_stream import VmcStream
from tests.realtime.outputs.streams.synthetic_stream import BODY


@contextlib.contextmanager
def sending(options: str = "", hands: HumanoidHands | None = None) -> Iterator[tuple[VmcStream, socket.socket]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        url = parse_stream_url(f"vmc://127.0.0.1:{receiver.getsockname()[1]}{options}")
        stream = VmcStream(url, BODY, hands)
        try:
            yield stream, receiver
        finally:
            stream.close()


def datagrams(receiver: socket.socket) -> list[bytes]:
    """All that has been sent. Waits for the first one; Linux has delivered the others by then."""
    arrived = [receiver.recv(65536)]
    with contextlib.suppress(BlockingIOError, TimeoutError):
        receiver.settimeout(0.0 if sys.platform == "linux" else 0.05)
        while True:
            arrived.append(receiver.recv(65536))
    receiver.settimeout(5)
    return arrived


def received(receiver: socket.socket) -> list[OscMessage]:
    """The messages of all that has been sent. Every datagram must be one bundle that needs no second packet."""
    arrived = datagrams(receiver)
    assert all(len(dgram) <= 1472 for dgram in arrived)
    return [message for dgram in arrived for message in OscBundle(dgram)]


def bones_of(messages: list[OscMessage]) -> dict[str, np.ndarray]:
    """Name -> position and quaternion, as they were sent."""
    bones = [message.params for message in messages if message.address == "/VMC/Ext/Bone/Pos"]
    assert all(len(bone) == 8 and all(isinstance(value, float) for value in bone[1:]) for bone in bones)
    return {bone[0]: np.array(bone[1:]) for bone in bones}
