"""Hands from perception to the solved person: completed before smoothing, live and with a look ahead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.files import load_body
from engine.body.hand import published_hand
from engine.body.skeleton import SIDES, SMPL
from realtime.estimate.estimator import FrameByFrame
from realtime.estimate.hands.completion import HandCompletion
from realtime.estimate.tokens import TokenSmoothing
from realtime.kernel.messages import CameraPose, Estimate, Frame, Person, Sighting
from realtime.run.solver import Solver
from realtime.smoothing.pose_smoother import SmoothingConfig
from realtime.world.world import World
from tests.realtime.estimate.hands.posed import apart_deg, gesture, points, rotations, seen_hand
from tests.realtime.seen_people import somebody

FPS, HAND, BODY = 30, published_hand(), load_body("open").core
TURN = Rotation.from_rotvec((1.0, 0, 0))  # of the real left forearm, which the body's network does not see
UPRIGHT = np.diag([1.0, -1.0, -1.0])


class Standing(FrameByFrame):
    """An estimator that always says the same pose."""

    name, backend = "made up", "none"

    def people(self, sighting: Sighting) -> tuple[Estimate, ...]:
        rotmats = np.tile(np.eye(3), (24, 1, 1))
        rotmats[0] = UPRIGHT
        pose = CameraPose(rotmats.astype(np.float32), np.array([0, 0.2, 2], np.float32), np.zeros(10, np.float32))
        tokens, seen = np.zeros(3, np.int16), np.ones(24, np.float32)
        return tuple(Estimate(person, 0.9, tokens, pose, pose, seen) for person in sighting.people)

    def set_token_smoothing(self, smoothing: TokenSmoothing | None) -> None:
        pass

    def close(self) -> None:
        pass


def sighting(k: int, *, anybody: bool = True) -> Sighting:
    """A fist of the left hand in every second frame."""
    noise = np.random.default_rng(k).normal(0, 0.002, (21, 3))
    world_m = points(gesture("fist")[None], HAND)[0] @ (UPRIGHT @ TURN.as_matrix()).T + noise
    person = somebody(0)
    if k % 2 == 0:
        person = replace(person, keypoints={**person.keypoints, "left_hand": seen_hand(world_m)})
    return Sighting(Frame(np.zeros((480, 640, 3), np.uint8), k, k / FPS), (person,) if anybody else ())


def solved(smoothing: str, *, look_ahead: bool = False, hands: bool = True) -> list[Person]:
    completion = HandCompletion(HAND, BODY) if hands else None
    solver = Solver(Standing(), SmoothingConfig(smoothing), World(BODY), look_ahead=look_ahead, hands=completion)
    frames = [frame for k in range(60) for frame in solver.solve(sighting(k))]
    return [frame.people[0] for frame in (*frames, *solver.finish())]


@pytest.mark.parametrize("look_ahead", [False, True])
def test_fingers_and_forearm_arrive_smoothed(look_ahead: bool) -> None:
    people = solved("light", look_ahead=look_ahead)
    assert len(people) == 60
    fist = rotations(gesture("fist")[None], HAND)
    fingers = [[getattr(each.hands["left"], name) for each in people[20:]] for name in ("rotations", "raw")]
    assert apart_deg(Rotation.from_quat(fingers[0][-1]), fist).max() < 15
    shake = [np.abs(np.diff(each, axis=0)).mean() for each in fingers]
    assert shake[0] < 0.7 * shake[1]
    for pose in (people[-1].pose, people[-1].raw):
        turn = np.eye(3)
        for joint in ("left_elbow", "left_wrist"):
            turn = turn @ Rotation.from_quat(pose.rotations[SMPL.index(joint)]).as_matrix()
        assert apart_deg(Rotation.from_matrix(turn), TURN) < 6
    assert people[-1].hands["right"].confidence == 0
    assert people[-1].hands["left"].confidence > 0.9


def test_without_smoothing_fingers_are_as_measured() -> None:
    for each in solved("off"):
        assert (each.hands["left"].rotations == each.hands["left"].raw).all()


def test_nobody_has_hands_where_they_are_not_looked_for() -> None:
    assert all(not each.hands for each in solved("light", hands=False))


def test_hands_of_somebody_held_lose_confidence() -> None:
    solver = Solver(Standing(), SmoothingConfig("light"), World(BODY), hands=HandCompletion(HAND, BODY))
    for k in range(30):
        solver.solve(sighting(k))
    held = [solver.solve(sighting(k, anybody=False))[0].people[0] for k in range(30, 38)]
    confidence = [each.hands["left"].confidence for each in held]
    assert (np.diff(confidence) < 0).all()
    assert set(held[0].hands) == set(SIDES)
