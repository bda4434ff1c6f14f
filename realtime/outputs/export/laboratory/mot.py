"""Writes joint angles as OpenSim's motion file (.mot): degrees, and the pelvis joint's place in metres.

OpenSim fits splines through all rows, so frames without the person hold the last pose, as in the session.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from realtime.outputs.export import ExportOptions, write_text
from realtime.outputs.export.laboratory.axes import R_lab_world
from realtime.outputs.export.laboratory.joint_angles import ANGLE_NAMES, PELVIS, joint_angles_deg
from realtime.outputs.recording.session import SessionHead

_PLACES = ("pelvis_tx", "pelvis_ty", "pelvis_tz")
_PELVIS_ANGLES = len(PELVIS.names)  # are first; OpenSim has the places after them


def write(session: SessionHead, out: Path, options: ExportOptions) -> None:
    """Write a .mot. Raises OSError."""
    write_text(mot_parts(session), out)


def mot_parts(session: SessionHead) -> Iterator[str]:
    """Yield the header, then a line a frame: time from 0 in seconds, angles of `ANGLE_NAMES`, places."""
    columns = ("time", *ANGLE_NAMES[:_PELVIS_ANGLES], *_PLACES, *ANGLE_NAMES[_PELVIS_ANGLES:])
    size = f"nRows={session.frames}\nnColumns={len(columns)}"
    yield f"Coordinates\nversion=1\n{size}\ninDegrees=yes\n\nendheader\n" + "\t".join(columns) + "\n"
    frame = 0
    for angles, (trans,) in zip(joint_angles_deg(session), session.blocks("trans"), strict=True):
        places = (trans + session.rest_joints[0]) @ R_lab_world.T
        rows = np.concatenate([angles[:, :_PELVIS_ANGLES], places, angles[:, _PELVIS_ANGLES:]], axis=1)
        for row in rows.tolist():
            values = "\t".join(f"{value:.6f}" for value in row)
            yield f"{frame / session.mocap_framerate:.9f}\t{values}\n"
            frame += 1
