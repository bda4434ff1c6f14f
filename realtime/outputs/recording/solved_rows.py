"""Encodes solved frames as rows of a journal: one a person, or one for a frame without people."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.body.skeleton import SIDES
from realtime.kernel.messages import Face, Hand, Person, SolvedFrame, WorldPose
from realtime.outputs.recording.journal_format import NOBODY


def camera_row(solved: SolvedFrame) -> tuple[float, float, float, float, float, bytes]:
    """Encode the camera for a journal's row; its height is NaN until the floor is known."""
    camera, T_world_cam = solved.camera, solved.T_world_cam
    height_m = math.nan if T_world_cam is None else float(T_world_cam[1])
    fov, pitch, roll = (math.radians(angle) for angle in (camera.fov_deg, camera.pitch_deg, camera.roll_deg))
    return fov, pitch, roll, height_m, camera.doubt_deg, camera.source.encode()


def solved_rows(solved: SolvedFrame, t_first: float, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Encode a row for every person of the frame, or one row for a frame without people."""
    rows = np.zeros(max(1, len(solved.people)), dtype)
    rows["t"] = solved.frame.t_capture - t_first
    rows["seq"] = solved.frame.seq
    rows["person"] = NOBODY
    rows["T_world_cam"] = np.nan if solved.T_world_cam is None else solved.T_world_cam
    rows["camera"] = camera_row(solved)
    for row, person in zip(rows, solved.people, strict=False):
        row["person"] = person.id
        row["valid"] = person.valid and _is_finite(person)
        row["confidence"] = person.confidence
        row["betas"] = person.betas
        row["raw_rotations"], row["raw_trans"] = person.raw.rotations, person.raw.trans
        row["raw_joints"] = person.raw.joints
        row["rotations"], row["trans"] = person.pose.rotations, person.pose.trans
        row["tokens"] = person.tokens
        row["joint_confidence"] = person.joint_confidence
        row["scale"], row["contacts"], row["support_m"] = person.scale, person.contacts, person.support_m
        if "hands" in (dtype.names or ()):
            _put_hands(row, person)
        if "blendshapes" in (dtype.names or ()) and person.face is not None and _is_finite_face(person.face):
            row["blendshapes"], row["gaze"] = person.face.blendshapes, person.face.gaze_rad
            row["face_confidence"] = person.face.confidence
    return rows


def _put_hands(row: np.void, person: Person) -> None:
    """Fill a row's hands; one that is missing or not finite is open, with a confidence of 0."""
    row["raw_hands"], row["hands"] = (0, 0, 0, 1), (0, 0, 0, 1)
    for k, side in enumerate(SIDES):
        hand = person.hands.get(side)
        if hand is not None and _is_finite_hand(hand):
            row["raw_hands"][k], row["hands"][k], row["hand_confidence"][k] = hand.raw, hand.rotations, hand.confidence


def _is_finite_hand(hand: Hand) -> bool:
    return bool(np.isfinite(hand.raw).all() and np.isfinite(hand.rotations).all() and np.isfinite(hand.confidence))


def _is_finite_face(face: Face) -> bool:
    return bool(np.isfinite((*face.blendshapes, *face.gaze_rad, face.confidence)).all())


def _is_finite(person: Person) -> bool:
    def pose_is(pose: WorldPose) -> bool:
        return bool(
            np.isfinite(pose.rotations).all() and np.isfinite(pose.trans).all() and np.isfinite(pose.joints).all()
        )

    of_person = (person.betas, person.joint_confidence, person.contacts, person.support_m)
    numbers = np.concatenate(([person.confidence, person.scale], *of_person))
    return bool(np.isfinite(numbers).all()) and all(pose_is(pose) for pose in (person.raw, person.pose))
