"""Reads and writes the journal, a running recording's file on disk, so that a killed process loses almost nothing.

One file, append-only: a magic word, a JSON header with its length and checksum, then rows of fixed size, each with its
own checksum. A row is one person in one source frame (or a frame without people: person -1). A torn or damaged row is
the only loss.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.body.model import BodyModel
from engine.body.skeleton import NUM_JOINTS
from engine.config import ConfigError, from_dict
from engine.errors import UserError
from realtime.ground.feet import sole_below_joints_m
from realtime.ground.foot_lock import SOLE_M
from realtime.outputs.recording.session import sync_folder

if os.name == "posix":
    import fcntl

SUFFIX = ".journal"
NOBODY = -1
NUM_BETAS = 10
_MOST_TOKENS = 4096
_BLOCK = 2048  # rows in memory at a time
ROW_LAYOUT = 4  # 1 had no joint_confidence, 2 no camera, 3 no scale and no contacts
_MAGIC = b"TMOCAPJ1"
_PREFIX = struct.Struct("<II")  # length and crc32 of the following JSON
_COPY_BYTES = 1 << 20
_PROBE_BYTES = 1 << 16  # written and truncated at the start, so that a full disk is reported before the camera opens


T = TypeVar("T")
Track = Callable[[Iterable[T], str, int], Iterable[T]]  # iterable, description, number of items


def untracked(blocks: Iterable[T], doing: str, count: int) -> Iterable[T]:
    """Progress tracker that shows nothing."""
    return blocks


class JournalError(UserError):
    """Journal that cannot be read."""


@dataclass(frozen=True)
class RecordedBody:
    """Parts of a body that a recording needs: its identity, and the joints at rest for any shape. Metres."""

    name: str
    sha256: str
    stature_m: float
    joints_template: list[list[float]]  # (24, 3)
    joint_shapedirs: list[list[list[float]]]  # (24, 3, 10)
    sole_m: float = SOLE_M  # height of the lowest joint above the sole at rest

    @classmethod
    def of(cls, body: BodyModel) -> Self:
        template, dirs = body.joints_template.tolist(), body.joint_shapedirs.tolist()
        return cls(body.name, body.sha256, body.stature_m, template, dirs, sole_below_joints_m(body))

    def rest_joints(self, betas: NDArray[Any]) -> NDArray[np.float64]:
        """Return (24, 3) joints of the T-pose for betas (10,)."""
        return np.array(self.joints_template) + np.array(self.joint_shapedirs) @ np.asarray(betas, dtype=np.float64)


@dataclass(frozen=True)
class Header:
    """Facts about a whole recording."""

    recording: str  # unique identifier
    num_tokens: int
    fov_rad: float  # horizontal
    size_px: tuple[int, int]
    pitch_rad: float
    camera_height_m: float
    body: RecordedBody
    session: dict[str, Any]  # values that JSON supports
    layout: int = ROW_LAYOUT  # of the following rows
    brief: bool = False  # has only people who were visible too briefly for a take

    def to_bytes(self) -> bytes:
        """Encode with magic word, length and checksum."""
        text = json.dumps(asdict(self)).encode()
        return _MAGIC + _PREFIX.pack(len(text), zlib.crc32(text)) + text

    @classmethod
    def from_json(cls, text: bytes, path: Path) -> Header:
        """Decode. Raises JournalError for a header of another version or with impossible values."""
        try:
            values = json.loads(text)
            header = from_dict(cls, {"layout": 1, **values}, str(path))  # the first version had no such key
            header._check()
        except ConfigError as error:
            raise JournalError(f"{error}: was the journal written by a newer version? then update first") from error
        except (ValueError, TypeError, RecursionError) as error:
            raise JournalError(f"{path} has a header that no recording has ({error})") from error
        return header

    def _check(self) -> None:
        shapes = np.shape(self.body.joints_template), np.shape(self.body.joint_shapedirs)
        if shapes != ((NUM_JOINTS, 3), (NUM_JOINTS, 3, NUM_BETAS)):
            raise ValueError(f"the joints of its body are {shapes}")
        numbers = (*np.ravel(self.body.joints_template), *np.ravel(self.body.joint_shapedirs), self.body.stature_m)
        numbers += (self.body.sole_m,)
        if not np.isfinite((*numbers, self.fov_rad, self.pitch_rad, self.camera_height_m)).all():
            raise ValueError("a number is not finite")
        if not 0 <= self.num_tokens <= _MOST_TOKENS or not all(0 < size < 2**31 for size in self.size_px):
            raise ValueError("a size is out of bounds")


# The camera estimate in that frame: radians, metres above the floor, and degrees of uncertainty.
_CAMERA_ROW = [
    ("fov", "<f4"),
    ("pitch", "<f4"),
    ("roll", "<f4"),
    ("height", "<f4"),
    ("doubt", "<f4"),
    ("source", "S8"),
]


def row_dtype(num_tokens: int, layout: int = ROW_LAYOUT) -> np.dtype[Any]:
    """Return the packed dtype of a row in that version of the layout; `crc` is the checksum of the bytes before it."""
    joints = (NUM_JOINTS, 3)
    return np.dtype(
        [
            ("t", "<f8"),  # s from the recording's first source frame
            ("seq", "<i8"),  # number of the source frame
            ("person", "<i4"),
            ("valid", "?"),
            ("gap", "?"),  # frames were lost before this one
            ("confidence", "<f4"),
            ("betas", "<f4", (10,)),
            ("raw_rotations", "<f4", (NUM_JOINTS, 4)),
            ("raw_trans", "<f4", (3,)),
            ("raw_joints", "<f4", joints),
            ("rotations", "<f4", (NUM_JOINTS, 4)),
            ("trans", "<f4", (3,)),
            ("tokens", "<i2", (num_tokens,)),
            *([("joint_confidence", "<f4", (NUM_JOINTS,))] if layout >= 2 else []),
            *([("T_world_cam", "<f4", (3,)), ("camera", _CAMERA_ROW)] if layout >= 3 else []),
            *([("scale", "<f4"), ("contacts", "<f4", (4,)), ("support_m", "<f4", (2,))] if layout >= 4 else []),
            ("crc", "<u4"),
        ]
    )


def _at_the_end(name: str, flags: int) -> int:
    """Open for writing at the present end, so that truncation by others leaves no hole."""
    return os.open(name, flags | os.O_APPEND, 0o666)


class JournalWriter:
    """Creates a journal and appends to it. Raises OSError on a disk error, also if the disk is full at the start."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open(path, "x+b", buffering=0, opener=_at_the_end)  # noqa: SIM115  closed by `close`
        self._written = 0
        try:
            _lock(self._file.fileno())
            self._write(bytes(_PROBE_BYTES))
            os.fsync(self._file.fileno())
            self._file.seek(0)
            self._file.truncate()
            self._written = 0
            sync_folder(path.parent)
        except OSError:
            self._file.close()
            path.unlink()
            raise

    def begin(self, header: Header) -> None:
        """Write the header: once, before the first row."""
        self._write(header.to_bytes())

    def append(self, rows: NDArray[Any]) -> None:
        """Add checksums to `rows` (R,) of `row_dtype` and write them."""
        self._write(_stamped(rows))

    def sync(self) -> None:
        """Flush to the disk, so that a power loss keeps the rows."""
        os.fsync(self._file.fileno())

    @property
    def is_whole(self) -> bool:
        """Return whether the open file still has all written bytes, under any name or none."""
        return os.fstat(self._file.fileno()).st_size == self._written

    @property
    def is_in_place(self) -> bool:
        """Return whether the file is complete and still under its name."""
        try:
            there = self.path.stat()
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(self._file.fileno())) and self.is_whole

    def copy_to(self, other: JournalWriter) -> None:
        """Copy the contents to an empty journal."""
        self._file.seek(0)
        while data := self._file.read(_COPY_BYTES):
            other._write(data)

    def close(self) -> None:
        self._file.close()

    def _write(self, data: bytes | bytearray) -> None:
        view = memoryview(data)
        while view:  # a nearly full disk accepts a part, then refuses
            taken = self._file.write(view)
            self._written += taken
            view = view[taken:]


class Rows:
    """Rows of a journal on disk; requested rows are copied, with a slice mapped at a time."""

    def __init__(self, path: Path, dtype: np.dtype[Any], start: int, count: int) -> None:
        self.dtype = dtype
        self._path, self._start, self._count = path, start, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, name: str) -> Column:
        return Column(self, name)

    def take(self, indices: NDArray[np.intp], name: str | None = None) -> NDArray[Any]:
        """Return the rows, or one column of them, at `indices` (K,)."""
        taken = np.empty(len(indices), self.dtype if name is None else self.dtype[name])
        for begin in range(0, len(indices), _BLOCK):
            part = indices[begin : begin + _BLOCK]
            first, last = int(part.min()), int(part.max())
            offset = self._start + first * self.dtype.itemsize
            mapped = np.memmap(self._path, self.dtype, "r", offset, shape=(last + 1 - first,))
            taken[begin : begin + len(part)] = (mapped if name is None else mapped[name])[part - first]
        return taken


@dataclass(frozen=True)
class Column:
    """Column of `Rows`: indexing by row numbers (K,) reads it."""

    rows: Rows
    name: str

    def __getitem__(self, indices: NDArray[np.intp]) -> NDArray[Any]:
        return self.rows.take(indices, self.name)


@dataclass(frozen=True)
class Journal:
    """Journal opened for reading: rows stay on disk until requested."""

    header: Header
    rows: Rows  # R of `row_dtype`
    good: NDArray[np.intp]  # rows with a correct checksum
    lost: int  # rows that are damaged, or truncated at the end

    @property
    def frames(self) -> int:
        """Number of source frames with at least one intact row."""
        return len(np.unique(self.rows["seq"][self.good]))


def read_journal(path: Path, track: Track = untracked) -> Journal:
    """Open a journal, also with a damaged end. Raises JournalError, one line, if its header is damaged.

    track: gets the blocks of rows whose checksums are verified, a description and their number.
    """
    try:
        return _read(path, track)
    except OSError as error:
        raise JournalError(f"cannot read {path}: {error.strerror or error}") from error


def _read(path: Path, track: Track) -> Journal:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        prefix = file.read(len(_MAGIC) + _PREFIX.size)
        if not prefix.startswith(_MAGIC) or len(prefix) < len(_MAGIC) + _PREFIX.size:
            raise _no_header(path)
        length, crc = _PREFIX.unpack(prefix[len(_MAGIC) :])
        text = file.read(length) if length <= size else b""
    if len(text) != length or zlib.crc32(text) != crc:
        raise _no_header(path)
    header = Header.from_json(text, path)
    if header.layout > ROW_LAYOUT:
        raise JournalError(f"{path} was written by a newer version (rows {header.layout}, known: {ROW_LAYOUT}): update")
    dtype = row_dtype(header.num_tokens, header.layout)
    start = len(prefix) + length
    count, partial = divmod(size - start, dtype.itemsize)
    rows = Rows(path, dtype, start, count)
    starts = range(0, count, _BLOCK)
    blocks = (rows.take(np.arange(first, min(first + _BLOCK, count))) for first in starts)
    whole = [_are_whole(block) for block in track(blocks, "checking", len(starts))]
    good = np.flatnonzero(np.concatenate([np.zeros(0, bool), *whole]))
    return Journal(header, rows, good, count - len(good) + (partial > 0))


def _are_whole(rows: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which of `rows` (R,) have a correct checksum."""
    data, step = memoryview(rows.tobytes()), rows.dtype.itemsize
    found = (zlib.crc32(data[start : start + step - 4]) for start in range(0, len(data), step))
    return np.fromiter(found, np.uint32, len(rows)) == rows["crc"]


def write_journal(path: Path, header: Header, rows: NDArray[Any]) -> None:
    """Write a whole journal of `rows` (R,), replacing `path` once the new file is durable. Raises OSError."""
    temporary = path.with_name(f"{path.name}.part")
    try:
        with temporary.open("wb") as file:
            file.write(header.to_bytes() + _stamped(rows))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def is_being_written(path: Path) -> bool:
    """Return whether a running process has the journal open (POSIX; elsewhere False, as open files cannot be removed).

    Raises JournalError for an unreadable file.
    """
    try:
        with path.open("rb") as file:
            _lock(file.fileno())
    except BlockingIOError:
        return True
    except OSError as error:
        raise JournalError(f"cannot read {path}: {error.strerror or error}") from error
    return False


def _stamped(rows: NDArray[Any]) -> bytearray:
    """Encode `rows` (R,) of `row_dtype`, each with its checksum."""
    size = rows.dtype.itemsize - 4
    data = bytearray(rows.tobytes())
    for start in range(0, len(data), size + 4):
        struct.pack_into("<I", data, start + size, zlib.crc32(memoryview(data)[start : start + size]))
    return data


def _lock(descriptor: int) -> None:
    if os.name == "posix":
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _no_header(path: Path) -> JournalError:
    return JournalError(f"{path} holds no whole header: nothing had been recorded yet, or it is not a journal")
