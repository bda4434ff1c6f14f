"""Whom a VMC address sends: the performer, the nearest, an id, or a place; as told in the address and on the wire."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from realtime.kernel.messages import Person, SolvedFrame
from realtime.outputs import parse_stream_url
from realtime.outputs.streams.whom import ordinal, whom_of
from tests.realtime.outputs.streams.synthetic_stream import T_WORLD_CAM, person_at, solved_at
from tests.realtime.outputs.streams.vmc.vmc_receiver import bones_of, received, sending


def away(person_id: int, metres: float) -> Person:
    """Somebody at this distance before the camera."""
    person = person_at(0.0, id=person_id)
    trans = T_WORLD_CAM - np.array([0, 0, metres], np.float32)
    return replace(person, pose=replace(person.pose, trans=trans))


def sent(word: str, frames: Sequence[SolvedFrame]) -> list[int | None]:
    """The ids that an address sends, frame by frame."""
    whom = whom_of(parse_stream_url(f"vmc://?person={word}"))
    people = (whom(frame, frame.people) for frame in frames)
    return [None if person is None else person.id for person in people]


def film(*frames: tuple[float, Sequence[Person]]) -> list[SolvedFrame]:
    return [solved_at(t, k, tuple(people)) for k, (t, people) in enumerate(frames)]


def test_an_id_is_sent_while_it_is_there() -> None:
    a, b = person_at(0, id=4), person_at(0, id=7)
    assert sent("7", film((0, [a, b]), (0.1, [a]), (0.2, [b, a]), (0.3, []))) == [7, None, 7, None]


def test_the_performer_of_the_run_is_sent_and_nobody_in_their_place() -> None:
    a, b = person_at(0, id=1), person_at(0, id=2)
    frames = [
        replace(frame, performer=who)
        for frame, who in zip(film((0, [a, b]), (0.1, [a]), (0.2, [a, b])), (2, 2, 1), strict=True)
    ]
    assert sent("performer", frames) == [2, None, 1]


def test_the_nearest_is_sent_and_another_only_by_a_clear_lead_that_lasts() -> None:
    near, far = away(1, 2.0), away(2, 3.0)
    assert sent("nearest", film((0, [near, far]), (0.1, [far, near]))) == [1, 1]
    closer = [(0.1 * k, [away(1, 2.0), away(2, 1.7)]) for k in range(1, 9)]
    assert sent("nearest", film((0, [near, far]), *closer)) == [1] * 6 + [2] * 3
    hardly = [(0.1 * k, [away(1, 2.0), away(2, 1.9)]) for k in range(1, 30)]
    assert set(sent("nearest", film((0, [near, far]), *hardly))) == {1}
    assert sent("nearest", film((0, [near, far]), (0.1, [far]), (0.2, [near, far]))) == [1, 2, 2]


def test_nobody_moves_up_when_another_leaves_and_who_comes_takes_the_free_place() -> None:
    a, b, c = (person_at(0, id=i) for i in (3, 5, 9))
    frames = film((0, [b, a]), (1, [b]), (2, [a, b]), (3, [b]), (3.5, [b, c]), (5.5, [b, c]), (6, [c]))
    assert sent("1st", frames) == [3, None, 3, None, None, None, None]
    assert sent("2nd", frames) == [5, 5, 5, 5, 5, 5, None]
    assert sent("3rd", frames) == [None, None, None, None, 9, 9, 9]
    later = film((0, [a, b]), (1, [b]), (3.5, [b, c]), (4, [a, b, c]))
    assert sent("1st", later) == [3, None, 9, 9]
    assert sent("3rd", later) == [None, None, None, 3]


def test_ordinals() -> None:
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 22, 53)] == [
        *("1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "53rd")
    ]


def test_several_streams_send_a_person_each_and_tell_whom() -> None:
    one, two = person_at(0, id=1), person_at(5, id=2)
    with sending("?person=1st") as (first, to_first), sending("?person=2nd") as (second, to_second):
        for stream in (first, second):
            stream.put(solved_at(0, 0, people=(one, two)))
        for person, receiver, stream in ((one, to_first, first), (two, to_second, second)):
            messages = received(receiver)
            np.testing.assert_allclose(bones_of(messages)["Hips"][:3] * [-1, 1, 1], person.pose.trans, atol=1e-6)
            assert told(messages) == [person.id]
            assert f"person {person.id} to vmc://" in stream.words
        second.put(solved_at(0.1, 1, people=(one,)))
        messages = received(to_second)
        assert told(messages) == [None]
        assert bones_of(messages) == {}
        assert "person" not in second.words


def told(messages: list) -> list[int | None]:
    """The ids in the protocol's option strings."""
    return [json.loads(message.params[0])["person"] for message in messages if message.address == "/VMC/Ext/Opt"]


def test_the_choice_is_told_again_each_second_and_at_once_when_it_changes() -> None:
    near, far = away(1, 2.0), away(2, 3.0)
    with sending("?person=nearest") as (stream, receiver):
        heard = []
        for k in range(25):
            stream.put(solved_at(0.1 * k, k, people=(near, far) if k < 22 else (far,)))
            heard.append(told(received(receiver)))
    assert [k for k, ids in enumerate(heard) if ids] == [0, 10, 20, 22]
    assert (heard[20], heard[22]) == ([1], [2])


@pytest.mark.parametrize("word", ["2st", "0th", "second", "-1", "1.5", "nearst", ""])
def test_another_word_is_an_error_that_names_the_known_ones(word: str) -> None:
    with pytest.raises(Exception, match="person is performer, nearest, an id such as 0, or a place such as 1st"):
        whom_of(parse_stream_url(f"vmc://?person={word}"))
