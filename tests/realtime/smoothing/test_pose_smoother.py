from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.skeleton import JOINT_NAMES, NUM_JOINTS
from realtime.kernel.messages import CameraPose
from realtime.smoothing.pose_smoother import LEVELS, SLOWEST, PoseFilters, SmoothingConfig, pace

FPS = 30
IN_VIEW = np.ones(NUM_JOINTS, np.float32)
ON = {name: level for name, level in LEVELS.items() if level is not None}
LIGHT = ON["light"]


def pose(angle_rad: float = 0.0, place: tuple[float, float, float] = (0.0, 0.0, 3.0)) -> CameraPose:
    rotmats = Rotation.from_rotvec(np.full((24, 1), angle_rad) * [0, 0, 1]).as_matrix().astype(np.float32)
    return CameraPose(rotmats, np.array(place, np.float32), np.zeros(10, np.float32))


def test_an_unknown_level_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="off, light, medium, strong"):
        SmoothingConfig("heavy")


@pytest.mark.parametrize("level", ON)
def test_a_constant_pose_passes_unchanged(level: str) -> None:
    filters = PoseFilters(ON[level])
    for k in range(10):
        smooth = filters.update(k / FPS, pose(0.4, (0.5, -0.2, 2.0)), IN_VIEW)
    np.testing.assert_allclose(smooth.rotmats, pose(0.4).rotmats, atol=1e-6)
    np.testing.assert_allclose(smooth.T_cam_root, (0.5, -0.2, 2.0), atol=1e-6)


def test_stronger_levels_let_less_jitter_through() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.02, (200, 4))
    turn, place = [], []
    given = [pose(n[0], tuple(np.add(n[1:], (0, 0, 3)))) for n in noise]
    for level in LEVELS:
        filters = PoseFilters(ON[level]) if level in ON else None
        out = [each if filters is None else filters.update(k / FPS, each, IN_VIEW) for k, each in enumerate(given)]
        turn.append(np.std([Rotation.from_matrix(p.rotmats[5]).as_rotvec()[2] for p in out[50:]]))
        place.append(np.std([p.T_cam_root for p in out[50:]], axis=0))
    assert (np.diff(turn) < 0).all()
    assert (np.diff(np.array(place), axis=0) < 0).all()


def test_depth_is_steadier_than_what_lies_across_the_view() -> None:
    rng = np.random.default_rng(1)
    filters = PoseFilters(LIGHT)
    places = [
        filters.update(k / FPS, pose(0, tuple(rng.normal((0, 0, 3), 0.02))), IN_VIEW).T_cam_root for k in range(200)
    ]
    spread = np.std(places[50:], axis=0)
    assert spread[2] < spread[:2].min()


def test_noise_in_depth_alone_does_not_move_the_line_of_sight() -> None:
    rng = np.random.default_rng(2)
    filters = PoseFilters(LIGHT)
    for k in range(60):
        z = 3 + rng.normal(0, 0.2)
        place = filters.update(k / FPS, pose(0, (0.4 * z, 0.1 * z, z)), IN_VIEW).T_cam_root
        np.testing.assert_allclose(place[:2] / place[2], (0.4, 0.1), rtol=1e-5)


@pytest.mark.parametrize(("level", "most_ms"), [("light", 30), ("medium", 45), ("strong", 80)])
@pytest.mark.parametrize("z", [2.0, 7.0])
def test_a_walk_comes_no_later_from_far_away(level: str, most_ms: float, z: float) -> None:
    """A first-order low-pass is 1 / (2 pi cutoff) behind a steady motion."""
    filters, speed_m_per_s = PoseFilters(ON[level]), 1.2
    for k in range(2 * FPS):
        x = speed_m_per_s * k / FPS - 0.8
        smooth = filters.update(k / FPS, pose(0, (x, 0.1, z)), IN_VIEW)
    delay_s = (x - smooth.T_cam_root[0]) / speed_m_per_s
    across = ON[level].across
    assert delay_s == pytest.approx(1 / (2 * np.pi * (across.min_cutoff_hz + across.beta * speed_m_per_s)), rel=0.01)
    assert 1e3 * delay_s < most_ms


def without(*joints: str) -> np.ndarray:
    joint_confidence = IN_VIEW.copy()
    joint_confidence[[JOINT_NAMES.index(name) for name in joints]] = 0.02
    return joint_confidence


def test_a_joint_slows_down_where_what_it_carries_is_not_seen() -> None:
    slow = {
        name for name, share in zip(JOINT_NAMES, pace(without("left_elbow", "right_ankle")), strict=True) if share < 1
    }
    assert slow == {"left_shoulder", "right_knee"}
    assert pace(without("left_elbow")).min() == np.float32(SLOWEST)
    assert (pace(IN_VIEW) == 1).all()
    everything = pace(np.zeros(NUM_JOINTS, np.float32))
    assert {name for name, share in zip(JOINT_NAMES, everything, strict=True) if share == 1} == {
        "pelvis", "spine1", "spine2", "spine3", "neck", "left_collar", "right_collar", "head",
    }  # fmt: skip


def test_an_arm_that_is_made_up_does_not_shake_and_the_one_in_view_is_as_ever() -> None:
    rng = np.random.default_rng(3)
    hidden = without("left_elbow", "left_wrist", "left_hand")
    given = [pose(angle) for angle in rng.normal(0, 0.3, 150)]
    both = [PoseFilters(LIGHT) for _ in range(2)]
    in_view, half_hidden = (
        np.stack([filters.update(k / FPS, each, joint_confidence).rotmats for k, each in enumerate(given)])
        for filters, joint_confidence in zip(both, (IN_VIEW, hidden), strict=True)
    )
    left, right = JOINT_NAMES.index("left_elbow"), JOINT_NAMES.index("right_elbow")
    np.testing.assert_array_equal(half_hidden[:, right], in_view[:, right])
    shakes = [np.abs(np.diff(rotmats[50:, left], axis=0)).mean() for rotmats in (in_view, half_hidden)]
    assert shakes[1] < 0.3 * shakes[0]


def elbow_deg(given: list[tuple[float, np.ndarray]], fps: float = FPS) -> np.ndarray:
    """Return the smoothed angle of the left elbow for angles in rad, each with its confidence."""
    filters, elbow = PoseFilters(LIGHT), JOINT_NAMES.index("left_elbow")
    shown = [filters.update(k / fps, pose(angle), seen).rotmats[elbow] for k, (angle, seen) in enumerate(given)]
    return np.degrees(Rotation.from_matrix(np.stack(shown)).as_rotvec()[:, 2])


@pytest.mark.parametrize("hidden", [10, 30, 60])
def test_an_arm_that_comes_back_elsewhere_does_not_leap(hidden: int) -> None:
    """It bent by 70 degrees while nobody saw it: it turns there at no more than 450 degrees a second."""
    gone = without("left_wrist", "left_hand")
    shown = elbow_deg([(0.0, IN_VIEW)] * 30 + [(0.0, gone)] * hidden + [(np.radians(70), IN_VIEW)] * 30)
    assert np.abs(np.diff(shown)).max() < 15
    assert shown[30 + hidden + 9] > 60  # 0.3 s later
    assert shown[-1] == pytest.approx(70, abs=1)


def test_an_arm_that_is_lost_for_one_frame_in_fast_motion_is_hardly_held_back() -> None:
    swing = [0.8 * np.sin(2 * np.pi * 1.5 * k / FPS) for k in range(60)]
    blurred = [(angle, without("left_wrist") if k == 30 else IN_VIEW) for k, angle in enumerate(swing)]
    apart = np.abs(elbow_deg(blurred) - elbow_deg([(angle, IN_VIEW) for angle in swing]))
    assert (apart[31:33] < apart[30]).all()
    assert apart[34:].max() < 1


def test_an_arm_that_comes_into_view_again_is_soon_followed_as_ever() -> None:
    followed, hidden_first = (PoseFilters(LIGHT) for _ in range(2))
    for k in range(30):
        followed.update(k / FPS, pose(0.0), IN_VIEW)
        hidden_first.update(k / FPS, pose(0.0), without("left_elbow", "left_wrist"))
    for k in range(30, 50):
        expected, found = (each.update(k / FPS, pose(0.1 * (k - 29)), IN_VIEW) for each in (followed, hidden_first))
    np.testing.assert_allclose(found.rotmats, expected.rotmats, atol=1e-4)
