"""Session files as other programs want them: .bvh, .csv, AMASS .npz, .glb; .usd by OpenUSD, .fbx by Blender."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.errors import UserError
from engine.files.whole_file import whole_file
from realtime.outputs.recording.session import SessionHead

FORMATS = (".bvh", ".csv", ".npz", ".glb", ".fbx", ".usd", ".usda", ".usdc")


class ExportError(UserError):
    """A session that cannot be written as asked."""


def export(
    session: SessionHead,
    out: Path,
    *,
    body_spec: str | Path = "open",
    smpl_file: Path | None = None,
    blender_program: str | None = None,
) -> str:
    """Write `session` to `out` in the format that its ending names, replacing a file of that name once it is whole.

    A session from `open_session` is read block by block: all formats but .fbx and .usda take little memory.
    body_spec: the body that was recorded ('open' or a file), for the formats that carry a mesh. smpl_file: the SMPL
    body that an AMASS .npz is to fit; None: SMPL's mean body. blender_program: the Blender that writes .fbx; None looks
    for one. Returns the body that the file is for, in words. Raises UserError, one line, for an unknown ending, the
    wrong body, a format whose writer is not installed.
    """
    try:
        return _write(session, out, body_spec, smpl_file, blender_program)
    except OSError as error:
        raise ExportError(f"cannot write {out}: {error.strerror or error}") from error


def _write(
    session: SessionHead, out: Path, body_spec: str | Path, smpl_file: Path | None, blender_program: str | None
) -> str:
    match out.suffix.lower():
        case ".bvh":
            from realtime.outputs.export.bvh import bvh_parts

            _write_text(bvh_parts(session), out)
        case ".csv":
            from realtime.outputs.export.joints_csv import csv_parts

            _write_text(csv_parts(session), out)
        case ".npz":
            from realtime.outputs.export.amass import write_amass
            from realtime.outputs.export.smpl_shape import smpl_shape

            shape = smpl_shape(session, smpl_file)
            write_amass(session, shape, out)
            return shape.body
        case ".glb":
            from realtime.outputs.export.glb import write_glb
            from realtime.outputs.export.shape import standing_body

            with whole_file(out) as file:
                write_glb(session, standing_body(session, body_spec), file)
        case ".fbx":
            from realtime.outputs.export.blender import through_blender
            from realtime.outputs.export.shape import standing_body

            through_blender(session, standing_body(session, body_spec), out, blender_program)
        case ".usd" | ".usda" | ".usdc":
            from realtime.outputs.export.shape import standing_body
            from realtime.outputs.export.usd import write_usd

            write_usd(session, standing_body(session, body_spec), out)
        case _:
            raise ExportError(f"cannot write {out}: end its name in one of {', '.join(FORMATS)}")
    return str(session.body["name"])


def _write_text(parts: Iterable[str], out: Path) -> None:
    with whole_file(out) as file:
        for part in parts:
            file.write(part.encode("ascii"))
