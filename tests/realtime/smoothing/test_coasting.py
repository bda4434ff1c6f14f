from __future__ import annotations

import numpy as np
import pytest

from engine.body.skeleton import SIDES
from realtime.kernel.messages import Person, WorldPose
from realtime.smoothing.coasting import Coasting
from tests.realtime.outputs.fingers_and_faces import handed_at


def person(person_id: int, valid: bool = True) -> Person:
    pose = WorldPose(np.zeros((24, 4), np.float32), np.zeros(3, np.float32), np.zeros((24, 3), np.float32))
    return Person(
        person_id,
        0.8,
        valid,
        np.zeros(10, np.float32),
        np.zeros(3, np.int16),
        pose,
        pose,
        {},
        np.ones(24, np.float32),
    )


def test_a_lost_person_is_held_unmoved_and_marked_then_let_go() -> None:
    coasting, given = Coasting(), person(1)
    coasting.see(0.0, given)
    held = coasting.held(0.1)
    assert held is not None
    assert (held.id, held.valid, held.pose) == (1, False, given.pose)
    assert held.confidence == pytest.approx(0.8 * 2 / 3)
    np.testing.assert_allclose(held.joint_confidence, 2 / 3, rtol=1e-6)
    assert coasting.held(0.31) is None


def test_hands_and_face_are_held_with_less_and_less_confidence() -> None:
    coasting, given = Coasting(), handed_at(0.4)
    coasting.see(0.0, given)
    held = coasting.held(0.1)
    assert held is not None
    assert held.face is not None
    assert held.face.confidence == pytest.approx(0.8 * 2 / 3)
    for side in SIDES:
        assert held.hands[side].rotations is given.hands[side].rotations
        assert held.hands[side].confidence == pytest.approx(0.9 * 2 / 3)


def test_nobody_is_held_who_is_there() -> None:
    coasting = Coasting()
    coasting.see(0.0, person(1))
    coasting.see(0.06, person(1))
    assert coasting.held(0.06) is None


def test_what_was_not_valid_is_not_held() -> None:
    coasting = Coasting()
    assert coasting.held(0.0) is None
    coasting.see(0.0, person(1, valid=False))
    assert coasting.held(0.03) is None


def test_a_clock_that_goes_back_holds_nobody() -> None:
    coasting = Coasting()
    coasting.see(1.0, person(1))
    assert coasting.held(0.5) is None
