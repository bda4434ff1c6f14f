"""The filter of rotations with the shipped gains."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from realtime.smoothing.learned_filter import LearnedFilter, load_gains
from realtime.smoothing.pose_smoother import SLOWEST
from realtime.smoothing.rotation_filter import FollowingParameters, RotationFilter

ELBOW = 18


def filtered(angles_rad: np.ndarray, fps: float, pace: float = 1.0) -> np.ndarray:
    """Filter turns about one axis of every joint, and return the elbow's angles."""
    learnt, out = LearnedFilter(load_gains()), []
    for k, angle in enumerate(angles_rad):
        rotmats = Rotation.from_rotvec(np.full((24, 1), angle) * [0.6, 0.0, 0.8]).as_matrix().astype(np.float32)
        out.append(learnt.update(k / fps, rotmats, pace)[ELBOW])
    return Rotation.from_matrix(np.stack(out)).as_rotvec() @ [0.6, 0.0, 0.8]


def swing(frequency_hz: float, fps: float) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(int(4 * fps)) / fps)


def gain_and_delay_ms(shown: np.ndarray, given: np.ndarray, frequency_hz: float, fps: float) -> tuple[float, float]:
    turns = np.exp(-2j * np.pi * frequency_hz * np.arange(len(given)) / fps)[int(2 * fps) :]
    response = (turns @ shown[int(2 * fps) :]) / (turns @ given[int(2 * fps) :])
    return abs(response), -np.angle(response) / (2 * np.pi * frequency_hz) * 1e3


@pytest.mark.parametrize("fps", [15, 30, 60, 120])
@pytest.mark.parametrize("frequency_hz", [1.0, 2.0, 3.0])
def test_a_swing_keeps_its_size_and_comes_hardly_later(frequency_hz: float, fps: float) -> None:
    given = swing(frequency_hz, fps)
    gain, delay_ms = gain_and_delay_ms(filtered(given, fps), given, frequency_hz, fps)
    assert 0.9 < gain < 1.1
    assert delay_ms < 25


@pytest.mark.parametrize("fps", [15, 30, 60, 120])
def test_a_wrong_past_is_left_within_a_third_of_a_second(fps: float) -> None:
    given = np.concatenate((np.zeros(int(fps)), np.full(int(fps), 1.2)))
    after = filtered(given, fps)[int(fps * 1.3) :]
    assert np.abs(after - 1.2).max() < 0.15


def test_the_first_pose_is_shown_at_once_and_a_still_one_stays() -> None:
    np.testing.assert_allclose(filtered(np.full(60, 0.7), 30), 0.7, atol=1e-5)


def test_it_knows_no_preferred_frame() -> None:
    rng = np.random.default_rng(0)
    other = Rotation.from_rotvec([0.5, -2.0, 1.0]).as_matrix().astype(np.float32)
    one, turned = (LearnedFilter(load_gains()) for _ in range(2))
    for k in range(40):
        rotmats = Rotation.from_rotvec(rng.normal(0, 0.3, (24, 3))).as_matrix().astype(np.float32)
        np.testing.assert_allclose(
            turned.update(k / 30, other @ rotmats), other @ one.update(k / 30, rotmats), atol=5e-4
        )


def test_a_hidden_joint_is_slow() -> None:
    step = np.concatenate((np.zeros(30), np.ones(10)))
    assert filtered(step, 30, SLOWEST)[33] < 0.4 * filtered(step, 30)[33]


def test_rotations_stay_rotations_over_an_hour_of_noise() -> None:
    rng = np.random.default_rng(1)
    given = (
        Rotation.from_rotvec(rng.normal(0, 1.5, (500 * 24, 3))).as_matrix().astype(np.float32).reshape(500, 24, 3, 3)
    )
    learnt = LearnedFilter(load_gains())
    for k in range(3000):
        shown = learnt.update(k / 30, given[k % 500])
    np.testing.assert_allclose(shown @ shown.swapaxes(-1, -2), np.broadcast_to(np.eye(3), shown.shape), atol=1e-4)


def test_jitter_of_a_still_pose_is_less_than_that_of_the_filter_by_rules() -> None:
    """Noise of 3 degrees; the filter by rules is that of `light` until the gains were learnt."""
    rng = np.random.default_rng(2)
    given = rng.normal(0, np.radians(3), 300)
    rules = RotationFilter(FollowingParameters(0.3, 3.0, 2.0, poles=3, top_hz=6.0, lead_s=0.01, velocity_s=0.03))
    by_rules = [
        rules.update(k / 30, Rotation.from_rotvec([[0.6 * a, 0, 0.8 * a]]).as_matrix()) for k, a in enumerate(given)
    ]
    before = Rotation.from_matrix(np.concatenate(by_rules)).as_rotvec() @ [0.6, 0.0, 0.8]
    assert filtered(given, 30)[60:].std() < 0.9 * before[60:].std()
