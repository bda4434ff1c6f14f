from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation, Slerp

from realtime.outputs.recording.sampling.resample import (
    MIN_RATE_HZ,
    lerp_to_peaks,
    slerp,
    uniform_grid,
    uniform_rate,
)

components = arrays(np.float64, (2, 4), elements=st.floats(-1, 1, allow_subnormal=False))


def unit(q: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(q, axis=-1, keepdims=True)
    assume(norm.min() > 1e-3)
    return q / norm


def angle_between(a: np.ndarray, b: np.ndarray) -> float:
    return float((Rotation.from_quat(a).inv() * Rotation.from_quat(b)).magnitude())


@given(components, st.floats(0, 1))
def test_slerp_agrees_with_scipy(q: np.ndarray, fraction: float) -> None:
    a, b = unit(q)
    assume(angle_between(a, b) < np.pi - 1e-4)  # at half a turn there are two shortest ways
    ours = slerp(a[None, None], b[None, None], np.array([fraction]))[0, 0]
    expected = Slerp([0, 1], Rotation.from_quat([a, b]))(fraction).as_quat()
    assert angle_between(ours, expected) < 1e-7


@pytest.mark.parametrize(
    ("rate_hz", "expected"),
    [(60.0, 60), (59.94, 60), (30.0, 30), (29.97, 30), (25.0, MIN_RATE_HZ), (10.0, MIN_RATE_HZ)],
)
def test_rate_is_whole_and_at_least_thirty(rate_hz: float, expected: int) -> None:
    assert uniform_rate(np.arange(100) / rate_hz) == expected


@pytest.mark.parametrize("rate_hz", [60, 90, 120, 240])
def test_rate_of_times_in_whole_milliseconds(rate_hz: int) -> None:
    assert uniform_rate(np.round(np.arange(100) / rate_hz, 3)) == rate_hz


def test_rate_of_jitter_that_leans_to_no_side() -> None:
    rng = np.random.default_rng(0)
    times = (np.arange(3000) + rng.uniform(-0.2, 0.2, 3000)) / 30
    kept = np.delete(times, rng.choice(3000, 300, replace=False))  # a slow stage lost some
    assert uniform_rate(times) == uniform_rate(kept) == 30


def test_rate_ignores_a_pause_and_jitter() -> None:
    rng = np.random.default_rng(0)
    times = np.cumsum(1 / 30 + rng.normal(0, 0.002, 301))
    times[150:] += 60.0
    assert uniform_rate(times) == 30


def test_one_row_is_enough() -> None:
    assert uniform_rate(np.array([0.0])) == MIN_RATE_HZ
    assert uniform_rate(np.array([0.0, 0.01, 5.0])) == 100
    grid = uniform_grid(np.array([0.0]), np.array([True]), np.array([False]), 30)
    assert grid.valid.tolist() == [True]


def all_good(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.ones(len(times), bool), np.zeros(len(times), bool)


@settings(max_examples=50)
@given(st.integers(2, 400), st.sampled_from([30, 48, 60, 120]), st.floats(0.0, 0.45), st.integers(0, 2**31))
def test_samples_lie_where_their_time_says(count: int, rate_hz: int, jitter: float, seed: int) -> None:
    """Whatever the jitter, a ramp in time resampled is the same ramp: no drift, no lag."""
    times = (np.arange(count) + np.r_[0, np.random.default_rng(seed).uniform(-jitter, jitter, count - 1)]) / rate_hz
    grid = uniform_grid(times, *all_good(times), rate_hz)
    values = (1 - grid.fraction) * times[grid.before] + grid.fraction * times[grid.after]
    assert grid.valid.all()
    np.testing.assert_allclose(values, grid.times_s, atol=1.01e-3 / rate_hz)
    assert times[-1] - grid.times_s[-1] < 1 / rate_hz


def test_half_an_hour_does_not_drift() -> None:
    times = np.arange(int(1800 * 29.97)) / 29.97
    grid = uniform_grid(times, *all_good(times), 30)
    values = (1 - grid.fraction) * times[grid.before] + grid.fraction * times[grid.after]
    assert abs(len(grid.before) - 1800 * 30) <= 2
    np.testing.assert_allclose(values, grid.times_s, atol=1e-6)


def test_a_long_silence_is_held_and_marked() -> None:
    times = np.r_[np.arange(31), np.arange(91, 121)] / 30
    grid = uniform_grid(times, *all_good(times), 30)
    expected = np.ones(121, bool)
    expected[31:91] = False
    np.testing.assert_array_equal(grid.valid, expected)
    assert set(grid.before[31:91]) == set(grid.after[31:91]) == {30}


def test_a_short_silence_is_bridged_unless_frames_were_lost_in_it() -> None:
    times = np.r_[np.arange(10), np.arange(13, 20)] / 30
    good, gap = all_good(times)
    assert uniform_grid(times, good, gap, 30).valid.all()
    gap[10] = True
    np.testing.assert_array_equal(np.flatnonzero(~uniform_grid(times, good, gap, 30).valid), [10, 11, 12])


def test_bad_rows_are_never_touched() -> None:
    times = np.arange(20) / 30
    good, gap = all_good(times)
    good[[0, 1, 7, 8, 19]] = False
    grid = uniform_grid(times, good, gap, 30)
    np.testing.assert_array_equal(grid.valid, good[2:19])
    assert good[grid.before].all()
    assert good[grid.after].all()
    assert grid.before[[5, 6]].tolist() == [6, 6]


@pytest.mark.parametrize("start_s", [2.0, 2.01])
def test_samples_lie_on_whole_steps_of_the_clock_from_the_first_good_row_to_the_last(start_s: float) -> None:
    times = start_s + np.arange(-2, 12) / 30
    good, gap = all_good(times)
    good[[0, 1, 12, 13]] = False
    grid = uniform_grid(times, good, gap, 30)
    assert grid.valid.all()
    np.testing.assert_allclose(grid.times_s * 30, np.round(grid.times_s * 30), atol=1e-9)
    assert 0 <= grid.times_s[0] - start_s < 1 / 30
    assert 0 <= times[11] - grid.times_s[-1] + 1e-9 < 1 / 30


def test_rows_between_two_samples_give_one() -> None:
    times = np.array([2.004, 2.009])
    grid = uniform_grid(times, *all_good(times), 30)
    assert (grid.times_s.tolist(), grid.valid.tolist()) == ([2.0], [True])


def test_a_slow_source_is_still_bridged() -> None:
    times = np.arange(8) * 0.5
    assert uniform_grid(times, *all_good(times), 30).valid.all()


@given(st.integers(0, 2**32 - 1), st.sampled_from([15.0, 25.0, 29.97, 30.0, 60.0]))
@example(4096, 29.97)  # a trough a hair farther from the sample took the peak's place
def test_peaks_keep_their_height_and_nothing_exceeds_them(seed: int, source_hz: float) -> None:
    rng = np.random.default_rng(seed)
    times_s = rng.uniform(0, 1) + (np.arange(40) + rng.uniform(-0.2, 0.2, 40)) / source_hz
    values = rng.uniform(0, 1, (40, 5))
    rate_hz = uniform_rate(times_s)
    grid = uniform_grid(times_s, np.ones(40, bool), np.zeros(40, bool), rate_hz)
    samples = lerp_to_peaks(values, times_s, (grid.before, grid.after), grid.times_s, rate_hz)
    assert (samples >= values.min(0) - 1e-9).all()
    assert (samples <= values.max(0) + 1e-9).all()
    nearest = np.abs(times_s[:, None] - grid.times_s).argmin(1)  # the sample nearest to each row
    for column in range(5):
        row = int(values[:, column].argmax())
        alone = np.abs(times_s - grid.times_s[nearest[row]]) < 0.5 / rate_hz  # rows that this sample may show
        if 0 < row < 39 and alone.sum() == 1:
            assert samples[nearest[row], column] == values[row, column]
