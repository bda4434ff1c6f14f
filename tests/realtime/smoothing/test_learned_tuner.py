"""The filter of `light` with the shipped tuner, against the same filter by rules alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from realtime.smoothing.learned_tuner import LearnedTuner, load_weights
from realtime.smoothing.pose_smoother import LEVELS, SLOWEST
from realtime.smoothing.rotation_filter import RotationFilter

ELBOW = 18
AXIS = np.array([0.6, 0.0, 0.8])
FPS = [15, 30, 60, 120]


def smoother(learnt: bool = True) -> RotationFilter:
    assert LEVELS["light"] is not None
    return RotationFilter(LEVELS["light"].body, LearnedTuner(load_weights()) if learnt else None)


def turned(angles_rad: np.ndarray) -> np.ndarray:
    """Rotations (..., 3, 3) by angles (...) about one axis."""
    vectors = (angles_rad[..., None] * AXIS).reshape(-1, 3)
    return Rotation.from_rotvec(vectors).as_matrix().astype(np.float32).reshape(*angles_rad.shape, 3, 3)


def filtered(angles_rad: np.ndarray, t: np.ndarray, learnt: bool = True, pace: float = 1.0) -> np.ndarray:
    """Filter turns (N,) of every joint, or (N, 24) of each, about one axis at times t (N,); return the elbow's (N,)."""
    each = turned(np.broadcast_to(angles_rad.reshape(len(t), -1), (len(t), 24)))
    used = smoother(learnt)
    shown = np.stack([used.update(float(at), rotmats, pace)[ELBOW] for at, rotmats in zip(t, each, strict=True)])
    return Rotation.from_matrix(shown).as_rotvec() @ AXIS


def times(fps: float, seconds: float = 4.0) -> np.ndarray:
    return np.arange(int(seconds * fps)) / fps


def gain_and_delay_ms(shown: np.ndarray, given: np.ndarray, t: np.ndarray, frequency_hz: float) -> tuple[float, float]:
    settled = t >= 2
    turns = np.exp(-2j * np.pi * frequency_hz * t[settled])
    response = (turns @ shown[settled]) / (turns @ given[settled])
    return float(abs(response)), float(-np.angle(response) / (2 * np.pi * frequency_hz) * 1e3)


@pytest.mark.parametrize("fps", FPS)
@pytest.mark.parametrize("frequency_hz", [0.5, 1.0, 2.0, 3.0])
def test_a_swing_keeps_its_size_and_comes_earlier_than_by_rules(frequency_hz: float, fps: float) -> None:
    t = times(fps)
    given = 0.5 * np.sin(2 * np.pi * frequency_hz * t)
    gain, delay_ms = gain_and_delay_ms(filtered(given, t), given, t, frequency_hz)
    _, by_rules_ms = gain_and_delay_ms(filtered(given, t, learnt=False), given, t, frequency_hz)
    assert 0.95 < gain < 1.05
    assert delay_ms < by_rules_ms - 3


def test_irregular_steps_of_15_to_120_a_second_change_nothing_of_that() -> None:
    rng = np.random.default_rng(4)
    t = np.cumsum(1 / np.exp(rng.uniform(np.log(15), np.log(120), 200)))
    given = 0.5 * np.sin(2 * np.pi * 1.5 * t)
    errors = [np.abs(filtered(given, t, learnt) - given)[50:].mean() for learnt in (True, False)]
    assert errors[0] < 0.7 * errors[1]


@pytest.mark.parametrize("fps", FPS)
def test_a_wrong_past_is_left_within_a_third_of_a_second(fps: float) -> None:
    t = times(fps, 2)
    after = filtered(np.where(t < 1, 0.0, 1.2), t)[t > 1.3]
    assert np.abs(after - 1.2).max() < 0.06


@pytest.mark.parametrize("fps", FPS)
def test_what_it_learnt_of_a_noisy_past_is_forgotten_within_a_third_of_a_second(fps: float) -> None:
    """Noise of 10 degrees, then a clear swing: from 0.3 s on its error is less than by rules after a clean past."""
    t = times(fps, 3)
    swing = 0.5 * np.sin(2 * np.pi * 1.5 * (t - 1.5)) * (t > 1.5)
    noise = np.random.default_rng(3).normal(0, np.radians(10), (len(t), 24)) * (t <= 1.5)[:, None]
    late = t > 1.8
    after_noise = np.abs(filtered(swing[:, None] + noise, t) - swing)[late].mean()
    assert after_noise < np.abs(filtered(swing, t, learnt=False) - swing)[late].mean()


def test_the_first_pose_is_shown_at_once_and_a_still_one_stays() -> None:
    np.testing.assert_allclose(filtered(np.full(60, 0.7), times(30, 2)), 0.7, atol=1e-5)


def test_it_knows_no_preferred_frame() -> None:
    rng = np.random.default_rng(0)
    other = Rotation.from_rotvec([0.5, -2.0, 1.0]).as_matrix().astype(np.float32)
    one, turned_round = smoother(), smoother()
    for k in range(40):
        rotmats = Rotation.from_rotvec(rng.normal(0, 0.3, (24, 3))).as_matrix().astype(np.float32)
        np.testing.assert_allclose(
            turned_round.update(k / 30, other @ rotmats), other @ one.update(k / 30, rotmats), atol=1e-3
        )


def test_a_hidden_joint_is_slow() -> None:
    t = times(30, 4 / 3)
    step = np.where(t < 1, 0.0, 1.0)
    assert filtered(step, t, pace=SLOWEST)[33] < 0.4 * filtered(step, t)[33]


def test_rotations_stay_rotations_over_an_hour_of_noise() -> None:
    given = Rotation.from_rotvec(np.random.default_rng(1).normal(0, 1.5, (12000, 3))).as_matrix().astype(np.float32)
    used = smoother()
    for k in range(3000):
        shown = used.update(k / 30, given.reshape(500, 24, 3, 3)[k % 500])
    np.testing.assert_allclose(shown @ shown.swapaxes(-1, -2), np.broadcast_to(np.eye(3), shown.shape), atol=1e-4)


@pytest.mark.parametrize("noise_deg", [1.0, 2.0, 5.0])
@pytest.mark.parametrize("fps", FPS)
def test_a_still_person_jitters_less_than_by_rules(fps: float, noise_deg: float) -> None:
    t = times(fps)
    given = np.random.default_rng(2).normal(0, np.radians(noise_deg), (len(t), 24))
    jitter = [filtered(given, t, learnt)[t > 1].std() for learnt in (True, False)]
    assert jitter[0] < 0.97 * jitter[1]


def test_a_tuner_that_answers_nothing_leaves_the_filter_by_rules() -> None:
    weights = load_weights()
    nothing = weights._replace(output_weight=0 * weights.output_weight, output_bias=0 * weights.output_bias)
    assert LEVELS["light"] is not None
    tuned, rules = RotationFilter(LEVELS["light"].body, LearnedTuner(nothing)), smoother(learnt=False)
    rng = np.random.default_rng(6)
    for k in range(30):
        rotmats = Rotation.from_rotvec(rng.normal(0, 0.3, (24, 3))).as_matrix().astype(np.float32)
        np.testing.assert_allclose(tuned.update(k / 30, rotmats), rules.update(k / 30, rotmats), atol=1e-6)
