"""Whom the tracker follows where more people are in view than places, in the scripted world of the tracker's tests."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from realtime.perception.config import PersonRule
from realtime.perception.landmarker import PersonView
from realtime.perception.people.places import Places, Seen
from tests.realtime.perception.people.test_tracker import Session, World, at
from tests.realtime.seen_people import seen_body

POSTER, PERFORMER = at(150, size=90), at(450, size=200)  # a poster on the wall, and who comes to stand beside it


def frames_until(session: Session, ids: list[int], most: int = 90) -> int:
    return next(k for k in range(1, most) if session.step() == ids)


def who(session: Session) -> str:
    """Name of the only one who is told of, who must be sure."""
    (person,) = session.sighting.people
    assert person.standing == "confirmed"
    x, y = person.keypoints["body"].image_px.mean(axis=0)
    return min(session.world.people, key=lambda name: math.dist(session.world.people[name].center_px, (x, y)))


@pytest.mark.parametrize("rule", ["largest", "nearest"])
def test_who_comes_before_a_poster_takes_over_within_a_second_and_a_half(rule: PersonRule) -> None:
    world = World({"poster": POSTER})
    session = Session(world, person=rule)
    assert session.step(frames=40) == [0]
    world.people["performer"] = PERFORMER
    frames = frames_until(session, [1])
    assert 15 <= frames <= 45  # half a second of a clear lead, and at most one until the detector looks
    assert (session.standings, session.sighting.performer) == (["confirmed"], 1)
    assert session.step(frames=60) == [1]


def test_who_came_first_stays_by_that_rule() -> None:
    world = World({"poster": POSTER})
    session = Session(world, person="first")
    session.step(frames=40)
    world.people["performer"] = PERFORMER
    assert session.step(frames=90) == [0]


def test_who_stands_in_the_middle_of_the_picture_takes_over_by_that_rule() -> None:
    world = World({"large": at(120, size=220)})
    session = Session(world, person="centre")
    session.step(frames=40)
    world.people["small"] = at(330, size=120)
    assert frames_until(session, [1]) <= 45


def test_of_all_in_the_first_picture_the_largest_is_followed() -> None:
    session = Session(World({"poster": POSTER, "performer": PERFORMER}))
    session.step(frames=3)
    assert who(session) == "performer"


def test_a_passer_by_who_is_hardly_larger_or_soon_gone_changes_nothing() -> None:
    world = World({"a": at(150)})
    session = Session(world)
    session.step(frames=40)
    world.people["like"] = at(450, size=230)
    assert session.step(frames=90) == [0]
    world.people["like"] = at(450, size=300)
    session.step(frames=14)  # too short, wherever the detector's turns fall
    del world.people["like"]
    assert session.step(frames=60) == [0]


def test_two_who_sway_about_the_same_size_never_take_turns() -> None:
    world = World({"a": at(150), "b": at(450)})
    session = Session(world)
    session.step(frames=3)
    seen = set()
    for k in range(600):
        world.people["a"] = at(150, size=200 + 40 * np.sin(k / 7))
        world.people["b"] = at(450, size=200 - 40 * np.sin(k / 7))
        seen |= set(session.step())
    assert len(seen) == 1


def test_a_ghost_takes_nobodys_place() -> None:
    world = World({"a": at(150)})
    session = Session(world)
    session.step(frames=40)
    world.people["table"] = at(450, size=400)
    world.hidden.add("table")
    assert {tuple(session.step()) for _ in range(120)} == {(0,)}


def test_the_place_of_who_jumps_out_of_view_is_kept_from_a_poster() -> None:
    world = World({"a": PERFORMER, "poster": POSTER})
    session = Session(world)
    (x, y), half = POSTER.center_px, POSTER.size_px / 2
    session.image[max(0, int(y - half)) : int(y + half), max(0, int(x - half)) : int(x + half)] = 200  # a bright one
    session.step(frames=40)
    gone = world.people.pop("a")
    assert {tuple(session.step()) for _ in range(40)} == {()}
    world.people["a"] = gone
    assert session.step(frames=3) == [0]
    del world.people["a"]
    assert session.step(frames=100) == [1]  # who does not come back within three seconds has left


def test_the_next_person_is_found_when_asked_for_and_kept_while_they_are_tracked() -> None:
    world = World({"performer": PERFORMER, "poster": POSTER, "far": at(590, 100, 50)})
    session = Session(world)
    session.step(frames=3)
    people = []
    for _ in range(4):
        session.tracker.next_person()
        session.step(frames=4)
        people.append(who(session))
    assert people == ["far", "poster", "performer", "far"]  # from left to right, and again
    chosen = session.step(frames=120)  # though others are larger
    assert (len(chosen), session.sighting.performer) == (1, chosen[0])


def test_a_lost_choice_of_the_user_keeps_the_place_for_a_moment_and_then_the_rule_decides() -> None:
    world = World({"a": PERFORMER, "poster": POSTER})
    session = Session(world)
    session.step(frames=3)
    session.tracker.next_person()
    chosen = session.step(frames=4)
    gone = world.people.pop("poster")
    assert session.step(frames=40) == []
    world.people["poster"] = gone
    assert session.step(frames=4) == chosen
    del world.people["poster"]
    session.step(frames=70)
    assert who(session) == "a"


def test_asked_for_the_next_where_nobody_is_the_one_stays() -> None:
    session = Session(World({"a": PERFORMER}))
    session.step(frames=3)
    session.tracker.next_person()
    assert session.step(frames=10) == [0]


def test_the_performer_is_the_largest_of_those_followed_with_a_margin_that_lasts() -> None:
    world = World({"a": at(150), "b": at(450)})
    session = Session(world, max_people=2)
    session.step(frames=10)
    first = session.sighting.performer
    other = 1 - first if first is not None else None
    world.people = {"a": at(150, size=140 if first == 0 else 200), "b": at(450, size=200 if first == 0 else 140)}
    told = [session.step() and session.sighting.performer for _ in range(30)]
    assert (told[0], told[-1]) == (first, other)
    assert sum(a != b for a, b in itertools.pairwise(told)) == 1


def test_with_a_place_for_everybody_the_next_person_is_the_performer() -> None:
    session = Session(World({"a": at(150), "b": at(450)}), max_people=2)
    session.step(frames=10)
    performers = []
    for _ in range(3):
        session.tracker.next_person()
        session.step()
        performers.append(session.sighting.performer)
    assert performers[0] == performers[2] != performers[1]
    assert session.step(frames=60) == [0, 1]


@pytest.mark.parametrize(("rule", "wins"), [("largest", 1), ("first", 0)])
def test_places_among_people_who_are_seen_anyway(rule: PersonRule, wins: int) -> None:
    """As MediaPipe's Tasks tell of them."""
    places = Places(rule, 1)

    def held(t: float, *people: Seen) -> set[int]:
        return set(places.update(people, lambda _: False, t))

    small, large = (Seen(i, PersonView(seen_body(), at(200 * (i + 1), size=size))) for i, size in enumerate((130, 200)))
    assert held(0.0, small) == {0}
    assert held(0.1, small, large) == {0}
    assert held(0.5, small, large) == {0}
    assert (held(0.7, small, large), places.choice.performer) == ({wins}, wins)
    places.choice.ask_for_next()
    assert (held(0.8, small, large), places.choice.performer) == ({1 - wins}, 1 - wins)
    assert held(5.0, small, large) == {1 - wins}


def test_who_takes_a_place_over_from_somebody_near_gets_another_number() -> None:
    """Both look alike, so that they could be one person who was lost."""
    world = World({"a": at(300, size=100)})
    session = Session(world)
    assert session.step(frames=40) == [0]
    world.people["b"] = at(335, size=180)
    assert frames_until(session, [1]) <= 60
    assert who(session) == "b"
