"""Ids of people in the scripted world who meet, leave and come back, in clothes of one colour each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from realtime.perception.gate import Gate
from realtime.perception.landmarker import PersonView, Retouch
from realtime.perception.roi import Roi
from tests.realtime.perception.people.test_tracker import Session, World, at

RED, BLUE, GREY = (30, 30, 170), (170, 60, 30), (120, 120, 120)


class Slender(World):
    """People are a fifth as wide as their squares, as people are who stand."""

    def look(self, image: np.ndarray, roi: Roi, cover: Retouch | None = None) -> PersonView:
        view = super().look(image, roi, cover)
        points = view.body.image_px.copy()
        points[:, 0] = view.next_roi.center_px[0] + 0.2 * (points[:, 0] - view.next_roi.center_px[0])
        return PersonView(replace(view.body, image_px=points), view.next_roi)


class Dressed(Session):
    """Paints everybody, those in front last."""

    def __init__(self, world: World, clothes: dict[str, tuple[int, int, int]], **options: Any) -> None:
        super().__init__(world, **options)
        self.clothes = clothes
        self.gate = Gate(holds=True)
        self.passed: list[dict[int, float]] = []  # x of everybody who was let through, by id, by frame

    def step(self, dt: float = 1 / 30, frames: int = 1) -> list[int]:
        for _ in range(frames):
            self.image[:] = 90
            for name, colour in self.clothes.items():
                if name in self.world.people:
                    _paint(self.image, self.world.people[name], colour)
            super().step(dt)
            for each in self.gate.let_through(self.sighting):
                self.passed.append({p.id: float(p.keypoints["body"].image_px[:, 0].mean()) for p in each.people})
        return [person.id for person in self.sighting.people]

    def where(self) -> dict[int, float]:
        """Return the x of everybody who is told now, by id."""
        return {p.id: float(p.keypoints["body"].image_px[:, 0].mean()) for p in self.sighting.people}


def _paint(image: np.ndarray, square: Roi, colour: tuple[int, int, int]) -> None:
    low, high = (np.array(square.center_px) + side * square.size_px * np.array([0.1, 0.5]) for side in (-1, 1))
    (x0, y0), (x1, y1) = low.clip(0).astype(int), high.clip(0).astype(int)
    image[y0:y1, x0:x1] = colour


def cross(session: Dressed) -> None:
    """Let a, who is found first, pass b so near that the network in either square takes the other one."""
    session.world.people = {"a": at(100), "b": at(540)}
    session.step(frames=20)
    for x in [*range(100, 306, 5), *range(330, 541, 5)]:
        session.world.people = {"a": at(x), "b": at(640 - x)}
        session.step()
    session.step(frames=30)


def test_people_who_cross_keep_their_ids_though_the_tracks_exchange_bodies() -> None:
    session = Dressed(Slender(), {"a": RED, "b": BLUE}, max_people=2)
    cross(session)
    assert session.where().keys() == {0, 1}
    assert session.where()[0] > session.where()[1]  # a was on the left
    assert session.standings == ["confirmed", "confirmed"]


def test_frames_in_which_a_body_was_anothers_are_not_let_through() -> None:
    """b walks to the left: an id's body never goes back to where the other one came from."""
    session = Dressed(Slender(), {"a": RED, "b": BLUE}, max_people=2)
    cross(session)
    for person_id, way in ((0, 1.0), (1, -1.0)):
        x = [each[person_id] for each in session.passed if person_id in each]
        assert len(x) > 60
        assert (way * np.diff(x) > -25).all()


def test_people_dressed_alike_keep_the_ids_of_their_tracks() -> None:
    """Nothing tells that they were exchanged; nothing may exchange them at random either."""
    session = Dressed(Slender({"a": at(150), "b": at(450)}), {"a": GREY, "b": GREY}, max_people=2)
    session.step(frames=20)
    for moved in range(0, 121, 5):  # near each other, and apart again
        session.world.people = {"a": at(150 + moved), "b": at(450 - moved)}
        session.step()
    for moved in range(120, -1, -5):
        session.world.people = {"a": at(150 + moved), "b": at(450 - moved)}
        session.step()
    assert session.where()[0] < 200 < 400 < session.where()[1]


def test_the_only_performer_keeps_the_id_over_a_minute_and_somebody_in_other_clothes_gets_another() -> None:
    session = Dressed(Slender({"a": at(150)}), {"a": RED, "b": BLUE})
    assert session.step(frames=20) == [0]
    session.world.people = {}
    session.step(frames=3)
    session.step(dt=60.0)
    session.world.people = {"a": at(400, size=260)}
    assert session.step(frames=20) == [0]
    session.world.people = {}
    session.step(frames=3)
    session.step(dt=5.0)
    session.world.people = {"b": at(400, size=260)}
    assert session.step(frames=20) == [1]


def test_of_several_people_one_who_was_away_for_some_seconds_is_known_by_the_clothes() -> None:
    session = Dressed(Slender({"a": at(100), "b": at(540)}), {"a": RED, "b": BLUE, "c": GREY}, max_people=3)
    assert session.step(frames=20) == [0, 1]
    del session.world.people["a"]
    session.step(frames=150)
    session.world.people["c"] = at(100)
    assert session.step(frames=40) == [1, 2]
    session.world.people["a"] = at(320)
    assert session.step(frames=40) == [0, 1, 2]


def test_who_is_lost_while_walking_is_looked_for_and_known_farther_on() -> None:
    """A square's side in half a second is faster than anybody walks, but as fast as this one ran."""
    session = Dressed(Slender(), {"a": RED}, max_people=2)
    for x in range(100, 300, 8):
        session.world.people = {"a": at(x)}
        session.step()
    session.world.people = {}
    session.step(frames=15)
    session.world.people = {"a": at(300 + 8 * 25)}
    assert session.step(frames=20) == [0]


def test_a_look_that_changes_beside_another_is_in_doubt_for_a_second_only() -> None:
    """Another light, or a back: her look stays more like his, though nobody was exchanged."""
    own, his, since = (100, 100, 100), (140, 104, 90), (128, 103, 93)
    session = Dressed(Slender({"a": at(200), "b": at(420)}), {"a": own, "b": his}, max_people=2)
    session.step(frames=30)
    for moved in range(0, 86, 5):
        session.world.people = {"a": at(200 + moved), "b": at(420 - moved)}
        session.step()
    session.clothes["a"] = since
    session.step(frames=15)
    assert session.standings == ["doubted", "confirmed"]
    session.step(frames=30)
    assert session.standings == ["confirmed", "confirmed"]
    session.step(frames=150)
    assert session.standings == ["confirmed", "confirmed"]
