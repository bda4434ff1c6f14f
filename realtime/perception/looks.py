"""Keeps answers of networks, so that parts of a video can be looked at ahead of the run that needs the answers.

An answer is known by the pixels that the network saw and the square that they are of. So it is what the network itself
would say, and a run with known looks gives what it gives without, sooner.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol

import numpy as np
from numpy.typing import NDArray

from realtime.perception.roi import Roi

SUFFIX = ".looks"
MOST_BYTES = 846  # of an answer that is kept; a person's landmarks take 840
_RECORD = np.dtype([("key", "<u8"), ("size", "<u2"), ("answer", "u1", (MOST_BYTES,))])

Ask = Callable[[], bytes]


class Looks(Protocol):
    """Answerer in place of a network. One thread uses it."""

    def answer(self, pixels: NDArray[np.uint8], square: Roi, ask: Ask) -> bytes:
        """Return the network's answer to these pixels of a square; ask: lets the network answer."""


class KeptLooks:
    """Writer of all answers to a stream."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def answer(self, pixels: NDArray[np.uint8], square: Roi, ask: Ask) -> bytes:
        """Let the network answer, and write that. Raises OSError."""
        answer = ask()
        if len(answer) <= MOST_BYTES:
            record = np.zeros((), _RECORD)
            record["key"], record["size"] = _key(pixels, square), len(answer)
            record["answer"][: len(answer)] = np.frombuffer(answer, np.uint8)
            self._stream.write(record.tobytes())
        return answer


class KnownLooks:
    """Reader of the answers in the files of a folder. Of these only the keys and a part are in memory."""

    def __init__(self, folder: Path) -> None:
        """Read the keys. Raises OSError."""
        self.asked = self.known = 0
        self._files = sorted(folder.glob(f"*{SUFFIX}"))
        keys = [np.fromfile(file, _RECORD)["key"].copy() for file in self._files]
        counts = [len(each) for each in keys]
        every = np.concatenate([np.zeros(0, np.uint64), *keys])
        self._order = np.argsort(every, kind="stable")
        self._keys = every[self._order]
        self._ends = np.cumsum(counts)
        self._open: tuple[int, NDArray[np.void]] | None = None

    def answer(self, pixels: NDArray[np.uint8], square: Roi, ask: Ask) -> bytes:
        """Return the known answer, or let the network answer."""
        self.asked += 1
        key = _key(pixels, square)
        at = int(np.searchsorted(self._keys, key))
        if at == len(self._keys) or self._keys[at] != key:
            return ask()
        self.known += 1
        record = self._record(int(self._order[at]))
        return record["answer"][: record["size"]].tobytes()

    def _record(self, number: int) -> np.void:
        file = int(np.searchsorted(self._ends, number, side="right"))
        if self._open is None or self._open[0] != file:
            self._open = file, np.memmap(self._files[file], _RECORD, mode="r")
        rows = self._open[1]
        return rows[number - (int(self._ends[file]) - len(rows))]


def _key(pixels: NDArray[np.uint8], square: Roi) -> np.uint64:
    """Hash what a network sees. The size of the pixels tells the networks apart."""
    digest = hashlib.blake2b(struct.pack("<q4d", pixels.size, *square.center_px, square.size_px, square.angle_rad))
    digest = hashlib.blake2b(pixels.data, digest_size=8, key=digest.digest())
    return np.uint64(int.from_bytes(digest.digest(), "little"))
