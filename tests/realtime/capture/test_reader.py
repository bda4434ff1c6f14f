"""The reader's rules, on a source and a clock that the test moves by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from realtime.capture.reader import FROZEN_S, FrameReader
from realtime.capture.source import EndOfStream, LazySource, SourceError, SourceLostError
from realtime.capture.video import VideoSource
from realtime.kernel.channel import ChannelClosed
from realtime.kernel.messages import Frame
from tests.realtime.capture.newest import newest

Step = Callable[[], float]


class Clock:
    def __init__(self) -> None:
        self.t = 100.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.t

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.t += seconds


class ScriptedSource:
    """Plays a list of steps, each giving a time stamp or raising; then raises EndOfStream, or blocks if `hold`."""

    def __init__(self, steps: list[Step], *, is_live: bool = True, opens: list[bool] | None = None) -> None:
        self.description = "scripted"
        self.is_live = is_live
        self.fps: float | None = None
        self.steps = list(steps)
        self.opens = list(opens or [])
        self.is_open = True

    def open(self) -> None:
        if self.opens and not self.opens.pop(0):
            raise SourceError("still away")
        self.is_open = True

    def read(self) -> tuple[np.ndarray, float]:
        assert self.is_open
        if not self.steps:
            raise EndOfStream
        t = self.steps.pop(0)()
        return np.full((4, 4, 3), len(self.steps), np.uint8), t

    def close(self) -> None:
        self.is_open = False


def at(t: float) -> Step:
    return lambda: t


def lost() -> float:
    raise SourceLostError("unplugged")


def run(reader: FrameReader) -> list[Frame]:
    """Run to the end of the script; a live script ends with EndOfStream, which only the test raises."""
    frames: list[Frame] = []
    try:
        frames.extend(reader.paced(threading.Event()))  # keeps what came before an exception
    except EndOfStream:
        assert reader.source.is_live
    return frames


def test_reconnects_with_growing_delays_and_tells_once_per_change() -> None:
    clock = Clock()
    states: list[str] = []
    source = ScriptedSource([at(1.0), lost, at(2.0)], opens=[False] * 6 + [True])
    reader = FrameReader(source, now=clock.now, sleep=clock.sleep, on_state=lambda state, message: states.append(state))

    frames = run(reader)

    assert clock.slept == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert states == ["connected", "lost", "reconnecting", "connected"]
    assert [frame.seq for frame in frames] == [0, 1]
    assert reader.reconnects == 1
    assert not source.is_open


def test_delay_keeps_growing_while_a_source_opens_but_gives_nothing() -> None:
    clock = Clock()
    source = ScriptedSource([at(1.0), lost, lost, lost, at(2.0), lost, at(3.0)])
    run(FrameReader(source, now=clock.now, sleep=clock.sleep))
    assert clock.slept == [0.5, 1.0, 2.0, 0.5]


def test_a_picture_handed_out_twice_is_not_a_new_frame() -> None:
    clock = Clock()
    frames = run(FrameReader(ScriptedSource([at(1.0), at(1.0), at(1.1)]), now=clock.now, sleep=clock.sleep))
    assert [frame.t_capture for frame in frames] == [1.0, 1.1]


def test_frozen_time_stamps_reopen_the_source() -> None:
    clock = Clock()

    def same_a_while_later() -> float:
        clock.t += 0.6 * FROZEN_S
        return 1.0

    source = ScriptedSource([at(1.0), same_a_while_later, same_a_while_later, at(2.0)])
    reader = FrameReader(source, now=clock.now, sleep=clock.sleep)
    assert [frame.t_capture for frame in run(reader)] == [1.0, 2.0]
    assert reader.reconnects == 1


def test_a_slow_consumer_gets_the_newest_and_the_rest_is_counted() -> None:
    all_read, taken = threading.Event(), threading.Event()

    def last() -> float:
        all_read.set()
        taken.wait(5.0)
        raise EndOfStream

    source = ScriptedSource([at(float(t)) for t in range(1, 11)] + [last])
    with newest(reader := FrameReader(source)) as slot:
        assert all_read.wait(5.0)
        assert slot.get(5.0).seq == 9
        assert (reader.frames_read, slot.dropped) == (10, 9)
        taken.set()
        with pytest.raises(ChannelClosed):
            slot.get(5.0)


def test_a_file_is_played_at_the_rate_of_its_own_times() -> None:
    clock = Clock()
    source = ScriptedSource([at(0.0), at(0.04), at(0.12)], is_live=False)
    frames = run(FrameReader(source, now=clock.now, sleep=clock.sleep))
    assert [frame.t_capture for frame in frames] == pytest.approx([100.0, 100.04, 100.12])


def test_a_file_that_decodes_too_slowly_is_slowed_down_and_not_rushed() -> None:
    clock = Clock()

    def slow() -> float:
        clock.t += 10.0
        return 0.1

    source = ScriptedSource([at(0.0), slow, at(0.2), at(0.3)], is_live=False)
    frames = run(FrameReader(source, now=clock.now, sleep=clock.sleep))
    assert [frame.t_capture for frame in frames] == pytest.approx([100.0, 110.0, 110.1, 110.2])


class ScriptedLazySource(ScriptedSource):
    """Notes which pictures were made."""

    def __init__(self, times: list[float]) -> None:
        super().__init__([at(t) for t in times], is_live=False)
        self.fps = 100.0
        self.made: list[float] = []
        self.t = 0.0

    def grab(self) -> float:
        if not self.steps:
            raise EndOfStream
        self.t = self.steps.pop(0)()
        return self.t

    def retrieve(self) -> np.ndarray:
        self.made.append(self.t)
        return np.zeros((4, 4, 3), np.uint8)


def test_pictures_of_a_file_are_made_only_for_who_waits_for_them() -> None:
    clock = Clock()
    times = [k / 100 for k in range(12)]
    source = ScriptedLazySource(times)
    assert isinstance(source, LazySource)
    assert isinstance(VideoSource(Path("a.mp4")), LazySource)
    wanted = threading.Event()
    wanted.set()
    frames: list[Frame] = []

    reader = FrameReader(source, now=clock.now, sleep=clock.sleep)
    for frame in reader.paced(threading.Event(), wanted):
        frames.append(frame)
        if len(frames) == 4:
            wanted.clear()  # busy from now on
    assert source.made == times[:4]
    assert [frame.seq for frame in frames] == [0, 1, 2, 3]
    assert [frame.t_capture for frame in frames] == pytest.approx([100.0, 100.01, 100.02, 100.03])
    assert (reader.frames_read, reader.passed_over) == (12, 8)


def test_who_waits_late_gets_the_picture_of_now() -> None:
    source = ScriptedLazySource([k / 100 for k in range(300)])
    with newest(reader := FrameReader(source)) as slot:
        first = slot.get(5.0)
        while reader.passed_over < 5:
            time.sleep(0.002)
        later = slot.get(5.0)
    assert later.seq >= first.seq + 6
    assert len(source.made) <= 3


def test_offline_gives_every_frame_with_the_times_of_the_file() -> None:
    source = ScriptedSource([at(0.0), at(0.04), at(0.12)], is_live=False)
    frames = list(FrameReader(source).every())
    assert [(frame.seq, frame.t_capture) for frame in frames] == [(0, 0.0), (1, 0.04), (2, 0.12)]
    assert not source.is_open


def test_stop_cuts_a_wait_short() -> None:
    source = ScriptedSource([at(0.0), at(3600.0)], is_live=False)
    with newest(FrameReader(source)) as slot:
        slot.get(5.0)
    assert not source.is_open
    assert "capture" not in {thread.name for thread in threading.enumerate()}
