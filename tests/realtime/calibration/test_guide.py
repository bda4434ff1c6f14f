"""Guidance of somebody who calibrates, frame by frame, and all that they can do wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from realtime.calibration import guide as words
from realtime.calibration.guide import PATIENCE_S, SIDE_S, STILL_S, Guide
from realtime.kernel.messages import Guidance, Person
from tests.realtime.calibration.stances import CAMERA, frame, lost, person

FPS = 30
Acting = Callable[[float], tuple[Person, ...]]


class Played:
    """A guide, and everything that it said."""

    def __init__(self) -> None:
        self.guide = Guide()
        self.t = 100.0
        self.told: list[Guidance] = []

    def play(self, seconds: float, acting: Acting, camera=CAMERA) -> list[str]:
        """Play for so long, or to the end; what was told, without repeats."""
        began, first = self.t, len(self.told)
        while self.t < began + seconds and self.guide.guidance.state == "going":
            self.told.append(self.guide.see(frame(self.t, *acting(self.t - began), camera=camera)))
            self.t += 1 / FPS
        texts = [guidance.text for guidance in self.told[first:]]
        return [text for text, before in zip(texts, ["", *texts], strict=False) if text != before]


def standing(t: float) -> tuple[Person, ...]:
    return (person(),)


def at(left_m: float, **how: Any) -> Acting:
    return lambda t: (person(left_m, **how),)


def nobody(t: float) -> tuple[Person, ...]:
    return ()


@pytest.fixture
def played() -> Played:
    return Played()


def test_stand_still_then_a_step_to_each_side_takes_five_seconds(played: Played) -> None:
    told = played.play(STILL_S + 0.2, standing)
    told += played.play(0.5, lambda t: (person(0.8 * t),))
    told += played.play(SIDE_S + 0.2, at(0.4))
    told += played.play(1.0, lambda t: (person(0.4 - 0.8 * t),))
    told += played.play(SIDE_S + 0.5, at(-0.4))

    assert [told[0], *dict.fromkeys(told[1:])] == [words.STAND, words.LEFT, words.TWO_RIGHT, "Calibrated"]
    assert played.guide.guidance == Guidance("Calibrated", 1.0, "done")
    assert played.t - 100 < 5.5
    progress = [guidance.progress for guidance in played.told]
    assert (np.diff(progress) >= 0).all()
    assert {0.5, 0.75} < set(progress)
    assert len(played.guide.standing) == pytest.approx(STILL_S * FPS, abs=2)
    left, right = played.guide.sides
    assert np.mean([stance.joints_cam[0, 0] for stance in left]) > 0.25
    assert np.mean([stance.joints_cam[0, 0] for stance in right]) < -0.25


def test_the_right_side_may_come_first(played: Played) -> None:
    played.play(STILL_S + 0.2, standing)
    told = played.play(SIDE_S + 0.6, at(-0.4)) + played.play(SIDE_S + 0.6, at(0.4))
    assert told[-2:] == [words.TWO_LEFT, "Calibrated"]


def test_feet_that_are_held_where_they_stand_hide_no_step(played: Played) -> None:
    """Somebody who shuffles, and whose body the lock of feet keeps back."""
    played.play(STILL_S + 0.2, standing)
    kept_back = replace(person(0.4), pose=person(0.1).pose)
    assert played.play(SIDE_S + 0.6, lambda t: (kept_back,))[-1] == words.TWO_RIGHT


@pytest.mark.parametrize(
    ("acting", "hint", "why"),
    [
        (nobody, words.NOBODY, "nobody was in view"),
        (lambda t: (lost(person()),), words.NOBODY, "nobody was in view"),
        (lambda t: (person(), person(1.0, id=1)), words.CROWD, "more than one person was in view"),
        (at(0, legs_seen=0.2), words.LEGS_UNSEEN, "your legs were not seen"),
        (at(0, feet_px=500), words.LEGS_UNSEEN, "your legs were not seen"),
        (at(0, knees_deg=85), words.BENT, "nobody stood upright"),
        (at(0, turn=np.diag([-1, -1, 1]).astype(np.float32)), words.BENT, "nobody stood upright"),
        (at(0, arms_deg=0), words.ARMS, "your arms did not hang"),
        (lambda t: (person(0.3 * np.sin(3 * t)),), words.STAND, "nobody stood still for 2 s"),
    ],
    ids=[
        "nobody",
        "lost",
        "two",
        "seated at a desk",
        "feet outside",
        "seated in view",
        "upside down",
        "arms out",
        "restless",
    ],
)
def test_what_hinders_is_told_at_once_and_gives_up_in_one_line(played: Played, acting: Acting, hint, why) -> None:
    assert played.play(PATIENCE_S - 1, acting)[-1] == hint
    assert played.guide.guidance.progress < 0.5
    played.play(2.0, acting)
    end = played.guide.guidance
    assert end.state == "failed"
    assert end.text.startswith(f"Not calibrated: {why}")
    assert played.guide.see(frame(played.t, person())) is end  # and that is the last word


def test_once_the_hindrance_is_gone_it_goes_on(played: Played) -> None:
    for acting in (nobody, at(0, legs_seen=0.2), at(0, knees_deg=85), at(0, arms_deg=0)):
        played.play(2.0, acting)
    assert played.play(STILL_S + 0.6, standing)[-1] == words.LEFT


def test_standing_begins_anew_after_a_gap(played: Played) -> None:
    played.play(0.9 * STILL_S, standing)
    played.play(0.2, nobody)
    played.play(0.9 * STILL_S, standing)
    assert played.guide.guidance.progress < 0.5


@pytest.mark.parametrize(("side", "missing"), [(0.0, "left"), (0.4, "right"), (0.15, "left")])
def test_a_step_that_never_comes_is_told_by_its_side(played: Played, side: float, missing: str) -> None:
    played.play(STILL_S + 0.2, standing)
    played.play(2 * PATIENCE_S + 3, at(side))
    assert played.guide.guidance.text == f"Not calibrated: no step to the {missing} was seen"


def test_somebody_else_begins_from_the_beginning(played: Played) -> None:
    played.play(STILL_S + 0.2, standing)
    assert played.play(1.0, at(0.4, id=7))[-1] == words.STAND
    assert {stance.person.id for stance in played.guide.standing} == {7}


@pytest.mark.parametrize(("stood_s", "found"), [(0.9, {"pitch_deg": 22.0}), (1.1, {"fov_deg": 40.0})])
def test_a_camera_found_to_be_another_one_begins_from_the_beginning(played: Played, stood_s: float, found) -> None:
    played.play(stood_s * STILL_S, standing)
    camera = replace(CAMERA, **found)
    assert played.play(1.0, standing, camera=camera)[-1] == words.STAND
    assert {stance.camera for stance in played.guide.standing} == {camera}


def test_a_tilt_that_people_tell_by_having_stood_lets_them_step_on(played: Played) -> None:
    played.play(STILL_S + 0.2, standing)
    assert played.play(1.0, standing, camera=replace(CAMERA, pitch_deg=22.0)) == [words.LEFT]


def test_a_clip_that_ends_too_soon_says_where_it_was(played: Played) -> None:
    played.play(1.0, standing)
    end = played.guide.end()
    assert end.text == "Not calibrated: the pictures ended at 'Stand still, arms at your sides'"
    assert end.state == "failed"


def test_a_clip_without_a_picture_ends_too() -> None:
    assert Guide().end().state == "failed"


def test_hints_do_not_flicker(played: Played) -> None:
    """Arms that hang in every other frame only."""
    told = played.play(4.0, lambda t: (person(arms_deg=75 if round(t * FPS) % 2 else 0),))
    assert len(told) <= 9
