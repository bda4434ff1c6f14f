"""Converts a posture to the frame and the fields of the SONIC protocol (docs/robots.md).

The protocol's world has Z up. Its root frame is SMPL's with the axes named anew: x forward, y to the left, z up.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from engine.body.euler import euler_angles
from engine.body.rotations import axis_angle_from_rotmat, quaternion_from_rotmat, rotmat_from_quaternion
from engine.body.skeleton import NUM_BODY_JOINTS, SMPL
from realtime.outputs.streams.sonic.posture import Floats, Posture

_R_ZUP_YUP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # +90 degrees about X
_R_ROBOT_SMPL = rotmat_from_quaternion(np.full(4, 0.5))  # the root's axes: x, y, z of SMPL are y, z, x there
_ELBOWS = SMPL.indices(("left_elbow", "right_elbow"))
_WRISTS = SMPL.indices(("left_wrist", "right_wrist"))
_SIGNS = np.array([[1.0, 1, 1], [-1, -1, 1]])  # of roll, pitch, yaw; left, right


def smpl_joints(posture: Posture) -> Floats:
    """Return the joints (24, 3) in metres relative to the pelvis, in the robot's root frame."""
    return posture.joints_root @ _R_ROBOT_SMPL.T


def smpl_pose(posture: Posture) -> Floats:
    """Return the local rotations of joints 1 to 21, axis-angle (21, 3) in radians, in SMPL's axes."""
    pose: Floats = axis_angle_from_rotmat(posture.rotmats[1 : NUM_BODY_JOINTS + 1])
    return pose


def body_quat(posture: Posture) -> Floats:
    """Return the rotation (4,), w, x, y, z, of the robot's root frame into its world."""
    quaternion = quaternion_from_rotmat(_R_ZUP_YUP @ posture.rotmats[0] @ _R_ROBOT_SMPL.T)
    return quaternion[[3, 0, 1, 2]]


def wrist_angles(posture: Posture) -> Floats:
    """Return the wrists' angles (6,) in radians: left and right roll, left and right pitch, left and right yaw.

    The elbow's hinge stays with the elbow. What is left of its rotation, a turn that comes before the hinge's, goes to
    the wrist.
    """
    elbows = quaternion_from_rotmat(posture.rotmats[_ELBOWS])
    hinge = elbows * (0, 1, 0, 1)  # about the Y axis
    length = np.linalg.norm(hinge, axis=-1, keepdims=True)
    hinge = np.where(length > 1e-9, hinge / np.maximum(length, 1e-9), (0, 0, 0, 1))
    rest_of_elbow = rotmat_from_quaternion(hinge).swapaxes(-1, -2) @ posture.rotmats[_ELBOWS]
    elbow, wrist = (
        euler_angles(Rotation.from_matrix(each), "XYZ") for each in (rest_of_elbow, posture.rotmats[_WRISTS])
    )
    return (_SIGNS * (elbow * (1, 0, 1) + wrist)).T.ravel()
