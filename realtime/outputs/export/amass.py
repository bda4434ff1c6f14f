"""A plain AMASS file: its keys alone, with Z up as the published data has it (Mahmood et al. 2019)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from realtime.outputs.session import Member, Session, write_npz

# Takes Y up to Z up: x stays, what was up (y) becomes z, what was to the front (z) becomes -y.
R_zup_yup = Rotation.from_euler("x", 90, degrees=True)


def write_amass(session: Session, out: Path) -> None:
    """poses, trans, betas, gender and the frame rate under both its names. Raises OSError."""
    poses = session.poses.copy()
    poses[:, :3] = (R_zup_yup * Rotation.from_rotvec(session.poses[:, :3])).as_rotvec()
    # The pelvis turns about the world's origin, but SMPL's trans is the pelvis less its place at rest.
    pelvis = R_zup_yup.apply(session.trans + session.rest_joints[0])
    values = {
        "poses": poses,
        "trans": pelvis - session.rest_joints[0],
        "betas": session.betas,
        "gender": session.gender,
        "mocap_framerate": np.float64(session.mocap_framerate),
        "mocap_frame_rate": np.float64(session.mocap_frame_rate),
    }
    write_npz(out, [Member.whole(name, value) for name, value in values.items()])
