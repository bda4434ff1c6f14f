"""Rotations over time: the same rotations under names that do not leap. SciPy is the judge of what a name means."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from realtime.outputs.recording.continuity import continuous_quaternions, continuous_rotvecs, continuous_zxy

ORDER = "ZXY"
FRAMES = 200
NAMES: dict[str, tuple[Callable, Callable, Callable]] = {
    "rotvec": (continuous_rotvecs, lambda r: r.as_rotvec(), Rotation.from_rotvec),
    "euler": (continuous_zxy, lambda r: r.as_euler(ORDER), lambda angles: Rotation.from_euler(ORDER, angles)),
    "quaternion": (continuous_quaternions, lambda r: r.as_quat(), Rotation.from_quat),
}

seeds = st.integers(0, 2**32 - 1)


def motion(seed: int, speed_rad: float = 0.1) -> Rotation:
    """A body that starts anywhere and turns about an axis that wanders, `speed_rad` a frame at most."""
    rng = np.random.default_rng(seed)
    turns = rng.normal(size=(FRAMES, 3)).cumsum(0) * 0.1 + rng.normal(size=3)
    turns *= speed_rad / np.maximum(np.linalg.norm(turns, axis=1, keepdims=True), 1.0)
    rotations = [Rotation.random(random_state=rng.integers(2**31))]
    for turn in turns[1:]:
        rotations.append(rotations[-1] * Rotation.from_rotvec(turn))
    return Rotation.concatenate(rotations)


def off_halfway_rad(names: np.ndarray, rotation_of: Callable, truth: Rotation) -> np.ndarray:
    """(N - 1,) how far the rotation between two frames is off when its name is interpolated number by number."""
    between = rotation_of(0.5 * (names[1:] + names[:-1]))
    halves = Slerp(np.arange(len(names)), truth)(np.arange(len(names) - 1) + 0.5)
    return (between.inv() * halves).magnitude()


@pytest.mark.parametrize("name", NAMES)
@given(seed=seeds)
@settings(max_examples=40)
def test_the_rotations_stay_what_they_were(name: str, seed: int) -> None:
    continuous, name_of, rotation_of = NAMES[name]
    truth = motion(seed)
    named = continuous(name_of(truth)[:, None])[:, 0]
    assert (rotation_of(named).inv() * truth).magnitude().max() < 1e-7


@pytest.mark.parametrize("name", NAMES)
@given(seed=seeds, cut=st.integers(1, FRAMES - 1))
@settings(max_examples=40)
def test_a_motion_in_pieces_is_the_motion_at_once(name: str, seed: int, cut: int) -> None:
    continuous, name_of, _ = NAMES[name]
    names = name_of(motion(seed))[:, None]
    first = continuous(names[:cut])
    np.testing.assert_allclose(
        np.concatenate([first, continuous(names[cut:], first[-1])]), continuous(names), atol=1e-9
    )


@given(seed=seeds)
@settings(max_examples=40)
def test_quaternions_lie_near_the_frame_before(seed: int) -> None:
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1.0, 1.0], (FRAMES, 1, 1))
    named = continuous_quaternions(signs * motion(seed).as_quat()[:, None])
    assert (np.sum(named[1:] * named[:-1], axis=-1) > 0.9).all()


@given(seed=seeds)
@settings(max_examples=60)
def test_rotvecs_follow_any_path_of_less_than_a_turn(seed: int) -> None:
    """A smooth path of vectors up to 1.7 pi long comes back as it was, though their shortest names leap at pi."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, FRAMES)[:, None]
    waves = sum(rng.normal(size=3) * np.sin(2 * np.pi * (k * t + rng.random(3))) for k in (1, 2, 3))
    path = waves - waves[0]
    path *= 1.7 * np.pi / np.linalg.norm(path, axis=1).max()
    shortest = Rotation.from_rotvec(path).as_rotvec()
    assert np.abs(np.diff(shortest, axis=0)).max() > 1.0  # it leaps
    np.testing.assert_allclose(continuous_rotvecs(shortest[:, None])[:, 0], path, atol=1e-6)


@given(seed=seeds)
@settings(max_examples=60)
def test_euler_angles_step_no_further_than_their_rotation_asks(seed: int) -> None:
    """Of all names of a rotation the one taken is the nearest to the frame before."""
    names = motion(seed, speed_rad=0.3).as_euler(ORDER)[:, None]
    taken = continuous_zxy(names)[:, 0]
    for here, before in zip(taken[1:], taken[:-1], strict=True):
        a, b, c = here
        readings = np.array([(a, b, c), (a + np.pi, np.pi - b, c + np.pi)])
        steps = readings - before
        steps -= 2 * np.pi * np.round(steps / (2 * np.pi))
        assert np.linalg.norm(here - before) < np.linalg.norm(steps, axis=1).min() + 1e-9


@pytest.mark.parametrize(("name", "turns"), [("rotvec", 0.95), ("euler", 3), ("quaternion", 3)])
def test_a_leaning_spin_is_played_as_a_spin(name: str, turns: float) -> None:
    """No halfway pose is off. Rotation vectors can say it for less than a whole turn only."""
    continuous, name_of, rotation_of = NAMES[name]
    spin = Rotation.from_rotvec(np.outer(np.linspace(0, turns * 2 * np.pi, 240), [0, 1, 0]))
    truth = spin * Rotation.from_euler("X", 3, degrees=True)
    names = continuous(name_of(truth)[:, None])[:, 0]
    assert np.degrees(off_halfway_rad(names, rotation_of, truth)).max() < 2


@pytest.mark.parametrize("first_deg", [60.5, 60.0, -120.5, -120.0])
def test_an_arm_that_swings_through_gimbal_lock_does_not_flip(first_deg: float) -> None:
    """The middle angle passes 90 degrees, beside a frame or in one, where the others jump by half a turn each."""
    swing = np.radians(first_deg + 2 * np.arange(31))
    truth = Rotation.from_euler(ORDER, np.stack([np.full(31, 0.4), swing, np.full(31, -0.3)], axis=1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy says where the lock is
        angles = truth.as_euler(ORDER)
    assert np.degrees(np.abs(np.diff(np.unwrap(angles, axis=0), axis=0)).max()) > 150  # one by one they leap
    taken = continuous_zxy(angles[:, None])[:, 0]
    assert np.degrees(np.abs(np.diff(taken, axis=0)).max()) < 2.1
    assert np.degrees(off_halfway_rad(taken, NAMES["euler"][2], truth)).max() < 0.01


def test_a_body_at_rest_has_no_axis_and_keeps_its_turn() -> None:
    whole_turn = np.linspace(0, 2 * np.pi, 61)[:, None] * [0.0, 1.0, 0.0]
    names = np.concatenate([whole_turn, np.zeros((5, 3))])  # then it stays, named as no turn at all
    taken = continuous_rotvecs(names[:, None])[:, 0]
    np.testing.assert_allclose(taken[60:], np.tile([0, 2 * np.pi, 0], (6, 1)), atol=1e-9)
