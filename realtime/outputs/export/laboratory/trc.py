"""Writes joint centres as track, row, column (.trc), as Pose2Sim writes markers and OpenSim reads them; metres.

Cells of a frame without the person are nan, as OpenSim writes what is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from realtime.outputs.export import ExportOptions, write_text
from realtime.outputs.export.laboratory.axes import joints_in_lab
from realtime.outputs.export.motion import exported_skeleton
from realtime.outputs.recording.session import SessionHead

_KEYS = "DataRate CameraRate NumFrames NumMarkers Units OrigDataRate OrigDataStartFrame OrigNumFrames"


def write(session: SessionHead, out: Path, options: ExportOptions) -> None:
    """Write a .trc. Raises OSError."""
    write_text(trc_parts(session, out.name), out)


def trc_parts(session: SessionHead, name: str) -> Iterator[str]:
    """Yield the session as the .trc `name`, in pieces: five lines of header, an empty one, then a line a frame."""
    names, rate = exported_skeleton(session).names, round(session.mocap_framerate)
    values = (rate, rate, session.frames, len(names), "m", rate, 1, session.frames)
    header = (
        ("PathFileType", "4", "(X/Y/Z)", re.sub(r"[^ -~]", "_", name)),
        _KEYS.split(),
        (str(value) for value in values),
        ("Frame#", "Time", *(cell for name in names for cell in (name, "", "")), ""),
        ("", "", *(f"{axis}{number}" for number in range(1, len(names) + 1) for axis in "XYZ"), ""),
    )
    yield "".join("\t".join(line) + "\n" for line in header) + "\n"
    frame = 0
    for block in joints_in_lab(session):
        for row in block.reshape(len(block), -1).tolist():
            places = (f"{place:.6f}" for place in row)  # OpenSim drops an empty cell at the end of a line
            yield f"{frame + 1}\t{frame / rate:.9f}\t" + "\t".join(places) + "\n"
            frame += 1
