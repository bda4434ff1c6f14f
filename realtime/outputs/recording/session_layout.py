"""Defines the keys of a session file, their types and shapes, and checks files (docs/session-format.md)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError
from engine.files.npz_file import NpzFile

FORMAT = "tokenmocap-session"
VERSION = 1
AMASS_JOINTS = 52  # SMPL-H: the root, 21 body joints, 30 finger joints
AMASS_BETAS = 16
SMPLH_BODY_JOINTS = 22  # joints that SMPL's 24 share with SMPL-H

BODY_DTYPE = np.dtype([("name", "U64"), ("sha256", "U64"), ("stature_m", "f8")])
_FIRST_CAMERA = [("fov", "f8"), ("size", "i4", (2,)), ("pitch", "f8"), ("height", "f8")]
CAMERA_DTYPE = np.dtype([*_FIRST_CAMERA, ("roll", "f8"), ("source", "U8"), ("doubt", "f8")])

# Every key with its dtype and shape; N frames of the uniform rate, M source frames of the person, T tokens.
LAYOUT: dict[str, tuple[Any, tuple[int | str, ...]]] = {
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
LATER: dict[str, tuple[Any, tuple[int | str, ...]]] = {
    "start_s": ("f8", ()),
    "joint_confidence": ("f4", ("N", 24)),
    "contacts": ("f4", ("N", 4)),
    "smoothing_lag_s": ("f8", ()),
    "scale": ("f8", ()),
    "rest_fingers": ("f8", (30, 3)),
    "hand_confidence": ("f4", ("N", 2)),
    "face_names": ("U", (52,)),
    "face_blendshapes": ("f4", ("N", 52)),
    "face_confidence": ("f4", ("N",)),
    "gaze": ("f4", ("N", 2)),
    "raw_hands": ("f4", ("M", 2, 15, 4)),
    "raw_hand_confidence": ("f4", ("M", 2)),
}
FARTHEST = 1e6  # limit of any number of a frame: metres, radians, seconds
_LONGEST_TEXT = 1 << 20  # characters
_MOST_TIMES = 100  # times the file's size: limit of unknown members when decompressed


class SessionError(UserError):
    """File that is no readable session."""


def text(path: Path, file: NpzFile, key: str) -> str:
    """Read one key as text. Raises SessionError."""
    header = file.header(key)
    if header.dtype.kind != "U" or header.shape != () or header.nbytes > 4 * _LONGEST_TEXT:
        raise SessionError(f"{path} is damaged: '{key}' is no text")
    return str(file.read(key))


def check_unknown(path: Path, file: NpzFile) -> None:
    """Accept keys of a later version, except members that decompress to many times the file's size."""
    unknown = {key: size for key, size in file.unpacked_bytes.items() if key not in LAYOUT | LATER}
    if sum(unknown.values()) > _MOST_TIMES * path.stat().st_size:
        largest = max(unknown, key=unknown.__getitem__)
        raise SessionError(f"{path} is not a session file: '{largest}' unpacks to {unknown[largest] / 1e6:.0f} MB")


def check_layout(path: Path, file: NpzFile) -> dict[str, int]:
    """Check types and shapes of all keys by their headers; return the values of N, M and T."""
    sizes: dict[str, int] = {}
    for key, (dtype, shape) in (LAYOUT | LATER).items():
        if key not in file and key in LATER:
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


def check_rows(path: Path, rows: dict[str, NDArray[Any]]) -> None:
    """Refuse resampled rows with impossible values; raw ones are unrestricted estimates."""
    for key, block in rows.items():
        if block.dtype.kind == "f" and not key.startswith("raw_") and not (np.abs(block) < FARTHEST).all():
            raise SessionError(f"{path} is damaged: '{key}' holds numbers that are not finite")
        if key == "timestamps" and (np.diff(block) <= 0).any():
            raise SessionError(f"{path} is damaged: its timestamps do not ascend")


def _is_one_of(dtype: np.dtype[Any], wanted: Any) -> bool:
    """Return whether it is the dtype of a key, or one of those of its versions."""
    return any(dtype == np.dtype(kind) for kind in (wanted if isinstance(wanted, tuple) else (wanted,)))


def _zipped(shape: tuple[int | str, ...], actual: tuple[int, ...]) -> Iterator[tuple[int | str, int]]:
    return zip(shape, actual, strict=False)  # the caller reports a wrong number of dimensions
