"""Feet in a recording's file: smoothed both ways from what each frame told, then standing where they stand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.kinematics import forward_kinematics
from engine.body.model import BodyModel
from realtime.kernel.messages import Person, SolvedFrame, WorldPose
from realtime.outputs.recording.session import Session
from tests.realtime.outputs.streams import synthetic_stream
from tests.realtime.outputs.streams.synthetic_stream import person_at, solved_at

ANKLES = [7, 8]
STANDS = np.ones(4, np.float32)
NO_SHAPE = np.zeros(10, np.float32)


def wandering(body: BodyModel, k: int, contacts: np.ndarray = STANDS) -> Person:
    """Somebody who stands with bent knees, estimated to wander to and fro by 10 cm within two seconds."""
    turns = np.zeros((24, 3))
    turns[[1, 2], 0], turns[[4, 5], 0], turns[ANKLES, 0] = -0.3, 0.6, -0.3
    rotations = Rotation.from_rotvec(turns).as_quat().astype(np.float32)
    rest = body.rest_joints(NO_SHAPE[None])
    _, joints = forward_kinematics(Rotation.from_quat(rotations).as_matrix().astype(np.float32)[None], rest)
    wander_m = 0.05 * np.sin(np.pi * k / 60)
    trans = np.array([wander_m, 0.012 - joints[0, :, 1].min(), wander_m], np.float32)
    pose = WorldPose(rotations, trans, joints[0] + trans)
    who = replace(person_at(k / 60), betas=NO_SHAPE, raw=pose, pose=pose, joint_confidence=np.ones(24, np.float32))
    return replace(who, contacts=contacts)


def recorded(path: Path, body: BodyModel, feet: str | None, frames: list[SolvedFrame]) -> Session:
    info = {"smoothing": "light"} | ({} if feet is None else {"feet": feet})
    return synthetic_stream.recorded(path, frames, info, body)


def frames(body: BodyModel, contacts: np.ndarray = STANDS) -> list[SolvedFrame]:
    return [solved_at(k / 60, k, people=(wandering(body, k, contacts),)) for k in range(240)]


def wander_m(session: Session) -> float:
    return float(np.ptp(session.joints[30:, ANKLES], axis=0).max())


@pytest.mark.parametrize(("feet", "least", "most"), [("lock", 0.0, 0.003), ("off", 0.09, 0.2), (None, 0.09, 0.2)])
def test_feet_stand_in_the_file_as_far_as_the_run_was_told(tmp_path, open_body, feet, least, most) -> None:
    """Recordings of before do not tell of feet: theirs are as they were."""
    session = recorded(tmp_path / "s.npz", open_body, feet, frames(open_body))
    assert least <= wander_m(session) < most
    assert session.contacts is not None
    np.testing.assert_allclose(session.contacts, 1, atol=1e-6)
    raw_m = np.ptp(session.raw_joints[30:, ANKLES], axis=0).max()
    assert raw_m > 0.09  # each frame's own estimate is untouched


def test_joints_of_the_file_are_those_of_its_poses(tmp_path: Path, open_body: BodyModel) -> None:
    session = recorded(tmp_path / "s.npz", open_body, "lock", frames(open_body))
    turns = np.zeros((len(session.poses), 24, 3))
    turns[:, :22] = session.poses[:, :66].reshape(-1, 22, 3)
    rotmats = Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3).astype(np.float32)
    rest = np.broadcast_to(session.rest_joints.astype(np.float32), (len(rotmats), 24, 3))
    pelvis = session.trans + session.rest_joints[0]
    np.testing.assert_allclose(forward_kinematics(rotmats, rest)[1] + pelvis[:, None], session.joints, atol=1e-4)


def test_feet_in_the_air_are_left_alone(tmp_path: Path, open_body: BodyModel) -> None:
    session = recorded(tmp_path / "s.npz", open_body, "lock", frames(open_body, np.zeros(4, np.float32)))
    assert wander_m(session) > 0.09
