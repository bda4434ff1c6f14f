"""Pauses of looks where cores are full, by clocks that a test turns."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.kernel.messages import Frame
from realtime.perception.parts.hand import HandView
from realtime.perception.parts.hand_pair import HandLook
from realtime.perception.parts.room import NOTHING_S, REST, Room
from realtime.perception.parts.tracker import PartsTracker
from tests.realtime.perception.parts.acted import body, hand
from tests.realtime.perception.parts.test_parts_tracker import LEFT, RIGHT, Bodies

FRAME_S = 1 / 30


class Cores:
    """Clocks of a machine on which a look computes for `cpu_s`, and waits for a core for `waits_s`."""

    def __init__(self, cpu_s: float, waits_s: float) -> None:
        self.cpu_s, self.waits_s = cpu_s, waits_s
        self.now_s = self.computed_s = 0.0
        self.room = Room(lambda: self.now_s, lambda: self.computed_s)

    def compute(self) -> None:
        self.now_s += self.cpu_s + self.waits_s
        self.computed_s += self.cpu_s

    def look(self) -> None:
        self.room.watched(self.compute)()

    def share(self, frames: int = 300) -> float:
        """The share of frames in which a look begins."""
        looks = 0
        for frame in range(frames):
            self.now_s = max(self.now_s, frame * FRAME_S)
            if self.now_s < (frame + 1) * FRAME_S and not self.room.is_paused:
                self.look()
                looks += 1
        return looks / frames


def test_where_cores_are_free_every_frame_has_a_look() -> None:
    cores = Cores(0.020, NOTHING_S / 2)
    assert cores.share() == 1.0
    assert not cores.room.is_full


@pytest.mark.parametrize("waits_s", [0.01, 0.03, 0.1])
def test_the_longer_looks_wait_the_rarer_they_are_but_they_do_not_end(waits_s: float) -> None:
    cores = Cores(0.010, waits_s)
    period_s = cores.cpu_s + waits_s + REST * (waits_s - NOTHING_S)
    frames = np.ceil(period_s / FRAME_S)
    assert cores.share() == pytest.approx(1 / frames, abs=0.05)
    assert cores.room.is_full


def test_looks_come_back_with_the_room() -> None:
    cores = Cores(0.010, 0.05)
    assert cores.share() < 0.4
    cores.waits_s = 0.0
    start = cores.now_s
    while cores.room.is_full:
        cores.now_s += FRAME_S
        if not cores.room.is_paused:
            cores.look()
    assert cores.now_s - start < 2.0


def test_a_clock_with_coarse_steps_tells_no_wait_where_there_is_none() -> None:
    """Windows counts a thread's time in steps of 1/64 s: looks of 10 ms take none of it, or 16 ms."""
    cores = Cores(0.010, 0.0)
    cores.room = Room(lambda: cores.now_s, lambda: np.floor(cores.computed_s * 64) / 64)
    assert cores.share() > 0.8


def looks_of(*, waits: bool, waits_s: float) -> int:
    """Looks at hands in thirty frames of somebody who stands still, on cores with such waits."""
    cores, looks = Cores(0.010, waits_s), []

    def see_hand(_: np.ndarray, look: HandLook) -> HandView:
        looks.append(look)
        cores.compute()
        return hand(LEFT, 0.02) if look.side == "left" else hand(RIGHT, 0.98)

    tracker = PartsTracker(Bodies(body(LEFT, RIGHT)), see_hand, None, waits=waits, room=cores.room)
    for i in range(30):
        cores.now_s = max(cores.now_s, i * FRAME_S)
        tracker.observe(Frame(np.zeros((720, 1280, 3), np.uint8), i, i * FRAME_S))
        for task in tracker._tasks:
            task.view.exception(60)  # done before the next frame
    tracker.close()
    return len(looks)


def test_live_looks_pause_where_cores_are_full_and_a_file_has_them_all() -> None:
    assert looks_of(waits=False, waits_s=0.0) == 29  # nobody is known in the first frame
    assert 5 <= looks_of(waits=False, waits_s=0.05) <= 12
    assert looks_of(waits=True, waits_s=0.05) == 29
