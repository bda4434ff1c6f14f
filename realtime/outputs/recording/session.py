"""Reads and writes session files: AMASS's keys and ours in one .npz, no pickled objects (docs/session-format.md).

It is written in blocks, so a long session never fills memory. It is replaced atomically: a reader sees the old file or
the whole new one.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError
from engine.files.npz_file import NpzError, NpzFile

FORMAT = "tokenmocap-session"
VERSION = 1
AMASS_JOINTS = 52  # SMPL-H: the root, 21 body joints, 30 finger joints
AMASS_BETAS = 16
SMPLH_BODY_JOINTS = 22  # joints that SMPL's 24 share with SMPL-H

BODY_DTYPE = np.dtype([("name", "U64"), ("sha256", "U64"), ("stature_m", "f8")])
_FIRST_CAMERA = [("fov", "f8"), ("size", "i4", (2,)), ("pitch", "f8"), ("height", "f8")]
CAMERA_DTYPE = np.dtype([*_FIRST_CAMERA, ("roll", "f8"), ("source", "U8"), ("doubt", "f8")])

# Every key with its dtype and shape; N frames of the uniform rate, M source frames of the person, T tokens.
_LAYOUT: dict[str, tuple[Any, tuple[int | str, ...]]] = {
    "poses": ("f8", ("N", 3 * AMASS_JOINTS)),
    "trans": ("f8", ("N", 3)),
    "betas": ("f8", (AMASS_BETAS,)),
    "gender": ("U", ()),
    "mocap_framerate": ("f8", ()),
    "mocap_frame_rate": ("f8", ()),
    "format": ("U", ()),
    "version": ("i8", ()),
    "up_axis": ("U", ()),
    "body": (BODY_DTYPE, ()),
    "rest_joints": ("f8", (24, 3)),
    "joints": ("f4", ("N", 24, 3)),
    "timestamps": ("f8", ("N",)),
    "valid": ("?", ("N",)),
    "confidence": ("f4", ("N",)),
    "person": ("i8", ()),
    "camera": ((CAMERA_DTYPE, np.dtype(_FIRST_CAMERA)), ()),
    "recording": ("U", ()),
    "session": ("U", ()),
    "raw_timestamps": ("f8", ("M",)),
    "raw_seq": ("i8", ("M",)),
    "raw_valid": ("?", ("M",)),
    "raw_confidence": ("f4", ("M",)),
    "raw_rotations": ("f4", ("M", 24, 4)),
    "raw_trans": ("f4", ("M", 3)),
    "raw_joints": ("f4", ("M", 24, 3)),
    "raw_tokens": ("i2", ("M", "T")),
}
# Keys added later: older files lack them and are still readable.
_LATER: dict[str, tuple[Any, tuple[int | str, ...]]] = {
    "start_s": ("f8", ()),
    "joint_confidence": ("f4", ("N", 24)),
    "contacts": ("f4", ("N", 4)),
    "smoothing_lag_s": ("f8", ()),
    "scale": ("f8", ()),
}
_BLOCK = 2048  # frames in memory at a time
_FARTHEST = 1e6  # limit of any number of a frame: metres, radians, seconds
_LONGEST_TEXT = 1 << 20  # characters
_MOST_TIMES = 100  # times the file's size: limit of unknown members when decompressed


class SessionError(UserError):
    """File that is no readable session."""


@dataclass(frozen=True, kw_only=True)
class SessionHead:
    """Facts about a whole session, with its frames in blocks: the input of exports."""

    betas: NDArray[np.float64]  # (16,) the first ten are the body's, the rest zero
    gender: str
    mocap_framerate: float  # Hz, whole, at least 30
    mocap_frame_rate: float  # the same, under the name that other readers use
    format: str
    version: int
    up_axis: str
    body: dict[str, Any]  # name, sha256 of its file, stature_m of its template
    rest_joints: NDArray[np.float64]  # (24, 3) of the T-pose with these betas, at the person's scale
    person: int
    # fov (horizontal), pitch and roll in radians, size (width, height) in pixels, height in metres, source, and doubt
    # in degrees (docs/camera.md). Files of before have neither roll nor source nor doubt.
    camera: dict[str, Any]
    recording: str  # unique identifier
    session: str  # JSON: the program's settings and components
    start_s: float = 0.0  # from the recording's first source frame to the first row: timestamps[0]
    scale: float = 1.0  # the person's size relative to the body's
    smoothing_lag_s: float | None = None  # 0: poses are without delay; None: they have the delay of the live output

    @property
    def frames(self) -> int:
        """Number N of frames at `mocap_framerate`."""
        raise NotImplementedError

    @property
    def has_contacts(self) -> bool:
        """Return whether `contacts` were recorded; older files have none."""
        raise NotImplementedError

    def blocks(self, *keys: str) -> Iterator[tuple[NDArray[Any], ...]]:
        """Yield the rows of these keys in order, a few thousand frames at a time. Raises SessionError."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Session(SessionHead):
    """Whole session file. Metres, seconds, radians; world with Y up (docs/conventions.md).

    The resampled part (N rows at `mocap_framerate`) uses SMPL's convention: `trans` is the pelvis joint less its
    position at rest, `rest_joints[0]`. The raw part (M rows, one for each source frame with the person) has the
    original estimates; `raw_trans` is the pelvis joint itself.
    """

    poses: NDArray[np.float64]  # (N, 156) axis-angle of SMPL-H's 52 joints; hands zero
    trans: NDArray[np.float64]  # (N, 3)
    joints: NDArray[np.float32]  # (N, 24, 3)
    timestamps: NDArray[np.float64]  # (N,) from the recording's first source frame; whole multiples of 1 / rate
    valid: NDArray[np.bool_]  # (N,) False: nobody was visible, the pose is repeated
    confidence: NDArray[np.float32]  # (N,)
    raw_timestamps: NDArray[np.float64]  # (M,)
    raw_seq: NDArray[np.int64]  # (M,) number of the source frame
    raw_valid: NDArray[np.bool_]  # (M,)
    raw_confidence: NDArray[np.float32]  # (M,)
    raw_rotations: NDArray[np.float32]  # (M, 24, 4) quaternions x, y, z, w
    raw_trans: NDArray[np.float32]  # (M, 3)
    raw_joints: NDArray[np.float32]  # (M, 24, 3)
    raw_tokens: NDArray[np.int16]  # (M, T)
    joint_confidence: NDArray[np.float32] | None = None  # (N, 24) 0..1, visibility of each joint; None: not recorded
    contacts: NDArray[np.float32] | None = None  # (N, 4) 0..1, contact of each heel and toe; None: not recorded

    @property
    def frames(self) -> int:
        return len(self.poses)

    @property
    def has_contacts(self) -> bool:
        return self.contacts is not None

    def blocks(self, *keys: str) -> Iterator[tuple[NDArray[Any], ...]]:
        columns = [getattr(self, key) for key in keys]
        for start in range(0, self.frames, _BLOCK):
            yield tuple(column[start : start + _BLOCK] for column in columns)


@dataclass(frozen=True, kw_only=True)
class SessionFile(SessionHead):
    """Session file whose frames stay on disk until requested. `open_session` makes one."""

    path: Path
    count: int
    keys: frozenset[str] = frozenset()  # of the file

    @property
    def frames(self) -> int:
        return self.count

    @property
    def has_contacts(self) -> bool:
        return "contacts" in self.keys

    def blocks(self, *keys: str) -> Iterator[tuple[NDArray[Any], ...]]:
        with _reading(self.path) as file:
            for rows in zip(*(file.blocks(key, _BLOCK) for key in keys), strict=True):
                _check_rows(self.path, dict(zip(keys, rows, strict=True)))
                yield rows


@dataclass(frozen=True)
class Member:
    """One array of the file: its name, and its rows in blocks that together have `shape`."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    blocks: Iterable[NDArray[Any]]

    @classmethod
    def whole(cls, name: str, value: Any) -> Member:
        """Make a member from a small array."""
        array = np.asarray(value)
        return cls(name, array.dtype, array.shape, (array,))


def write_npz(path: Path, members: Iterable[Member]) -> None:
    """Write `members` to `path`, replacing it once the new file is durable. Raises OSError and then leaves no file.

    The bytes depend on the members alone (no time of day), so the same recording always gives the same file.
    """
    temporary = path.with_name(f"{path.name}.part")
    try:
        with temporary.open("wb") as file:
            # Level 1: floats hardly compress further, and a long session should close in seconds.
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                for member in members:
                    _write_member(archive, member)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a new or renamed file's name durable. Windows does so by itself and cannot open a folder."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def open_session(path: Path | str) -> SessionFile:
    """Check a session file and read everything but its frames. Raises SessionError, one line, if it is none."""
    path = Path(path)
    with _reading(path) as file:
        if "format" not in file or _text(path, file, "format") != FORMAT:
            raise SessionError(f"{path} is not a session of this program: its 'format' is not '{FORMAT}'")
        if "version" in file and file.header("version").dtype.kind in "iu" and file.header("version").shape == ():
            version = int(file.read("version"))
            if version > VERSION:
                raise SessionError(
                    f"{path} was written by a newer version (format {version}, known: {VERSION}): update first"
                )
        _check_unknown(path, file)
        sizes = _check_layout(path, file)
        names = [field.name for field in fields(SessionHead) if field.name in file]
        head = {name: _plain(file.read(name)) for name in names}
        keys = frozenset(key for key in (*_LAYOUT, *_LATER) if key in file)
    opened = SessionFile(path=path, count=sizes["N"], keys=keys, **head)
    _check_head(path, opened)
    return opened


def load_session(path: Path | str) -> Session:
    """Read a whole session file. Raises SessionError, one line, if it is none or incomplete."""
    opened = open_session(path)
    head = {field.name: getattr(opened, field.name) for field in fields(SessionHead)}
    with _reading(opened.path) as file:
        names = [field.name for field in fields(Session) if field.name not in head and field.name in file]
        rows: dict[str, Any] = {name: file.read(name) for name in names}
    _check_rows(opened.path, rows)
    return Session(**head, **rows)


def recording_of(path: Path) -> str | None:
    """Read only the `recording` of a session file; None if it is no session."""
    try:
        with _reading(path) as file:
            return _text(path, file, "recording")
    except SessionError:
        return None


def _write_member(archive: zipfile.ZipFile, member: Member) -> None:
    header = {
        "descr": np.lib.format.dtype_to_descr(member.dtype),
        "fortran_order": False,
        "shape": member.shape,
    }
    with archive.open(f"{member.name}.npy", "w", force_zip64=True) as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        written = 0
        for block in member.blocks:
            data = np.ascontiguousarray(block, dtype=member.dtype).tobytes()
            stream.write(data)
            written += len(data)
    expected = member.dtype.itemsize * int(np.prod(member.shape, dtype=np.int64))
    if written != expected:
        raise ValueError(f"the blocks of '{member.name}' hold {written} bytes, its shape {expected}")


@contextmanager
def _reading(path: Path) -> Iterator[NpzFile]:
    """Open the file and convert every read error to one line."""
    try:
        with NpzFile(path) as file:
            yield file
    except FileNotFoundError as error:
        raise SessionError(f"there is no session file {path}{_journal_hint(path)}") from error
    except OSError as error:
        raise SessionError(f"cannot read {path}: {error.strerror or error}") from error
    except NpzError as error:
        if "pickled" in str(error):
            raise SessionError(f"{path} holds pickled objects, which are never loaded: not a session file") from error
        raise SessionError(
            f"{path} is not a session file, or is truncated or damaged ({error}){_journal_hint(path)}"
        ) from error


def _journal_hint(path: Path) -> str:
    if path.with_name(path.name + ".journal").exists():
        return f"; its journal is there: python -m realtime.recover {path}"
    return ""


def _text(path: Path, file: NpzFile, key: str) -> str:
    header = file.header(key)
    if header.dtype.kind != "U" or header.shape != () or header.nbytes > 4 * _LONGEST_TEXT:
        raise SessionError(f"{path} is damaged: '{key}' is no text")
    return str(file.read(key))


def _check_unknown(path: Path, file: NpzFile) -> None:
    """Accept keys of a later version, except members that decompress to many times the file's size."""
    unknown = {key: size for key, size in file.unpacked_bytes.items() if key not in _LAYOUT | _LATER}
    if sum(unknown.values()) > _MOST_TIMES * path.stat().st_size:
        largest = max(unknown, key=unknown.__getitem__)
        raise SessionError(f"{path} is not a session file: '{largest}' unpacks to {unknown[largest] / 1e6:.0f} MB")


def _check_layout(path: Path, file: NpzFile) -> dict[str, int]:
    """Check types and shapes of all keys by their headers; return the values of N, M and T."""
    sizes: dict[str, int] = {}
    for key, (dtype, shape) in (_LAYOUT | _LATER).items():
        if key not in file and key in _LATER:
            continue
        if key not in file:
            raise SessionError(f"{path} is not a whole session: the key '{key}' is missing")
        found = file.header(key)
        wanted = tuple(sizes.setdefault(d, n) if isinstance(d, str) else d for d, n in _zipped(shape, found.shape))
        is_text = found.dtype.kind == "U" and found.nbytes <= 4 * _LONGEST_TEXT
        right_kind = is_text if dtype == "U" else _is_one_of(found.dtype, dtype)
        if found.shape != wanted or len(shape) != len(found.shape) or not right_kind:
            raise SessionError(f"{path} is damaged: '{key}' is {found.dtype} {found.shape}, not {dtype} {shape}")
    return sizes


def _check_head(path: Path, head: SessionFile) -> None:
    """Refuse values that no recording can have."""
    if head.frames == 0:
        raise SessionError(f"{path} holds no frames: nothing was recorded")
    for rate in (head.mocap_framerate, head.mocap_frame_rate):
        if not (rate >= 1 and rate == round(rate)):
            raise SessionError(f"{path} is damaged: its frame rate is {rate}, not a whole number above 0")
    numbers = [*head.betas, *head.rest_joints.ravel(), head.body["stature_m"], head.start_s, head.scale]
    if not (np.abs(numbers) < _FARTHEST).all() or head.scale <= 0:
        raise SessionError(f"{path} is damaged: its body or its start is of numbers that cannot be")


def _check_rows(path: Path, rows: dict[str, NDArray[Any]]) -> None:
    """Refuse resampled rows with impossible values; raw ones are unrestricted estimates."""
    for key, block in rows.items():
        if block.dtype.kind == "f" and not key.startswith("raw_") and not (np.abs(block) < _FARTHEST).all():
            raise SessionError(f"{path} is damaged: '{key}' holds numbers that are not finite")
        if key == "timestamps" and (np.diff(block) <= 0).any():
            raise SessionError(f"{path} is damaged: its timestamps do not ascend")


def _is_one_of(dtype: np.dtype[Any], wanted: Any) -> bool:
    """Return whether it is the dtype of a key, or one of those of its versions."""
    return any(dtype == np.dtype(kind) for kind in (wanted if isinstance(wanted, tuple) else (wanted,)))


def _zipped(shape: tuple[int | str, ...], actual: tuple[int, ...]) -> Iterator[tuple[int | str, int]]:
    return zip(shape, actual, strict=False)  # the caller reports a wrong number of dimensions


def _plain(array: NDArray[Any]) -> Any:
    """Convert scalars to Python's types and records to dicts; arrays stay."""
    if array.dtype.names:
        return {name: _plain(array[name]) for name in array.dtype.names}
    return array.item() if array.ndim == 0 else array
