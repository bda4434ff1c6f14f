"""Applies a saved calibration: camera, floor and stature, as long as they fit."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.body.model import BodyModel
from engine.body.rotations import rotmat_from_quaternion
from realtime.calibration.profile import CameraProfile
from realtime.calibration.watch import CameraWatch
from realtime.kernel.messages import CameraPose
from realtime.world.world import World

logger = logging.getLogger(__name__)


class KeptCamera:
    """Saved profiles of one camera, for all image sizes; empty if it was never calibrated."""

    def __init__(self, profiles: Sequence[CameraProfile] = ()) -> None:
        """Store the profiles, latest first."""
        self._profiles = profiles
        self._met = not profiles

    @property
    def stature_m(self) -> float | None:
        """Stature that the user gave with the latest calibration, metres."""
        return next((profile.stature_m for profile in self._profiles if profile.stature_given), None)

    @property
    def neutral_face_m(self) -> NDArray[np.float32] | None:
        """Face at rest (468, 3) of who calibrated last with a face in view, in head axes, metres."""
        face = next((profile.neutral_face for profile in self._profiles if profile.neutral_face is not None), None)
        return None if face is None else np.array(face, np.float32)

    def meet(self, size: tuple[int, int], watch: CameraWatch, world: World) -> None:
        """Apply the profile for images of this size (width, height). Call with the first frame, before other uses."""
        if self._met:
            return
        self._met = True
        profile = next((profile for profile in self._profiles if profile.size == size), None)
        if profile is None:
            sizes = " and ".join(f"{width}x{height}" for width, height in (each.size for each in self._profiles))
            logger.warning(
                "this camera was calibrated at %s, its picture has %dx%d now: not used; --calibrate does it anew",
                *(sizes, *size),
            )
            return
        if watch.take_up(profile.camera, size):
            logger.info("%s", profile)
            if watch.camera == profile.camera:
                world.see_through(profile.camera)
                world.settle(0.0, *world.turn(_standing(profile, world.body)))


def _standing(profile: CameraProfile, body: BodyModel) -> CameraPose:
    """Neutral pose, placed so that its lowest point is on the floor and the camera at its calibrated position."""
    rotmats = rotmat_from_quaternion(np.array(profile.neutral_pose, np.float32))
    betas = np.array(profile.betas if profile.body_sha256 == body.sha256 else np.zeros(10), np.float32)
    T_world_cam = np.array(profile.T_world_cam, np.float32)
    if not profile.stature_given:
        T_world_cam *= np.float32(body.stature_m / profile.stature_m)  # lengths were known up to scale only
    joints, landmarks = body.landmarks(rotmats[None], betas[None])
    lowest_m = min(joints[0, :, 1].min(), landmarks[0, :, 1].min())
    R_cam_world = profile.camera.R_world_cam.T
    rotmats[0] = R_cam_world @ rotmats[0]
    root = -T_world_cam - np.array([0, lowest_m, 0], np.float32)
    return CameraPose(rotmats, R_cam_world @ root, betas)
