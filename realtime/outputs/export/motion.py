"""Converts a session's motion to pelvis positions and quaternions, for the formats that need them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.body.model import Array
from engine.body.rotations import quaternion_from_rotmat, rotmat_from_axis_angle
from realtime.outputs.recording.continuity import continuous_quaternions
from realtime.outputs.recording.session import SessionHead
from realtime.outputs.recording.session_layout import SMPLH_BODY_JOINTS


def motion(session: SessionHead) -> Iterator[tuple[Array, Array]]:
    """Yield blocks of B frames: the pelvis joint and local rotations of the root and the 21 body joints.

    (B, 3) in the world, metres, Y up; (B, 22, 4) x, y, z, w, without sign flips. The two hands stay at rest.
    """
    before = None
    for trans, poses in session.blocks("trans", "poses"):
        body = poses.reshape(len(poses), -1, 3)[:, :SMPLH_BODY_JOINTS]
        quaternions = np.asarray(quaternion_from_rotmat(rotmat_from_axis_angle(body)), np.float64)
        quaternions = continuous_quaternions(quaternions, before)
        before = quaternions[-1]
        yield (trans + session.rest_joints[0]).astype(np.float32), quaternions.astype(np.float32)
