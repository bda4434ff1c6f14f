"""Joint positions as comma-separated values: a header, then one line a frame; seconds and metres, Y up."""

from __future__ import annotations

from collections.abc import Iterator

from engine.skeleton import JOINT_NAMES
from realtime.outputs.session import SessionHead


def csv_parts(session: SessionHead) -> Iterator[str]:
    """Columns time_s, valid (0 or 1), confidence, then x, y, z of the 24 joints, to a micrometre; piece by piece."""
    columns = ["time_s", "valid", "confidence", *(f"{name}_{axis}" for name in JOINT_NAMES for axis in "xyz")]
    yield ",".join(columns) + "\n"
    for rows in session.blocks("timestamps", "valid", "confidence", "joints"):
        yield "".join(_line(*row) for row in zip(*(column.tolist() for column in rows), strict=True))


def _line(time_s: float, valid: bool, confidence: float, joints: list[list[float]]) -> str:
    numbers = ",".join(f"{value:.6f}" for joint in joints for value in joint)
    return f"{time_s:.6f},{int(valid)},{confidence:.3f},{numbers}\n"
