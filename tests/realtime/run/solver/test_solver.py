from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.files import load_body
from engine.body.skeleton import JOINT_NAMES
from realtime.estimate.estimator import FrameByFrame
from realtime.estimate.tokens import TokenSmoothing
from realtime.kernel.messages import CameraPose, Estimate, Frame, Sighting
from realtime.run.solver import Solver
from realtime.smoothing.pose_smoother import SmoothingConfig
from realtime.world.world import World
from tests.realtime.seen_people import seen_body, somebody

FPS = 30
LEGS = [JOINT_NAMES.index(f"{side}_{name}") for side in ("left", "right") for name in ("hip", "knee", "ankle", "foot")]
ANKLES = [JOINT_NAMES.index("left_ankle"), JOINT_NAMES.index("right_ankle")]


class AtADesk(FrameByFrame):
    """An estimator that makes up the legs anew in every frame; nobody sees them."""

    name, backend = "made up", "none"

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)
        self.joint_confidence = np.ones(24, np.float32)
        self.joint_confidence[[joint for joint in LEGS if "hip" not in JOINT_NAMES[joint]]] = 0.0

    def people(self, sighting: Sighting) -> tuple[Estimate, ...]:
        rotmats = np.tile(np.eye(3), (24, 1, 1))
        rotmats[0] = np.diag([1.0, -1.0, -1.0])
        rotmats[LEGS] = Rotation.from_rotvec(self._rng.normal(0, 0.5, (len(LEGS), 3))).as_matrix()
        T_cam_root = np.array([0, 0.2, 2], np.float32)
        raw = CameraPose(rotmats.astype(np.float32), T_cam_root, np.zeros(10, np.float32))
        (person,) = sighting.people
        steady = CameraPose(*(getattr(raw, name) for name in ("rotmats", "T_cam_root", "betas")))
        return (Estimate(person, 0.9, np.zeros(3, np.int16), raw, steady, self.joint_confidence),)

    def set_token_smoothing(self, smoothing: TokenSmoothing | None) -> None:
        pass

    def close(self) -> None:
        pass


def sighting(k: int) -> Sighting:
    frame = Frame(np.zeros((48, 64, 3), np.uint8), k, k / FPS)
    return Sighting(frame, (somebody(0, seen_body(visibility=0.0)),))


@pytest.fixture(scope="module")
def desk() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joints (60, 24, 3) of two seconds at a desk: as shown and raw; and the floor below the camera (60,)."""
    solver = Solver(AtADesk(), SmoothingConfig("light"), World(load_body("open")))
    frames = [frame for k in range(60) for frame in solver.solve(sighting(k))]
    people = [frame.people[0] for frame in frames]
    cameras = [frame.T_world_cam for frame in frames]
    return np.array([p.pose.joints for p in people]), np.array([p.raw.joints for p in people]), np.array(cameras)


def test_legs_under_a_desk_stand_still_on_the_floor(desk: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    shown, raw, T_world_cam = desk
    speeds = [np.linalg.norm(np.diff(joints[:, ANKLES], axis=0), axis=-1).max() * FPS for joints in (raw, shown)]
    assert speeds[0] > 10
    assert speeds[1] < 0.1
    assert (shown[:, :, 1].min(1) > -0.01).all()
    assert (shown[:, ANKLES, 1] < 0.12).all()  # from the first frame on: the floor begins where they stand
    np.testing.assert_allclose(T_world_cam, T_world_cam[:1].repeat(60, 0), atol=0.01)


def test_raw_poses_keep_the_legs_as_they_were_made_up(desk: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    _, raw, _ = desk
    assert np.std(raw[:, ANKLES], axis=0).max() > 0.1


def test_without_smoothing_what_is_shown_is_raw() -> None:
    solver = Solver(AtADesk(), SmoothingConfig("off"), World(load_body("open")))
    for k in range(5):
        (solved,) = solver.solve(sighting(k))
        (person,) = solved.people
        assert np.abs(person.pose.rotations - person.raw.rotations).max() < 1e-6


@pytest.mark.parametrize("look_ahead", [False, True])
def test_a_frame_keeps_the_performer_that_was_chosen_in_it(look_ahead: bool) -> None:
    solver = Solver(AtADesk(), SmoothingConfig("light"), World(load_body("open")), look_ahead=look_ahead)
    told = [frame for k in range(20) for frame in solver.solve(replace(sighting(k), performer=k // 7 or None))]
    told += solver.finish()
    assert [frame.performer for frame in told] == [k // 7 or None for k in range(20)]
