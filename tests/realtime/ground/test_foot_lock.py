from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from engine.body.files import load_body
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import rotmat_from_quaternion
from realtime.ground.foot_lock import CHANGED_JOINTS, FootLock
from realtime.kernel.messages import WorldPose

BOTH, LEFT, NONE = (np.array(c, np.float32) for c in ((1, 1, 1, 1), (1, 1, 0, 0), (0, 0, 0, 0)))
FLOOR = np.zeros(2, np.float32)
ANKLES, FEET = [7, 8], [10, 11]
LEG_LENGTHS = ((1, 4), (4, 7), (7, 10), (2, 5), (5, 8), (8, 11))


@pytest.fixture(scope="module")
def rest() -> np.ndarray:
    return _rest()


def standing(rest: np.ndarray, offset_m=(0.0, 0.0, 0.0), knee_rad: float = 0.3, rng=None, jitter_rad=0.0) -> WorldPose:
    """A body with bent knees and flat feet, its lowest joint 1.2 cm above the floor before `offset_m` is added."""
    turns = np.zeros((24, 3))
    turns[[1, 2], 0], turns[[4, 5], 0], turns[ANKLES, 0] = -knee_rad, 2 * knee_rad, -knee_rad
    if rng is not None:
        turns += rng.normal(scale=jitter_rad, size=turns.shape)
    quaternions = Rotation.from_rotvec(turns).as_quat().astype(np.float32)
    _, joints = forward_kinematics(rotmat_from_quaternion(quaternions)[None], rest[None])
    trans = np.array([0.0, 0.012 - joints[0, :, 1].min(), 0.0]) + offset_m
    return WorldPose(quaternions, trans.astype(np.float32), (joints[0] + trans).astype(np.float32))


def consistent(pose: WorldPose, rest: np.ndarray) -> None:
    """Joints are those of the rotations."""
    _, joints = forward_kinematics(rotmat_from_quaternion(pose.rotations)[None], rest[None])
    np.testing.assert_allclose(joints[0] + pose.trans, pose.joints, atol=1e-4)


def test_standing_feet_stay_where_they_stand_while_the_estimate_wanders(rest: np.ndarray) -> None:
    rng, lock = np.random.default_rng(0), FootLock()
    ankles, seen = [], []
    wander = np.zeros(3)
    for k in range(120):
        wander = 0.98 * wander + rng.normal(scale=[0.005, 0.002, 0.01])
        pose = standing(rest, wander, rng=rng, jitter_rad=0.02)
        out = lock.update(k / 30, pose, rest, BOTH, FLOOR)
        consistent(out, rest)
        ankles.append(out.joints[ANKLES])
        seen.append(pose.joints[ANKLES])
    after = slice(30, None)
    spread = [np.ptp(np.array(points)[after], axis=0).max() for points in (ankles, seen)]
    assert spread[0] < 0.015 < 0.1 < spread[1]


def test_nothing_moves_where_nothing_stands(rest: np.ndarray) -> None:
    lock = FootLock()
    for k in range(10):
        pose = standing(rest, (0, 0.3, 0))
        assert lock.update(k / 30, pose, rest, NONE, FLOOR) is pose


def test_only_legs_and_the_place_ever_change(rest: np.ndarray) -> None:
    rng, lock = np.random.default_rng(1), FootLock()
    others = np.setdiff1d(np.arange(24), CHANGED_JOINTS)
    for k in range(30):
        pose = standing(rest, rng.normal(scale=0.03, size=3), rng=rng, jitter_rad=0.1)
        out = lock.update(k / 30, pose, rest, BOTH, FLOOR)
        np.testing.assert_array_equal(out.rotations[others], pose.rotations[others])


@given(st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_whatever_comes_bones_keep_their_lengths_and_nobody_leaps(seed: int) -> None:
    """Random bodies, contacts that come and go: the joints of the legs are whole, and near what was seen."""
    rng, lock = np.random.default_rng(seed), FootLock()
    rest = _rest()
    contacts = np.zeros(4, np.float32)
    for k in range(30):
        if k % 7 == 0:
            wanted = rng.integers(0, 2, 4)
        contacts = np.clip(contacts + np.where(wanted, 0.4, -0.3), 0, 1).astype(np.float32)
        pose = standing(rest, rng.normal(scale=0.1, size=3), rng.uniform(0, 1.2), rng, 0.2)
        out = lock.update(k / 30, pose, rest, contacts, FLOOR)
        consistent(out, rest)
        for a, b in LEG_LENGTHS:
            lengths = [np.linalg.norm(p[a] - p[b]) for p in (out.joints, pose.joints)]
            assert lengths[0] == pytest.approx(lengths[1], abs=1e-4)
        assert np.linalg.norm(out.trans - pose.trans) < 0.41
        assert np.isfinite(out.rotations).all()


def test_no_foot_is_deep_under_the_floor(rest: np.ndarray) -> None:
    lock = FootLock()
    for k in range(10):
        out = lock.update(k / 30, standing(rest, (0, -0.10, 0)), rest, NONE, FLOOR)
    assert out.joints[FEET, 1].min() > 0.012 - 0.011


def test_who_comes_in_far_under_the_floor_does_not_fold_up_their_legs(rest: np.ndarray) -> None:
    """sports2d: a man on a roof is all there is, then a woman passes below: her legs turned by 170 degrees a frame."""
    lock = FootLock()
    for k, depth_m in enumerate((1.6, 1.6, 0.0)):
        pose = standing(rest, (0, -depth_m, 0))
        out = lock.update(k / 30, pose, rest, NONE, FLOOR)
        turned = Rotation.from_quat(out.rotations).inv() * Rotation.from_quat(pose.rotations)
        assert turned.magnitude().max() < 1.0


def test_feet_that_float_come_down_onto_what_they_stand_on(rest: np.ndarray) -> None:
    for support in (0.0, 0.2):
        lock = FootLock()
        for k in range(90):
            pose = standing(rest, (0, support + 0.06, 0))
            out = lock.update(k / 30, pose, rest, BOTH, np.full(2, support, np.float32))
        assert out.joints[FEET, 1] == pytest.approx(support + 0.012, abs=0.012)


def test_a_jump_keeps_its_height(rest: np.ndarray) -> None:
    lock, top = FootLock(), 0.0
    for k in range(60):
        t = k / 30
        height = max(0.0, 0.3 - 4.905 * (t - 1.25) ** 2)
        contacts = NONE if height > 0.02 else BOTH
        top = max(top, float(lock.update(t, standing(rest, (0, height, 0)), rest, contacts, FLOOR).trans[1]))
    assert top - standing(rest).trans[1] == pytest.approx(0.3, abs=0.01)


def test_a_foot_that_lets_go_is_let_go_without_a_jump(rest: np.ndarray) -> None:
    lock, feet = FootLock(), []
    for k in range(60):
        contact = LEFT if k < 30 else LEFT * max(0.0, 1 - (k - 29) / 4)
        out = lock.update(k / 30, standing(rest, (0.0005 * k, 0, 0.002 * k)), rest, contact.astype(np.float32), FLOOR)
        feet.append(out.joints[FEET])
    assert np.linalg.norm(np.diff(feet, axis=0), axis=-1).max() < 0.03


def test_feet_go_along_where_the_world_turns(rest: np.ndarray) -> None:
    """The camera becomes known: within a second everybody is where they are seen now."""
    lock = FootLock()
    for k in range(30):
        lock.update(k / 30, standing(rest), rest, BOTH, FLOOR)
    for k in range(30, 60):
        pose = standing(rest, (0.1, 0, 0.1))
        out = lock.update(k / 30, pose, rest, BOTH, FLOOR, turning=True)
    np.testing.assert_allclose(out.joints[ANKLES], pose.joints[ANKLES], atol=0.01)


def test_a_walk_whose_strides_are_too_short_keeps_up_with_the_picture(rest: np.ndarray) -> None:
    """Towards the camera strides come out short: 0.2 m/s slower than the body goes. It was left 0.42 m behind."""
    lock = FootLock()
    right = LEFT[::-1].copy()
    for k in range(150):
        pose = standing(rest, (0, 0, 0.2 * k / 30))  # both feet are seen to slide along
        out = lock.update(k / 30, pose, rest, LEFT if k // 15 % 2 else right, FLOOR)
    assert np.linalg.norm(out.trans - pose.trans) < 0.3


def test_a_pose_that_is_not_finite_comes_back_as_it_is_and_spoils_nothing(rest: np.ndarray) -> None:
    lock = FootLock()
    for k in range(10):
        lock.update(k / 30, standing(rest), rest, BOTH, FLOOR)
    bad = standing(rest, (np.nan, 0, 0))
    assert lock.update(10 / 30, bad, rest, BOTH, FLOOR) is bad
    assert np.isfinite(lock.update(11 / 30, standing(rest), rest, BOTH, FLOOR).joints).all()


@cache
def _rest() -> np.ndarray:
    return load_body("open").rest_joints(np.zeros((1, 10), np.float32))[0]
