"""People who are looked at more seldom where there is no time: a camera of 30 fps, and looks of a known length."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest

from realtime.kernel.messages import Frame, TrackedPerson
from realtime.kernel.tracks import MAX_GAP_S
from realtime.perception.config import PerceptionConfig
from realtime.perception.landmarker import PersonView
from realtime.perception.people.tracker import PeopleTracker
from realtime.perception.people.turns import Turns
from realtime.perception.roi import Roi
from tests.realtime.perception.people.test_tracker import World

IMAGE = np.zeros((720, 1280, 3), np.uint8)
FPS = 30.0


class Clock:
    """Clock that goes on by the length of a look only."""

    def __init__(self, look_s: float) -> None:
        self.now_s, self.look_s = 0.0, look_s

    def __call__(self) -> float:
        return self.now_s


class Waiting:
    """Track of somebody, the first of whom is nearest."""

    def __init__(self, number: int, seen_t: float) -> None:
        self.id, self.roi, self.seen_t = number, Roi((0.0, 0.0), 100.0 - number, 0.0), seen_t


def four_who_take_long(seen_t: float) -> tuple[Turns, list[Waiting]]:
    """Four people, a look at each of whom takes 30 ms, as one has taken."""
    clock = Clock(0.03)
    turns = Turns(clock)

    def look() -> None:
        clock.now_s += clock.look_s

    turns.timed(look)()
    return turns, [Waiting(number, seen_t) for number in range(4)]


def seen(count: int, look_s: float, *, keeps_up: bool = True, frames: int = 120) -> dict[int, list[int]]:
    """Follow so many people, the first of whom is nearest; return the frames in which each was told, by id."""
    world = World({f"person {k}": Roi((100 + 150.0 * k, 360), 140 - 10 * k, 0.0) for k in range(count)})
    clock = Clock(look_s)

    def look(image: np.ndarray, roi: Roi, cover: object = None) -> PersonView:
        clock.now_s += clock.look_s
        return world.look(image, roi)

    config = PerceptionConfig(max_people=count, redetect_every=1)
    tracker = PeopleTracker(world.detect, look, config, Turns(clock) if keeps_up else None)
    told = defaultdict(list)
    for seq in range(frames):
        for person in tracker.observe(Frame(IMAGE, seq, seq / FPS)).people:
            told[person.id].append(seq)
    return told


def test_the_nearest_is_seen_in_every_frame_and_nobody_longer_than_they_are_held() -> None:
    told = seen(8, look_s=0.012)
    assert sorted(told) == list(range(8))
    assert np.diff(told[0]).max() == 1
    looks = sum(len(frames) for frames in told.values())
    assert looks < 2.3 * 120  # two fit into 90 % of a frame; everybody would be 8 looks a frame
    for frames in told.values():
        gaps = np.diff([seq for seq in frames if seq >= 10])
        assert gaps.max() / FPS < MAX_GAP_S
    assert all(len(told[person]) > 12 for person in range(1, 8))


@pytest.mark.parametrize(("look_s", "keeps_up"), [(0.003, True), (0.012, False)])
def test_everybody_is_seen_in_every_frame_where_there_is_time_or_no_hurry(look_s: float, keeps_up: bool) -> None:
    told = seen(8, look_s, keeps_up=keeps_up)
    assert all(np.diff(frames).max() == 1 for frames in told.values())


def test_the_performer_waits_as_little_as_the_nearest() -> None:
    turns, tracks = four_who_take_long(seen_t=0.0)
    chosen = [[track.id for track in turns.due(tracks, seq, seq / FPS, performer=3)] for seq in range(6)]
    assert chosen[0] == [0, 1, 2, 3]  # how long a frame lasts is not known yet
    assert chosen[1:] == [[0, 3]] * 5
    assert math.isinf(Turns(Clock(0.03))._room())


def test_nobody_waits_for_a_clock_that_was_set_back() -> None:
    turns, tracks = four_who_take_long(seen_t=3600.0)
    for seq in range(2):
        turns.due(tracks, seq, 3600.0 + seq / FPS)
    assert turns.due(tracks, 2, 60.0) == tracks


def test_who_waits_is_told_of_as_seen_last() -> None:
    clock, world = Clock(0.012), World({f"person {k}": Roi((200 + 300.0 * k, 360), 140 - k, 0.0) for k in range(4)})

    def look(image: np.ndarray, roi: Roi, cover: object = None) -> PersonView:
        clock.now_s += clock.look_s
        return world.look(image, roi)

    tracker = PeopleTracker(world.detect, look, PerceptionConfig(max_people=4), Turns(clock))
    last: dict[int, TrackedPerson] = {}
    for seq in range(40):
        world.people = {name: Roi((200 + 300.0 * k + seq, 360), 140 - k, 0.0) for k, name in enumerate(world.people)}
        sighting = tracker.observe(Frame(IMAGE, seq, seq / FPS))
        assert sorted(person.id for person in (*sighting.people, *sighting.waiting)) == list(range(4))
        for person in sighting.waiting:
            assert person.box_xyxy.tolist() == last[person.id].box_xyxy.tolist()
        last = {person.id: person for person in (*sighting.people, *sighting.waiting)}
    assert len(sighting.waiting) == 2
