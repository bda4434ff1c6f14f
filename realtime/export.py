"""`python -m realtime.export SESSION.npz OUT`: a session in the format that OUT's ending names."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.command import command
from realtime.outputs.export import FORMATS, ExportError, export
from realtime.outputs.recording.session import open_session


@command("realtime.export")
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m realtime.export", description=__doc__)
    parser.add_argument("session", type=Path, help="a session file (.npz)")
    parser.add_argument("out", type=Path, help=f"where to write: {', '.join(FORMATS)}")
    parser.add_argument("--body", default="open", help="the body's file, for a session that has not the shipped one")
    parser.add_argument("--smpl", type=Path, metavar="FILE", help="your SMPL model: an AMASS .npz then has its betas")
    parser.add_argument("--blender", metavar="PROGRAM", help="Blender, or a Python that has bpy: writes .fbx")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT if it is there")
    options = parser.parse_args(arguments)
    if options.out.exists() and options.out.samefile(options.session):
        raise ExportError(f"{options.out} is the session itself: name another file")
    if options.out.exists() and not options.overwrite:
        raise ExportError(f"{options.out} exists already: name another file, or say --overwrite")
    if options.smpl is not None and options.out.suffix.lower() != ".npz":
        raise ExportError(f"--smpl is for AMASS files: end {options.out} in .npz, or leave it out")
    session = open_session(options.session)
    body = export(session, options.out, body_spec=options.body, smpl_file=options.smpl, blender_program=options.blender)
    print(f"wrote {options.out}: {session.frames} frames at {session.mocap_framerate:.0f} Hz; body: {body}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
