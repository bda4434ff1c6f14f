"""Bodies in the world's axes, positioned relative to the camera, independent of the floor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.body.kinematics import forward_kinematics
from engine.body.model import BodyModel
from engine.body.rotations import quaternion_from_rotmat
from realtime.kernel.messages import Array, CameraPose


@dataclass(frozen=True)
class Turned:
    """Body in the world's axes, positioned relative to the camera."""

    body: BodyModel
    pose: CameraPose
    rotmats: Array  # (24, 3, 3) local; [0] into the world's axes
    root_m: Array  # (3,) the pelvis, relative to the camera
    quaternions: Array  # (24, 4) of rotmats
    rest_joints: Array  # (24, 3) of the person
    R_joints: Array  # (24, 3, 3) of the joints, into the world's axes
    joints_m: Array  # (24, 3) from the pelvis

    @property
    def is_finite(self) -> bool:
        """Return whether the position of the pelvis is finite."""
        return bool(np.isfinite(self.pose.T_cam_root).all())

    @cached_property
    def lowest_m(self) -> float:
        """Height of the lowest joint or landmark, relative to the camera; not finite if the body is not."""
        joints, landmarks = self.body.landmarks(self.rotmats[None], self.pose.betas[None])
        lowest = float(min(joints[0, :, 1].min(), landmarks[0, :, 1].min()))
        return float(self.root_m[1] + self.pose.scale * lowest)


def turned(body: BodyModel, R_world_cam: Array, *poses: CameraPose) -> tuple[Turned, ...]:
    """Rotate poses of a body into the world's axes, in one batch; a pose that is given twice is rotated once."""
    unique = {id(pose): pose for pose in poses}
    if not unique:
        return ()
    rotmats = np.stack([pose.rotmats for pose in unique.values()]).astype(np.float32)
    rotmats[:, 0] = R_world_cam @ rotmats[:, 0]
    roots = [R_world_cam @ pose.T_cam_root for pose in unique.values()]
    scale = np.array([pose.scale for pose in unique.values()], np.float32)[:, None, None]
    rest_joints = scale * body.rest_joints(np.stack([pose.betas for pose in unique.values()]))
    of_joints = forward_kinematics(rotmats, rest_joints)
    rows = zip(unique.values(), rotmats, roots, quaternion_from_rotmat(rotmats), rest_joints, *of_joints, strict=True)
    made = dict(zip(unique, (Turned(body, *row) for row in rows), strict=True))
    return tuple(made[id(pose)] for pose in poses)
