"""Numbers of people in a registry, and what it keeps of those who turn out to be nobody."""

from __future__ import annotations

from realtime.perception.people.identity import Identities
from tests.realtime.perception.people.test_tracker import Session, World, at


def test_a_number_that_another_has_just_taken_is_given_to_nobody_else() -> None:
    """Two strangers beside a place where somebody was lost: both seem to be them."""
    identities = Identities()
    identities.forget(0.0)
    lost = identities.claim(at(300), 0.0)
    identities.see(lost, at(300), 0.0)
    identities.lose(lost, at(300), 0.0)
    first = identities.claim(at(310), 0.1)
    second = identities.claim(at(305), 0.2, in_use={first}, own=first)
    assert first == lost
    assert second != first


def test_nothing_is_kept_of_a_ghost_that_showed_two_good_frames() -> None:
    """Over hours there are many."""
    world = World({"a": at(150)})
    session = Session(world, max_people=2)
    session.step(frames=40)
    seen: set[int] = set()
    for _ in range(5):
        world.people["chair"] = at(500)
        while len(ids := session.step()) == 1:
            pass
        seen |= {*ids, *session.step()}
        world.hidden = {"chair"}
        assert session.step(frames=40) == [0]
        del world.people["chair"]
        world.hidden = set()
    assert len(seen) > 5
    assert [i for i in seen if i in session.tracker._identities._known] == [0]
