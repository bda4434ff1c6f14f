from __future__ import annotations

import numpy as np
import pytest

from realtime.kernel.messages import Person, WorldPose
from realtime.smoothing.coasting import Coaster


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


def test_people_who_are_there_pass_as_they_are() -> None:
    given = (person(1), person(2))
    assert Coaster().update(0.0, given) == given


def test_a_lost_person_is_held_unmoved_and_marked_then_let_go() -> None:
    coaster, given = Coaster(), person(1)
    coaster.update(0.0, (given,))
    (held,) = coaster.update(0.1, ())
    assert (held.id, held.valid, held.pose) == (1, False, given.pose)
    assert held.confidence == pytest.approx(0.8 * 2 / 3)
    np.testing.assert_allclose(held.joint_confidence, 2 / 3, rtol=1e-6)
    assert coaster.update(0.31, ()) == ()


def test_a_person_who_comes_back_is_not_doubled() -> None:
    coaster = Coaster()
    coaster.update(0.0, (person(1),))
    coaster.update(0.03, ())
    assert [(p.id, p.valid) for p in coaster.update(0.06, (person(1),))] == [(1, True)]


def test_what_was_not_valid_is_not_held() -> None:
    coaster = Coaster()
    coaster.update(0.0, (person(1, valid=False),))
    assert coaster.update(0.03, ()) == ()


def test_a_clock_that_goes_back_holds_nobody() -> None:
    coaster = Coaster()
    coaster.update(1.0, (person(1), person(2)))
    assert coaster.update(0.5, ()) == ()
