"""The gate lets people through: live at once or not at all, offline all of a person and nothing of a ghost."""

from __future__ import annotations

from typing import Literal

import numpy as np

from realtime.kernel.messages import Frame, Sighting
from realtime.perception.gate import MOST_HELD, Gate
from realtime.perception.people.track import tracked_person
from tests.realtime.seen_people import seen_body

LETTERS: dict[str, Literal["earning", "confirmed", "doubted"]] = {"e": "earning", "c": "confirmed", "d": "doubted"}
SEEN = seen_body()


def _film(*people: str, size: tuple[int, int] = (64, 48), first: int = 0) -> list[Sighting]:
    """One letter a frame for each person, a dot where nobody is."""
    film = []
    for i, letters in enumerate(zip(*people, strict=True)):
        frame = Frame(np.zeros((size[1], size[0], 3), np.uint8), first + i, (first + i) / 30)
        told = (tracked_person(id, SEEN, LETTERS[x]) for id, x in enumerate(letters) if x != ".")
        film.append(Sighting(frame, tuple(told)))
    return film


def _through(gate: Gate, film: list[Sighting]) -> list[Sighting]:
    passed = [sighting for each in film for sighting in gate.let_through(each)]
    return passed + list(gate.finish())


def _who(passed: list[Sighting], person: int = 0) -> str:
    return "".join("x" if person in {p.id for p in sighting.people} else "." for sighting in passed)


def test_live_no_frame_waits_and_only_the_confirmed_pass() -> None:
    gate = Gate(holds=False)
    film = _film("eeccdc.ee")
    passed = [gate.let_through(each) for each in film]
    assert [len(each) for each in passed] == [1] * len(film)
    assert _who([each[0] for each in passed]) == "..xx.x..."


def test_offline_a_person_is_there_from_the_first_frame_of_the_trial() -> None:
    film = _film("..eecc", ".....e")
    passed = _through(Gate(holds=True), film)
    assert [each.frame.seq for each in passed] == list(range(6))
    assert _who(passed) == "..xxxx"


def test_offline_a_ghost_is_nowhere_and_a_dip_is_filled() -> None:
    assert _who(_through(Gate(holds=True), _film("ee..ee.."))) == "........"
    assert _who(_through(Gate(holds=True), _film("eecddc"))) == "xxxxxx"
    assert _who(_through(Gate(holds=True), _film("eecdd.."))) == "xxx...."


def test_offline_frames_wait_for_the_slowest_and_stay_in_order() -> None:
    passed = _through(Gate(holds=True), _film("cccccc", "ee....", ".eeecc"))
    assert [each.frame.seq for each in passed] == list(range(6))
    assert (_who(passed, 0), _who(passed, 1), _who(passed, 2)) == ("xxxxxx", "......", ".xxxxx")


def test_a_trial_that_the_end_cuts_short_is_won_and_a_doubt_is_not() -> None:
    """A folder with one picture has one frame."""
    assert _who(_through(Gate(holds=True), _film("e"))) == "x"
    assert _who(_through(Gate(holds=True), _film("ccd"))) == "xx."


def test_pictures_that_change_in_size_are_an_end_each_time() -> None:
    film = _film("e") + _film("e", size=(48, 64), first=1) + _film("eecc", size=(32, 24), first=2)
    assert _who(_through(Gate(holds=True), film)) == "xxxxxx"


def test_no_more_frames_wait_than_memory_holds() -> None:
    gate = Gate(holds=True)
    film = _film("e" * (MOST_HELD + 1))
    assert sum(len(gate.let_through(each)) for each in film) == 1
