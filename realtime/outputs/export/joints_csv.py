"""Joint positions as comma-separated values: a header, then one line a frame; seconds and metres, Y up."""

from __future__ import annotations

from engine.skeleton import JOINT_NAMES
from realtime.outputs.session import Session


def csv_text(session: Session) -> str:
    """Columns time_s, valid (0 or 1), confidence, then x, y, z of the 24 joints, to a micrometre."""
    columns = ["time_s", "valid", "confidence", *(f"{name}_{axis}" for name in JOINT_NAMES for axis in "xyz")]
    lines = [",".join(columns)]
    for k in range(len(session.joints)):
        numbers = ",".join(f"{value:.6f}" for value in session.joints[k].ravel().tolist())
        lines.append(f"{session.timestamps[k]:.6f},{int(session.valid[k])},{session.confidence[k]:.3f},{numbers}")
    return "\n".join(lines) + "\n"
