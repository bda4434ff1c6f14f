"""Reads and writes session files: AMASS's keys and ours in one .npz, no pickled objects (docs/session-format.md).

It is written in blocks, so a long session never fills memory. It is replaced atomically: a reader sees the old file or
the whole new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.files.npz_file import NpzError, NpzFile
from realtime.outputs.recording.session_layout import (
    FARTHEST,
    FORMAT,
    LATER,
    LAYOUT,
    VERSION,
    SessionError,
    check_layout,
    check_rows,
    check_unknown,
    text,
)

_BLOCK = 2048  # frames in memory at a time


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
    # (30, 3) finger joints of the T-pose, left hand first, as `rest_joints`; None: not known
    rest_fingers: NDArray[np.float64] | None = None
    face_names: NDArray[np.str_] | None = None  # (52,) of the columns of `face_blendshapes`; None: no faces

    @property
    def frames(self) -> int:
        """Number N of frames at `mocap_framerate`."""
        raise NotImplementedError

    def has(self, key: str) -> bool:
        """Return whether an optional key was recorded."""
        raise NotImplementedError

    @property
    def has_contacts(self) -> bool:
        """Return whether `contacts` were recorded; older files have none."""
        return self.has("contacts")

    @property
    def has_hands(self) -> bool:
        """Return whether hands were looked for, and `poses` has fingers."""
        return self.has("hand_confidence")

    @property
    def has_face(self) -> bool:
        """Return whether faces were looked for."""
        return self.has("face_blendshapes")

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

    poses: NDArray[np.float64]  # (N, 156) axis-angle of SMPL-H's 52 joints; fingers are zero without hands
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
    # Of hands, left and right; None: they were not looked for.
    hand_confidence: NDArray[np.float32] | None = None  # (N, 2) 0..1
    raw_hands: NDArray[np.float32] | None = None  # (M, 2, 15, 4) of the latest measurement alone
    raw_hand_confidence: NDArray[np.float32] | None = None  # (M, 2)
    # Of the face; None: it was not looked for.
    face_blendshapes: NDArray[np.float32] | None = None  # (N, 52) 0..1
    face_confidence: NDArray[np.float32] | None = None  # (N,) 0..1
    gaze: NDArray[np.float32] | None = None  # (N, 2) radians, yaw to the person's left and pitch up

    @property
    def frames(self) -> int:
        return len(self.poses)

    def has(self, key: str) -> bool:
        return getattr(self, key, None) is not None

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

    def has(self, key: str) -> bool:
        return key in self.keys

    def blocks(self, *keys: str) -> Iterator[tuple[NDArray[Any], ...]]:
        with _reading(self.path) as file:
            for rows in zip(*(file.blocks(key, _BLOCK) for key in keys), strict=True):
                check_rows(self.path, dict(zip(keys, rows, strict=True)))
                yield rows


def open_session(path: Path | str) -> SessionFile:
    """Check a session file and read everything but its frames. Raises SessionError, one line, if it is none."""
    path = Path(path)
    with _reading(path) as file:
        if "format" not in file or text(path, file, "format") != FORMAT:
            raise SessionError(f"{path} is not a session of this program: its 'format' is not '{FORMAT}'")
        if "version" in file and file.header("version").dtype.kind in "iu" and file.header("version").shape == ():
            version = int(file.read("version"))
            if version > VERSION:
                raise SessionError(
                    f"{path} was written by a newer version (format {version}, known: {VERSION}): update first"
                )
        check_unknown(path, file)
        sizes = check_layout(path, file)
        names = [field.name for field in fields(SessionHead) if field.name in file]
        head = {name: _plain(file.read(name)) for name in names}
        keys = frozenset(key for key in (*LAYOUT, *LATER) if key in file)
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
    check_rows(opened.path, rows)
    return Session(**head, **rows)


def recording_of(path: Path) -> str | None:
    """Read only the `recording` of a session file; None if it is no session."""
    try:
        with _reading(path) as file:
            return text(path, file, "recording")
    except SessionError:
        return None


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


def _check_head(path: Path, head: SessionFile) -> None:
    """Refuse values that no recording can have."""
    if head.frames == 0:
        raise SessionError(f"{path} holds no frames: nothing was recorded")
    for rate in (head.mocap_framerate, head.mocap_frame_rate):
        if not (rate >= 1 and rate == round(rate)):
            raise SessionError(f"{path} is damaged: its frame rate is {rate}, not a whole number above 0")
    numbers = [*head.betas, *head.rest_joints.ravel(), head.body["stature_m"], head.start_s, head.scale]
    numbers += [] if head.rest_fingers is None else [*head.rest_fingers.ravel()]
    if not (np.abs(numbers) < FARTHEST).all() or head.scale <= 0:
        raise SessionError(f"{path} is damaged: its body or its start is of numbers that cannot be")


def _plain(array: NDArray[Any]) -> Any:
    """Convert scalars to Python's types and records to dicts; arrays stay."""
    if array.dtype.names:
        return {name: _plain(array[name]) for name in array.dtype.names}
    return array.item() if array.ndim == 0 else array
