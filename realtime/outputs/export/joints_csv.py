"""Writes joint positions as comma-separated values: a header, then one line a frame; seconds and metres, Y up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from engine.body.skeleton import CONTACT_NAMES, JOINT_NAMES, SIDES, SMPL
from realtime.outputs.export import ExportOptions, write_text
from realtime.outputs.export.motion import exported_skeleton, posed_joints
from realtime.outputs.finger_bones import FINGER_NAMES
from realtime.outputs.recording.session import SessionHead


@dataclass(frozen=True)
class _Columns:
    """Columns of one kind: their names, the session's keys that they need, their values (B, ...), and their format."""

    names: tuple[str, ...]
    keys: tuple[str, ...]
    values: Callable[..., NDArray[Any]]
    written: str


def write(session: SessionHead, out: Path, options: ExportOptions) -> None:
    """Write a .csv. Raises OSError."""
    write_text(csv_parts(session), out)


def csv_parts(session: SessionHead) -> Iterator[str]:
    """Yield columns time_s, valid (0 or 1), confidence, then x, y, z of the 24 joints, to a micrometre; piece by piece.

    If the session has them, these follow: contacts of heels and toes, 0..1. Confidence of the hands, and x, y, z of the
    finger joints. Confidence of the face, its coefficients, and its gaze in radians.
    """
    columns = list(_columns(session))
    yield ",".join(name for each in columns for name in each.names) + "\n"
    keys = tuple(dict.fromkeys(key for each in columns for key in each.keys))
    for rows in session.blocks(*keys):
        block = dict(zip(keys, rows, strict=True))
        values = [each.values(*(block[key] for key in each.keys)).reshape(len(rows[0]), -1) for each in columns]
        written = [each.written for each in columns for _ in each.names]
        for row in zip(*(part.tolist() for part in values), strict=True):
            numbers = (number for part in row for number in part)
            yield ",".join(format(number, how) for number, how in zip(numbers, written, strict=True)) + "\n"


def _columns(session: SessionHead) -> Iterator[_Columns]:
    def as_it_is(names: tuple[str, ...], key: str, written: str) -> _Columns:
        return _Columns(names, (key,), lambda values: values, written)

    def fingers(trans: NDArray[Any], poses: NDArray[Any]) -> NDArray[Any]:
        return posed_joints(session, trans, poses)[:, len(SMPL) :]

    yield as_it_is(("time_s",), "timestamps", ".6f")
    yield as_it_is(("valid",), "valid", "d")
    yield as_it_is(("confidence",), "confidence", ".3f")
    yield as_it_is(_xyz(JOINT_NAMES), "joints", ".6f")
    if session.has_contacts:
        yield as_it_is(tuple(f"{name}_contact" for name in CONTACT_NAMES), "contacts", ".3f")
    if session.has_hands:
        yield as_it_is(tuple(f"{side}_hand_confidence" for side in SIDES), "hand_confidence", ".3f")
    if exported_skeleton(session) is not SMPL:
        yield _Columns(_xyz(FINGER_NAMES), ("trans", "poses"), fingers, ".6f")
    if session.has_face and session.face_names is not None:
        yield as_it_is(("face_confidence",), "face_confidence", ".3f")
        yield as_it_is(tuple(session.face_names.tolist()), "face_blendshapes", ".3f")
        yield as_it_is(("gaze_yaw", "gaze_pitch"), "gaze", ".4f")


def _xyz(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{name}_{axis}" for name in names for axis in "xyz")
