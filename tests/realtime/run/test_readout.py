from __future__ import annotations

import itertools
import time
from collections.abc import Iterable

import numpy as np
import pytest

from realtime.kernel.messages import Frame, SolvedFrame
from realtime.run.readout import Readout

_NOBODY = SolvedFrame(Frame(np.zeros((2, 2, 3), np.uint8), 0, 0.0), (), 0.0)


def fps_shown(intervals_s: Iterable[float], monkeypatch: pytest.MonkeyPatch) -> float:
    readout = Readout()
    for now in itertools.accumulate(intervals_s, initial=100.0):
        monkeypatch.setattr(time, "monotonic", lambda now=now: now)
        readout.frame_solved(_NOBODY)
    return readout.fps


def test_frames_that_come_in_bursts_do_not_make_the_rate_shown_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offline, drawing lets four frames go at once: 2.9 a second were shown as hundreds."""
    bursts = [0.001, 0.001, 0.001, 1.376] * 20
    assert np.mean(bursts) == pytest.approx(1 / 2.9, rel=1e-3)
    assert fps_shown(bursts, monkeypatch) == pytest.approx(2.9, rel=0.1)
    assert fps_shown(bursts[:-1], monkeypatch) == pytest.approx(2.9, rel=0.1)


@pytest.mark.parametrize("fps", [2.5, 30.0, 240.0])
def test_an_even_rate_is_shown_as_it_is_and_followed(fps: float, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fps_shown([1 / fps] * 5, monkeypatch) == pytest.approx(fps)
    assert fps_shown([1.0] * 50 + [1 / fps] * 40, monkeypatch) == pytest.approx(fps)


def test_there_is_no_rate_before_there_are_two_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Readout().fps == 0.0
    assert fps_shown([], monkeypatch) == 0.0
    assert fps_shown([0.0], monkeypatch) == 0.0
