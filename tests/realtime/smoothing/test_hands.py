from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from realtime.kernel.messages import Hand
from realtime.smoothing.hands import HandFilters, smooth_hand, unsmoothed
from realtime.smoothing.pose_smoother import LEVELS, SmoothingLevel

FPS = 30


def level(name: str = "light") -> SmoothingLevel:
    found = LEVELS[name]
    assert found is not None
    return found


def bends(angles_rad: np.ndarray) -> np.ndarray:
    """Rotations (M, 15, 4) of a hand whose joints all bend by these angles (M,)."""
    one = Rotation.from_rotvec(angles_rad[:, None] * (0, 0, -1)).as_quat()
    return np.tile(one[:, None], (1, 15, 1))


def bend_of(rotations: np.ndarray) -> np.ndarray:
    """The angle (M,) of the first joint."""
    return -Rotation.from_quat(rotations[:, 0]).as_rotvec()[:, 2]


def hand(rotations: np.ndarray, raw: np.ndarray | None = None) -> Hand:
    return Hand(rotations.astype(np.float32), (rotations if raw is None else raw).astype(np.float32), 1.0)


def test_live_filters_calm_both_hands_and_keep_their_confidence() -> None:
    rng = np.random.default_rng(0)
    noisy = 0.8 + rng.normal(0, 0.05, 200)
    filters, shown = HandFilters(level()), []
    for k, rotations in enumerate(bends(noisy)):
        hands = filters.update(k / FPS, {"left": hand(rotations), "right": hand(rotations[:, [1, 0, 2, 3]])})
        assert hands["right"].confidence == 1.0
        assert (hands["left"].raw == rotations.astype(np.float32)).all()
        shown.append(hands["left"].rotations)
    calm = bend_of(np.array(shown))[50:]
    assert np.abs(np.diff(calm)).mean() < 0.5 * np.abs(np.diff(noisy[50:])).mean()
    np.testing.assert_allclose(np.linalg.norm(shown, axis=-1), 1, atol=1e-5)


def test_without_smoothing_fingers_are_as_measured() -> None:
    eased, raw = bends(np.array([0.3, 0.9]))
    assert (unsmoothed({"left": hand(eased, raw)})["left"].rotations == raw.astype(np.float32)).all()


def measured(true: np.ndarray, every: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Measurements (M, 15, 4) that are held for `every` frames, and the frames' times."""
    rows = np.arange(len(true)) // every * every
    noisy = (true + np.random.default_rng(0).normal(0, noise, len(true)))[rows]
    return bends(noisy), np.arange(len(true)) / FPS


def test_both_ways_hands_measured_in_every_second_frame_are_calm_and_not_late() -> None:
    true = 0.8 + 0.5 * np.sin(2 * np.pi * 0.8 * np.arange(150) / FPS)
    raw, t = measured(true, 2, 0.03)
    middle = np.arange(20, 130)
    smooth = bend_of(smooth_hand(t, raw, raw, np.ones(150), middle, level()))
    held = bend_of(raw)[20:130]
    shake = [np.abs(np.diff(each, 2)).mean() for each in (smooth, held)]
    assert shake[0] < 0.2 * shake[1]
    error = np.sqrt(np.mean((smooth - true[middle]) ** 2))
    assert error < 0.6 * np.sqrt(np.mean((held - true[middle]) ** 2))
    late = [np.mean((smooth - np.roll(true, shift)[middle]) ** 2) for shift in (-1, 0, 1)]
    assert np.argmin(late) == 1


def test_both_ways_a_lost_hand_is_as_it_was_eased_and_nothing_jumps() -> None:
    true = np.full(120, 1.2)
    raw, t = measured(true, 2, 0.02)
    raw[40:80] = raw[39]
    confidence = np.where(np.arange(120) < 40, 1.0, 0.0) + (np.arange(120) >= 80)
    shown = bends(np.where(confidence > 0, bend_of(raw), 0.4))
    angles = bend_of(smooth_hand(t, raw, shown, confidence, np.arange(120), level()))
    np.testing.assert_allclose(angles[52:68], 0.4, atol=1e-6)
    np.testing.assert_allclose(angles[:38], 1.2, atol=0.05)
    assert np.abs(np.diff(angles)).max() < 0.2  # where what was shown leaps by 0.8


def test_both_ways_a_hand_that_was_never_measured_is_as_shown() -> None:
    shown = bends(np.linspace(0, 1, 10))
    rows = np.arange(10)
    assert (smooth_hand(rows / FPS, shown * 0 + shown[0], shown, np.zeros(10), rows, level()) == shown).all()


def test_both_ways_a_hand_that_comes_back_in_another_pose_does_not_leap() -> None:
    """Between measurements that are just too far apart to interpolate, the hand goes the way that it was shown."""
    rows = np.arange(100)
    raw = np.where(rows < 51, 0.2, 1.4)
    eased = np.interp(rows, (40, 51), (0.2, 1.4))
    raw[41:51] = 0.2
    raw[:40] += 1e-4 * rows[:40]  # each of these is a measurement, as is each from 51 on
    raw[51:] += 1e-4 * rows[51:]
    angles = bend_of(smooth_hand(rows / FPS, bends(raw), bends(eased), np.ones(100), rows, level()))
    assert np.abs(np.diff(angles)).max() < 0.25
