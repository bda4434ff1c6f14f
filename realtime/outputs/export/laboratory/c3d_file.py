"""Writes joint centres as C3D with ezc3d: millimetres, the residual -1 where nobody was seen (c3d.org)."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from engine.files.whole_file import whole_file
from realtime.outputs.export import ExportError, ExportOptions
from realtime.outputs.export.laboratory.axes import joints_in_lab
from realtime.outputs.export.motion import exported_skeleton
from realtime.outputs.recording.session import SessionHead

MOST_FRAMES = 65_535  # the header counts them in 16 bits
_MM = 1000.0
_BLOCK_BYTES, _POINT_BYTES = 512, 16


def write(session: SessionHead, out: Path, options: ExportOptions) -> None:
    """Write a .c3d. Raises ExportError for a session that is too long, or without ezc3d; OSError."""
    try:
        import ezc3d
    except ImportError as error:
        raise ExportError("writing .c3d needs ezc3d: pip install ezc3d; or export .trc") from error
    if session.frames > MOST_FRAMES:
        raise ExportError(
            f"{session.frames} frames are more than a .c3d holds ({MOST_FRAMES}): cut the session, or write .trc"
        )
    names = exported_skeleton(session).names
    joints_mm = _MM * np.concatenate(list(joints_in_lab(session)))  # (N, J, 3)
    points = np.ones((4, len(names), session.frames))
    points[:3] = joints_mm.transpose(2, 1, 0)
    missing = np.isnan(points[:1])
    document = ezc3d.c3d()
    point = document["parameters"]["POINT"]
    point["RATE"]["value"] = [session.mocap_framerate]
    point["LABELS"]["value"] = list(names)
    point["DESCRIPTIONS"]["value"] = ["joint centre"] * len(names)
    point["UNITS"]["value"] = ["mm"]
    document.add_parameter("POINT", "X_SCREEN", ["+X"])
    document.add_parameter("POINT", "Y_SCREEN", ["+Y"])
    document.add_parameter("MANUFACTURER", "SOFTWARE", ["tokenmocap"])
    document["data"]["points"] = np.where(missing, 0.0, points)
    document["data"]["meta_points"]["residuals"] = np.where(missing, -1.0, 0.0)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "session.c3d"
        document.write(str(made))
        _check_whole(made, session.frames * len(names))
        with whole_file(out) as file, made.open("rb") as source:
            shutil.copyfileobj(source, file)


def _check_whole(made: Path, points: int) -> None:
    """Raise OSError for a file that the disk had no room for: ezc3d ends without an error then."""
    with made.open("rb") as file:
        head = file.read(_BLOCK_BYTES)
    data_block = int.from_bytes(head[16:18], "little")  # counts from 1
    if made.stat().st_size < (data_block - 1) * _BLOCK_BYTES + points * _POINT_BYTES or not data_block:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
