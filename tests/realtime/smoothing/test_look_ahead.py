from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from engine.body.rotations import quaternion_from_rotmat
from engine.body.skeleton import NUM_JOINTS
from realtime.kernel.messages import CameraPose, Estimate, Frame
from realtime.smoothing.both_ways import LOOK_S, MOST_FRAMES, Trajectory
from realtime.smoothing.look_ahead import LookAheadSmoother
from realtime.smoothing.pose_smoother import LEVELS, Smoothed, pace
from tests.realtime.seen_people import somebody

LIGHT = LEVELS["light"]
assert LIGHT is not None
PICTURE = np.zeros((2, 2, 3), np.uint8)


def estimate(person_id: int, seed: int) -> Estimate:
    rng = np.random.default_rng(seed)
    rotmats = Rotation.from_rotvec(rng.normal(0, 0.1, (NUM_JOINTS, 3))).as_matrix().astype(np.float32)
    raw = CameraPose(rotmats, rng.normal((0, 0, 3), 0.05).astype(np.float32), np.zeros(10, np.float32))
    confidence = rng.uniform(0, 1, NUM_JOINTS).astype(np.float32)
    return Estimate(somebody(person_id), 0.9, np.zeros(3, np.int16), raw, raw, confidence)


def run(
    smoother: LookAheadSmoother, t: np.ndarray, people: list[tuple[Estimate, ...]]
) -> tuple[list[Smoothed], list[int]]:
    """What comes out, and how many frames were held after each."""
    out: list[Smoothed] = []
    held = []
    for k, estimates in enumerate(people):
        out += smoother.follow(Frame(PICTURE, k, t[k]), estimates)
        held.append(k + 1 - len(out))
    return out + list(smoother.finish()), held


def test_each_frame_comes_out_in_order_as_if_the_whole_track_were_known() -> None:
    t = np.arange(50) / 30
    first, second = [estimate(7, k) for k in range(50)], [estimate(3, 100 + k) for k in range(50)]
    people = [(a, b) if 10 <= k < 35 else (a,) for k, (a, b) in enumerate(zip(first, second, strict=True))]
    out, held = run(LookAheadSmoother(LIGHT), t, people)
    assert [each.frame.seq for each in out] == list(range(50))
    assert max(held) <= LOOK_S * 30 + 1
    for given, part in ((first, slice(0, 50)), (second, slice(10, 35))):
        mine = given[part]
        rotations = np.stack([quaternion_from_rotmat(e.raw.rotmats.astype(float)) for e in mine])
        places_m = np.stack([e.raw.T_cam_root for e in mine]).astype(float)
        trajectory = Trajectory(
            t[part], rotations, places_m, pace(np.stack([e.joint_confidence for e in mine])).astype(float)
        )
        at = np.arange(len(mine))
        found = [o.poses[[e.person.id for e in o.estimates].index(mine[0].person.id)] for o in out[part]]
        np.testing.assert_allclose([p.T_cam_root for p in found], trajectory.smooth_places(at, LIGHT), atol=1e-5)
        expected = trajectory.smooth_rotations(at, LIGHT)
        np.testing.assert_allclose(
            np.abs((quaternion_from_rotmat(np.stack([p.rotmats for p in found])) * expected).sum(-1)), 1, atol=1e-6
        )


def test_a_fast_camera_is_not_held_without_bound() -> None:
    t = np.arange(300) / 480
    out, held = run(LookAheadSmoother(LIGHT), t, [(estimate(1, k),) for k in range(300)])
    assert max(held) == MOST_FRAMES
    assert len(out) == 300


def test_frames_with_nobody_pass_in_their_turn() -> None:
    t = np.arange(40) / 30
    out, _ = run(LookAheadSmoother(LIGHT), t, [(estimate(1, k),) if k % 3 else () for k in range(40)])
    assert [len(each.poses) for each in out] == [1 if k % 3 else 0 for k in range(40)]
    assert [each.frame.seq for each in out] == list(range(40))


def test_where_time_goes_back_all_that_is_held_goes_out_and_nothing_is_carried_over() -> None:
    t = np.concatenate((np.arange(5), np.arange(5))) / 30
    twice, _ = run(LookAheadSmoother(LIGHT), t, [(estimate(1, k % 5),) for k in range(10)])
    assert [each.frame.seq for each in twice] == list(range(10))
    for a, b in zip(twice[:5], twice[5:], strict=True):
        np.testing.assert_array_equal(a.poses[0].T_cam_root, b.poses[0].T_cam_root)


def test_a_pose_that_is_not_finite_stays_so_and_spoils_no_other() -> None:
    people = [(estimate(1, k),) for k in range(20)]
    people[9][0].raw.T_cam_root[1] = np.nan
    out, _ = run(LookAheadSmoother(LIGHT), np.arange(20) / 30, people)
    finite = [bool(np.isfinite(each.poses[0].T_cam_root).all()) for each in out]
    assert finite == [k != 9 for k in range(20)]
