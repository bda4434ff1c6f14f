"""Session files as other programs want them: .bvh, .csv, AMASS .npz, .glb; .usd by OpenUSD, .fbx by Blender."""

from __future__ import annotations

from pathlib import Path

from realtime.errors import UserError
from realtime.outputs.session import Session

FORMATS = (".bvh", ".csv", ".npz", ".glb", ".fbx", ".usd", ".usda", ".usdc")


class ExportError(UserError):
    """A session that cannot be written as asked."""


def export(
    session: Session,
    out: Path,
    *,
    body_spec: str | Path = "open",
    smpl_file: Path | None = None,
    blender_program: str | None = None,
) -> str:
    """Write `session` to `out` in the format that its ending names, replacing a file of that name.

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
    session: Session, out: Path, body_spec: str | Path, smpl_file: Path | None, blender_program: str | None
) -> str:
    match out.suffix.lower():
        case ".bvh":
            from realtime.outputs.export.bvh import bvh_text

            out.write_text(bvh_text(session), encoding="ascii")
        case ".csv":
            from realtime.outputs.export.joints_csv import csv_text

            out.write_text(csv_text(session), encoding="ascii", newline="")
        case ".npz":
            from realtime.outputs.export.amass import write_amass
            from realtime.outputs.export.smpl_shape import smpl_shape

            shape = smpl_shape(session, smpl_file)
            write_amass(session, shape, out)
            return shape.body
        case ".glb" | ".fbx" as suffix:
            from realtime.outputs.export.glb import glb_bytes
            from realtime.outputs.export.shape import standing_body

            glb = glb_bytes(session, standing_body(session, body_spec))
            if suffix == ".glb":
                out.write_bytes(glb)
            else:
                from realtime.outputs.export.blender import through_blender

                through_blender(glb, session, out, blender_program)
        case ".usd" | ".usda" | ".usdc":
            from realtime.outputs.export.shape import standing_body
            from realtime.outputs.export.usd import write_usd

            write_usd(session, standing_body(session, body_spec), out)
        case _:
            raise ExportError(f"cannot write {out}: end its name in one of {', '.join(FORMATS)}")
    return str(session.body["name"])
