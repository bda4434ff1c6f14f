"""Somebody becomes a person, stays one over a dip, and is lost."""

from __future__ import annotations

import numpy as np
import pytest

from engine.body.keypoints import BLAZEPOSE, Keypoints
from realtime.perception.people.standing import Standing, proof
from tests.realtime.seen_people import seen_body


def _states(fps: float, shown: list[float]) -> list[str]:
    standing = Standing(0.0)
    return [standing.update(i / fps, each) for i, each in enumerate(shown)]


def _landmarks(visibility: dict[str, float], presence: float = 1.0, others: float = 0.02) -> Keypoints:
    values = np.array([visibility.get(name, others) for name in BLAZEPOSE.names], np.float32)
    return seen_body(visibility=values, presence=presence)


@pytest.mark.parametrize("fps", [10, 12, 15, 20, 24, 25, 30, 50, 60, 120, 240])
def test_a_person_is_confirmed_within_a_tenth_of_a_second(fps: int) -> None:
    states = _states(fps, [0.9] * 60)
    frame = states.index("confirmed")
    assert frame + 1 >= 2
    assert 0.06 <= frame / fps <= 0.1


def test_only_good_frames_in_a_row_earn_it() -> None:
    assert set(_states(30, [0.9, 0.9, 0.3] * 20)) == {"earning", "trial"}
    assert _states(30, [0.3, 0.3, 0.9, 0.9, 0.9])[-1] == "confirmed"


def test_a_trial_without_a_good_frame_ends() -> None:
    states = _states(30, [0.2] * 20)
    assert states.index("lost") / 30 == pytest.approx(0.5, abs=0.04)


def test_a_dip_is_survived_and_a_long_one_is_not() -> None:
    assert _states(30, [0.9] * 5 + [0.1] * 9 + [0.5])[-2:] == ["doubted", "confirmed"]
    assert _states(30, [0.9] * 5 + [0.1] * 11)[-1] == "lost"


def test_a_confirmed_person_may_show_less_than_a_new_one() -> None:
    assert set(_states(30, [0.9] * 5 + [0.3] * 60)[5:]) == {"confirmed"}


def test_head_and_shoulders_at_a_desk_are_proof_and_a_bare_head_is_not() -> None:
    arms = {
        f"{side}_{joint}": seen for side in ("left", "right") for joint, seen in (("shoulder", 0.9), ("elbow", 0.5))
    }
    face = {"nose": 1.0, "left_eye": 1.0, "right_eye": 1.0, "left_ear": 1.0, "right_ear": 1.0}
    at_desk = _landmarks(arms | face)
    assert at_desk.visibility[BLAZEPOSE.on_joints].mean() < 0.25  # the mean over all limbs says next to nothing
    assert proof(at_desk) > 0.6
    assert proof(_landmarks(face)) < 0.1


def test_numbers_that_are_not_finite_prove_nothing() -> None:
    assert proof(_landmarks({}, others=np.nan)) == 0.0
    assert proof(_landmarks({}, presence=np.nan)) == 0.0
