"""One person's track: what of it outlasts a gap, a newcomer, and pictures of another size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.files import load_body
from engine.body.kinematics import forward_kinematics
from engine.body.skeleton import LEG_JOINTS, NUM_JOINTS
from realtime.kernel.messages import LEVEL, CameraPose, Estimate
from realtime.kernel.tracks import Tracks
from realtime.run.track import Track
from realtime.smoothing.pose_smoother import LEVELS
from realtime.world.world import World
from tests.realtime.seen_people import somebody

BODY = load_body("open")


def track(level: str = "strong") -> Track:
    return Track(0, BODY, LEVELS[level], "lock")


def estimate(angle_rad: float, seen: float = 1.0) -> Estimate:
    rotmats = Rotation.from_rotvec(np.full((NUM_JOINTS, 1), angle_rad) * [0, 0, 1]).as_matrix().astype(np.float32)
    pose = CameraPose(rotmats, np.array([angle_rad, 0, 3], np.float32), np.zeros(10, np.float32))
    return Estimate(somebody(), 0.9, np.zeros(1, np.int16), pose, pose, np.full(NUM_JOINTS, seen, np.float32))


def followed(person: Track, frames: int = 10) -> None:
    for k in range(frames):
        person.smoothed(k / 30, estimate(0.0))
        person.tokens.at(k / 30).update(k / 30, np.array([[0.9, 0.1]]), LEVELS["strong"].tokens)


@pytest.mark.parametrize(("after_s", "fresh"), [(0.29, False), (0.31, True), (-0.1, True)])
def test_filters_and_tokens_begin_anew_after_a_gap_and_where_time_goes_back(after_s: float, fresh: bool) -> None:
    person, last_s = track(), 9 / 30
    followed(person)
    later = estimate(1.0)
    smooth = person.smoothed(last_s + after_s, later)
    assert np.array_equal(smooth.rotmats, later.steady.rotmats) == fresh
    frame = np.array([[0.8, 0.2]])
    window = person.tokens.at(last_s + after_s)
    assert np.array_equal(window.update(last_s + after_s, frame, LEVELS["strong"].tokens), frame) == fresh


@pytest.mark.parametrize(("after_s", "fresh"), [(0.99, False), (1.01, True)])
def test_left_and_right_and_shape_outlast_a_second(after_s: float, fresh: bool) -> None:
    person = track()
    before = person.left_right.at(0.0), person.shape.at(0.0)
    after = person.left_right.at(after_s), person.shape.at(after_s)
    assert [now is not then for now, then in zip(after, before, strict=True)] == [fresh, fresh]


def test_limbs_that_were_seen_a_moment_ago_are_not_calmed_and_those_of_somebody_who_comes_back_are() -> None:
    person, world = track(), World(BODY)
    seen, hidden = estimate(0.3), estimate(0.3, seen=0.0)
    for k in range(10):
        assert person.calmed(k / 30, seen.steady, seen.joint_confidence, world) is seen.steady
    assert person.calmed(10 / 30, seen.steady, hidden.joint_confidence, world) is seen.steady
    assert person.calmed(1.0, seen.steady, hidden.joint_confidence, world) is not seen.steady


def test_without_smoothing_poses_pass_as_they_are() -> None:
    person, given = track("off"), estimate(0.3, seen=0.0)
    assert person.smoothed(0.0, given) is given.steady
    assert person.calmed(0.0, given.steady, given.joint_confidence, World(BODY)) is given.steady


@pytest.mark.parametrize(("doubt_deg", "from_trunk_deg"), [(0.0, 30.0), (15.0, 15.0)])
def test_legs_at_rest_follow_the_trunk_as_far_as_the_cameras_tilt_is_in_doubt(
    doubt_deg: float, from_trunk_deg: float
) -> None:
    person, world = track("light"), World(BODY, replace(LEVEL, doubt_deg=doubt_deg))
    seen = np.ones(NUM_JOINTS, np.float32)
    seen[LEG_JOINTS[:, 1:].ravel()] = 0.0
    tilted = Rotation.from_euler("xyz", [180 - 30, 0, 0], degrees=True).as_matrix().astype(np.float32)
    rotmats = np.tile(np.eye(3, dtype=np.float32), (NUM_JOINTS, 1, 1))
    rotmats[0] = tilted  # upright, before a camera that looks down by 30 degrees
    pose = CameraPose(rotmats, np.array([0, 0, 3], np.float32), np.zeros(10, np.float32))
    calm = person.calmed(0.0, pose, seen, world)
    _, joints = forward_kinematics(calm.rotmats[None], BODY.rest_joints(pose.betas[None]))
    hip, ankle = joints[0, LEG_JOINTS[0, 0]], joints[0, LEG_JOINTS[0, 2]]
    along = (hip - ankle) / np.linalg.norm(hip - ankle)
    assert np.degrees(np.arccos(along @ tilted[:, 1])) == pytest.approx(from_trunk_deg, abs=2.0)
    assert np.array_equal(calm.rotmats[0], pose.rotmats[0])


def test_another_person_is_another_track() -> None:
    tracks = Tracks(lambda number: Track(number, BODY, LEVELS["strong"], "lock"))
    followed(tracks.of(1, 0.0))
    newcomer = estimate(1.0)
    smooth = tracks.of(2, 10 / 30).smoothed(10 / 30, newcomer)
    np.testing.assert_array_equal(smooth.rotmats, newcomer.steady.rotmats)


def test_the_legs_of_a_seated_person_are_calm_without_smoothing_too() -> None:
    world = World(BODY)
    shown = {}
    for seated in (False, True):
        person = Track(0, BODY, LEVELS["off"], "lock", seated=seated)
        guess = estimate(0.3, seen=0.0)
        shown[seated] = person.calmed(0.0, guess.steady, guess.joint_confidence, world).rotmats
    legs = LEG_JOINTS[:, :3].ravel()
    assert np.array_equal(shown[False][legs], guess.raw.rotmats[legs])
    assert not np.isclose(shown[True][legs], guess.raw.rotmats[legs], atol=0.1).all(axis=(1, 2)).any()
