from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.skeleton import JOINT_NAMES, NUM_JOINTS
from realtime.kernel.messages import CameraPose
from realtime.smoothing.both_ways import LOOK_S, Trajectory
from realtime.smoothing.pose_smoother import LEVELS, PoseFilters, SmoothingLevel, pace

FPS = 30
T = np.arange(60) / FPS
SEEN = np.ones(NUM_JOINTS, np.float32)
ELBOW = JOINT_NAMES.index("left_elbow")
ON = {name: level for name, level in LEVELS.items() if level}


def track(t: np.ndarray, angles_rad: np.ndarray, places_m: np.ndarray, paces: np.ndarray | None = None) -> Trajectory:
    """All joints turn alike about one axis."""
    turns = Rotation.from_rotvec(angles_rad[:, None] * np.array([2, -1, 2]) / 3).as_quat()
    rotations = np.repeat(turns[:, None], NUM_JOINTS, axis=1)
    return Trajectory(t, rotations, places_m, np.ones((len(t), NUM_JOINTS)) if paces is None else paces)


def angles(rotations: np.ndarray) -> np.ndarray:
    """(C, J) about the axis of `track`."""
    turns = Rotation.from_quat(rotations.reshape(-1, 4)).as_rotvec().reshape(*rotations.shape[:-1], 3)
    return turns @ np.array([2, -1, 2]) / 3


def smoothed(track: Trajectory, level: SmoothingLevel) -> tuple[np.ndarray, np.ndarray]:
    everywhere = np.arange(len(track.t))
    return angles(track.smooth_rotations(everywhere, level)), track.smooth_places(everywhere, level)


@pytest.mark.parametrize("level", ON.values(), ids=list(ON))
@pytest.mark.parametrize("z", [2.0, 7.0])
def test_a_steady_motion_stays_where_it_is_also_at_the_ends_and_where_frames_are_missing(
    level: SmoothingLevel, z: float
) -> None:
    t = np.delete(T, [7, 20, 21, 22, 40]) + np.random.default_rng(0).uniform(0, 0.01, 55)
    walk = np.stack((1.2 * (t - 1), 0.1 + 0 * t, z + 0 * t), axis=1)
    found, places_m = smoothed(track(t, 0.8 * t, walk), level)
    np.testing.assert_allclose(found, np.repeat(0.8 * t[:, None], NUM_JOINTS, 1), atol=1e-3)
    np.testing.assert_allclose(places_m, walk, atol=4e-3)  # a line of sight turns faster where it is short


def live(track: Trajectory, name: str) -> tuple[np.ndarray, np.ndarray]:
    """What the causal filter makes of the same track."""
    filters, betas = PoseFilters(ON[name]), np.zeros(10, np.float32)
    rotmats = Rotation.from_quat(track.rotations.reshape(-1, 4)).as_matrix().reshape(-1, NUM_JOINTS, 3, 3)
    given = zip(track.t, rotmats, track.place_m, strict=True)
    poses = [filters.update(t, CameraPose(turn, place_m, betas), SEEN) for t, turn, place_m in given]
    turns = Rotation.from_matrix(np.concatenate([pose.rotmats for pose in poses])).as_quat()
    return angles(turns.reshape(-1, NUM_JOINTS, 4)), np.stack([pose.T_cam_root for pose in poses])


@pytest.mark.parametrize("name", ON)
def test_a_swing_is_in_time_where_the_live_filter_is_late(name: str) -> None:
    t = np.arange(300) / FPS
    swing = 0.5 * np.sin(2 * np.pi * t)
    frames = track(t, swing, np.tile([0.0, 0, 3], (300, 1)))

    def phasor(signal: np.ndarray) -> complex:
        return (signal * np.exp(-2j * np.pi * t))[60:240].sum() / (swing * np.exp(-2j * np.pi * t))[60:240].sum()

    found, late = phasor(smoothed(frames, ON[name])[0][:, 0]), phasor(live(frames, name)[0][:, 0])
    assert abs(np.angle(found)) / (2 * np.pi) < 1e-3
    assert -np.angle(late) / (2 * np.pi) > (0.005 if name == "light" else 0.02)  # of a second
    assert 0.95 <= abs(found) <= 1


@pytest.mark.parametrize("name", ON)
def test_it_shakes_no_more_than_the_live_filter(name: str) -> None:
    rng = np.random.default_rng(1)
    frames = track(np.arange(300) / FPS, rng.normal(0, 0.02, 300), rng.normal((0, 0, 3), 0.01, (300, 3)))

    def shake(signal: np.ndarray) -> np.ndarray:
        return np.abs(np.diff(signal[30:270], 2, axis=0)).mean(0)

    for both, forward in zip(smoothed(frames, ON[name]), live(frames, name), strict=True):
        assert (shake(both) < shake(forward)).all()


def test_what_speeds_up_and_slows_down_evenly_keeps_its_place() -> None:
    bow = 0.4 * (T - 1) ** 2
    found, places_m = smoothed(track(T, bow, np.stack((0 * T, bow, 3 + 0 * T), axis=1)), ON["strong"])
    middle = slice(15, 45)
    np.testing.assert_allclose(found[middle, 0], bow[middle], atol=1e-4)
    np.testing.assert_allclose(places_m[middle, 1], bow[middle], atol=1e-4)


def test_what_is_not_seen_does_not_shake_and_is_carried_over_from_what_was() -> None:
    rng = np.random.default_rng(2)
    confidence = np.tile(SEEN, (60, 1))
    confidence[24:36, JOINT_NAMES.index("left_wrist")] = 0.02
    made_up = 0.5 * T
    made_up[24:36] += rng.normal(0, 0.5, 12)
    places_m = np.tile([0.0, 0, 3], (60, 1))
    found, _ = smoothed(track(T, made_up, places_m, pace(confidence).astype(float)), ON["light"])
    hidden = slice(24, 36)
    assert np.abs(made_up[hidden] - 0.5 * T[hidden]).mean() > 0.3
    assert np.abs(found[hidden, ELBOW] - 0.5 * T[hidden]).mean() < 0.1


def test_nothing_is_taken_from_the_other_side_of_a_gap_or_from_further_away() -> None:
    t = np.concatenate((T[:20], T[20:40] + 0.3))
    step = np.where(np.arange(40) < 20, 0.0, 1.0)
    places_m = np.stack((step, 0 * step, 3 + 0 * step), axis=1)
    found, smooth_m = smoothed(track(t, step, places_m), ON["strong"])
    np.testing.assert_allclose(found, np.repeat(step[:, None], NUM_JOINTS, 1), atol=1e-9)
    np.testing.assert_allclose(smooth_m, places_m, atol=1e-9)

    far = track(T, np.where(T > 1 + LOOK_S + 1e-6, 2.0, 0.0), np.tile([0.0, 0, 3], (60, 1)))
    np.testing.assert_allclose(angles(far.smooth_rotations(np.array([30]), ON["strong"])), 0, atol=1e-9)


def test_a_single_pose_stays_as_it_is() -> None:
    found, places_m = smoothed(track(np.array([5.0]), np.array([0.7]), np.array([[1.0, 2, 3]])), ON["light"])
    np.testing.assert_allclose(found, 0.7)
    np.testing.assert_allclose(places_m, [[1, 2, 3]])


def test_turning_every_pose_alike_turns_what_comes_out_alike() -> None:
    rng = np.random.default_rng(3)
    frames = track(T, rng.normal(0, 0.3, 60), rng.normal((0, 0, 3), 0.1, (60, 3)))
    turn = Rotation.from_rotvec([0.4, -1.0, 2.0])
    rotations = (turn * Rotation.from_quat(frames.rotations.reshape(-1, 4))).as_quat().reshape(60, NUM_JOINTS, 4)
    turned = Trajectory(T, rotations, turn.apply(frames.place_m), frames.pace)
    at = np.arange(60)
    plain = frames.smooth_rotations(at, ON["light"]).reshape(-1, 4)
    found = turned.smooth_rotations(at, ON["light"]).reshape(-1, 4)
    assert ((turn * Rotation.from_quat(plain)).inv() * Rotation.from_quat(found)).magnitude().max() < 1e-6
    np.testing.assert_allclose(
        turned.smooth_places(at, ON["light"]), turn.apply(frames.smooth_places(at, ON["light"])), atol=1e-9
    )
