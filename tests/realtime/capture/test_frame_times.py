"""Times of frames from positions as OpenCV gives them for real containers."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.capture.frame_times import FrameTimes


def times(positions_s: np.ndarray, fps: float | None) -> list[float]:
    clock = FrameTimes(fps)
    return [clock.next(float(position)) for position in positions_s]


@pytest.mark.parametrize("fps", [24000 / 1001, 30000 / 1001, 50.0, 60.0, 90.0, 120.0, 240.0])
@pytest.mark.parametrize("start_s", [0.0, 0.0233])
def test_whole_milliseconds_are_the_multiples_of_the_frame_that_they_were(fps: float, start_s: float) -> None:
    exact = np.arange(2000) / fps
    assert times(np.round(start_s + exact, 3), fps) == pytest.approx(exact, abs=1e-9)


def test_a_frame_left_out_leaves_its_gap() -> None:
    exact = np.delete(np.arange(100), [10, 40, 41]) / 60
    assert times(np.round(exact, 3), 60.0) == pytest.approx(exact, abs=1e-9)


def test_times_of_a_variable_rate_are_left_as_they_are() -> None:
    positions = np.round(np.cumsum(np.random.default_rng(0).uniform(0.01, 0.05, 200)), 3)
    assert times(positions, 33.3)[5:] == pytest.approx((positions - positions[0])[5:], abs=1e-9)
    fine = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.05, 200))
    assert times(fine, 33.3) == pytest.approx(fine - fine[0], abs=1e-12)


def test_a_rate_that_the_container_only_rounds_is_not_believed_for_long() -> None:
    positions = np.round(np.arange(600) / 59.94, 3)
    assert times(positions, 60.0)[100:] == pytest.approx(positions[100:], abs=1e-9)


def test_lost_positions_at_the_end_go_on_at_the_pace_of_those_before() -> None:
    """As of an AVI with B-frames: the rate is doubled, the first time is not 0 and the last two fall to 0."""
    exact = np.arange(100) / 60
    positions = np.where(exact > exact[-3], 0.0, exact + 4 / 120)
    assert times(positions, 120.0) == pytest.approx(exact, abs=1e-9)


def test_without_any_positions_the_rate_is_believed() -> None:
    assert times(np.zeros(4), 50.0) == pytest.approx([0.0, 0.02, 0.04, 0.06])
    assert times(np.zeros(3), None) == pytest.approx([0.0, 1 / 30, 2 / 30])
