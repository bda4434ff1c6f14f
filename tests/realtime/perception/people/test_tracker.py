"""The tracker in a scripted world: people are points with a size, and the networks see what is near."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from engine.body.keypoints import BLAZEPOSE, Keypoints
from engine.errors import UserError
from realtime.kernel.messages import Frame
from realtime.perception.config import PerceptionConfig
from realtime.perception.detector import Detection
from realtime.perception.image import FrameError
from realtime.perception.landmarker import PersonView, Retouch
from realtime.perception.people.overlap import is_duplicate
from realtime.perception.people.search import squares
from realtime.perception.people.track import tracked_person
from realtime.perception.people.tracker import PeopleTracker
from realtime.perception.roi import Roi
from tests.realtime.seen_people import seen_body

SHAPE = np.random.default_rng(0).uniform(-0.4, 0.4, (len(BLAZEPOSE), 2))  # a body's landmarks, in sides of its square


@dataclass
class World:
    """Where people are now, as squares; what the detector and the landmark network make of it."""

    people: dict[str, Roi] = field(default_factory=dict)
    unseen_by_detector: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)  # whose limbs are not seen, like a ghost's
    detections: int = 0  # in whole pictures
    looks: int = 0

    def detect(self, image: np.ndarray, view: Roi) -> list[Detection]:
        """Finds people in the view who are at least a tenth of it large."""
        self.detections += view.size_px >= max(image.shape)
        inside = {
            name: roi
            for name, roi in self.people.items()
            if max(abs(view.from_image(np.array([roi.center_px]))[0] - 0.5)) < 0.5 and roi.size_px > view.size_px / 10
        }
        seen = [roi for name, roi in inside.items() if name not in self.unseen_by_detector]
        return [Detection(0.9 - 0.1 * i, np.zeros(4), roi) for i, roi in enumerate(seen)]

    def look(self, image: np.ndarray, roi: Roi, cover: Retouch | None = None) -> PersonView:
        """Locks on to the nearest person whose hips are in the square's inner half."""
        self.looks += 1
        near = [each for each in self.people.values() if math.dist(each.center_px, roi.center_px) < roi.size_px / 4]
        if not near:
            return PersonView(_landmarks(roi, 0.1), roi)
        person = min(near, key=lambda each: math.dist(each.center_px, roi.center_px))
        hidden = any(self.people[name] is person for name in self.hidden if name in self.people)
        return PersonView(_landmarks(person, 0.95, 0.1 if hidden else 1.0), person)


def _landmarks(roi: Roi, presence: float, visibility: float = 1.0) -> Keypoints:
    points = roi.to_image(SHAPE + 0.5).astype(np.float32)
    world_m = np.column_stack([2.2 * SHAPE, np.zeros(len(SHAPE))])
    return seen_body(points, world_m, visibility=visibility, presence=presence)


class Session:
    def __init__(self, world: World, **options: Any) -> None:
        self.world = world
        self.tracker = PeopleTracker(world.detect, world.look, PerceptionConfig(**options))
        self.seq = 0
        self.image = np.zeros((480, 640, 3), np.uint8)

    def step(self, dt: float = 1 / 30, frames: int = 1) -> list[int]:
        for _ in range(frames):
            self.seq += 1
            self.t = getattr(self, "t", 0.0) + dt
            self.sighting = self.tracker.observe(Frame(self.image, self.seq, self.t))
        return [person.id for person in self.sighting.people]

    @property
    def standings(self) -> list[str]:
        return [person.standing for person in self.sighting.people]


def noted(world: World) -> tuple[PeopleTracker, list[Roi]]:
    """Return a tracker, and the squares into which it has looked, in order."""
    squares: list[Roi] = []

    def look(image: np.ndarray, roi: Roi, cover: Retouch | None = None) -> PersonView:
        squares.append(roi)
        return world.look(image, roi)

    return PeopleTracker(world.detect, look), squares


def at(x: float, y: float = 240.0, size: float = 200.0) -> Roi:
    return Roi((x, y), size, 0.0)


def test_detector_runs_only_to_acquire() -> None:
    world = World({"a": at(300)})
    session = Session(world, person="first")
    for x in range(300, 400, 2):
        world.people["a"] = at(x)
        assert session.step() == [0]
    assert world.detections == 1
    assert world.looks == 50


def test_the_first_live_picture_waits_for_two_views_only_and_all_are_seen_within_a_second() -> None:
    """It waited for the whole picture and all squares: 36 runs of a network, 0.5 s of the start."""
    views: list[Roi] = []

    def detect(image: np.ndarray, view: Roi) -> list[Detection]:
        views.append(view)
        return []

    tracker = PeopleTracker(detect, World().look, live=True)
    image = np.zeros((720, 1280, 3), np.uint8)
    tracker.observe(Frame(image, 0, 0.0))
    assert len(views) == 2
    for seq in range(1, 30):
        tracker.observe(Frame(image, seq, seq / 30))
    assert {(view.center_px, view.size_px) for view in views} >= {
        (view.center_px, view.size_px) for view in squares((1280, 720))
    }


def test_who_is_small_is_found_in_a_square_of_the_first_picture_and_later_within_seconds() -> None:
    world = World({"a": at(300), "far": at(560, 100, 50)})
    session = Session(world, max_people=3)
    assert session.step() == [0, 1]
    world.people["farther"] = at(80, 400, 40)
    frames = next(k for k in range(400) if len(session.step()) == 3)
    assert 0 < frames < 5 * 40


def test_what_moves_is_looked_at_first() -> None:
    world = World({"a": at(300)})
    session = Session(world, max_people=2)
    session.step(frames=5)
    world.people["far"] = at(560, 60, 40)
    for k in range(15):
        session.image[40:80, 540:580] = 255 * (k % 2)
        if len(session.step()) == 2:
            return
    raise AssertionError("not found within half a second")


def test_nobody_is_an_empty_sighting_and_the_detector_keeps_looking() -> None:
    session = Session(World())
    assert session.step(frames=5) == []
    assert session.world.detections == 5


def test_found_again_soon_and_near_keeps_the_id_otherwise_not() -> None:
    world = World({"a": at(300)})
    session = Session(world)
    session.step(frames=3)
    world.people.clear()
    assert session.step(frames=20) == []
    world.people["a"] = at(340)
    assert session.step(frames=3) == [0]  # 0.7 s later, a fifth of its size away
    world.people.clear()
    session.step(frames=20)
    world.people["a"] = at(590)
    assert session.step(frames=3) == [1]  # too far to have walked there
    world.people.clear()
    session.step(frames=65)
    world.people["a"] = at(590)
    assert session.step(frames=3) == [1]  # the only performer may be away for long
    world.people.clear()
    session.step(frames=2)
    session.step(dt=601.0)
    world.people["a"] = at(590)
    assert session.step(frames=3) == [2]  # too late


def test_who_is_lost_may_walk_on() -> None:
    """A man is lost on a roof as he jumps, and is found on the ground 1.4 s later, a square's side away."""
    world = World({"a": at(200)})
    session = Session(world, max_people=2)
    session.step(frames=3)
    world.people.clear()
    session.step(frames=40)
    world.people["a"] = at(400)
    assert session.step(frames=3) == [0]


def test_a_clock_set_back_does_not_revive_ids() -> None:
    world = World({"a": at(300)})
    session = Session(world)
    session.step(frames=40)
    world.people.clear()
    session.step()
    world.people["a"] = at(300)
    assert session.step(dt=-1.0) == [1]


def test_two_people_keep_their_ids_when_one_leaves_and_comes_back() -> None:
    world = World({"a": at(150), "b": at(450)})
    session = Session(world, max_people=2, redetect_every=5)
    assert session.step(frames=3) == [0, 1]
    gone = world.people.pop("a")
    assert session.step(frames=3) == [1]
    world.people["a"] = gone
    assert session.step(frames=10) == [0, 1]


def test_a_newcomer_is_found_within_the_interval() -> None:
    world = World({"a": at(150)})
    session = Session(world, max_people=2, redetect_every=5, person="first")
    session.step(frames=6)
    before = world.detections
    world.people["b"] = at(450)
    assert session.step(frames=5) == [0, 1]
    assert world.detections == before + 1
    session.step(frames=20)
    assert world.detections == before + 1  # all places taken: nothing to look for


def test_only_max_people_are_followed_and_the_surest_come_first() -> None:
    world = World({"a": at(100, size=150), "b": at(300, size=150), "c": at(500, size=150)})
    session = Session(world, max_people=2, person="first")
    assert session.step(frames=20) == [0, 1]
    assert world.detections == 1


def test_the_one_person_lost_a_moment_ago_wins_over_a_surer_stranger() -> None:
    world = World({"stranger": at(500), "a": at(150)}, unseen_by_detector={"stranger"})
    session = Session(world)
    session.step(frames=3)
    gone = world.people.pop("a")
    session.step()
    world.unseen_by_detector.clear()
    world.people = {"stranger": at(500), "a": gone}
    assert session.step() == [0]


def test_two_tracks_on_one_person_become_the_older() -> None:
    world = World({"a": at(150), "b": at(450)})
    session = Session(world, max_people=2, redetect_every=1000)
    assert session.step() == [0, 1]
    for x in range(450, 180, -20):  # b walks into a and disappears behind
        world.people["b"] = at(x)
        session.step()
    world.people["a"] = at(175)
    world.people.pop("b")
    assert session.step(frames=2) == [0]


def test_a_second_body_on_one_person_is_not_told_though_its_limbs_lie_elsewhere() -> None:
    """As found on a walking woman: turned by 40 degrees about her head, with a presence of 1."""
    upright = at(450)
    head_px = upright.to_image(SHAPE[:11] + 0.5).mean(axis=0)
    turned = Roi(upright.center_px, 200.0, math.radians(40))
    there = turned.to_image(SHAPE[:11] + 0.5).mean(axis=0)
    x, y = np.array(turned.center_px) + head_px - there
    ghost = Roi((float(x), float(y)), 200.0, turned.angle_rad)
    assert not is_duplicate(PersonView(_landmarks(upright, 1.0), upright), PersonView(_landmarks(ghost, 1.0), ghost))

    world = World({"a": upright})
    session = Session(world, max_people=2, redetect_every=2)
    session.step(frames=4)
    inner = world.look
    session.tracker = PeopleTracker(
        lambda image, view: [Detection(0.9, np.zeros(4), upright), Detection(0.8, np.zeros(4), at(450, 320))],
        lambda image, roi, cover=None: (
            inner(image, roi) if roi == upright else PersonView(_landmarks(ghost, 1.0), ghost)
        ),
        PerceptionConfig(max_people=2),
    )
    assert session.step(frames=10) == [0]


def test_people_side_by_side_are_not_merged() -> None:
    """Shoulder to shoulder: half a metre of a square that spans two and a half."""
    world = World({"a": at(250), "b": at(250 + 200 * 0.2)})
    session = Session(world, max_people=2, redetect_every=3)
    assert session.step(frames=10) == [0, 1]


def test_a_still_square_is_held_and_a_moving_one_followed() -> None:
    world = World({"a": at(300)})
    tracker, squares = noted(world)
    image = np.zeros((480, 640, 3), np.uint8)
    for i in range(20):
        world.people["a"] = at(300 + (i % 2) * 2.0)  # trembles by a hundredth of its side
        tracker.observe(Frame(image, i, i / 30))
    assert len(set(squares[1:])) == 1
    for i in range(20, 40):
        world.people["a"] = at(300 + (i - 20) * 5.0)
        tracker.observe(Frame(image, i, i / 30))
    assert abs(squares[-1].center_px[0] - world.people["a"].center_px[0]) < 0.04 * 200 + 5


def test_a_square_that_runs_away_ends_the_track() -> None:
    def wild(image: np.ndarray, roi: Roi, cover: Retouch | None = None) -> PersonView:
        return PersonView(_landmarks(roi, 0.9), Roi((math.nan, 0.0), 100.0, 0.0))

    world = World({"a": at(300)})
    tracker = PeopleTracker(world.detect, wild)
    assert tracker.observe(Frame(np.zeros((480, 640, 3), np.uint8), 0, 0.0)).people == ()


def test_a_ghost_is_never_told() -> None:
    session = Session(World({"table": at(300)}, hidden={"table"}))
    assert [session.step() for _ in range(60)] == [[]] * 60


def test_a_ghost_keeps_nobody_from_being_found() -> None:
    world = World({"table": at(150)}, hidden={"table"})
    session = Session(world)
    session.step(frames=10)
    world.people["person"] = at(450)
    assert session.step() == [0]
    session.step(frames=2)
    assert (session.standings, world.people["person"].center_px[0]) == (["confirmed"], 450)


def test_a_ghost_does_not_take_the_number_of_the_one_who_was_lost() -> None:
    world = World({"a": at(300)})
    session = Session(world)
    session.step(frames=5)
    world.people["a"] = at(310)
    world.hidden.add("a")  # a table's foot where somebody stood a moment ago
    session.step(frames=12)
    assert session.sighting.people == ()
    world.hidden.clear()
    assert session.step(frames=3) == [0]


def test_a_dip_is_a_doubt_and_a_track_that_slides_on_to_furniture_ends() -> None:
    world = World({"a": at(300)})
    session = Session(world)
    session.step(frames=5)
    world.hidden.add("a")
    assert session.step(frames=5) == [0]
    assert session.standings == ["doubted"]
    world.hidden.clear()
    assert (session.step(), session.standings) == ([0], ["confirmed"])
    world.hidden.add("a")
    assert session.step(frames=12) == []


@pytest.mark.parametrize(("size", "now"), [((320, 240), at(150, 120, 100)), ((480, 640), at(220, 320, 200))])
def test_a_picture_of_another_size_begins_the_square_anew_and_keeps_the_number(size: tuple[int, int], now: Roi) -> None:
    """Half the size, and turned: the old square would still find somebody here, but not the whole of them."""
    world = World({"a": at(300)})
    tracker, squares = noted(world)
    for i in range(5):
        tracker.observe(Frame(np.zeros((480, 640, 3), np.uint8), i, i / 30))
    world.people["a"] = now
    squares.clear()
    people = tracker.observe(Frame(np.zeros((size[1], size[0], 3), np.uint8), 5, 5 / 30)).people
    assert [person.id for person in people] == [0]
    assert squares == [now]


def test_box_is_around_visible_landmarks() -> None:
    points = np.zeros((len(BLAZEPOSE), 2), np.float32)
    points[0], points[1], points[2] = (10, 20), (50, 90), (900, 900)
    visibility = np.zeros(len(BLAZEPOSE), np.float32)
    visibility[:2] = 0.9
    landmarks = seen_body(points, visibility=visibility)
    np.testing.assert_array_equal(tracked_person(3, landmarks).box_xyxy, [10, 20, 50, 90])
    hidden = seen_body(points, visibility=0.0)
    np.testing.assert_array_equal(tracked_person(3, hidden).box_xyxy, [0, 0, 900, 900])


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((0, 0, 3), np.uint8),
        np.zeros((480, 0, 3), np.uint8),
        np.zeros((480, 640), np.uint8),
        np.zeros((480, 640, 4), np.uint8),
        np.zeros((480, 640, 3), np.float32),
        np.broadcast_to(np.uint8(0), (2, 40_000, 3)),
        None,
    ],
)
def test_unusable_frames_are_named_in_one_line(image: np.ndarray) -> None:
    tracker = PeopleTracker(World().detect, World().look)
    with pytest.raises(FrameError) as caught:
        tracker.observe(Frame(image, 0, 0.0))
    assert isinstance(caught.value, UserError)
    assert "\n" not in str(caught.value)
