"""Converts a session's motion to pelvis positions and quaternions, for the formats that need them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engine.body.kinematics import forward_kinematics
from engine.body.model import Array
from engine.body.names import Indices
from engine.body.rotations import quaternion_from_rotmat, rotmat_from_axis_angle
from engine.body.skeleton import SMPL, SMPLH, Skeleton
from realtime.kernel.full_pose import gaze_rotmat
from realtime.outputs.finger_bones import SMPL_AND_FINGERS
from realtime.outputs.recording.continuity import continuous_quaternions
from realtime.outputs.recording.session import SessionHead

EYES = ("left_eye_smplhf", "right_eye_smplhf")  # as SMPL-X has them


def exported_skeleton(session: SessionHead) -> Skeleton:
    """Return SMPL's 24 joints, followed by the thirty of the fingers if the session has them."""
    return SMPL_AND_FINGERS if session.has_hands and session.rest_fingers is not None else SMPL


def with_eyes(skeleton: Skeleton) -> Skeleton:
    """Return the skeleton followed by SMPL-X's two eyes, for bodies that have them."""
    return Skeleton(skeleton.names + EYES, np.append(skeleton.parents, [skeleton.index("head")] * len(EYES)))


def rest_joints(session: SessionHead) -> NDArray[np.float64]:
    """Return the joints of that skeleton in the T-pose, metres."""
    if exported_skeleton(session) is SMPL or session.rest_fingers is None:
        return session.rest_joints
    return np.concatenate([session.rest_joints, session.rest_fingers])


def moved_joints(skeleton: Skeleton) -> Indices:
    """Return the joints that move: those that `poses` rotate, in its order, then the eyes. SMPL's hands rest."""
    return skeleton.indices(name for name in SMPLH.names + EYES if name in skeleton.names)


def axis_angles(session: SessionHead, poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotations (B, M, 3) of the moved joints from `poses` (B, 156)."""
    return poses.reshape(len(poses), -1, 3)[:, : len(moved_joints(exported_skeleton(session)))]


def motion(session: SessionHead, skeleton: Skeleton) -> Iterator[tuple[Array, Array]]:
    """Yield blocks of B frames: the pelvis joint, and local rotations of the M moved joints of `skeleton`.

    (B, 3) in the world, metres, Y up; (B, M, 4) x, y, z, w, without sign flips. Eyes turn by the session's gaze.
    """
    before = None
    looks = EYES[0] in skeleton.names
    for trans, poses, *gaze in session.blocks("trans", "poses", *(["gaze"] if looks else [])):
        rotmats = rotmat_from_axis_angle(axis_angles(session, poses))
        if looks:
            eyes = np.stack([gaze_rotmat(each) for each in gaze[0]])
            rotmats = np.concatenate([rotmats, np.repeat(eyes[:, None], len(EYES), axis=1)], axis=1)
        quaternions = continuous_quaternions(np.asarray(quaternion_from_rotmat(rotmats), np.float64), before)
        before = quaternions[-1]
        yield (trans + session.rest_joints[0]).astype(np.float32), quaternions.astype(np.float32)


def posed_joints(session: SessionHead, trans: NDArray[np.float64], poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the joints (B, J, 3) of the exported skeleton in the world for trans (B, 3) and poses (B, 156)."""
    skeleton, rest = exported_skeleton(session), rest_joints(session)
    rotmats = np.tile(np.eye(3), (len(poses), len(skeleton), 1, 1))
    rotmats[:, moved_joints(skeleton)] = rotmat_from_axis_angle(axis_angles(session, poses))
    _, joints = forward_kinematics(rotmats, rest, skeleton)
    return joints + (trans + rest[0])[:, None]
