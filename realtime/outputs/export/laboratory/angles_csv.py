"""Writes joint angles as comma-separated values: a header, then one line a frame; seconds and degrees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from realtime.outputs.export import ExportOptions, write_text
from realtime.outputs.export.laboratory.joint_angles import ANGLE_NAMES, joint_angles_deg
from realtime.outputs.recording.session import SessionHead


def write(session: SessionHead, out: Path, options: ExportOptions) -> None:
    """Write a .csv of angles. Raises OSError."""
    write_text(angles_csv_parts(session), out)


def angles_csv_parts(session: SessionHead) -> Iterator[str]:
    """Yield columns time_s, valid (0 or 1), confidence, then the angles of `ANGLE_NAMES`, piece by piece."""
    yield ",".join(("time_s", "valid", "confidence", *ANGLE_NAMES)) + "\n"
    rows = session.blocks("timestamps", "valid", "confidence")
    for angles, (times, valid, confidence) in zip(joint_angles_deg(session), rows, strict=True):
        for row in zip(times.tolist(), valid.tolist(), confidence.tolist(), angles.tolist(), strict=True):
            time_s, is_valid, certain, turns = row
            numbers = ",".join(f"{angle:.4f}" for angle in turns)
            yield f"{time_s:.6f},{is_valid:d},{certain:.3f},{numbers}\n"
