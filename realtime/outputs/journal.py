"""The journal: what a recording has on disk while it runs, so that a killed process loses next to nothing.

One file, append only: a magic word, a JSON header with its length and checksum, then rows of one fixed size, each with
a checksum of its own. A row is one person in one source frame (or a frame with nobody: person -1). A torn or damaged
row costs that row alone.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from engine.skeleton import NUM_JOINTS
from realtime.body.model import BodyModel
from realtime.errors import UserError
from realtime.outputs.session import sync_folder

if os.name == "posix":
    import fcntl

SUFFIX = ".journal"
NOBODY = -1
ROW_LAYOUT = 3  # 1 had no joint_confidence, 2 no T_world_cam
_MAGIC = b"TMOCAPJ1"
_PREFIX = struct.Struct("<II")  # length and crc32 of the JSON that follows
_PROBE_BYTES = 1 << 16  # written and taken back at the start: a full disk is better told before the camera opens


class JournalError(UserError):
    """A journal that cannot be read."""


@dataclass(frozen=True)
class RecordedBody:
    """What of a body a recording needs: who it is, and the joints at rest for any shape. Metres."""

    name: str
    sha256: str
    stature_m: float
    joints_template: list[list[float]]  # (24, 3)
    joint_shapedirs: list[list[list[float]]]  # (24, 3, 10)

    @classmethod
    def of(cls, body: BodyModel) -> Self:
        template, dirs = body.joints_template.tolist(), body.joint_shapedirs.tolist()
        return cls(body.name, body.sha256, body.stature_m, template, dirs)

    def rest_joints(self, betas: NDArray[Any]) -> NDArray[np.float64]:
        """(24, 3) of the T-pose for betas (10,)."""
        return np.array(self.joints_template) + np.array(self.joint_shapedirs) @ np.asarray(betas, dtype=np.float64)


@dataclass(frozen=True)
class Header:
    """What holds for a whole recording."""

    recording: str  # unlike any other recording's
    num_tokens: int
    fov_rad: float  # horizontal
    size_px: tuple[int, int]
    pitch_rad: float
    camera_height_m: float
    body: RecordedBody
    session: dict[str, Any]  # what JSON can say
    layout: int = ROW_LAYOUT  # of the rows that follow
    brief: bool = False  # holds those who were seen too briefly for a take of their own

    def to_bytes(self) -> bytes:
        text = json.dumps(asdict(self)).encode()
        return _MAGIC + _PREFIX.pack(len(text), zlib.crc32(text)) + text

    @classmethod
    def from_json(cls, text: bytes) -> Header:
        values = {"layout": 1, **json.loads(text)}  # the first version did not say
        values["body"] = RecordedBody(**values["body"])
        values["size_px"] = tuple(values["size_px"])
        return cls(**values)


def row_dtype(num_tokens: int, layout: int = ROW_LAYOUT) -> np.dtype[Any]:
    """One row, packed, as written by that version of the layout; `crc` is the checksum of the bytes before it."""
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
            *([("T_world_cam", "<f4", (3,))] if layout >= 3 else []),
            ("crc", "<u4"),
        ]
    )


class JournalWriter:
    """Creates a journal and appends to it. Raises OSError as the disk does, also where it is full from the start."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("xb", buffering=0)
        try:
            _lock(self._file.fileno())
            self._write(bytes(_PROBE_BYTES))
            os.fsync(self._file.fileno())
            self._file.seek(0)
            self._file.truncate()
            sync_folder(path.parent)
        except OSError:
            self._file.close()
            path.unlink()
            raise

    def begin(self, header: Header) -> None:
        """Write the header: once, before the first row."""
        self._write(header.to_bytes())

    def append(self, rows: NDArray[Any]) -> None:
        """Stamp `rows` (R,) of `row_dtype` with their checksums and hand them to the system."""
        self._write(_stamped(rows))

    def sync(self) -> None:
        """Make what was appended survive a loss of power too."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def _write(self, data: bytes | bytearray) -> None:
        view = memoryview(data)
        while view:  # a nearly full disk takes a part, then refuses
            view = view[self._file.write(view) :]


@dataclass(frozen=True)
class Journal:
    """A journal, opened for reading: rows stay on disk until they are asked for."""

    header: Header
    rows: NDArray[Any]  # (R,) of `row_dtype`, memory-mapped
    good: NDArray[np.intp]  # those whose checksum is right
    lost: int  # rows that are damaged, or cut off at the end

    @property
    def frames(self) -> int:
        """Source frames of which at least one row is whole."""
        return len(np.unique(self.rows["seq"][self.good]))


def read_journal(path: Path) -> Journal:
    """Open a journal, whatever state its end is in. Raises JournalError, one line, when its header is not whole."""
    try:
        with path.open("rb") as file:
            prefix = file.read(len(_MAGIC) + _PREFIX.size)
            if not prefix.startswith(_MAGIC) or len(prefix) < len(_MAGIC) + _PREFIX.size:
                raise _no_header(path)
            length, crc = _PREFIX.unpack(prefix[len(_MAGIC) :])
            text = file.read(length)
    except OSError as error:
        raise JournalError(f"cannot read {path}: {error.strerror}") from error
    if len(text) != length or zlib.crc32(text) != crc:
        raise _no_header(path)
    header = Header.from_json(text)
    if header.layout > ROW_LAYOUT:
        raise JournalError(f"{path} was written by a newer version (rows {header.layout}, known: {ROW_LAYOUT}): update")
    dtype = row_dtype(header.num_tokens, header.layout)
    start = len(prefix) + length
    count, partial = divmod(path.stat().st_size - start, dtype.itemsize)
    if count == 0:
        rows: NDArray[Any] = np.zeros(0, dtype)
    else:
        rows = np.memmap(path, dtype=dtype, mode="r", offset=start, shape=(count,))
    size = dtype.itemsize - 4
    whole = np.fromiter((zlib.crc32(row.tobytes()[:size]) == row["crc"] for row in rows), dtype=bool, count=count)
    return Journal(header, rows, np.flatnonzero(whole), int(count - whole.sum()) + (partial > 0))


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
    """Whether a living process holds the journal (POSIX; elsewhere False, and an open file cannot be removed)."""
    with path.open("rb") as file:
        try:
            _lock(file.fileno())
        except BlockingIOError:
            return True
    return False


def _stamped(rows: NDArray[Any]) -> bytearray:
    """The bytes of `rows` (R,) of `row_dtype`, each with its checksum."""
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
