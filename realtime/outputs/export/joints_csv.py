"""Writes joint positions as comma-separated values: a header, then one line a frame; seconds and metres, Y up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.body.skeleton import CONTACT_NAMES, JOINT_NAMES
from realtime.outputs.export import ExportOptions, write_text
from realtime.outputs.recording.session import SessionHead


def write(session: SessionHead, out: Path, options: ExportOptions) -> None:
    """Write a .csv. Raises OSError."""
    write_text(csv_parts(session), out)


def csv_parts(session: SessionHead) -> Iterator[str]:
    """Yield columns time_s, valid (0 or 1), confidence, then x, y, z of the 24 joints, to a micrometre; piece by piece.

    Last come the contacts of heels and toes, 0..1, if the session has them.
    """
    columns = ["time_s", "valid", "confidence", *(f"{name}_{axis}" for name in JOINT_NAMES for axis in "xyz")]
    keys = ["timestamps", "valid", "confidence", "joints"]
    if session.has_contacts:
        columns += [f"{name}_contact" for name in CONTACT_NAMES]
        keys.append("contacts")
    yield ",".join(columns) + "\n"
    for rows in session.blocks(*keys):
        yield "".join(_line(*row) for row in zip(*(column.tolist() for column in rows), strict=True))


def _line(
    time_s: float, valid: bool, confidence: float, joints: list[list[float]], contacts: Sequence[float] = ()
) -> str:
    numbers = [f"{value:.6f}" for joint in joints for value in joint] + [f"{contact:.3f}" for contact in contacts]
    return f"{time_s:.6f},{int(valid)},{confidence:.3f},{','.join(numbers)}\n"
