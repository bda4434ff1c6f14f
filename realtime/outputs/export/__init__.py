"""Registry of the formats that a session exports to. A format's module is imported on request only.

A module has `write(session, out, options)`, which replaces `out` atomically. It returns a description of the file's
body if that is not the session's own. docs/recipes.md shows how to add one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from engine.errors import UserError
from engine.files.whole_file import whole_file
from realtime.outputs.recording.session import SessionHead

FORMATS = {  # endings of files, and the modules that write them; the longer of two goes first
    ".bvh": "realtime.outputs.export.bvh",
    ".angles.csv": "realtime.outputs.export.laboratory.angles_csv",
    ".csv": "realtime.outputs.export.joints_csv",
    ".mot": "realtime.outputs.export.laboratory.mot",
    ".trc": "realtime.outputs.export.laboratory.trc",
    ".c3d": "realtime.outputs.export.laboratory.c3d_file",
    ".npz": "realtime.outputs.export.amass",
    ".glb": "realtime.outputs.export.glb",
    ".vrma": "realtime.outputs.export.vrma",
    ".fbx": "realtime.outputs.export.blender",
    ".usd": "realtime.outputs.export.usd",
    ".usda": "realtime.outputs.export.usd",
    ".usdc": "realtime.outputs.export.usd",
    ".rrd": "realtime.outputs.rerun.rrd_export",
}


class ExportError(UserError):
    """Session that cannot be exported as requested."""


@dataclass(frozen=True)
class ExportOptions:
    """The user's files and programs, for the formats that need them."""

    body: str | Path = "open"  # of the recording, for a format with a mesh: 'open' or a file
    smpl: Path | None = None  # SMPL's file that an AMASS .npz fits; None: SMPL's mean body
    blender: str | None = None  # the program that writes .fbx; None: search for one


def export(session: SessionHead, out: Path, options: ExportOptions | None = None) -> str:
    """Write `session` to `out` in the format of its ending, atomically.

    A session from `open_session` is read in blocks: all formats but .fbx, .usda and .c3d need little memory. Returns a
    description of the file's body. Raises UserError, one line, for an unknown ending, the wrong body, or a format whose
    writer is not installed.
    """
    ending = next((ending for ending in FORMATS if out.name.lower().endswith(ending)), None)
    if ending is None:
        raise ExportError(f"cannot write {out}: end its name in one of {', '.join(FORMATS)}")
    try:
        body: str | None = import_module(FORMATS[ending]).write(session, out, options or ExportOptions())
    except OSError as error:
        raise ExportError(f"cannot write {out}: {error.strerror or error}") from error
    return body or str(session.body["name"])


def write_text(parts: Iterable[str], out: Path) -> None:
    """Write pieces of ASCII text, replacing `out` atomically. Raises OSError."""
    with whole_file(out) as file:
        for part in parts:
            file.write(part.encode("ascii"))
