"""Session files as other programs want them: .bvh, .csv, AMASS .npz, .glb; .usd by OpenUSD, .fbx by Blender."""

from __future__ import annotations

from pathlib import Path

from realtime.errors import UserError
from realtime.outputs.session import Session

FORMATS = (".bvh", ".csv", ".npz", ".glb", ".fbx", ".usd", ".usda", ".usdc")


class ExportError(UserError):
    """A session that cannot be written as asked."""


def export(session: Session, out: Path, *, body_spec: str | Path = "open", blender_program: str | None = None) -> None:
    """Write `session` to `out` in the format that its ending names, replacing a file of that name.

    body_spec: the body that was recorded ('open' or a file), for the formats that carry a mesh. blender_program: the
    Blender that writes .fbx; None looks for one. Raises UserError, one line, for an unknown ending, the wrong body, a
    format whose writer is not installed.
    """
    try:
        _write(session, out, body_spec, blender_program)
    except OSError as error:
        raise ExportError(f"cannot write {out}: {error.strerror or error}") from error


def _write(session: Session, out: Path, body_spec: str | Path, blender_program: str | None) -> None:
    match out.suffix.lower():
        case ".bvh":
            from realtime.outputs.export.bvh import bvh_text

            out.write_text(bvh_text(session), encoding="ascii")
        case ".csv":
            from realtime.outputs.export.joints_csv import csv_text

            out.write_text(csv_text(session), encoding="ascii", newline="")
        case ".npz":
            from realtime.outputs.export.amass import write_amass

            write_amass(session, out)
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
