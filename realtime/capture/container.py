"""Parses the headers of video containers for metadata that OpenCV does not provide.

Boxes of .mp4 and .mov: ISO/IEC 14496-12 and Apple's QuickTime File Format. RIFF: Microsoft's AVI reference. EBML:
RFC 8794.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_MOST_BOXES = 100_000  # of a file; a ten-hour recording in fragments of one second has 72,000
_MOST_EDITS = 1000
_ONE = 1 << 16  # in 16.16 fixed point
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"

Matrix = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Container:
    """Metadata of a file and its first video track; None means unknown."""

    missing_bytes: int = 0  # declared, but absent from the file
    length_s: float | None = None  # presentation length of the track (.mp4, .mov)
    # a, b, c, d, each -1, 0 or 1: stored x, y are shown at (a x + c y, b x + d y), shifted into view (.mp4, .mov)
    matrix: Matrix | None = None
    transfer: int | None = None  # transfer characteristics by ITU-T H.273: 16 is PQ, 18 is HLG (.mp4, .mov)


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes  # four letters
    start: int  # of its content
    end: int  # as declared

    def content(self, file: BinaryIO, at: int, size: int) -> bytes:
        """Read `size` bytes from the content's byte `at` on; fewer at the end of the box or file."""
        file.seek(self.start + at)
        return file.read(max(0, min(size, self.end - self.start - at)))


def read_container(path: Path) -> Container:
    """Read the headers of an .mp4, .mov, .avi, .mkv or .webm file; other and damaged files give the defaults.

    Raises OSError on a read error.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
            return Container(_missing_of_riff(file, size))
        if head[:4] == _EBML:
            return Container(_missing_of_matroska(file, size))
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            return _IsoReader(file, size).read()
    return Container()


class _IsoReader:
    """Parser of the boxes of an .mp4 or .mov file."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._left = _MOST_BOXES

    def read(self) -> Container:
        missing = 0
        found = Container()
        for box in self._boxes(0, self._size):
            missing = max(missing, box.end - self._size)
            if box.kind == b"moov":
                found = self._movie(box)
        return Container(missing, found.length_s, found.matrix, found.transfer)

    def _movie(self, moov: _Box) -> Container:
        scale = 0
        for box in self._inside(moov):
            if box.kind == b"mvhd":
                later = box.content(self._file, 0, 1) == b"\1"
                scale = _number(box.content(self._file, 20 if later else 12, 4))
            if box.kind == b"trak" and self._shows_pictures(box):
                return self._track(box, scale)
        return Container()

    def _shows_pictures(self, trak: _Box) -> bool:
        handler = self._at(trak, b"mdia", b"hdlr")
        return handler is not None and handler.content(self._file, 8, 4) == b"vide"

    def _track(self, trak: _Box, movie_scale: int) -> Container:
        length, matrix = 0, None
        header = self._at(trak, b"tkhd")
        if header is not None:
            later = header.content(self._file, 0, 1) == b"\1"
            length = _number(header.content(self._file, 28, 8) if later else header.content(self._file, 20, 4))
            matrix = _matrix(header.content(self._file, 52 if later else 40, 36))
        edits = self._at(trak, b"edts", b"elst")
        if edits is not None:
            length = _edited_length(edits.content(self._file, 0, 8 + 20 * _MOST_EDITS)) or length
        return Container(
            length_s=length / movie_scale if length and movie_scale else None,
            matrix=matrix,
            transfer=self._transfer(trak),
        )

    def _transfer(self, trak: _Box) -> int | None:
        descriptions = self._at(trak, b"mdia", b"minf", b"stbl", b"stsd")
        if descriptions is None:
            return None
        for entry in self._boxes(descriptions.start + 8, descriptions.end):
            for box in self._boxes(entry.start + 78, entry.end):  # after the fixed part of the sample entry
                if box.kind == b"colr" and box.content(self._file, 0, 4) in (b"nclx", b"nclc"):
                    return _number(box.content(self._file, 6, 2))
        return None

    def _at(self, box: _Box, *kinds: bytes) -> _Box | None:
        found: _Box | None = box
        for kind in kinds:
            if found is None:
                return None
            found = next((inner for inner in self._inside(found) if inner.kind == kind), None)
        return found

    def _inside(self, box: _Box) -> Iterator[_Box]:
        return self._boxes(box.start, box.end)

    def _boxes(self, at: int, end: int) -> Iterator[_Box]:
        end = min(end, self._size)
        while at + 8 <= end and self._left > 0:
            self._left -= 1
            self._file.seek(at)
            head = self._file.read(16)
            size, start = _number(head[:4]), at + 8
            if size == 1 and len(head) == 16:
                size, start = _number(head[8:16]), at + 16
            elif size == 0:  # to the end of the parent
                size = end - at
            if at + size < start or not head[4:8].isascii():
                return
            yield _Box(head[4:8], start, at + size)
            at += size


def _matrix(fixed_point: bytes) -> Matrix | None:
    """Parse a rotation by quarter turns, mirrored or not; None for any other matrix, which no camera writes."""
    if len(fixed_point) != 36:
        return None
    values = struct.unpack(">9i", fixed_point)
    matrix = values[0], values[1], values[3], values[4]
    if sorted(map(abs, matrix)) != [0, 0, _ONE, _ONE] or matrix[0] * matrix[3] == matrix[1] * matrix[2]:
        return None
    return values[0] // _ONE, values[1] // _ONE, values[3] // _ONE, values[4] // _ONE


def _edited_length(edits: bytes) -> int:
    """Return the length of an edit list in units of the movie's time scale, without initial empty edits."""
    if len(edits) < 8:
        return 0
    entry = struct.Struct(">QqI" if edits[0] == 1 else ">IiI")
    count = min(_number(edits[4:8]), (len(edits) - 8) // entry.size)
    parts = (entry.unpack_from(edits, 8 + k * entry.size) for k in range(count))
    return sum(duration for duration, media_time, _ in parts if media_time >= 0)


def _missing_of_riff(file: BinaryIO, size: int) -> int:
    """Return the missing bytes. A large AVI is several RIFF chunks; length 0 means that the writer was killed."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[4:8], "little")
        if head[:4] != b"RIFF" or length in (0, 0xFFFF_FFFF):
            return 0
        at += 8 + length + length % 2
    return max(0, at - size - 1)  # a padding byte at the end may be absent


def _missing_of_matroska(file: BinaryIO, size: int) -> int:
    """Return the missing bytes of the segment after the EBML header; its size may be unknown."""
    file.seek(4)
    header = _vint(file)
    if header is None:
        return 0
    file.seek(header, 1)
    if file.read(4) != _SEGMENT:
        return 0
    length = _vint(file)
    return 0 if length is None else max(0, file.tell() + length - size)


def _vint(file: BinaryIO) -> int | None:
    """Read a variable-length integer of EBML; None if unknown or invalid."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    width = 9 - first[0].bit_length()
    value = int.from_bytes(first + file.read(width - 1), "big") & ((1 << 7 * width) - 1)
    return None if value == (1 << 7 * width) - 1 else value


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")
