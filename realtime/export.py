"""Converts a session to the format of OUT's suffix: `python -m realtime.export SESSION.npz OUT`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from engine.flags import command_line
from realtime.outputs.export import FORMATS, ExportError, ExportOptions, export
from realtime.outputs.recording.session import open_session


@command_line("realtime.export")
def main(
    session: Annotated[Path, Parameter(help="a session file (.npz)")],
    out: Annotated[Path, Parameter(help=f"where to write: {', '.join(FORMATS)}")],
    /,
    *,
    body: Annotated[str, Parameter(metavar="FILE", help="of a session that has not the shipped one")] = "open",
    smpl: Annotated[
        Path | None, Parameter(metavar="FILE", help="your SMPL model: an AMASS .npz then has its betas")
    ] = None,
    blender: Annotated[
        str | None, Parameter(metavar="PROGRAM", help="Blender, or a Python that has bpy: writes .fbx")
    ] = None,
    overwrite: Annotated[bool, Parameter(help="replace OUT if it is there")] = False,
) -> int:
    """A session in the format that OUT's ending names."""
    if out.exists() and out.samefile(session):
        raise ExportError(f"{out} is the session itself: name another file")
    if out.exists() and not overwrite:
        raise ExportError(f"{out} exists already: name another file, or say --overwrite")
    if smpl is not None and out.suffix.lower() != ".npz":
        raise ExportError(f"--smpl is for AMASS files: end {out} in .npz, or leave it out")
    recorded = open_session(session)
    written = export(recorded, out, ExportOptions(body, smpl, blender))
    print(f"wrote {out}: {recorded.frames} frames at {recorded.mocap_framerate:.0f} Hz; body: {written}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
