"""Computes a camera profile from a person who stood still and stepped aside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from engine.body.model import BodyModel
from engine.body.rotations import quaternion_from_rotmat, rotmat_from_quaternion
from engine.body.skeleton import JOINT_NAMES
from engine.errors import UserError
from realtime.calibration.guide import Stance
from realtime.calibration.neutral_face import neutral_face
from realtime.calibration.profile import CameraProfile
from realtime.calibration.upright import body_up
from realtime.kernel.messages import Camera, CameraPose
from realtime.world.world import World

Array = NDArray[np.float32]

LEAST_ROLL_DEG, MOST_ROLL_DEG = 2.0, 20.0  # measurable from steps: less is noise, more is no real camera
_BETTER = 0.5  # of the feet's spread in height that must vanish
_ANKLES = [JOINT_NAMES.index("left_ankle"), JOINT_NAMES.index("right_ankle")]


def rolled_by_steps(
    camera: Camera, standing: Sequence[Stance], left: Sequence[Stance], right: Sequence[Stance]
) -> Camera:
    """Return the camera with the roll that puts the feet of all three places at one height, if that fits better.

    Only for cameras whose gravity came neither from the room nor from the user. Better means: the spread of the feet's
    heights is halved, and the standing body, which is independent of the feet, leans less to the side.
    """
    if camera.source not in ("people", "assumed"):
        return camera
    at_rest, at_left, at_right = (_mean_joints(stances)[_ANKLES].mean(axis=0) for stances in (standing, left, right))
    slope = float(camera.up_cam @ (at_left - at_right)) / float(at_left[0] - at_right[0])
    roll_deg = -math.degrees(math.atan(slope))
    if not LEAST_ROLL_DEG <= abs(roll_deg) <= MOST_ROLL_DEG:
        return camera
    rolled = replace(camera, roll_deg=camera.roll_deg + roll_deg)
    places, body = np.stack([at_rest, at_left, at_right]), body_up(_mean_joints(standing))
    flatter = np.ptp(places @ rolled.up_cam) <= _BETTER * np.ptp(places @ camera.up_cam)
    leans_less = abs((rolled.R_world_cam @ body)[0]) < abs((camera.R_world_cam @ body)[0])
    return rolled if flatter and leans_less else camera


def measured(
    standing: Sequence[Stance],
    camera: Camera,
    body: BodyModel,
    *,
    camera_name: str,
    size: tuple[int, int],
    stature_given: bool,
) -> CameraProfile:
    """Compute the profile of a camera from a person who stands still: floor, origin, mean shape and pose, face.

    Raises UserError if a value is out of a profile's range.
    """
    rotmats = rotmat_from_quaternion(_mean_rotations(standing, camera))
    betas = np.mean([stance.person.betas for stance in standing], axis=0)
    scale = float(np.mean([stance.person.scale for stance in standing]))
    pose_cam = rotmats.copy()
    pose_cam[0] = camera.R_world_cam.T @ rotmats[0]
    world = World(body, camera)
    world.settle(0.0, *world.turn(CameraPose(pose_cam, _mean_joints(standing)[0], betas, scale)))
    face_m = neutral_face(standing, camera, size)
    try:
        return CameraProfile(
            camera_name=camera_name,
            size=size,
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            fov_deg=round(camera.fov_deg, 3),
            pitch_deg=round(camera.pitch_deg, 3),
            roll_deg=round(camera.roll_deg, 3),
            doubt_deg=round(camera.doubt_deg, 3),
            found_by=camera.source,
            T_world_cam=_rounded(np.zeros(3) if world.T_world_cam is None else world.T_world_cam),
            stature_m=round(scale * body.stature_m, 4),
            stature_given=stature_given,
            body_sha256=body.sha256,
            betas=_rounded(betas),
            neutral_pose=tuple(_rounded(rotation) for rotation in quaternion_from_rotmat(rotmats)),
            neutral_face=None if face_m is None else tuple(_rounded(point) for point in face_m),
        )
    except ValueError as error:
        raise UserError(f"the camera cannot be calibrated so: {error}") from error


def _mean_joints(stances: Sequence[Stance]) -> Array:
    return np.mean([stance.joints_cam for stance in stances], axis=0)


def _mean_rotations(standing: Sequence[Stance], camera: Camera) -> Array:
    """Average each frame's own pose, (24, 4), its root in this camera's world; a plain mean, as they are close."""
    all_rotations = []
    for stance in standing:
        rotations = stance.person.raw.rotations.copy()
        into_world = camera.R_world_cam @ stance.camera.R_world_cam.T
        rotations[0] = quaternion_from_rotmat(into_world @ rotmat_from_quaternion(rotations[0]))
        all_rotations.append(rotations)
    stacked = np.stack(all_rotations)
    mean = (np.sign((stacked * stacked[0]).sum(-1, keepdims=True)) * stacked).sum(axis=0)
    return (mean / np.linalg.norm(mean, axis=-1, keepdims=True)).astype(np.float32)


def _rounded(numbers: NDArray[np.floating]) -> tuple:
    return tuple(np.round(numbers.astype(np.float64), 5).tolist())
