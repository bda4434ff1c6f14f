from __future__ import annotations

import numpy as np
import pytest

from realtime.ground.supports import Supports

BOTH, LEFT, RIGHT, NONE = (np.array(c, np.float32) for c in ((1, 1, 1, 1), (1, 1, 0, 0), (0, 0, 1, 1), (0, 0, 0, 0)))


class Walk:
    """Feeds supports with feet at true heights (left, right), all of it seen `drift` too high."""

    def __init__(self) -> None:
        self.supports, self.t = Supports(), 0.0

    def stand(self, contacts: np.ndarray, left_m: float, right_m: float, *, seconds: float, drift_m=0.0, floor_m=0.0):
        for _ in range(round(seconds * 30)):
            self.t += 1 / 30
            feet = np.array([left_m, left_m, right_m, right_m]) + drift_m
            self.supports.update(self.t, contacts, feet - floor_m, floor_m=floor_m, floor_is_known=True)
        return self.supports.heights_m


def test_who_stands_on_the_floor_stands_on_the_floor_however_high_they_seem() -> None:
    walk = Walk()
    for drift in np.linspace(0, 0.5, 60):
        heights = walk.stand(BOTH, 0, 0, seconds=1 / 30, drift_m=drift)
        np.testing.assert_array_equal(heights, 0)
    assert walk.supports.drift_m == pytest.approx(0.5)


def test_a_step_is_as_high_as_the_other_foot_tells_whatever_the_drift() -> None:
    walk = Walk()
    walk.stand(BOTH, 0, 0, seconds=0.5)
    walk.stand(BOTH, 0, 0, seconds=0.5, drift_m=0.1)
    walk.stand(RIGHT, 0, 0, seconds=0.5, drift_m=0.12)
    heights = walk.stand(BOTH, 0.2, 0, seconds=0.4, drift_m=0.12).copy()
    np.testing.assert_allclose(heights, [0.2, 0], atol=0.001)
    walk.stand(LEFT, 0.2, 0, seconds=0.4, drift_m=0.05)
    heights = walk.stand(BOTH, 0.2, 0.2, seconds=3, drift_m=0.0)
    np.testing.assert_allclose(heights, 0.2, atol=0.001)  # the right foot joins the left one's step
    assert walk.supports.drift_m == pytest.approx(0, abs=0.001)
    walk.stand(LEFT, 0.2, 0, seconds=0.3)
    np.testing.assert_allclose(walk.stand(BOTH, 0.2, 0, seconds=0.3), [0.2, 0], atol=0.001)  # and down again


def test_a_body_that_seems_to_rise_between_two_steps_of_a_walk_climbs_nothing() -> None:
    """A camera that looks steeply down takes a farther body for a higher one: 11 cm within a step."""
    walk = Walk()
    walk.stand(BOTH, 0, 0, seconds=1)
    rolling = np.array([0, 1, 0, 0], np.float32)  # on the toe of the left foot
    walk.stand(rolling, 0, 0.2, seconds=0.2, drift_m=0.11)
    np.testing.assert_array_equal(walk.stand(np.array([0, 1, 1, 1], np.float32), 0, 0, seconds=0.2, drift_m=0.11), 0)


def test_after_a_jump_the_floor_is_where_it_was() -> None:
    walk = Walk()
    walk.stand(BOTH, 0, 0, seconds=0.5)
    walk.stand(BOTH, 0, 0, seconds=0.5, drift_m=0.15)
    walk.stand(NONE, 0.3, 0.3, seconds=0.5)
    np.testing.assert_array_equal(walk.stand(BOTH, 0, 0, seconds=0.5, drift_m=0.15), 0)


def test_a_floor_that_moves_makes_no_step() -> None:
    """One wrong frame sank it by 0.3 m: the next foot to come down was held to stand on a step, for twenty seconds."""
    walk = Walk()
    walk.stand(BOTH, 0, 0, seconds=1)
    np.testing.assert_array_equal(walk.stand(LEFT, 0, 0.2, seconds=0.3, floor_m=-0.3), 0)
    np.testing.assert_array_equal(walk.stand(RIGHT, 0.2, 0, seconds=0.5, floor_m=-0.3), 0)
    assert walk.supports.drift_m == pytest.approx(0.3)


def test_what_somebody_stands_on_for_long_is_the_floor() -> None:
    walk = Walk()
    walk.stand(BOTH, 0, 0, seconds=1)
    walk.stand(NONE, 0.3, 0.3, seconds=0.3)
    np.testing.assert_allclose(walk.stand(BOTH, 0.3, 0.3, seconds=15), 0.3, atol=0.001)
    np.testing.assert_array_equal(walk.stand(BOTH, 0.3, 0.3, seconds=10), 0)


def test_before_the_floor_is_known_everything_is_floor() -> None:
    supports = Supports()
    for k in range(30):
        supports.update(k / 30, BOTH, np.full(4, 0.3), floor_m=0.0, floor_is_known=False)
    np.testing.assert_array_equal(supports.heights_m, 0)
    assert supports.drift_m == pytest.approx(0.3)
