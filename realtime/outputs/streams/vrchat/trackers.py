"""Places VRChat's trackers on a body: metres and Euler angles in degrees, Unity's frame and order.

VRChat turns by the angles about the world's axes z, x and y, in this order, as Unity does. Numbers of trackers have no
meaning to it: it learns which is which when the user calibrates.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from engine.body.euler import euler_angles
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import quaternion_from_rotmat, rotmat_from_quaternion
from engine.body.skeleton import SMPL
from realtime.kernel.messages import Array, Person
from realtime.outputs.streams.osc.unity import in_unity

# The joint where a tracker is, and the joint that turns the segment it is strapped to; the first three do for most.
TRACKERS = (
    ("pelvis", "pelvis"),
    ("left_ankle", "left_ankle"),
    ("right_ankle", "right_ankle"),
    ("left_knee", "left_hip"),
    ("right_knee", "right_hip"),
    ("spine3", "spine3"),
    ("left_elbow", "left_shoulder"),
    ("right_elbow", "right_shoulder"),
)
HEAD = ("head", "head")  # at its root, as VRChat has it
_NO_BONES = np.zeros((len(SMPL), 3), np.float32)


def placed(person: Person, trackers: tuple[tuple[str, str], ...]) -> Array:
    """Return (T, 6): position x, y, z, then angles about x, y, z."""
    rotmats, _ = forward_kinematics(rotmat_from_quaternion(person.pose.rotations)[None], _NO_BONES)
    places = person.pose.joints[[SMPL.index(joint) for joint, _ in trackers]]
    turns = quaternion_from_rotmat(rotmats[0, [SMPL.index(segment) for _, segment in trackers]])
    unity = in_unity(places, turns)
    yxz = np.degrees(euler_angles(Rotation.from_quat(unity[:, 3:]), "YXZ"))
    return np.concatenate([unity[:, :3], yxz[:, [1, 0, 2]]], axis=1)
