"""From the camera's frame into the world: upright, on the floor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from realtime.body.kinematics import forward_kinematics
from realtime.body.model import BodyModel
from realtime.estimate.rotations import quaternion_from_rotmat
from realtime.messages import CameraPose, WorldPose

Array = NDArray[np.float32]


class World:
    """A right-handed world with Y up, in which a person who faces the camera faces +Z.

    The camera stands still and does not roll. Its axes turn into the world's by half a turn about x and then by its
    pitch. The floor is the level of the lowest point of the first body that is placed, and the origin lies on it,
    straight below that body's pelvis. Both are kept until `recalibrate`: somebody first seen seated with the legs out
    of the picture, or in mid-air, leaves the floor off until then.
    """

    def __init__(self, body: BodyModel, *, pitch_rad: float = 0.0) -> None:
        """pitch_rad is above zero where the camera looks down."""
        self._body = body
        sine, cosine = np.sin(pitch_rad), np.cos(pitch_rad)
        self.R_world_cam: Array = np.array([[1, 0, 0], [0, -cosine, -sine], [0, sine, -cosine]], dtype=np.float32)
        self._T_world_cam: Array | None = None

    @property
    def T_world_cam(self) -> Array | None:
        """(3,) where the camera is, y its height above the floor; None before anybody is seen."""
        return self._T_world_cam

    def recalibrate(self) -> None:
        """Find floor and origin anew from the next body. May be called from any thread."""
        self._T_world_cam = None

    def place(self, pose: CameraPose) -> WorldPose:
        """The pose in the world. A pose that is not finite stays so, and never sets the floor."""
        rotmats = pose.rotmats.astype(np.float32)
        rotmats[0] = self.R_world_cam @ rotmats[0]
        root = self.R_world_cam @ pose.T_cam_root
        T_world_cam = self._T_world_cam
        if T_world_cam is None:
            T_world_cam = -np.array([root[0], self._lowest_m(rotmats, pose.betas) + root[1], root[2]], np.float32)
            if np.isfinite(T_world_cam).all():
                self._T_world_cam = T_world_cam
        trans = root + T_world_cam
        _, joints = forward_kinematics(rotmats[None], self._body.rest_joints(pose.betas[None]))
        return WorldPose(quaternion_from_rotmat(rotmats), trans, joints[0] + trans)

    def _lowest_m(self, rotmats: Array, betas: Array) -> float:
        """Height of the body's lowest point from its pelvis."""
        return float(self._body.vertices(rotmats, betas, np.zeros(3, dtype=np.float32))[:, 1].min())
