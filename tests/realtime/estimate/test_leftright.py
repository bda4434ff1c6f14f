from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.model import BodyModel
from engine.body.skeleton import MIRROR_JOINTS
from realtime.estimate.leftright import LeftRightCheck
from realtime.estimate.memory import JUDGED_AFRESH_S
from realtime.kernel.tracks import Lapsing

FPS = 30
MIRROR_DEPTH = np.array([1.0, 1.0, -1.0])


def readings(body: BodyModel, yaw_rad: np.ndarray, turned_round: np.ndarray, seed: int = 0) -> list[tuple]:
    """(as seen, swapped) joints for a moving person at these yaws; the detector errs where `turned_round`."""
    rng = np.random.default_rng(seed)
    out = []
    for k, (yaw, wrong) in enumerate(zip(yaw_rad, turned_round, strict=True)):
        rotmats = np.eye(3).repeat(24).reshape(3, 3, 24).transpose(2, 0, 1).copy()
        rotmats[0] = np.diag([1.0, -1.0, -1.0]) @ Rotation.from_rotvec([0, yaw, 0]).as_matrix()
        swing = 0.5 * np.sin(2 * np.pi * k / FPS)
        rotmats[16] = Rotation.from_rotvec([0, -0.4, -1.0 + swing]).as_matrix()
        rotmats[17] = Rotation.from_rotvec([0, 0.6, 1.1 + swing]).as_matrix()
        rotmats[4] = Rotation.from_rotvec([0.4, 0, 0]).as_matrix()
        joints, _ = body.landmarks(rotmats[None].astype(np.float32), np.zeros((1, 10), np.float32))
        true = joints[0] + rng.normal(0, 0.015, (24, 3))
        false = true[MIRROR_JOINTS] * MIRROR_DEPTH + rng.normal(0, 0.005, (24, 3))
        out.append((false, true) if wrong else (true, false))
    return out


def errors(pairs: list[tuple], turned_round: np.ndarray, t: np.ndarray | None = None) -> np.ndarray:
    """Frames in which the check's answer is not what the detector did."""
    check = Lapsing(LeftRightCheck, JUDGED_AFRESH_S)
    times = np.arange(len(pairs)) / FPS if t is None else t
    said = [check.at(time).is_swapped(time, *pair) for time, pair in zip(times, pairs, strict=True)]
    return np.flatnonzero(np.array(said) != turned_round)


@pytest.mark.parametrize("yaw_deg", [0, 40, 180])
def test_single_turned_frames_are_undone(stick_body: BodyModel, yaw_deg: float) -> None:
    turned_round = np.random.default_rng(1).random(200) < 0.25
    turned_round[:3] = False
    pairs = readings(stick_body, np.full(200, np.radians(yaw_deg)), turned_round)
    assert len(errors(pairs, turned_round)) == 0


@pytest.mark.parametrize("wrong_at_start", [1, 2, 3, 5])
def test_a_wrong_start_is_overruled_within_as_many_frames(stick_body: BodyModel, wrong_at_start: int) -> None:
    turned_round = np.arange(60) < wrong_at_start
    wrong = errors(readings(stick_body, np.full(60, 0.3), turned_round), turned_round)
    assert wrong.max(initial=0) <= 2 * wrong_at_start + FPS // 4


def test_a_quarter_of_the_frames_wrong_and_the_first_among_them(stick_body: BodyModel) -> None:
    turned_round = np.random.default_rng(4).random(300) < 0.25
    turned_round[0] = True
    wrong = errors(readings(stick_body, np.full(300, 0.3), turned_round), turned_round)
    assert wrong.max(initial=0) < 15


def test_a_second_of_turned_frames_is_undone_once_the_person_is_known(stick_body: BodyModel) -> None:
    turned_round = (np.arange(200) >= 100) & (np.arange(200) < 130)
    assert len(errors(readings(stick_body, np.full(200, 0.2), turned_round), turned_round)) == 0


def test_a_person_who_really_turns_round_is_believed(stick_body: BodyModel) -> None:
    yaw = np.radians(np.clip(np.arange(150) * 4 - 120, 0, 360))  # 120 degrees a second, once round
    never = np.zeros(150, bool)
    assert len(errors(readings(stick_body, yaw, never), never)) == 0


def test_in_profile_the_detector_is_believed(stick_body: BodyModel) -> None:
    """A person and their mirror image nearly agree there, so noise must not exchange them for what follows."""
    yaw = np.radians(
        np.concatenate((np.full(40, 20), np.linspace(20, 90, 20), np.full(60, 90), np.linspace(90, 160, 20)))
    )
    never = np.zeros(len(yaw), bool)
    assert len(errors(readings(stick_body, yaw, never), never)) == 0


def test_an_error_that_goes_on_for_seconds_is_believed_at_last(stick_body: BodyModel) -> None:
    turned_round = np.arange(330) >= 150
    wrong = errors(readings(stick_body, np.full(330, 0.2), turned_round), turned_round)
    believed_after_s = (wrong[0] - 150) / FPS
    assert 1.5 < believed_after_s < 3.5
    np.testing.assert_array_equal(wrong, np.arange(wrong[0], 330))


def test_after_a_long_absence_a_person_is_judged_afresh(stick_body: BodyModel) -> None:
    turned_round = np.arange(40) >= 20
    pairs = readings(stick_body, np.zeros(40), turned_round)
    times = np.arange(40) / FPS + 2.0 * (np.arange(40) >= 20)
    assert errors(pairs, turned_round, times)[0] == 20
