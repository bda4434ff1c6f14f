"""Writes FBX through Blender, the only program that writes it well: a .glb goes in, the .fbx comes out.

It runs in a subprocess, because bpy needs another NumPy and so is seldom in the same environment.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from realtime.outputs.export import ExportError, ExportOptions
from realtime.outputs.export.glb import write_glb
from realtime.outputs.export.shape import standing_body
from realtime.outputs.recording.session import SessionHead

_SCRIPT = Path(__file__).with_name("blender_script.py")


def blender_command(program: str | None = None) -> list[str] | None:
    """Return the command that runs a script in Blender: `program`, Blender or a Python with bpy, or a found one.

    The search tries bpy in this environment, then `blender` on the PATH; None without either.
    """
    if program is None:
        program = sys.executable if importlib.util.find_spec("bpy") is not None else shutil.which("blender")
    if program is None:
        return None
    if Path(program).stem.lower().startswith("python"):
        return [program]
    return [program, "--background", "--factory-startup", "--python-exit-code", "1", "--python"]


def write(session: SessionHead, out: Path, options: ExportOptions) -> None:
    """Write an .fbx. Raises ExportError where there is no Blender, or it failed; BodyFileError, OSError."""
    body = standing_body(session, options.body)
    command = blender_command(options.blender)
    if command is None:
        raise ExportError(
            "writing .fbx needs Blender: install it, or name it or a Python that has bpy with --blender; "
            "or export .glb, which Blender opens"
        )
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "session.glb", Path(folder) / "session.fbx"
        with source.open("wb") as file:
            write_glb(session, body, file)
        values = [str(source), str(made), str(round(session.mocap_framerate)), str(session.frames)]
        try:
            done = subprocess.run([*command, str(_SCRIPT), "--", *values], capture_output=True, text=True, check=False)
        except OSError as error:
            raise ExportError(f"cannot run {command[0]}: {error.strerror}; name Blender with --blender") from error
        if done.returncode != 0 or not made.exists():
            last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
            raise ExportError(f"Blender ({command[0]}) could not write .fbx: {last}")
        shutil.copyfile(made, out)
