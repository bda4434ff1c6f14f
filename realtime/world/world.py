"""Transforms bodies from the camera frame to the world: upright, on the floor."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import BLAZEPOSE
from engine.body.model import BodyModel
from engine.body.skeleton import JOINT_NAMES
from realtime.kernel.messages import LEVEL, Camera, CameraPose, WorldPose
from realtime.world.floor import Floor
from realtime.world.turned import Turned, turned

Array = NDArray[np.float32]


# The parent joints of heels and toes, in the order of contacts.
_SOLES = [JOINT_NAMES.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("ankle", "foot")]


class World:
    """Right-handed world with Y up, in which a person who faces the camera faces +Z.

    The camera is static, but its estimate may change (`see_through`). The origin is on the floor, directly below the
    pelvis of the first body placed. The floor begins at that body's lowest point and then follows the bodies given to
    `settle` (see `Floor`). These are visible feet, and until then those of calm legs (`realtime.smoothing.calm`).
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
        """Body model of the people."""
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

        A wider or narrower view moves bodies along the line of sight. The anchor's new depth is the old one times the
        ratio of the focal lengths.
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

    def settle(self, t: float, *bodies: Turned, guessed: bool = False) -> None:
        """Update the floor with the lowest of the bodies with visible feet at time t (s): once a frame, all together.

        Call before `set_down`, in the same thread. `guessed` feet are not visible but have a likely position: they
        count until any are visible.
        """
        if guessed and self._feet_seen:
            return
        self._feet_seen = not guessed
        level_m = _lowest_m(bodies)
        if not np.isfinite(level_m):
            return
        T_world_cam = self._T_world_cam
        if T_world_cam is None or self._floor is None:
            self._begin(next(body for body in bodies if body.is_finite), level_m)
        else:
            self._floor.follow(t, level_m)
            self._stand_on(self._floor, T_world_cam)

    def floor_is_known(self, t: float) -> bool:
        """Return whether people have stood on the floor long enough at time t (s)."""
        return self._T_world_cam is not None and self._floor is not None and self._floor.is_known(t)

    def stand(self, t: float, *heights_m: float) -> None:
        """Update the floor with the apparent heights of standing people at time t (s): once a frame."""
        T_world_cam, floor = self._T_world_cam, self._floor
        if T_world_cam is not None and floor is not None:
            self._feet_seen = True
            floor.follow(t, min(heights_m) - float(T_world_cam[1]), stands=True)
            self._stand_on(floor, T_world_cam)

    def give_way(self, t: float, *bodies: Turned) -> None:
        """Sink the floor to the lowest of these bodies, which are no other evidence: nobody is under the floor.

        Call before `set_down`, in the same thread. A person close to a downward camera may be there.
        """
        level_m, T_world_cam, floor = _lowest_m(bodies), self._T_world_cam, self._floor
        if T_world_cam is not None and floor is not None and np.isfinite(level_m):
            floor.give_way(t, level_m)
            self._stand_on(floor, T_world_cam)

    def doubt_floor(self) -> None:
        """Mark the floor as unknown, because it was wrong; the next standing people set it."""
        if self._floor is not None:
            self._floor.doubt()

    def place(self, pose: CameraPose) -> WorldPose:
        """Transform a pose to the world. A non-finite pose stays non-finite, and never sets the floor."""
        return self.set_down(*self.turn(pose))

    def turn(self, *poses: CameraPose) -> tuple[Turned, ...]:
        """Rotate bodies into the world's axes, in one batch; a pose that is given twice is rotated once."""
        return turned(self._body, self.R_world_cam, *poses)

    def feet_m(self, body: Turned) -> Array:
        """Return (4,) the heights of heels and toes above those of feet on the floor, in the order of contacts.

        Before there is a floor: above the lowest of them.
        """
        scale = np.float32(body.pose.scale)
        heights: Array = body.root_m[1] + body.joints_m[_SOLES, 1]
        heights = heights + (body.R_joints[_SOLES, 1:2] * (scale * self._sole_points[:, None])).sum(-1)[:, 0]
        heights = heights - scale * self._soles_m
        T_world_cam = self._T_world_cam
        return heights - heights.min() if T_world_cam is None else heights + T_world_cam[1]

    def set_down(self, body: Turned) -> WorldPose:
        """Place the body in the world; see `place`."""
        T_world_cam = self._T_world_cam
        if T_world_cam is None:
            T_world_cam = self._begin(body, body.lowest_m)
        if body.is_finite:
            self._T_cam_anchor = body.pose.T_cam_root
        trans = body.root_m + T_world_cam
        return WorldPose(body.quaternions, trans, body.joints_m + trans)

    def in_camera_axes(self, points: Array) -> Array:
        """Rotate points (N, 3) from the world into the camera's axes; the origin stays the world's."""
        return points @ self.R_world_cam

    def _begin(self, body: Turned, level_m: float) -> Array:
        """Return the camera position if this body stands over the origin; kept if finite."""
        T_world_cam = -np.array([body.root_m[0], level_m, body.root_m[2]], np.float32)
        if np.isfinite(T_world_cam).all():
            self._T_world_cam, self._floor = T_world_cam, Floor(float(level_m))
            self.origins += 1
        return T_world_cam

    def _stand_on(self, floor: Floor, T_world_cam: Array) -> None:
        """Set the camera's height above the floor; T_world_cam is its previous position."""
        self._T_world_cam = np.array([T_world_cam[0], -floor.height_m, T_world_cam[2]], np.float32)


def _lowest_m(bodies: tuple[Turned, ...]) -> float:
    """Return the height of the lowest of these bodies, relative to the camera; not finite if none is."""
    return min((body.lowest_m for body in bodies if np.isfinite(body.lowest_m)), default=math.nan)
