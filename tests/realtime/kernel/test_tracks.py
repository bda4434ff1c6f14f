from __future__ import annotations

from realtime.kernel.tracks import FORGET_S, Lapsing, Tracks


def test_everybody_has_one_track_in_the_order_in_which_they_came() -> None:
    tracks: Tracks[list[int]] = Tracks(lambda number: [number])
    for t in (0.0, 0.1):
        for number in (7, 3):
            tracks.of(number, t).append(int(10 * t))
    assert list(tracks) == [[7, 0, 1], [3, 0, 1]]


def test_who_left_takes_no_room_and_who_comes_back_in_time_is_known() -> None:
    tracks: Tracks[list[int]] = Tracks(lambda _: [])
    tracks.of(1, 0.0).append(1)
    assert tracks.of(1, 0.9 * FORGET_S) == [1]
    for number in range(100):
        tracks.of(number, 100.0 + number * 1.1 * FORGET_S)
    assert len(tracks) == 1


def test_a_state_lasts_over_short_gaps_only() -> None:
    state = Lapsing[list[int]](list, max_gap_s=0.3)
    state.at(0.0).append(1)
    assert state.at(0.3) == [1]
    assert state.at(0.61) == []


def test_time_that_stands_still_or_goes_back_starts_afresh() -> None:
    state = Lapsing[list[int]](list)
    state.at(1.0).append(1)
    assert state.at(1.0) == []
    state.at(1.1).append(2)
    assert state.at(0.9) == []


def test_a_state_that_lapsed_begins_anew() -> None:
    state = Lapsing[list[int]](list)
    state.at(0.0).append(1)
    state.lapse()
    assert state.at(0.1) == []
