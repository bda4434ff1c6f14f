"""OSC bundles of messages that end in floats, and those of VMC, small enough for one packet each (OSC 1.0)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

MOST_BYTES = 1472  # of a datagram: Ethernet's 1500 less IP's and UDP's headers; a longer one would be sent in pieces
_LOADED = 1
_FLOAT_BYTES = 4
_PLACE = 7  # floats of a bone: position, quaternion


class Bundles:
    """Bundles of one set of messages, built once by python-osc; each frame only overwrites their floats.

    They hold, in this order: that we are there, the time, the root at the origin, the bones, the expressions, and that
    these are complete. Without `has_root` the root is another sender's.
    """

    def __init__(self, bones: tuple[str, ...], expressions: tuple[str, ...], *, has_root: bool = True) -> None:
        nowhere = (0.0,) * 6 + (1.0,)
        messages = [
            (message("/VMC/Ext/OK", _LOADED), 0),
            (message("/VMC/Ext/T", 0.0), 1),
            *([(message("/VMC/Ext/Root/Pos", "root", *nowhere), 0)] if has_root else []),
            *((message("/VMC/Ext/Bone/Pos", name, *nowhere), _PLACE) for name in bones),
            *((message("/VMC/Ext/Blend/Val", name, 0.0), 1) for name in expressions),
            *([(message("/VMC/Ext/Blend/Apply"), 0)] if expressions else []),
        ]
        self._bundles = [Bundle(group) for group in _packed(messages)]

    def dgrams(self, seconds: float, bones: NDArray[np.float32], expressions: Iterable[float]) -> list[bytes]:
        """Return the datagrams of a frame: since when we send, bones (B, 7), a value for each expression."""
        floats = np.array([seconds, *bones.ravel(), *expressions], ">f4").view(np.uint8)
        out, start = [], 0
        for bundle in self._bundles:
            out.append(bundle.filled(floats[start : start + bundle.num_bytes]))
            start += bundle.num_bytes
        return out


def option_dgram(text: str) -> bytes:
    """Return the datagram of VMC's option string: text for the receiver's own use."""
    builder = OscBundleBuilder(IMMEDIATELY)
    builder.add_content(message("/VMC/Ext/Opt", text))
    dgram: bytes = builder.build().dgram
    return dgram


bundles = cache(Bundles)  # of the few sets of messages that a run has


class Bundle:
    """One bundle of messages, each with the number of floats at its end, which frames overwrite."""

    def __init__(self, messages: list[tuple[OscMessage, int]]) -> None:
        builder = OscBundleBuilder(IMMEDIATELY)
        ends = [_HEAD_BYTES]
        for message, _ in messages:
            builder.add_content(message)
            ends.append(ends[-1] + _LENGTH_BYTES + message.size)
        places = [
            np.arange(end - count * _FLOAT_BYTES, end) for end, (_, count) in zip(ends[1:], messages, strict=True)
        ]
        self._bytes, self._at = bytearray(builder.build().dgram), np.concatenate(places)
        self.num_bytes = len(self._at)  # of floats

    def filled(self, floats: NDArray[np.uint8]) -> bytes:
        """Return the datagram with these floats, given as their big-endian bytes."""
        np.frombuffer(self._bytes, np.uint8)[self._at] = floats
        return bytes(self._bytes)


_LENGTH_BYTES = 4  # before every element of a bundle
_HEAD_BYTES = len(OscBundleBuilder(IMMEDIATELY).build().dgram)


def _packed(messages: list[tuple[OscMessage, int]]) -> list[list[tuple[OscMessage, int]]]:
    """Divide the messages, in their order, among as few bundles as can hold them."""
    groups: list[list[tuple[OscMessage, int]]] = []
    room = 0
    for message, count in messages:
        size = _LENGTH_BYTES + message.size
        if size > room:
            groups.append([])
            room = MOST_BYTES - _HEAD_BYTES
        groups[-1].append((message, count))
        room -= size
    return groups


def message(address: str, *values: Any) -> OscMessage:
    """Build a message."""
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)
    return builder.build()
