"""A plain AMASS file, with Z up as the published data has it (Mahmood et al. 2019), in both dialects of its keys.

The older files hold `poses` whole and `mocap_framerate`; the newer ones its parts, `mocap_frame_rate` and the name of
the model.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from realtime.outputs.continuity import continuous_rotvecs
from realtime.outputs.export.smpl_shape import SmplShape
from realtime.outputs.session import AMASS_BETAS, SMPLH_BODY_JOINTS, Member, Session, write_npz

# Takes Y up to Z up: x stays, what was up (y) becomes z, what was to the front (z) becomes -y.
R_zup_yup = Rotation.from_euler("x", 90, degrees=True)
_HANDS_AT = 3 * SMPLH_BODY_JOINTS
_SOFT_TISSUE = 8  # DMPL coefficients a frame: how flesh shakes, which nobody measured here


def write_amass(session: Session, shape: SmplShape, out: Path) -> None:
    """Write `session` for an SMPL-H (or SMPL) body of `shape`. Raises OSError."""
    poses = session.poses.copy()
    root = (R_zup_yup * Rotation.from_rotvec(poses[:, :3])).as_rotvec()
    poses[:, :3] = continuous_rotvecs(root[:, None])[:, 0]
    # The pelvis turns about the world's origin, but SMPL's trans is the pelvis less its place at rest.
    pelvis = R_zup_yup.apply(session.trans + session.rest_joints[0])
    values = {
        "poses": poses,
        "root_orient": poses[:, :3],
        "pose_body": poses[:, 3:_HANDS_AT],
        "pose_hand": poses[:, _HANDS_AT:],
        "trans": pelvis - shape.pelvis,
        "betas": np.pad(shape.betas, (0, AMASS_BETAS - len(shape.betas))),
        "dmpls": np.zeros((len(poses), _SOFT_TISSUE)),
        "gender": session.gender,
        "surface_model_type": "smplh",
        "mocap_framerate": np.float64(session.mocap_framerate),
        "mocap_frame_rate": np.float64(session.mocap_frame_rate),
        "body": shape.body,
    }
    write_npz(out, [Member.whole(name, value) for name, value in values.items()])
