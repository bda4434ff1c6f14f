"""The laboratory's axes: X forward, Y up, Z to the right (Wu and Cavanagh 1995), as OpenSim's models have them.

Forward is where a body faces at identity: +Z of the world here, towards a level camera.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from realtime.outputs.export.motion import posed_joints
from realtime.outputs.recording.session import SessionHead

R_lab_world = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])


def joints_in_lab(session: SessionHead) -> Iterator[NDArray[np.float64]]:
    """Yield blocks of joint centres (B, J, 3) in metres, SMPL's and the fingers'; NaN where nobody was seen."""
    for trans, poses, valid in session.blocks("trans", "poses", "valid"):
        joints = posed_joints(session, trans, poses) @ R_lab_world.T
        joints[~valid] = np.nan
        yield joints
