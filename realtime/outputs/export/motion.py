"""The motion of a session as the formats with quaternions want it."""

from __future__ import annotations

import numpy as np

from realtime.body.model import Array
from realtime.body.rotations import exp_so3, quaternion_from_rotmat
from realtime.outputs.continuity import continuous_quaternions
from realtime.outputs.session import SMPLH_BODY_JOINTS, Session


def pelvis_positions(session: Session) -> Array:
    """(N, 3) of the pelvis joint in the world, metres, Y up."""
    return (session.trans + session.rest_joints[0]).astype(np.float32)


def local_quaternions(session: Session) -> Array:
    """(N, 22, 4) x, y, z, w of the root and the 21 body joints, signs without leaps; the two hands stay at rest."""
    body = session.poses.reshape(len(session.poses), -1, 3)[:, :SMPLH_BODY_JOINTS]
    quaternions = np.asarray(quaternion_from_rotmat(exp_so3(body)), np.float64)
    return continuous_quaternions(quaternions).astype(np.float32)
