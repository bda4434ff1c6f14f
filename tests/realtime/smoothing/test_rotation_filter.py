from __future__ import annotations

from dataclasses import replace

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from realtime.smoothing.one_euro import OneEuroParameters
from realtime.smoothing.rotation_filter import FollowingParameters, RotationFilter
from tests.realtime.smoothing.scalar_one_euro import scalar_one_euro, wobbly

RULE = OneEuroParameters(min_cutoff_hz=0.5, beta=3.0, derivative_cutoff_hz=2.0)
FOLLOWING = FollowingParameters(**vars(RULE), poles=3, top_hz=6.0, lead_s=0.01)
ONE_EURO = FollowingParameters(**vars(RULE))
AXIS = np.array([2.0, -1.0, 2.0]) / 3


def turned(angles: np.ndarray) -> np.ndarray:
    return Rotation.from_rotvec(angles[:, None] * AXIS).as_matrix()


def filtered(times: np.ndarray, angles: np.ndarray, following: FollowingParameters = FOLLOWING) -> np.ndarray:
    """Angles about AXIS after the filter."""
    rotation_filter = RotationFilter(following)
    found = [rotation_filter.update(t, R) for t, R in zip(times, turned(angles), strict=True)]
    return Rotation.from_matrix(np.stack(found)).as_rotvec() @ AXIS


def test_with_one_pole_and_no_lead_it_is_the_scalar_one_euro_filter_about_a_fixed_axis() -> None:
    times, angles = wobbly()
    np.testing.assert_allclose(filtered(times, angles, ONE_EURO), scalar_one_euro(times, angles, RULE), atol=1e-9)


@pytest.mark.parametrize("fps", [15, 30, 60, 120])
@pytest.mark.parametrize("poles", [1, 2, 4])
def test_a_steady_turn_comes_late_by_the_cutoffs_delay_less_the_lead(fps: int, poles: int) -> None:
    """Poles of cutoff poles * f are each 1 / (2 pi poles f) late, one such low-pass of cutoff f as much as all."""
    times = np.arange(fps + 1) / fps
    late_s = (3.0 * times - filtered(times, 3.0 * times, replace(FOLLOWING, poles=poles)))[-1] / 3.0
    assert late_s == pytest.approx(1 / (2 * np.pi * 6.0) - 0.01, abs=2e-4)


def test_more_poles_remove_more_jitter_at_equal_delay() -> None:
    """At 60 frames a second linear theory gives 0.33 of the second differences for one pole at 20 ms, 0.26 for two."""
    rng = np.random.default_rng(1)
    times = np.arange(3000) / 60
    jitter = []
    for poles in (1, 2, 3):
        always = FollowingParameters(min_cutoff_hz=8.0, beta=0.0, poles=poles, top_hz=9.0, lead_s=0.0)
        rotation_filter = RotationFilter(always)
        noise = 0.01 * rng.normal(size=3000)
        found = [rotation_filter.update(t, R) for t, R in zip(times, turned(noise), strict=True)]
        angles = Rotation.from_matrix(np.stack(found)).as_rotvec() @ AXIS
        jitter.append(np.std(np.diff(angles, n=2)) / np.std(np.diff(noise, n=2)))
    np.testing.assert_allclose(jitter, [0.33, 0.26, 0.23], atol=0.015)


def test_a_swing_passes_in_full_and_stillness_is_calm() -> None:
    times = np.arange(600) / 30
    swing = 0.5 * np.sin(2 * np.pi * 2.0 * times)
    assert 0.95 < np.ptp(filtered(times, swing)[60:]) / np.ptp(swing) < 1.06
    noise = 0.02 * np.random.default_rng(2).normal(size=600)
    assert filtered(times, noise)[60:].std() < 0.4 * noise.std()


@pytest.mark.parametrize("following", [FOLLOWING, ONE_EURO])
@settings(max_examples=25)
@given(
    seed=st.integers(0, 1000),
    left=hnp.arrays(np.float64, 3, elements=st.floats(-3, 3)),
    right=hnp.arrays(np.float64, 3, elements=st.floats(-3, 3)),
)
def test_it_knows_no_preferred_frame(
    following: FollowingParameters, seed: int, left: np.ndarray, right: np.ndarray
) -> None:
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.02, 0.05, 12))
    rotmats = Rotation.from_rotvec(np.cumsum(rng.normal(0, 0.2, (12, 3)), 0)).as_matrix()
    Q, S = Rotation.from_rotvec(left).as_matrix(), Rotation.from_rotvec(right).as_matrix()
    plain, other = RotationFilter(following), RotationFilter(following)
    for t, R in zip(times, rotmats, strict=True):
        np.testing.assert_allclose(other.update(t, Q @ R @ S), Q @ plain.update(t, R) @ S, atol=1e-9)


def test_each_rotation_has_a_cutoff_of_its_own() -> None:
    times, angles = wobbly(2)
    rotmats = turned(angles)
    both, alone = RotationFilter(FOLLOWING), RotationFilter(FOLLOWING)
    for t, R in zip(times, rotmats, strict=True):
        together = both.update(t, np.stack((R, np.eye(3))))
        np.testing.assert_allclose(together[0], alone.update(t, R), atol=1e-12)
        np.testing.assert_allclose(together[1], np.eye(3), atol=1e-12)


def test_a_slow_pace_holds_one_rotation_and_leaves_the_others() -> None:
    times = np.arange(30) / 30
    rotmats = turned(np.where(times > 0.5, 0.5, 0.0))
    both, alone = RotationFilter(FOLLOWING), RotationFilter(FOLLOWING)
    for t, R in zip(times, rotmats, strict=True):
        together = both.update(t, np.stack((R, R)), np.array([1.0, 0.1]))
        np.testing.assert_allclose(together[0], alone.update(t, R), atol=1e-12)
    held, followed = (Rotation.from_matrix(R).magnitude() for R in together[::-1])
    assert followed > 0.45
    assert held < 0.8 * followed


def test_half_a_turn_in_one_frame_is_followed_and_over_within_a_second() -> None:
    """A jump may go either way round, and must not ring."""
    angles = np.where(np.arange(90) < 30, 0.0, 3.1)
    found = filtered(np.arange(90) / 30, angles)
    apart = np.abs(np.angle(np.exp(1j * (found - angles))))
    assert apart[60:].max() < 0.05


@pytest.mark.parametrize("following", [FOLLOWING, ONE_EURO])
def test_rotations_stay_rotations_in_float32_for_a_long_time(following: FollowingParameters) -> None:
    rng = np.random.default_rng(3)
    rotation_filter = RotationFilter(following)
    rotmats = Rotation.from_rotvec(np.cumsum(rng.normal(0, 0.1, (5000, 3)), 0)).as_matrix().astype(np.float32)
    for k, R in enumerate(rotmats):
        smooth = rotation_filter.update(k / 30, R)
    np.testing.assert_allclose(smooth @ smooth.T, np.eye(3), atol=4e-6)


@pytest.mark.parametrize("values", [{"poles": 0}, {"top_hz": 0.0}, {"lead_s": -0.1}, {"velocity_s": 0.0}])
def test_senseless_parameters_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="rotation filter"):
        FollowingParameters(**values)  # type: ignore[arg-type]
