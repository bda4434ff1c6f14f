"""The session file: AMASS's keys and ours in one .npz, without pickled objects (docs/session-format.md).

Written member by member from blocks, so a long session never lies in memory as a whole, and into place in one step:
a reader sees either the old file or the whole new one.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.errors import UserError

FORMAT = "tokenmocap-session"
VERSION = 1
AMASS_JOINTS = 52  # SMPL-H: the root, 21 body joints, 30 finger joints
AMASS_BETAS = 16
SMPLH_BODY_JOINTS = 22  # the part of SMPL's 24 joints that SMPL-H shares

BODY_DTYPE = np.dtype([("name", "U64"), ("sha256", "U64"), ("stature_m", "f8")])
CAMERA_DTYPE = np.dtype([("fov", "f8"), ("size", "i4", (2,)), ("pitch", "f8"), ("height", "f8")])

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
    "camera": (CAMERA_DTYPE, ()),
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
# Keys that came later: files of before lack them, and are read as they are.
_LATER: dict[str, tuple[Any, tuple[int | str, ...]]] = {
    "start_s": ("f8", ()),
    "joint_confidence": ("f4", ("N", 24)),
}


class SessionError(UserError):
    """A file that cannot be read as a session."""


@dataclass(frozen=True)
class Session:
    """A session file, read. Metres, seconds, radians; world with Y up (docs/conventions.md).

    The resampled part (N rows at `mocap_framerate`) speaks SMPL's language: `trans` is the pelvis joint less its place
    at rest, `rest_joints[0]`. The raw part (M rows, one a source frame in which the person was followed) holds the
    estimates as they were made: `raw_trans` is the pelvis joint itself.
    """

    poses: NDArray[np.float64]  # (N, 156) axis-angle of SMPL-H's 52 joints; hands zero
    trans: NDArray[np.float64]  # (N, 3)
    betas: NDArray[np.float64]  # (16,) the first ten are the body's, the rest zero
    gender: str
    mocap_framerate: float  # Hz, whole, at least 30
    mocap_frame_rate: float  # the same, under the name that other readers look for
    format: str
    version: int
    up_axis: str
    body: dict[str, Any]  # name, sha256 of its file, stature_m of its template
    rest_joints: NDArray[np.float64]  # (24, 3) of the T-pose with these betas
    joints: NDArray[np.float32]  # (N, 24, 3)
    timestamps: NDArray[np.float64]  # (N,) from the recording's first source frame; whole multiples of 1 / rate
    valid: NDArray[np.bool_]  # (N,) False: nobody was seen, the pose is held
    confidence: NDArray[np.float32]  # (N,)
    person: int
    camera: dict[str, Any]  # fov (horizontal) and pitch in radians, size (width, height) in pixels, height in metres
    recording: str  # unlike any other recording's
    session: str  # JSON: what the program was told and which parts it used
    raw_timestamps: NDArray[np.float64]  # (M,)
    raw_seq: NDArray[np.int64]  # (M,) number of the source frame
    raw_valid: NDArray[np.bool_]  # (M,)
    raw_confidence: NDArray[np.float32]  # (M,)
    raw_rotations: NDArray[np.float32]  # (M, 24, 4) quaternions x, y, z, w
    raw_trans: NDArray[np.float32]  # (M, 3)
    raw_joints: NDArray[np.float32]  # (M, 24, 3)
    raw_tokens: NDArray[np.int16]  # (M, T)
    start_s: float = 0.0  # from the recording's first source frame to the first row: timestamps[0]
    joint_confidence: NDArray[np.float32] | None = None  # (N, 24) 0..1, how far each joint is seen; None: not recorded


@dataclass(frozen=True)
class Member:
    """One array of the file: its name, and its rows in blocks that together make `shape`."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    blocks: Iterable[NDArray[Any]]

    @classmethod
    def whole(cls, name: str, value: Any) -> Member:
        """A member small enough to be had at once."""
        array = np.asarray(value)
        return cls(name, array.dtype, array.shape, (array,))


def write_npz(path: Path, members: Iterable[Member]) -> None:
    """Write `members` to `path`, replacing it only once the new file is durable. Raises OSError, leaving no trace.

    The bytes depend on the members alone (no time of day), so the same recording always gives the same file.
    """
    temporary = path.with_name(f"{path.name}.part")
    try:
        with temporary.open("wb") as file:
            # Level 1: floats hardly shrink further, and a long session should close in seconds.
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
    """Make a new or renamed file's name durable. Windows keeps names without being asked and cannot open a folder."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def load_session(path: Path | str) -> Session:
    """Read a session file whole. Raises SessionError, one line, when it is not one, or not a whole one."""
    arrays = _read_arrays(Path(path))
    if str(arrays.get("format")) != FORMAT:
        raise SessionError(f"{path} is not a session of this program: its 'format' is not '{FORMAT}'")
    version = arrays.get("version", np.array(0))
    if version.ndim == 0 and version.dtype.kind in "iu" and version > VERSION:
        raise SessionError(f"{path} was written by a newer version (format {version}, known: {VERSION}): update first")
    _check_layout(path, arrays)
    return Session(**{field.name: _plain(arrays[field.name]) for field in fields(Session) if field.name in arrays})


def recording_of(path: Path) -> str | None:
    """The `recording` of a session file without reading the rest; None where it is not a session."""
    try:
        return str(_read_arrays(path, ("recording",))["recording"])
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


def _read_arrays(path: Path, keys: Iterable[str] | None = None) -> dict[str, NDArray[Any]]:
    """Members of an .npz, all unless told. Every way in which it can be broken becomes one line."""
    try:
        with path.open("rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as data:
            members = ((key, data[key]) for key in (data.files if keys is None else keys))
            return {key: array for key, array in members if isinstance(array, np.ndarray)}
    except FileNotFoundError as error:
        raise SessionError(f"there is no session file {path}{_journal_hint(path)}") from error
    except OSError as error:
        raise SessionError(f"cannot read {path}: {error.strerror or error}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError, NotImplementedError) as error:
        if "pickle" in str(error) and zipfile.is_zipfile(path):
            raise SessionError(f"{path} holds pickled objects, which are never loaded: not a session file") from error
        raise SessionError(f"{path} is not a session file, or is truncated or damaged{_journal_hint(path)}") from error


def _journal_hint(path: Path) -> str:
    if path.with_name(path.name + ".journal").exists():
        return f"; its journal is there: python -m realtime.recover {path}"
    return ""


def _check_layout(path: Path | str, arrays: dict[str, NDArray[Any]]) -> None:
    sizes: dict[str, int] = {}
    for key, (dtype, shape) in (_LAYOUT | _LATER).items():
        if key not in arrays and key in _LATER:
            continue
        if key not in arrays:
            raise SessionError(f"{path} is not a whole session: the key '{key}' is missing")
        array = arrays[key]
        wanted = tuple(sizes.setdefault(d, n) if isinstance(d, str) else d for d, n in _zipped(shape, array.shape))
        right_kind = array.dtype.kind == "U" if dtype == "U" else array.dtype == np.dtype(dtype)
        if array.shape != wanted or len(shape) != array.ndim or not right_kind:
            raise SessionError(f"{path} is damaged: '{key}' is {array.dtype} {array.shape}, not {dtype} {shape}")


def _zipped(shape: tuple[int | str, ...], actual: tuple[int, ...]) -> Iterator[tuple[int | str, int]]:
    return zip(shape, actual, strict=False)  # a wrong number of dimensions is told by the caller


def _plain(array: NDArray[Any]) -> Any:
    """Scalars as Python's own, records as dicts, arrays as they are."""
    if array.dtype.names:
        return {name: _plain(array[name]) for name in array.dtype.names}
    return array.item() if array.ndim == 0 else array
