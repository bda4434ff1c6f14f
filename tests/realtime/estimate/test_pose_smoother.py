from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from realtime.estimate.smoothing import LEVELS, PoseSmoother, SmoothingConfig
from realtime.messages import CameraPose

FPS = 30


def pose(angle_rad: float = 0.0, place: tuple[float, float, float] = (0.0, 0.0, 3.0)) -> CameraPose:
    rotmats = Rotation.from_rotvec(np.full((24, 1), angle_rad) * [0, 0, 1]).as_matrix().astype(np.float32)
    return CameraPose(rotmats, np.array(place, np.float32), np.zeros(10, np.float32))


def test_off_gives_back_the_very_pose() -> None:
    given = pose(0.3)
    assert PoseSmoother(SmoothingConfig("off")).update(0, 0.0, given) is given


def test_an_unknown_level_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="off, light, medium, strong"):
        SmoothingConfig("heavy")


@pytest.mark.parametrize("level", [name for name, level in LEVELS.items() if level])
def test_a_constant_pose_passes_unchanged(level: str) -> None:
    smoother = PoseSmoother(SmoothingConfig(level))
    for k in range(10):
        smooth = smoother.update(0, k / FPS, pose(0.4, (0.5, -0.2, 2.0)))
    np.testing.assert_allclose(smooth.rotmats, pose(0.4).rotmats, atol=1e-6)
    np.testing.assert_allclose(smooth.T_cam_root, (0.5, -0.2, 2.0), atol=1e-6)


def test_stronger_levels_let_less_jitter_through() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.02, (200, 4))
    turn, place = [], []
    for level in LEVELS:
        smoother = PoseSmoother(SmoothingConfig(level))
        out = [smoother.update(0, k / FPS, pose(n[0], tuple(np.add(n[1:], (0, 0, 3))))) for k, n in enumerate(noise)]
        turn.append(np.std([Rotation.from_matrix(p.rotmats[5]).as_rotvec()[2] for p in out[50:]]))
        place.append(np.std([p.T_cam_root for p in out[50:]], axis=0))
    assert (np.diff(turn) < 0).all()
    assert (np.diff(np.array(place), axis=0) < 0).all()


def test_depth_is_steadier_than_what_lies_across_the_view() -> None:
    rng = np.random.default_rng(1)
    smoother = PoseSmoother(SmoothingConfig("light"))
    places = [smoother.update(0, k / FPS, pose(0, tuple(rng.normal((0, 0, 3), 0.02)))).T_cam_root for k in range(200)]
    spread = np.std(places[50:], axis=0)
    assert spread[2] < spread[:2].min()


def test_noise_in_depth_alone_does_not_move_the_line_of_sight() -> None:
    rng = np.random.default_rng(2)
    smoother = PoseSmoother(SmoothingConfig("light"))
    for k in range(60):
        z = 3 + rng.normal(0, 0.2)
        place = smoother.update(0, k / FPS, pose(0, (0.4 * z, 0.1 * z, z))).T_cam_root
        np.testing.assert_allclose(place[:2] / place[2], (0.4, 0.1), rtol=1e-5)


@pytest.mark.parametrize("t", [0.35, 0.02])
def test_a_gap_or_time_going_back_starts_afresh(t: float) -> None:
    smoother = PoseSmoother(SmoothingConfig("strong"))
    smoother.update(0, 0.0, pose(0.0))
    smoother.update(0, 0.03, pose(0.0))
    fresh = smoother.update(0, t, pose(1.0, (1.0, 1.0, 1.0)))
    np.testing.assert_array_equal(fresh.rotmats, pose(1.0).rotmats)
    np.testing.assert_allclose(fresh.T_cam_root, (1.0, 1.0, 1.0))


def test_people_are_kept_apart() -> None:
    smoother = PoseSmoother(SmoothingConfig("light"))
    smoother.update(1, 0.0, pose(0.0))
    np.testing.assert_array_equal(smoother.update(2, 0.03, pose(1.0)).rotmats, pose(1.0).rotmats)
