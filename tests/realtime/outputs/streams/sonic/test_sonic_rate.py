"""An even 50 Hz out of whatever a camera gives, and how late: on a clock that the test moves."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from realtime.outputs.streams.sonic.beats import beats
from tests.realtime.outputs.streams.sonic.robot import BODY, LATENCY_S, Beat, Robot, person_of, robot, slow, solved_with
from tests.realtime.outputs.streams.sonic.sonic_reader import joints_of


def joints_at(start: float, t: float) -> np.ndarray:
    joints = person_of(slow(t - start)).pose.joints
    return joints - joints[0]


REST = BODY.rest_joints(np.linspace(-1.0, 1.0, 10).astype(np.float32)[None])[0].astype(float)


def follow(side: Robot, times: np.ndarray, latency_s: Callable[[int], float] | None = None) -> tuple[float, list[Beat]]:
    """The beats while somebody moves who is captured at `times`, from 0; and when 0 is."""
    start = side.clock.now()
    return start, side.play((solved_with(start + t, person_of(slow(t))) for t in times), latency_s)


def errors_mm(start: float, got: list[Beat], delay_s: float) -> np.ndarray:
    """The largest error of a joint in each frame, against where it was `delay_s` before the frame was sent."""
    pairs = [(joints_of(beat.fields, REST), joints_at(start, beat.t - delay_s)) for beat in got if beat.fields]
    return np.array([1e3 * np.linalg.norm(posed - ours, axis=-1).max() for posed, ours in pairs])


@pytest.mark.parametrize(("fps", "most_mm"), [(15, 9.0), (30, 2.5), (60, 1.0), (120, 1.0)])
def test_every_beat_is_sent_and_lags_by_20_ms_at_any_rate_of_the_camera(fps: float, most_mm: float) -> None:
    with robot() as side:
        start, got = follow(side, np.arange(0, 3, 1 / fps))
    assert len(got) > 140
    assert all(beat.fields is not None for beat in got)
    settled = got[10:]
    assert errors_mm(start, settled, LATENCY_S + 0.020).max() < most_mm
    # The lag that fits best, found without knowing what the sender aims at.
    lags_s = LATENCY_S + np.arange(0, 0.05, 0.001)
    best = lags_s[np.argmin([errors_mm(start, settled[::4], lag).mean() for lag in lags_s])]
    assert best - LATENCY_S < 0.025


def test_irregular_captures_and_latencies_still_give_an_even_motion() -> None:
    rng = np.random.default_rng(1)
    times = np.cumsum(rng.uniform(0.008, 0.060, 120))
    latencies = np.maximum.accumulate(times + rng.gamma(4.0, 0.004, len(times))) - times  # in order
    with robot() as side:
        start, got = follow(side, times, lambda k: float(latencies[k]))
    assert all(beat.fields is not None for beat in got)
    assert errors_mm(start, got[10:], float(latencies.mean()) + 0.020).max() < 20


def test_the_lag_does_not_grow() -> None:
    """Sixty seconds at a rate that is no multiple of ours: the last second lags as the first one does."""
    with robot() as side:
        start, got = follow(side, np.arange(0, 60, 1 / 29.97))
    assert errors_mm(start, got[-50:], LATENCY_S + 0.020).max() < 2.5


def test_two_captures_at_almost_the_same_time_do_not_make_the_body_fly() -> None:
    """Noise of half a degree over a millisecond would be five hundred degrees a second."""
    noisy = slow(1.0)
    noisy[18] = (Rotation.from_quat(noisy[18]) * Rotation.from_euler("y", 0.5, degrees=True)).as_quat()
    with robot(first=person_of(slow(1.0))) as side:
        start = side.clock.now()
        pairs = ((start + k / 15 + late, noisy if late else slow(1.0)) for k in range(15) for late in (0.0, 0.001))
        got = side.play(solved_with(t, person_of(pose)) for t, pose in pairs)
    still = person_of(slow(1.0)).pose.joints
    moved = [np.linalg.norm(joints_of(beat.fields, REST) - (still - still[0]), axis=-1).max() for beat in got[2:]]
    assert max(moved) < 0.006


def test_a_prediction_stops_where_the_source_does() -> None:
    """After 50 ms without a picture the pose stays, until silence at 150 ms."""
    with robot() as side:
        follow(side, np.arange(0, 1, 1 / 30))
        poses = [beat.fields["smpl_pose"] for beat in side.wait(0.3) if beat.fields]
    moving = np.abs(np.diff(poses, axis=0)).max(axis=(1, 2))
    assert moving[0] > 1e-4
    assert moving[4:].max() < 1e-7


def test_between_two_pictures_joints_turn_as_by_slerp() -> None:
    """Two pictures 60 ms apart, sampled between: scipy's Slerp of them."""
    with robot(first=person_of(slow(0.0))) as side:
        start = side.clock.now()
        side.play(solved_with(start + t, person_of(slow(4 * t))) for t in (0.0, 0.06, 0.12))
        beat = side.beat()
    t = beat.t - start - LATENCY_S - 0.020
    assert 0.06 < t < 0.12
    expected = []
    for joint in range(1, 22):
        pair = Rotation.from_quat([slow(0.24)[joint], slow(0.48)[joint]])
        expected.append(Slerp([0.06, 0.12], pair)(t).as_rotvec())
    assert beat.fields is not None
    np.testing.assert_allclose(beat.fields["smpl_pose"], expected, atol=1e-3)


def test_a_clock_that_jumps_ahead_holds_and_then_eases() -> None:
    with robot() as side:
        follow(side, np.arange(0, 0.5, 1 / 30))
        side.clock.t += 10.0  # the machine slept
        assert all(beat.fields is None for beat in side.wait(0.2))  # neither a burst nor an old pose
        _, got = follow(side, np.arange(0, 1.5, 1 / 30))
    assert [beat.fields is not None for beat in got[-50:]] == [True] * 50
    assert side.outcome.counts["beats missed"] == pytest.approx(500, abs=2)
    assert side.outcome.counts["ramps"] == 1


def test_a_clock_that_is_set_back_goes_on() -> None:
    with robot() as side:
        follow(side, np.arange(0, 0.5, 1 / 30))
        side.clock.set_back(100.0)
        start, got = follow(side, np.arange(0, 1.5, 1 / 30))
    sent = [beat for beat in got if beat.fields]
    assert len(sent) > 70
    assert errors_mm(start, sent[-10:], LATENCY_S + 0.020).max() < 2.5


class _LateSleeper:
    """A clock whose sleeper wakes up late, by what the test says."""

    def __init__(self, late_s: list[float]) -> None:
        self._t, self._late_s = 50.0, late_s

    def now(self) -> float:
        return self._t

    def sleep_until(self, t: float, ended: threading.Event) -> None:
        if not self._late_s:
            ended.set()
            return
        self._t = max(self._t, t) + self._late_s.pop(0)


def test_beats_stay_on_their_grid_however_late_the_thread_wakes() -> None:
    late = [0.0, 0.003, 0.019, 0.0, 0.007, 0.0]
    times = [beat.t for beat in beats(_LateSleeper(late.copy()), 50, threading.Event())]
    np.testing.assert_allclose(times, 50.0 + 0.02 * np.arange(len(late)), atol=1e-9)


def test_beats_that_are_missed_are_left_out_and_counted() -> None:
    got = list(beats(_LateSleeper([0.0, 0.065, 0.0, 0.0]), 50, threading.Event()))
    np.testing.assert_allclose([beat.t - 50.0 for beat in got], [0.0, 0.08, 0.10, 0.12], atol=1e-9)
    assert [beat.missed for beat in got] == [0, 3, 0, 0]
