"""Faces on the pose path: with and without smoothing, live and with a look ahead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.body.expressions import BLENDSHAPES
from engine.body.files import load_body
from engine.body.rotations import rotmat_from_quaternion
from engine.body.skeleton import JOINT_NAMES
from realtime.estimate.estimator import FrameByFrame
from realtime.estimate.face.completion import FaceCompletion
from realtime.estimate.tokens import TokenSmoothing
from realtime.kernel.messages import CameraPose, Estimate, Frame, Person, Sighting
from realtime.run.solver import Solver
from realtime.smoothing.pose_smoother import SmoothingConfig
from realtime.world.world import World
from tests.realtime.estimate.face.acted import FACING, RIG, face, turned
from tests.realtime.seen_people import seen_body, somebody

NECK, HEAD = JOINT_NAMES.index("neck"), JOINT_NAMES.index("head")


class Upright(FrameByFrame):
    """An estimator to which everybody looks straight ahead."""

    name, backend = "made up", "none"

    def people(self, sighting: Sighting) -> tuple[Estimate, ...]:
        rotmats = np.tile(np.eye(3, dtype=np.float32), (24, 1, 1))
        rotmats[0] = FACING
        pose = CameraPose(rotmats, np.array([0, 0.2, 2], np.float32), np.zeros(10, np.float32))
        tokens, seen = np.zeros(3, np.int16), np.ones(24, np.float32)
        return tuple(Estimate(person, 0.9, tokens, pose, pose, seen) for person in sighting.people)

    def set_token_smoothing(self, smoothing: TokenSmoothing | None) -> None:
        pass

    def close(self) -> None:
        pass


def run(faces: FaceCompletion | None, level: str = "light", *, look_ahead: bool = False) -> list[Person]:
    """Two seconds of somebody who smiles, looks and turns to the left; a face is there in three of four frames."""
    smiling = face({"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}, R_cam_head=turned(30), gaze_deg=(15, 0))
    solver = Solver(Upright(), SmoothingConfig(level), World(load_body("open")), look_ahead=look_ahead, faces=faces)
    solved = []
    for k in range(60):
        person = somebody(0, seen_body())
        if k % 4:
            person = replace(person, keypoints={**person.keypoints, "face": smiling})
        solved += solver.solve(Sighting(Frame(np.zeros((480, 640, 3), np.uint8), k, k / 30), (person,)))
    solved += solver.finish()
    assert len(solved) == 60
    return [frame.people[0] for frame in solved]


@pytest.mark.parametrize("level", ["off", "light", "strong"])
@pytest.mark.parametrize("look_ahead", [False, True])
def test_expression_gaze_and_head_arrive(level: str, look_ahead: bool) -> None:
    last = run(FaceCompletion(neutral_m=RIG.neutral_m), level, look_ahead=look_ahead)[-1]
    assert last.face is not None
    assert last.face.confidence > 0.9
    assert last.face.blendshapes[BLENDSHAPES.index("mouthSmileLeft")] > 0.8
    np.testing.assert_allclose(np.degrees(last.face.gaze_rad), (15, 0), atol=4)
    for pose in (last.raw, last.pose):
        neck, head = rotmat_from_quaternion(pose.rotations[[NECK, HEAD]])
        ahead = (neck @ head)[:, 2]
        assert np.degrees(np.arctan2(ahead[0], ahead[2])) == pytest.approx(30, abs=4)


def test_without_faces_there_is_none_and_the_head_is_the_body_s() -> None:
    last = run(None)[-1]
    assert last.face is None
    np.testing.assert_allclose(last.pose.rotations[HEAD], (0, 0, 0, 1), atol=1e-3)
