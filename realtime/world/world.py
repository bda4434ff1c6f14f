"""Transforms bodies from the camera frame to the world: upright, on the floor."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import BLAZEPOSE
from engine.body.kinematics import forward_kinematics
from engine.body.model import BodyModel
from engine.body.rotations import quaternion_from_rotmat
from engine.body.skeleton import JOINT_NAMES
from realtime.kernel.messages import LEVEL, Camera, CameraPose, WorldPose
from realtime.world.floor import Floor

Array = NDArray[np.float32]


# The parent joints of heels and toes, in the order of contacts.
_SOLES = [JOINT_NAMES.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("ankle", "foot")]


class Turned(NamedTuple):
    """Body in the world's axes, positioned relative to the camera, independent of the floor."""

    pose: CameraPose
    rotmats: Array  # (24, 3, 3) local; [0] into the world's axes
    root_m: Array  # (3,) the pelvis, relative to the camera
    quaternions: Array  # (24, 4) of rotmats
    rest_joints: Array  # (24, 3) of the person
    R_joints: Array  # (24, 3, 3) of the joints, in the world's axes
    joints_m: Array  # (24, 3) from the pelvis


class World:
    """Right-handed world with Y up, in which a person who faces the camera faces +Z.

    The camera is static, but its estimate may change (`see_through`). The origin is on the floor, directly below the
    pelvis
    of the first body placed. The floor begins at that body's lowest point and then follows the bodies given to `settle`
    (see `Floor`): visible feet, and until then those of calm legs (`realtime.smoothing.calm`).
    """

    def __init__(self, body: BodyModel, camera: Camera = LEVEL) -> None:
        self._body = body
        soles = body.landmark_rest[BLAZEPOSE.contacts]
        lowest_m = min(body.landmark_rest[:, 1].min(), body.joints_template[:, 1].min())
        self._soles_m: Array = soles[:, 1] - lowest_m  # heights on flat feet
        self._sole_points: Array = soles - body.joints_template[_SOLES]  # (4, 3) relative to their parent joints
        self.camera = camera
        self.R_world_cam: Array = camera.R_world_cam
        self._T_world_cam: Array | None = None
        self._floor: Floor | None = None
        self._feet_seen = False
        self.origins = 0  # number of times that the origin was set: a new one changes all positions
        self._T_cam_anchor: Array | None = None  # (3,) the root placed last: fixed when the camera estimate rotates

    @property
    def body(self) -> BodyModel:
        return self._body

    @property
    def T_world_cam(self) -> Array | None:
        """Camera position (3,) in the world, y its height above the floor; None before anybody is visible."""
        return self._T_world_cam

    @property
    def floor_m(self) -> float | None:
        """Height of the floor relative to the camera, below zero; None while no feet have been seen on it."""
        T_world_cam = self._T_world_cam
        return -float(T_world_cam[1]) if T_world_cam is not None and self._feet_seen else None

    @property
    def floor_height_m(self) -> float:
        """Height of the floor relative to the camera, also without visible feet; 0 before anybody is visible."""
        T_world_cam = self._T_world_cam
        return 0.0 if T_world_cam is None else -float(T_world_cam[1])

    def recalibrate(self) -> None:
        """Reset floor and origin at the next body. Thread-safe."""
        self._T_world_cam = None
        self._feet_seen = False

    def see_through(self, camera: Camera) -> None:
        """Use another camera estimate. The body placed last keeps its position and turns upright in place.

        A wider or narrower view moves bodies along the line of sight: the anchor's new depth is the old one times the
        ratio of
        the focal lengths.
        """
        R_world_cam = camera.R_world_cam
        anchor, T_world_cam = self._T_cam_anchor, self._T_world_cam
        if anchor is not None and T_world_cam is not None and self._floor is not None:
            nearer = math.tan(math.radians(self.camera.fov_deg / 2)) / math.tan(math.radians(camera.fov_deg / 2))
            moved = anchor * np.array([1.0, 1.0, nearer], np.float32)
            shift = self.R_world_cam @ anchor - R_world_cam @ moved
            self._T_world_cam, self._T_cam_anchor = T_world_cam + shift, moved
            self._floor.shift(-float(shift[1]))
        self.camera, self.R_world_cam = camera, R_world_cam

    def settle(self, t: float, *poses: CameraPose, guessed: bool = False) -> None:
        """Update the floor with the lowest of the bodies with visible feet at time t (s): once a frame, all together.

        Call before `place`, in the same thread. `guessed` feet are not visible but have a likely position: they count
        until any
        are visible.
        """
        if guessed and self._feet_seen:
            return
        self._feet_seen = not guessed
        level_m = self._level_m(poses)
        if not np.isfinite(level_m):
            return
        T_world_cam = self._T_world_cam
        if T_world_cam is None or self._floor is None:
            first = next(pose for pose in poses if np.isfinite(pose.T_cam_root).all())
            self._begin(self._turned(first)[1], level_m)
        else:
            self._floor.follow(t, level_m)
            self._stand_on(self._floor, T_world_cam)

    def floor_is_known(self, t: float) -> bool:
        """Tell whether people have stood on the floor long enough at time t (s)."""
        return self._T_world_cam is not None and self._floor is not None and self._floor.is_known(t)

    def stand(self, t: float, *heights_m: float) -> None:
        """Update the floor with the apparent heights of standing people at time t (s): once a frame."""
        T_world_cam, floor = self._T_world_cam, self._floor
        if T_world_cam is not None and floor is not None:
            self._feet_seen = True
            floor.follow(t, min(heights_m) - float(T_world_cam[1]), stands=True)
            self._stand_on(floor, T_world_cam)

    def give_way(self, t: float, *poses: CameraPose) -> None:
        """Sink the floor to the lowest of these bodies, which are no other evidence: nobody is under the floor.

        Call before `place`, in the same thread. A person close to a downward camera may be there.
        """
        level_m, T_world_cam, floor = self._level_m(poses), self._T_world_cam, self._floor
        if T_world_cam is not None and floor is not None and np.isfinite(level_m):
            floor.give_way(t, level_m)
            self._stand_on(floor, T_world_cam)

    def doubt_floor(self) -> None:
        """Mark the floor as unknown, because it was wrong; the next standing people set it."""
        if self._floor is not None:
            self._floor.doubt()

    def place(self, pose: CameraPose) -> WorldPose:
        """Transform a pose to the world. A non-finite pose stays non-finite, and never sets the floor."""
        (turned,) = self.turn(pose)
        return self.set_down(turned)

    def turn(self, *poses: CameraPose) -> tuple[Turned, ...]:
        """Rotate bodies into the world's axes, in one batch."""
        if not poses:
            return ()
        turned = [self._turned(pose) for pose in poses]
        rotmats = np.stack([each for each, _ in turned])
        scale = np.array([pose.scale for pose in poses], np.float32)[:, None, None]
        rest_joints = scale * self._body.rest_joints(np.stack([pose.betas for pose in poses]))
        of_joints = forward_kinematics(rotmats, rest_joints)
        quaternions = quaternion_from_rotmat(rotmats)
        roots = (root for _, root in turned)
        return tuple(map(Turned, poses, rotmats, roots, quaternions, rest_joints, *of_joints))

    def feet_m(self, turned: Turned) -> Array:
        """Return (4,) the heights of heels and toes above those of feet on the floor, in the order of contacts.

        Before there is a floor: above the lowest of them.
        """
        arms = np.float32(turned.pose.scale) * self._sole_points[:, None]
        heights: Array = turned.root_m[1] + turned.joints_m[_SOLES, 1]
        heights = heights + (turned.R_joints[_SOLES, 1:2] * arms).sum(-1)[:, 0] - turned.pose.scale * self._soles_m
        T_world_cam = self._T_world_cam
        return heights - heights.min() if T_world_cam is None else heights + T_world_cam[1]

    def before_camera(self, pose: CameraPose) -> tuple[Array, float]:
        """Return joints (24, 3) relative to the camera in the world's axes, and the body's lowest height."""
        rotmats, root = self._turned(pose)
        joints, landmarks = self._body.landmarks(rotmats[None], pose.betas[None])
        lowest = min(joints[0, :, 1].min(), landmarks[0, :, 1].min())
        return pose.scale * joints[0] + root, float(root[1] + pose.scale * lowest)

    def set_down(self, turned: Turned) -> WorldPose:
        """Place the body in the world; see `place`."""
        T_world_cam, root = self._T_world_cam, turned.root_m
        if T_world_cam is None:
            T_world_cam = self._begin(root, root[1] + self._lowest_m(turned.rotmats, turned.pose))
        if np.isfinite(turned.pose.T_cam_root).all():
            self._T_cam_anchor = turned.pose.T_cam_root
        trans = root + T_world_cam
        return WorldPose(turned.quaternions, trans, turned.joints_m + trans)

    def in_camera_axes(self, points: Array) -> Array:
        """Rotate points (N, 3) from the world into the camera's axes; the origin stays the world's."""
        return points @ self.R_world_cam

    def _turned(self, pose: CameraPose) -> tuple[Array, Array]:
        """Return local rotations (24, 3, 3) with the root in the world's axes, and the pelvis (3,) from the camera."""
        rotmats = pose.rotmats.astype(np.float32)
        rotmats[0] = self.R_world_cam @ rotmats[0]
        return rotmats, self.R_world_cam @ pose.T_cam_root

    def _begin(self, root: Array, level_m: np.floating | float) -> Array:
        """Return the camera position if this body stands over the origin; kept if finite."""
        T_world_cam = -np.array([root[0], level_m, root[2]], np.float32)
        if np.isfinite(T_world_cam).all():
            self._T_world_cam, self._floor = T_world_cam, Floor(float(level_m))
            self.origins += 1
        return T_world_cam

    def _stand_on(self, floor: Floor, T_world_cam: Array) -> None:
        """Set the camera's height above the floor; T_world_cam is its previous position."""
        self._T_world_cam = np.array([T_world_cam[0], -floor.height_m, T_world_cam[2]], np.float32)

    def _level_m(self, poses: tuple[CameraPose, ...]) -> float:
        """Return the height of the lowest of these bodies, relative to the camera; not finite if none is."""
        turned = [(*self._turned(pose), pose) for pose in poses]
        levels = [float(root[1] + self._lowest_m(rotmats, pose)) for rotmats, root, pose in turned]
        return min((level for level in levels if np.isfinite(level)), default=math.nan)

    def _lowest_m(self, rotmats: Array, pose: CameraPose) -> float:
        """Return the height of the body's lowest joint or landmark from its pelvis; rotmats (24, 3, 3) as `_turned`."""
        joints, landmarks = self._body.landmarks(rotmats[None], pose.betas[None])
        return pose.scale * float(min(joints[0, :, 1].min(), landmarks[0, :, 1].min()))
