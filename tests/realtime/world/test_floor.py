from __future__ import annotations

import numpy as np
import pytest

from realtime.world.floor import Floor

FPS = 30


def heights(levels: np.ndarray, start: float = 0.0) -> np.ndarray:
    """Height of each frame's lowest point above the floor, for levels at 30 fps."""
    floor = Floor(start)
    above = []
    for i, level in enumerate(levels):
        floor.follow(i / FPS, float(level))
        above.append(level - floor.height_m)
    return np.array(above)


def test_a_body_that_stays_on_its_floor_stays_there() -> None:
    np.testing.assert_array_equal(heights(np.full(90, 0.3), 0.3), 0)


def test_a_jump_is_not_pulled_down() -> None:
    t = np.arange(60) / FPS
    jump = np.clip(0.3 - 4.9 * (t - 1.0) ** 2, 0, None)  # 0.3 m high: half a second in the air
    np.testing.assert_allclose(heights(jump), jump, atol=1e-9)


def test_sinking_is_undone_at_once() -> None:
    above = heights(np.r_[np.zeros(30), np.full(30, -0.2)])
    assert above.min() == pytest.approx(-0.2, abs=0.01)
    assert (above[30 + round(0.45 * FPS) :] > -0.02).all()


def test_drifting_away_is_followed_late_but_followed() -> None:
    above = heights(np.r_[np.zeros(30), np.full(150, 0.2)])
    assert (above[30:48] > 0.199).all()  # as a jump would look
    assert abs(above[-1]) < 0.005


def test_a_slow_drift_never_sinks_far() -> None:
    """Somebody who walks towards a camera that looks down 15 degrees more than told: 0.26 m a second."""
    above = heights(-0.26 * np.arange(120) / FPS)
    assert above.min() > -0.06


def test_one_wrong_frame_moves_nothing() -> None:
    levels = np.zeros(60)
    levels[30:32] = -0.5
    above = heights(levels)
    np.testing.assert_array_equal(above[32:], 0)


def test_a_gap_starts_the_memory_afresh() -> None:
    floor = Floor(0.0)
    for i in range(30):
        floor.follow(i / FPS, 0.0)
    for i in range(60):
        floor.follow(10 + i / FPS, 0.4)
    assert floor.height_m == pytest.approx(0.4, abs=0.02)


def stood_on(levels: np.ndarray, start: float = 0.0) -> Floor:
    floor = Floor(start)
    for i, level in enumerate(levels):
        floor.follow(i / FPS, float(level), stands=True)
    return floor


def test_where_people_stand_is_the_floor_both_ways() -> None:
    noisy = 0.05 + np.random.default_rng(0).normal(scale=0.01, size=90)
    assert stood_on(noisy).height_m == pytest.approx(0.05, abs=0.005)  # the mean, where the lowest would be 0.03
    assert stood_on(noisy - 0.1).height_m == pytest.approx(-0.05, abs=0.005)


def test_a_floor_that_is_known_stays_under_somebody_who_moves_above_it() -> None:
    floor = stood_on(np.zeros(45))
    assert floor.is_known(1.5)
    for i in range(45, 105):
        floor.follow(i / FPS, 0.3)
    assert floor.height_m == pytest.approx(0, abs=1e-9)


def test_a_floor_that_is_known_lets_moving_feet_dip_three_centimetres() -> None:
    floor = stood_on(np.zeros(45))
    for i in range(45, 75):
        floor.follow(i / FPS, -0.03 if i < 60 else -0.2)
        if i < 60:
            assert floor.height_m == pytest.approx(0, abs=1e-9)
    assert floor.height_m == pytest.approx(-0.17, abs=0.02)


def test_somebody_elses_feet_are_made_room_for_beside_those_who_stand() -> None:
    """Both in every frame: the one who stands holds the floor, the other is not under it."""
    floor = stood_on(np.zeros(45))
    for i in range(45, 75):
        floor.follow(i / FPS, 0.0, stands=True)
        floor.give_way(i / FPS, -0.3)
    assert floor.height_m == pytest.approx(-0.25, abs=0.04)


def test_a_floor_that_is_doubted_goes_to_where_somebody_stands_however_high() -> None:
    floor = Floor(-0.5)
    for k in range(60):
        floor.follow(k / FPS, -0.5, stands=True)
    floor.doubt()
    for k in range(60, 120):
        floor.follow(k / FPS, 0.0, stands=True)
    assert abs(floor.height_m) < 0.03
